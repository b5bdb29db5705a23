/* check.h: what the unit tests share: cmocka's includes in its order, and a seed.
 *
 * A randomised test takes its seed from AIMSS_TEST_SEED or the clock and prints
 * it, so that a failure can be run again.
 */
#ifndef AIMSS_MPI_TESTS_CHECK_H
#define AIMSS_MPI_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static inline uint64_t check_seed(void)
{
    const char *text = getenv("AIMSS_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    printf("AIMSS_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t check_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* From 0 to bound - 1. */
static inline uint64_t check_below(uint64_t *state, uint64_t bound)
{
    return check_random(state) % bound;
}

#endif
