/* sum.h: the loops of the sum benches, the same for the reference and for ours.
 *
 * Text: lines of LINE_BYTES, fifteen decimal digits and a newline; each is parsed and added.
 * Binary: records of FIXED_BYTES whose eight 64-bit words are all added. Sums wrap. Both take
 * whole lines or records and return the sum of the run given; no state, any thread.
 */
#ifndef BENCH_REF_SUM_H
#define BENCH_REF_SUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LINE_BYTES = 16, LINE_DIGITS = 15, FIXED_BYTES = 64 };

/* A digit at a time: what a person writes first. */
static inline uint64_t text_sum_plain(const uint8_t *at, size_t len_bytes)
{
    uint64_t sum = 0;

    for (const uint8_t *end = at + len_bytes; at + LINE_BYTES <= end; at += LINE_BYTES) {
        uint64_t value = 0;

        for (int i = 0; i < LINE_DIGITS; i++)
            value = value * 10 + (uint64_t)(at[i] - '0');
        sum += value;
    }
    return sum;
}

/* Eight digits in one word, the first in the lowest byte: pairs, fours, all eight. */
static inline uint64_t parse_eight(uint64_t digits)
{
    digits = (digits & 0x0f0f0f0f0f0f0f0fu) * 2561 >> 8;
    digits = (digits & 0x00ff00ff00ff00ffu) * 6553601 >> 16;
    return (digits & 0x0000ffff0000ffffu) * 42949672960001u >> 32;
}

/* Eight digits at a time. The second word drops the newline and gains a leading zero. */
static inline uint64_t text_sum_wide(const uint8_t *at, size_t len_bytes)
{
    uint64_t sum = 0;

    for (const uint8_t *end = at + len_bytes; at + LINE_BYTES <= end; at += LINE_BYTES) {
        uint64_t high, low;

        memcpy(&high, at, sizeof high);
        memcpy(&low, at + sizeof high, sizeof low);
        sum += parse_eight(high) * 10000000u + parse_eight(low << 8);
    }
    return sum;
}

static inline uint64_t binary_sum(const uint8_t *at, size_t len_bytes)
{
    uint64_t sum[4] = { 0 }, word[4];

    for (const uint8_t *end = at + len_bytes; at + sizeof word <= end; at += sizeof word) {
        memcpy(word, at, sizeof word);
        for (int i = 0; i < 4; i++)
            sum[i] += word[i];
    }
    return sum[0] + sum[1] + sum[2] + sum[3];
}

#endif
