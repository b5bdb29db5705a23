/* histogram.h: times in nanoseconds, counted in buckets of equal relative width.
 *
 * Log-linear: each power of two is cut into 32 buckets, so that a quantile is
 * right to 1/32 over the whole range of 64 bits, in a fixed 15 KiB. Adding is a
 * few instructions and allocates nothing. One thread at a time; histograms of
 * several threads are merged.
 */
#ifndef AIMSS_BASE_HISTOGRAM_H
#define AIMSS_BASE_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_SUB_BITS = 5,
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS
};

/* All zero is empty. */
struct histogram {
    uint64_t count;
    uint64_t max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value_ns);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The least bucket bound that permille of the values do not exceed; never above
 * the largest value; 0 if there are none. 500 is p50, 990 is p99. */
uint64_t histogram_quantile(const struct histogram *histogram, unsigned permille);

static inline uint64_t histogram_p50(const struct histogram *histogram)
{
    return histogram_quantile(histogram, 500);
}

static inline uint64_t histogram_p99(const struct histogram *histogram)
{
    return histogram_quantile(histogram, 990);
}

#endif
