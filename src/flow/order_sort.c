/* order_sort.c: merge sort that looks before it merges.
 *
 * What of two halves is in place already is found by bisection and left alone,
 * so sorted input, joined runs and small faults cost little. Only what moves
 * of the lower half is copied aside.
 */
#include "flow/order_sort.h"

#include <string.h>

enum {
    SHORT_RUN = 12,    /* sorted by insertion */
    LOOK_AHEAD = 8     /* lines whose keys are fetched early */
};

static int compare_bytes(struct aimss_bytes a, struct aimss_bytes b)
{
    size_t shorter = a.len_bytes < b.len_bytes ? a.len_bytes : b.len_bytes;
    int bytes = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    if (bytes != 0)
        return bytes;
    return (a.len_bytes > b.len_bytes) - (a.len_bytes < b.len_bytes);
}

int order_compare(aimss_order_fn *compare, const struct aimss_counted *a,
                  const struct aimss_counted *b)
{
    int order = compare(a, b);
    return order != 0 ? order : compare_bytes(a->key, b->key);
}

size_t order_find(const struct aimss_counted *lines, size_t count,
                  const struct aimss_counted *line, aimss_order_fn *compare)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order_compare(compare, &lines[middle], line) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void sort_short(struct aimss_counted *lines, size_t count, aimss_order_fn *compare)
{
    for (size_t i = 1; i < count; i++) {
        struct aimss_counted line = lines[i];
        size_t at = i;
        for (; at > 0 && order_compare(compare, &line, &lines[at - 1]) < 0; at--)
            lines[at] = lines[at - 1];
        lines[at] = line;
    }
}

/* Merges the halves before and from middle on, of which none is empty. */
static void merge(struct aimss_counted *lines, size_t middle, size_t count,
                  struct aimss_counted *scratch, aimss_order_fn *compare)
{
    size_t to = order_find(lines, middle, &lines[middle], compare);
    size_t end = middle + order_find(lines + middle, count - middle, &lines[middle - 1], compare);
    size_t low = 0, low_end = middle - to, high = middle;
    memcpy(scratch, &lines[to], low_end * sizeof *lines);
    while (low < low_end && high < end) {
        if (order_compare(compare, &lines[high], &scratch[low]) < 0)
            lines[to++] = lines[high++];
        else
            lines[to++] = scratch[low++];
    }
    memcpy(&lines[to], &scratch[low], (low_end - low) * sizeof *lines);
}

void order_sort(struct aimss_counted *lines, size_t count, struct aimss_counted *scratch,
                aimss_order_fn *compare)
{
    if (count <= SHORT_RUN) {
        for (size_t i = 0; i < LOOK_AHEAD && i < count; i++)
            __builtin_prefetch(lines[i].key.data);
        sort_short(lines, count, compare);
        return;
    }
    size_t middle = count / 2;
    order_sort(lines, middle, scratch, compare);
    order_sort(lines + middle, count - middle, scratch, compare);
    if (order_compare(compare, &lines[middle - 1], &lines[middle]) > 0)
        merge(lines, middle, count, scratch, compare);
}
