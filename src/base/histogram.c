/* histogram.c: see histogram.h. Values below 32 have buckets of their own; above,
 * a value's bucket is its exponent and the five bits behind its highest one.
 */
#include "base/histogram.h"

#include <assert.h>

enum { SUB_COUNT = 1 << HISTOGRAM_SUB_BITS };

static unsigned bucket_of(uint64_t value)
{
    if (value < SUB_COUNT)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift);
}

/* The largest value of a bucket. */
static uint64_t bucket_last(unsigned bucket)
{
    if (bucket < 2 * SUB_COUNT)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t top = SUB_COUNT + (bucket & (SUB_COUNT - 1));
    return (top << shift) + ((uint64_t)1 << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value_ns)
{
    histogram->buckets[bucket_of(value_ns)]++;
    histogram->count++;
    if (value_ns > histogram->max_ns)
        histogram->max_ns = value_ns;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
}

uint64_t histogram_quantile(const struct histogram *histogram, unsigned permille)
{
    assert(permille <= 1000);
    if (histogram->count == 0)
        return 0;
    /* Split, so that counts near the top of 64 bits do not overflow. */
    uint64_t rank = histogram->count / 1000 * permille +
                    (histogram->count % 1000 * permille + 999) / 1000;
    uint64_t seen = 0;
    unsigned bucket = 0;
    while ((seen += histogram->buckets[bucket]) < rank || seen == 0)
        bucket++;
    uint64_t last = bucket_last(bucket);
    return last < histogram->max_ns ? last : histogram->max_ns;
}
