/* order_sort.h: sorting lines by an application's order. Any thread. */
#ifndef AIMSS_FLOW_ORDER_SORT_H
#define AIMSS_FLOW_ORDER_SORT_H

#include <aimss.h>

/* The application's order, ties by bytes. */
int order_compare(aimss_order_fn *compare, const struct aimss_counted *a,
                  const struct aimss_counted *b);

/* The first of count sorted lines that is not before the given one. */
size_t order_find(const struct aimss_counted *lines, size_t count,
                  const struct aimss_counted *line, aimss_order_fn *compare);

/* Sorts; scratch has room for half as many, rounded up. Takes about count
 * comparisons where the lines are nearly in order, and few where they are
 * runs. */
void order_sort(struct aimss_counted *lines, size_t count, struct aimss_counted *scratch,
                aimss_order_fn *compare);

#endif
