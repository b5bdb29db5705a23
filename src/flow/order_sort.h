/* order_sort.h: sorting lines by an application's order. Any thread. */
#ifndef AIMSS_FLOW_ORDER_SORT_H
#define AIMSS_FLOW_ORDER_SORT_H

#include <aimss.h>

/* A line with the first bytes of its key as a number that orders like them. */
struct order_guess {
    uint64_t prefix;
    struct aimss_counted line;
};

/* The application's order, ties by bytes. */
int order_compare(aimss_order_fn *compare, const struct aimss_counted *a,
                  const struct aimss_counted *b);

/* Sorts; scratch has room for half as many, rounded up. Takes count - 1
 * comparisons where the lines are in order, and few where they are runs. */
void order_sort(struct aimss_counted *lines, size_t count, struct aimss_counted *scratch,
                aimss_order_fn *compare);

/* The same for the likeliest order, count down, then bytes, which needs no
 * calls and mostly no look at the keys. */
void order_sort_guess(struct order_guess *lines, size_t count, struct order_guess *scratch);

uint64_t order_prefix(struct aimss_bytes key);

#endif
