/* test_sink_tsv.c: parts of several ranks make one file, equal to what printf
 * would have written; lengths, CRCs, syncs and failures are told as they are.
 */
#include "check.h"

#include "base/crc32c.h"
#include "base/crc_combine.h"
#include "base/error.h"
#include "connect/sink_tsv.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { PARTS = 4, LINES_MAX = 3000, LARGE_KEY_BYTES = 3 * 1024 * 1024 };
static const char FILE_NAME[] = "sink-tsv-output";

/* A table that counts syncs and can fail them. */
static unsigned sync_count;
static int sync_result;

static int counted_sync(struct env *env, int fd)
{
    sync_count++;
    return sync_result ? sync_result : env_system()->ops->sync(env, fd);
}

static struct env *counting_env(void)
{
    static struct env_ops ops;
    static struct env env = { .ops = &ops };
    ops = *env_system()->ops;
    ops.sync = counted_sync;
    sync_count = 0;
    sync_result = 0;
    return &env;
}

static void random_lines(uint64_t *seed, const char *bytes, struct aimss_counted *lines,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = check_below(seed, 40);
        if (check_below(seed, 500) == 0)
            len = check_below(seed, LARGE_KEY_BYTES);
        else if (check_below(seed, 100) == 0) /* near the buffer's size */
            len = 1024 * 1024 - 30 + check_below(seed, 40);
        lines[i].key = (struct aimss_bytes){ bytes + check_below(seed, 100), len };
        lines[i].count = check_random(seed) >> check_below(seed, 64);
    }
}

static void print_lines(FILE *out, const struct aimss_counted *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fwrite(lines[i].key.data, 1, lines[i].key.len_bytes, out);
        fprintf(out, "\t%llu\n", (unsigned long long)lines[i].count);
    }
}

static char *read_file(size_t *len_bytes)
{
    FILE *file = fopen(FILE_NAME, "r");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *len_bytes = (size_t)ftell(file);
    char *data = malloc(*len_bytes + 1);
    rewind(file);
    assert_int_equal(fread(data, 1, *len_bytes, file), *len_bytes);
    fclose(file);
    return data;
}

/* What is visible in the file after each write is all that was written. */
static void write_part(struct env *env, uint64_t *seed, const struct aimss_counted *lines,
                       size_t count, struct sink_part *part)
{
    struct sink_tsv *sink;
    uint64_t begin = part->offset, at = begin;
    unsigned syncs = sync_count;
    assert_int_equal(sink_tsv_open(env, FILE_NAME, begin, &sink), AIMSS_OK);
    for (size_t done = 0, step; done < count; done += step) {
        step = 1 + check_below(seed, count - done);
        assert_int_equal(sink_tsv_write(sink, lines + done, step), AIMSS_OK);
        at += sink_tsv_bytes(lines + done, step);
        char byte;
        FILE *file = fopen(FILE_NAME, "r");
        assert_int_equal(fseek(file, (long)at - 1, SEEK_SET), 0);
        assert_int_equal(fread(&byte, 1, 1, file), 1);
        assert_int_equal(byte, '\n');
        fclose(file);
    }
    assert_int_equal(sink_tsv_finish(sink, part), AIMSS_OK);
    assert_int_equal(sync_count, syncs + 1);
    assert_true(part->offset == begin && part->len_bytes == at - begin);
    assert_true(part->line_count == count);
    sink_tsv_close(sink);
}

static void parts_make_one_file(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    char *bytes = malloc(LARGE_KEY_BYTES + 100), *expected = NULL;
    struct aimss_counted *lines = malloc(PARTS * LINES_MAX * sizeof *lines);
    for (size_t i = 0; i < LARGE_KEY_BYTES + 100; i++)
        bytes[i] = (char)check_random(&seed);
    struct sink_part parts[PARTS] = { 0 };
    size_t counts[PARTS], first[PARTS], total = 0, expected_bytes = 0, found_bytes;
    uint64_t offset = 0;
    FILE *out = open_memstream(&expected, &expected_bytes);
    for (unsigned i = 0; i < PARTS; i++) {
        counts[i] = i == 1 ? 0 : check_below(&seed, LINES_MAX);
        first[i] = total;
        random_lines(&seed, bytes, lines + total, counts[i]);
        print_lines(out, lines + total, counts[i]);
        parts[i].offset = offset;
        offset += sink_tsv_bytes(lines + total, counts[i]);
        total += counts[i];
    }
    fclose(out);
    unlink(FILE_NAME);
    struct env *env = counting_env();
    for (unsigned i = PARTS; i-- > 0;) /* ranks write in any order */
        write_part(env, &seed, lines + first[i], counts[i], &parts[i]);
    char *found = read_file(&found_bytes);
    assert_int_equal(found_bytes, expected_bytes);
    assert_memory_equal(found, expected, expected_bytes);
    uint32_t crc = 0;
    for (unsigned i = 0; i < PARTS; i++)
        crc = crc32c_combine(crc, parts[i].crc32c, parts[i].len_bytes);
    assert_int_equal(crc, crc32c(0, expected, expected_bytes));
    unlink(FILE_NAME);
    free(found);
    free(expected);
    free(lines);
    free(bytes);
}

static void extreme_counts(void **state)
{
    (void)state;
    const struct aimss_counted lines[] = { { { "a", 1 }, 0 },       { { NULL, 0 }, 9 },
                                           { { "b", 1 }, 10 },      { { "\0\t", 2 }, 99 },
                                           { { "c", 1 }, UINT64_MAX } };
    static const char expected[] = "a\t0\n\t9\nb\t10\n\0\t\t99\nc\t18446744073709551615\n";
    struct sink_part part = { 0 };
    uint64_t seed = 1;
    size_t found_bytes;
    unlink(FILE_NAME);
    write_part(counting_env(), &seed, lines, 5, &part);
    char *found = read_file(&found_bytes);
    assert_int_equal(found_bytes, sizeof expected - 1);
    assert_memory_equal(found, expected, found_bytes);
    free(found);
    unlink(FILE_NAME);
}

static void failures_are_named(void **state)
{
    (void)state;
    struct env *env = counting_env();
    struct sink_tsv *sink = NULL;
    struct sink_part part = { .len_bytes = 77 };
    const struct aimss_counted line = { { "word", 4 }, 1 };
    assert_int_equal(sink_tsv_open(env, "no/such/place", 0, &sink), AIMSS_E_IO);
    assert_non_null(strstr(error_text(), "no/such/place"));
    assert_null(sink);
    assert_int_equal(sink_tsv_open(env, "/dev/full", 0, &sink), AIMSS_OK);
    assert_int_equal(sink_tsv_write(sink, &line, 1), AIMSS_E_NO_SPACE);
    assert_non_null(strstr(error_text(), "/dev/full"));
    sink_tsv_close(sink);
    assert_int_equal(sink_tsv_open(env, FILE_NAME, 0, &sink), AIMSS_OK);
    assert_int_equal(sink_tsv_write(sink, &line, 1), AIMSS_OK);
    sync_result = -EIO;
    assert_int_equal(sink_tsv_finish(sink, &part), AIMSS_E_IO);
    assert_non_null(strstr(error_text(), FILE_NAME));
    assert_true(part.len_bytes == 77);
    sink_tsv_close(sink);
    sink_tsv_close(NULL);
    unlink(FILE_NAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_make_one_file),
        cmocka_unit_test(extreme_counts),
        cmocka_unit_test(failures_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
