/* order_guess.c: see order_guess.h. */
#include "flow/order_guess.h"

#include <string.h>

enum {
    GUESS_SHORT_RUN = 48,   /* sorted by insertion */
    GUESS_COUNT_BITS = 16,
    GUESS_FIRST_BYTES = 8 - GUESS_COUNT_BITS / 8, /* of the key in its first number */
    GUESS_KEY_BYTES = GUESS_FIRST_BYTES + 3 * 8,  /* looked at */
    RADIX = 256, DIGITS = 8,
    LOOK_AHEAD = 16         /* keys that are fetched early */
};

/* Up to eight bytes from `at` on, as a number that compares as they do. */
static uint64_t key_number(struct aimss_bytes key, size_t at)
{
    unsigned char bytes[8] = { 0 };
    uint64_t number;
    if (at + 8 <= key.len_bytes)
        memcpy(bytes, (const char *)key.data + at, 8);
    else if (at < key.len_bytes)
        memcpy(bytes, (const char *)key.data + at, key.len_bytes - at);
    memcpy(&number, bytes, sizeof number);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    number = __builtin_bswap64(number);
#endif
    return number;
}

/* The higher the count, the lower the number. */
static uint64_t first_number(const struct aimss_counted *line)
{
    uint64_t most = (1u << GUESS_COUNT_BITS) - 1;
    uint64_t count = line->count < most ? line->count : most;
    return (most - count) << (8 * GUESS_FIRST_BYTES) |
           key_number(line->key, 0) >> GUESS_COUNT_BITS;
}

static void insertion_sort(struct order_guess *order, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct order_guess guess = order[i];
        size_t at = i;
        for (; at > 0 && guess.number < order[at - 1].number; at--)
            order[at] = order[at - 1];
        order[at] = guess;
    }
}

static void count_digits(const struct order_guess *order, size_t count,
                         size_t digits[DIGITS][RADIX])
{
    memset(digits, 0, DIGITS * sizeof digits[0]);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = order[i].number;
        for (int digit = 0; digit < DIGITS; digit++)
            digits[digit][number >> (8 * digit) & (RADIX - 1)]++;
    }
}

/* One pass for each digit in which the numbers differ. */
static void radix_sort(struct order_guess *order, size_t count, struct order_guess *scratch)
{
    size_t digits[DIGITS][RADIX];
    struct order_guess *from = order, *to = scratch;
    count_digits(order, count, digits);
    for (int digit = 0; digit < DIGITS; digit++) {
        size_t *at = digits[digit], sum = 0;
        int shift = 8 * digit;
        if (at[from[0].number >> shift & (RADIX - 1)] == count)
            continue;
        for (int value = 0; value < RADIX; value++) {
            size_t here = at[value];
            at[value] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++)
            to[at[from[i].number >> shift & (RADIX - 1)]++] = from[i];
        struct order_guess *swap = from;
        from = to;
        to = swap;
    }
    if (from != order)
        memcpy(order, from, count * sizeof *order);
}

/* The next number of keys that were equal so far. */
static void take_numbers(const struct counts *counts, struct order_guess *order, size_t count,
                         size_t at_bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (i + LOOK_AHEAD < count)
            __builtin_prefetch(&counts->slots[order[i + LOOK_AHEAD].slot]);
        order[i].number = key_number(counts_line(&counts->slots[order[i].slot]).key, at_bytes);
    }
}

/* Sorts by the numbers in place, then the runs of equal ones by what follows
 * in the key at at_bytes. */
static void sort_from(const struct counts *counts, struct order_guess *order, size_t count,
                      struct order_guess *scratch, size_t at_bytes)
{
    if (count < GUESS_SHORT_RUN)
        insertion_sort(order, count);
    else
        radix_sort(order, count, scratch);
    if (at_bytes >= GUESS_KEY_BYTES)
        return;
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && order[end].number == order[i].number; end++)
            ;
        if (end - i == 1)
            continue;
        take_numbers(counts, order + i, end - i, at_bytes);
        sort_from(counts, order + i, end - i, scratch, at_bytes + 8);
    }
}

void order_guess(const struct counts *counts, struct order_guess *order,
                 struct order_guess *scratch)
{
    size_t count = 0;
    for (uint64_t slot = 0; slot <= counts->mask; slot++) {
        if (counts->slots[slot].size == 0)
            continue;
        struct aimss_counted line = counts_line(&counts->slots[slot]);
        order[count++] = (struct order_guess){ first_number(&line), slot };
    }
    sort_from(counts, order, count, scratch, GUESS_FIRST_BYTES);
}
