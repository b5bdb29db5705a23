/* test_counts.c: tables of counts and of states against naive references. */
#include "check.h"

#include "base/error.h"
#include "state/counts.h"
#include "state/table.h"
#include <string.h>

enum { KEY_MAX_BYTES = 64 * 1024, KEYS_MAX = 20000, LIMIT_BYTES = 256 << 20 };

/* The reference: a list of keys, searched from front to back within a bucket
 * of equal length, which is all that it has in common with a table. */
struct naive_key {
    unsigned char *data;
    size_t len_bytes;
    uint64_t count;
};

struct naive {
    struct naive_key keys[KEYS_MAX];
    size_t key_count;
};

static struct naive_key *naive_find(struct naive *naive, const void *data, size_t len_bytes)
{
    for (size_t i = 0; i < naive->key_count; i++) {
        struct naive_key *key = &naive->keys[i];
        if (key->len_bytes == len_bytes && memcmp(key->data, data, len_bytes) == 0)
            return key;
    }
    return NULL;
}

static void naive_add(struct naive *naive, const void *data, size_t len_bytes, uint64_t add)
{
    struct naive_key *key = naive_find(naive, data, len_bytes);
    if (key == NULL) {
        assert_true(naive->key_count < KEYS_MAX);
        key = &naive->keys[naive->key_count++];
        *key = (struct naive_key){ malloc(len_bytes + 1), len_bytes, 0 };
        memcpy(key->data, data, len_bytes);
    }
    key->count += add;
}

static void naive_free(struct naive *naive)
{
    for (size_t i = 0; i < naive->key_count; i++)
        free(naive->keys[i].data);
    free(naive);
}

static struct counts_options options(uint64_t limit_bytes)
{
    return (struct counts_options){ .what = "the counts of a test", .limit_bytes = limit_bytes,
                                    .option_bytes = 4 * limit_bytes };
}

/* Every key of the table is in the reference with its count, and as many. */
static void assert_equal(struct counts *counts, struct naive *naive)
{
    uint64_t cursor = 0, hash, seen = 0;
    struct aimss_counted counted;
    counts_settle(counts);
    assert_int_equal(counts->status, AIMSS_OK);
    while (counts_next(counts, &cursor, &counted, &hash)) {
        struct naive_key *key = naive_find(naive, counted.key.data, counted.key.len_bytes);
        assert_non_null(key);
        assert_int_equal(counted.count, key->count);
        assert_int_equal(hash, key_hash(key->data, key->len_bytes));
        seen++;
    }
    assert_int_equal(seen, naive->key_count);
    assert_int_equal(counts->used_count, naive->key_count);
}

/* Lengths from 0 on, few different bytes: NUL, text, 0xff. */
static size_t random_key(uint64_t *seed, unsigned char *key)
{
    static const unsigned char bytes[] = { 0, 'a', 'b', ' ', 0x80, 0xff };
    size_t len_bytes = check_below(seed, 1 + check_below(seed, 40));
    if (check_below(seed, 2000) == 0)
        len_bytes = KEY_MAX_BYTES - check_below(seed, 2);
    uint64_t kind = check_below(seed, 3);
    for (size_t i = 0; i < len_bytes; i++)
        key[i] = bytes[kind == 0 ? 0 : check_below(seed, kind == 1 ? 2 : sizeof bytes)];
    return len_bytes;
}

static void random_keys_are_counted(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    unsigned char *key = malloc(KEY_MAX_BYTES);
    for (int pass = 0; pass < 3; pass++) {
        struct counts counts;
        struct counts_options with = options(LIMIT_BYTES);
        struct naive *naive = calloc(1, sizeof *naive);
        assert_int_equal(counts_open(&counts, &with), AIMSS_OK);
        for (int i = 0; i < 30000; i++) {
            size_t len_bytes = random_key(&seed, key);
            uint64_t add = 1 + check_below(&seed, 3);
            assert_int_equal(counts_add(&counts, key, len_bytes, add), AIMSS_OK);
            naive_add(naive, key, len_bytes, add);
        }
        assert_equal(&counts, naive);
        counts_clear(&counts);
        naive_free(naive);
        naive = calloc(1, sizeof *naive);
        assert_equal(&counts, naive);
        counts_add(&counts, NULL, 0, 7);
        naive_add(naive, "", 0, 7);
        assert_equal(&counts, naive);
        naive_free(naive);
        counts_close(&counts);
    }
    free(key);
}

/* A key at the very end of mapped memory is read no further than its end. */
static void keys_at_the_end_of_a_page(void **state)
{
    (void)state;
    size_t page = 4096;
    char *memory = aligned_alloc(page, 2 * page);
    memset(memory, 'x', 2 * page);
    for (size_t len_bytes = 0; len_bytes <= 16; len_bytes++) {
        for (size_t behind = 0; behind <= 20; behind++) {
            char *key = memory + page - behind - len_bytes;
            struct key_words exact = key_load_exact(key, len_bytes);
            struct key_words fast = key_load(key, len_bytes);
            assert_memory_equal(&exact, &fast, sizeof exact);
        }
    }
    free(memory);
}

/* One key more than each growth allows: doubling in place keeps every one. */
static void growth_keeps_every_key(void **state)
{
    (void)state;
    struct counts counts;
    struct counts_options with = options(LIMIT_BYTES);
    uint64_t key_count = 300000, cursor = 0, hash, sum = 0, seen = 0;
    struct aimss_counted counted;
    assert_int_equal(counts_open(&counts, &with), AIMSS_OK);
    for (int pass = 0; pass < 2; pass++)
        for (uint64_t i = 0; i < key_count; i++)
            assert_int_equal(counts_add(&counts, &i, sizeof i, i + 1), AIMSS_OK);
    counts_settle(&counts);
    while (counts_next(&counts, &cursor, &counted, &hash)) {
        uint64_t i;
        memcpy(&i, counted.key.data, sizeof i);
        assert_int_equal(counted.count, 2 * (i + 1));
        sum += i;
        seen++;
    }
    assert_int_equal(seen, key_count);
    assert_int_equal(sum, key_count * (key_count - 1) / 2);
    counts_close(&counts);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    struct counts counts;
    struct counts_options with = options(1 << 20);
    aimss_status_t status = AIMSS_OK;
    uint64_t i = 0;
    char expected[64];
    assert_int_equal(counts_open(&counts, &with), AIMSS_OK);
    for (; i < 1000000 && status == AIMSS_OK; i++)
        status = counts_add(&counts, &i, sizeof i, 1);
    assert_int_equal(status, AIMSS_E_LIMIT);
    assert_true(counts_bytes(&counts) <= 1 << 20);
    assert_true(counts.used_count > 20000); /* 32 bytes for each, nearly full */
    assert_non_null(strstr(error_text(), "--state-memory"));
    assert_non_null(strstr(error_text(), "4194304 bytes"));
    snprintf(expected, sizeof expected, "%llu distinct keys",
             (unsigned long long)counts.used_count);
    assert_non_null(strstr(error_text(), expected));
    counts_close(&counts);
}

static void long_keys_are_bounded_too(void **state)
{
    (void)state;
    struct counts counts;
    struct counts_options with = options(1 << 20);
    char *key = calloc(1, KEY_MAX_BYTES);
    aimss_status_t status = AIMSS_OK;
    assert_int_equal(counts_open(&counts, &with), AIMSS_OK);
    for (uint32_t i = 0; i < 1000 && status == AIMSS_OK; i++) {
        memcpy(key, &i, sizeof i);
        status = counts_add(&counts, key, KEY_MAX_BYTES, 1);
    }
    assert_int_equal(status, AIMSS_E_LIMIT);
    assert_true(counts_bytes(&counts) <= 1 << 20);
    assert_true(counts.used_count >= 10);
    free(key);
    counts_close(&counts);
}

static void states_stay_where_they_are(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    struct table table;
    enum { COUNT = 5000 };
    static uint64_t *at[COUNT];
    assert_int_equal(table_open(&table, 64 << 20, 64 << 20), AIMSS_OK);
    for (int i = 0; i < 10 * COUNT; i++) {
        uint32_t which = (uint32_t)check_below(&seed, COUNT);
        struct aimss_bytes key = { &which, which % 2 ? sizeof which : 0 };
        void *found;
        if (which % 2 == 0)
            which = 0; /* the empty key */
        assert_int_equal(table_state(&table, key, sizeof(uint64_t), &found), AIMSS_OK);
        if (at[which] == NULL)
            assert_int_equal(*(uint64_t *)found, 0);
        else
            assert_ptr_equal(found, at[which]);
        at[which] = found;
        *at[which] = which + 1;
    }
    for (uint32_t i = 0; i < COUNT; i++)
        assert_true(at[i] == NULL || *at[i] == i + 1);
    table_close(&table);
}

static void states_are_refused(void **state)
{
    (void)state;
    struct table table;
    void *found = NULL;
    aimss_status_t status = AIMSS_OK;
    assert_int_equal(table_open(&table, 1 << 20, 4 << 20), AIMSS_OK);
    struct aimss_bytes key = { "key", 3 };
    assert_int_equal(table_state(&table, key, 4097, &found), AIMSS_E_INVALID);
    assert_int_equal(table_state(&table, key, 0, &found), AIMSS_E_INVALID);
    assert_null(found);
    assert_int_equal(table_state(&table, key, 8, &found), AIMSS_OK);
    assert_int_equal(table_state(&table, key, 9, &found), AIMSS_E_INVALID);
    for (uint32_t i = 0; i < 1000 && status == AIMSS_OK; i++)
        status = table_state(&table, (struct aimss_bytes){ &i, sizeof i }, 4096, &found);
    assert_int_equal(status, AIMSS_E_LIMIT);
    assert_non_null(strstr(error_text(), "--state-memory"));
    assert_non_null(strstr(error_text(), "4194304 bytes"));
    table_close(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_keys_are_counted),
        cmocka_unit_test(keys_at_the_end_of_a_page),
        cmocka_unit_test(growth_keeps_every_key),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(long_keys_are_bounded_too),
        cmocka_unit_test(states_stay_where_they_are),
        cmocka_unit_test(states_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
