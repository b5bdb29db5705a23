/* test_hash.c: the hash spreads keys evenly and no input bit fails to matter.
 *
 * Bounds are six standard deviations of what a random function gives, so a good
 * hash passes for every seed. Words and their counters are the keys of real
 * jobs and get a test of their own.
 */
#include "check.h"

#include "base/hash.h"
#include <math.h>
#include <string.h>

enum { KEY_MAX_BYTES = 72, BUCKETS = 1024, KEYS = 200000 };

/* Chi-squared of counts over BUCKETS, as deviations from its mean. */
static double deviation(const unsigned *counts, double total)
{
    double chi = 0, expected = total / BUCKETS;
    for (unsigned i = 0; i < BUCKETS; i++)
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    return (chi - (BUCKETS - 1)) / sqrt(2.0 * (BUCKETS - 1));
}

static void assert_even(const uint64_t *hashes, unsigned count)
{
    for (unsigned shift = 0; shift <= 54; shift += 9) {
        unsigned counts[BUCKETS] = { 0 };
        for (unsigned i = 0; i < count; i++)
            counts[hashes[i] >> shift & (BUCKETS - 1)]++;
        double found = deviation(counts, count);
        if (found > 6)
            fail_msg("bits %u to %u: %.1f deviations too uneven", shift, shift + 9, found);
    }
    /* What partitioners do: the upper 32 bits scaled to a number that is no power of 2. */
    unsigned parts[BUCKETS] = { 0 };
    for (unsigned i = 0; i < count; i++)
        parts[((hashes[i] >> 32) * 1000) >> 32]++;
    double chi = 0, expected = count / 1000.0;
    for (unsigned i = 0; i < 1000; i++)
        chi += (parts[i] - expected) * (parts[i] - expected) / expected;
    assert_true((chi - 999) / sqrt(2.0 * 999) < 6);
}

static void counters_are_even(void **state)
{
    (void)state;
    uint64_t seed = check_seed(), *hashes = malloc(KEYS * sizeof *hashes);
    uint64_t hash_seed = check_random(&seed);
    char key[32];
    const char *forms[] = { "%u", "key%08u", "user:%u:name", "%x" };
    for (unsigned form = 0; form < 4; form++) {
        for (unsigned i = 0; i < KEYS; i++) {
            snprintf(key, sizeof key, forms[form], i);
            hashes[i] = hash_bytes(key, strlen(key), hash_seed);
        }
        assert_even(hashes, KEYS);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        uint64_t number = i;
        hashes[i] = hash_bytes(&number, sizeof number, 0);
    }
    assert_even(hashes, KEYS);
    free(hashes);
}

static int compare_words(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* All keys of up to three bytes, and runs of zeros of each length. */
static void short_keys_do_not_collide(void **state)
{
    (void)state;
    size_t room = 1 + 256 + 65536 + 65536 + 1000, count = 0;
    uint64_t *hashes = malloc(room * sizeof *hashes);
    unsigned char key[1004] = { 0 };
    for (unsigned i = 0; i < 65536; i++) {
        key[0] = (unsigned char)i;
        key[1] = (unsigned char)(i >> 8);
        key[2] = (unsigned char)(i * 31);
        if (i < 256)
            hashes[count++] = hash_bytes(key, 1, 0);
        hashes[count++] = hash_bytes(key, 2, 0);
        hashes[count++] = hash_bytes(key, 3, 0);
    }
    memset(key, 0, sizeof key);
    hashes[count++] = hash_bytes(NULL, 0, 0);
    for (size_t len = 4; len < 1004; len++)
        hashes[count++] = hash_bytes(key, len, 0);
    assert_int_equal(count, room);
    qsort(hashes, count, sizeof *hashes, compare_words);
    for (size_t i = 1; i < count; i++)
        assert_true(hashes[i] != hashes[i - 1]);
    free(hashes);
}

/* Flipping one bit of the key flips each bit of the hash with probability 1/2. */
static void each_bit_avalanches(void **state)
{
    (void)state;
    enum { TRIALS = 2000 };
    const size_t lengths[] = { 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 64 };
    uint64_t seed = check_seed();
    for (unsigned l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        for (unsigned bit = 0; bit < lengths[l] * 8; bit += 1 + (unsigned)lengths[l] / 16) {
            unsigned flips[64] = { 0 };
            for (unsigned trial = 0; trial < TRIALS; trial++) {
                unsigned char key[KEY_MAX_BYTES];
                for (size_t i = 0; i < lengths[l]; i++)
                    key[i] = (unsigned char)check_random(&seed);
                /* A short key has few values; seeds give it more trials. */
                uint64_t hash_seed = lengths[l] < 4 ? check_random(&seed) : 0;
                uint64_t before = hash_bytes(key, lengths[l], hash_seed);
                key[bit / 8] ^= (unsigned char)(1u << bit % 8);
                uint64_t changed = before ^ hash_bytes(key, lengths[l], hash_seed);
                for (unsigned i = 0; i < 64; i++)
                    flips[i] += changed >> i & 1;
            }
            for (unsigned i = 0; i < 64; i++) {
                double off = (flips[i] - TRIALS / 2.0) / sqrt(TRIALS / 4.0);
                if (off > 7 || off < -7)
                    fail_msg("length %zu, key bit %u, hash bit %u: %u flips of %d", lengths[l],
                             bit, i, flips[i], TRIALS);
            }
        }
    }
}

/* Unaligned keys, and memory that ends with the key. */
static void place_does_not_matter(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    for (size_t len = 0; len <= KEY_MAX_BYTES; len++) {
        unsigned char *tight = malloc(len + 1), loose[KEY_MAX_BYTES + 8];
        for (size_t i = 0; i < len; i++)
            tight[i + 1] = (unsigned char)check_random(&seed);
        uint64_t expected = hash_bytes(tight + 1, len, 7);
        for (size_t shift = 0; shift < 8; shift++) {
            memcpy(loose + shift, tight + 1, len);
            assert_true(hash_bytes(loose + shift, len, 7) == expected);
        }
        if (len > 0)
            assert_true(hash_bytes(tight + 1, len, 8) != expected);
        free(tight);
    }
}

/* Written from the header's comment with plain arithmetic on bytes: partitions
 * must not depend on compiler, machine or device. */
static uint64_t plain_word(const unsigned char *at, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value += (uint64_t)at[i] << 8 * i;
    return value;
}

static uint64_t plain_fold(uint64_t a, uint64_t b)
{
    uint64_t low = 0, high = 0;
    for (unsigned i = 0; i < 64; i++) {
        if (b >> i & 1) {
            uint64_t sum = low + (a << i);
            high += (i ? a >> (64 - i) : 0) + (sum < low);
            low = sum;
        }
    }
    return low ^ high;
}

static uint64_t plain_hash(const unsigned char *at, size_t len, uint64_t seed)
{
    uint64_t state = seed ^ 0x6a09e667f3bcc909u, a = 0, b = 0;
    size_t left = len;
    for (; left > 16; left -= 16, at += 16)
        state = plain_fold(plain_word(at, 8) ^ 0xbb67ae8584caa73bu,
                           plain_word(at + 8, 8) ^ state);
    size_t width = left >= 8 ? 8 : left >= 4 ? 4 : 0;
    if (width > 0) {
        a = plain_word(at, width);
        b = plain_word(at + left - width, width);
    } else if (left > 0) {
        a = at[0] * 65536ull + at[left / 2] * 256ull + at[left - 1];
    }
    state = plain_fold(a ^ 0x3c6ef372fe94f82bu, b ^ state);
    return plain_fold(state ^ 0xa54ff53a5f1d36f1u, len ^ 0xbb67ae8584caa73bu);
}

static void equals_plain_arithmetic(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    for (unsigned trial = 0; trial < 20000; trial++) {
        unsigned char key[KEY_MAX_BYTES];
        size_t len = check_below(&seed, KEY_MAX_BYTES + 1);
        for (size_t i = 0; i < len; i++)
            key[i] = (unsigned char)check_random(&seed);
        uint64_t hash_seed = check_random(&seed);
        assert_true(hash_bytes(key, len, hash_seed) == plain_hash(key, len, hash_seed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_even),
        cmocka_unit_test(short_keys_do_not_collide),
        cmocka_unit_test(each_bit_avalanches),
        cmocka_unit_test(place_does_not_matter),
        cmocka_unit_test(equals_plain_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
