/* order_sort.c: merge sort that looks before it merges.
 *
 * Halves that are in order already are left alone, so sorted input and joined
 * runs cost little. Only the lower half is copied aside.
 */
#include "flow/order_sort.h"

#include <string.h>

enum { SHORT_RUN = 12 /* sorted by insertion */ };

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

static void insert_lines(struct aimss_counted *lines, size_t count, aimss_order_fn *compare)
{
    for (size_t i = 1; i < count; i++) {
        struct aimss_counted line = lines[i];
        size_t at = i;
        for (; at > 0 && order_compare(compare, &line, &lines[at - 1]) < 0; at--)
            lines[at] = lines[at - 1];
        lines[at] = line;
    }
}

void order_sort(struct aimss_counted *lines, size_t count, struct aimss_counted *scratch,
                aimss_order_fn *compare)
{
    if (count <= SHORT_RUN) {
        insert_lines(lines, count, compare);
        return;
    }
    size_t middle = count / 2, low = 0, high = middle, to = 0;
    order_sort(lines, middle, scratch, compare);
    order_sort(lines + middle, count - middle, scratch, compare);
    if (order_compare(compare, &lines[middle - 1], &lines[middle]) < 0)
        return;
    memcpy(scratch, lines, middle * sizeof *lines);
    while (low < middle && high < count) {
        if (order_compare(compare, &lines[high], &scratch[low]) < 0)
            lines[to++] = lines[high++];
        else
            lines[to++] = scratch[low++];
    }
    memcpy(&lines[to], &scratch[low], (middle - low) * sizeof *lines);
}

uint64_t order_prefix(struct aimss_bytes key)
{
    unsigned char first[8] = { 0 };
    uint64_t prefix = 0;
    if (key.len_bytes != 0)
        memcpy(first, key.data, key.len_bytes < 8 ? key.len_bytes : 8);
    for (int i = 0; i < 8; i++)
        prefix = prefix << 8 | first[i];
    return prefix;
}

static inline int guess_before(const struct order_guess *a, const struct order_guess *b)
{
    if (a->line.count != b->line.count)
        return a->line.count > b->line.count;
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix;
    return compare_bytes(a->line.key, b->line.key) < 0;
}

static void insert_guess(struct order_guess *lines, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct order_guess line = lines[i];
        size_t at = i;
        for (; at > 0 && guess_before(&line, &lines[at - 1]); at--)
            lines[at] = lines[at - 1];
        lines[at] = line;
    }
}

void order_sort_guess(struct order_guess *lines, size_t count, struct order_guess *scratch)
{
    if (count <= SHORT_RUN) {
        insert_guess(lines, count);
        return;
    }
    size_t middle = count / 2, low = 0, high = middle, to = 0;
    order_sort_guess(lines, middle, scratch);
    order_sort_guess(lines + middle, count - middle, scratch);
    if (guess_before(&lines[middle - 1], &lines[middle]))
        return;
    memcpy(scratch, lines, middle * sizeof *lines);
    while (low < middle && high < count) {
        if (guess_before(&lines[high], &scratch[low]))
            lines[to++] = lines[high++];
        else
            lines[to++] = scratch[low++];
    }
    memcpy(&lines[to], &scratch[low], (middle - low) * sizeof *lines);
}
