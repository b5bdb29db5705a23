/* test_histogram.c: quantiles against a sorted array of the same values. */
#include "check.h"

#include "base/histogram.h"
#include <string.h>

enum { VALUES = 5000 };

static int compare_values(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void quantiles_are_near(void **state)
{
    (void)state;
    static struct histogram histogram;
    uint64_t seed = check_seed(), values[VALUES];
    for (unsigned round = 0; round < 200; round++) {
        size_t count = 1 + check_below(&seed, VALUES);
        unsigned bits = 1 + (unsigned)check_below(&seed, 64);
        memset(&histogram, 0, sizeof histogram);
        for (size_t i = 0; i < count; i++) {
            values[i] = check_random(&seed) >> (64 - bits) >> check_below(&seed, bits);
            histogram_add(&histogram, values[i]);
        }
        qsort(values, count, sizeof values[0], compare_values);
        for (unsigned permille = 0; permille <= 1000; permille += 5) {
            size_t rank = (count * permille + 999) / 1000;
            uint64_t exact = values[rank ? rank - 1 : 0];
            uint64_t found = histogram_quantile(&histogram, permille);
            assert_true(found >= exact && found - exact <= exact / 32);
        }
        assert_true(histogram_quantile(&histogram, 1000) == values[count - 1]);
    }
}

static void small_and_extreme_values(void **state)
{
    (void)state;
    static struct histogram histogram, other;
    memset(&histogram, 0, sizeof histogram);
    memset(&other, 0, sizeof other);
    assert_true(histogram_p50(&histogram) == 0);
    histogram_add(&histogram, 0);
    histogram_add(&histogram, 63);
    histogram_add(&other, UINT64_MAX);
    histogram_add(&other, UINT64_MAX);
    histogram_merge(&histogram, &other);
    assert_true(histogram.count == 4);
    assert_true(histogram_quantile(&histogram, 250) == 0);
    assert_true(histogram_p50(&histogram) == 63);
    assert_true(histogram_p99(&histogram) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_near),
        cmocka_unit_test(small_and_extreme_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
