/* test_text_source.c: whatever the bytes, the partitions and the rooms, what the
 * text source hands over is the file, byte for byte, cut at line ends only.
 */
#include "check.h"

#include "base/error.h"
#include "connect/source.h"
#include "log/format.h"
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t RECORD_MAX = 64 * 1024 * 1024;
enum { ROOM_MIN = 4096, ROOM_MAX = 65536, FILE_MAX = 400 * 1000 };
static const char FILE_NAME[] = "text-source-input";

static void write_file(const char *data, size_t len_bytes)
{
    FILE *file = fopen(FILE_NAME, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len_bytes, file), len_bytes);
    assert_int_equal(fclose(file), 0);
}

/* ---- random texts */

static size_t random_line(uint64_t *seed)
{
    switch (check_below(seed, 20)) {
    case 0:
        return 0;
    case 1: /* around the rooms' sizes */
        return ((size_t)4096 << check_below(seed, 5)) - 3 + check_below(seed, 7);
    case 2:
        return check_below(seed, 3 * ROOM_MAX);
    default:
        return check_below(seed, 120);
    }
}

static char random_byte(uint64_t *seed)
{
    static const char frequent[] = { 0, ' ', '\t', '\r', 'a', 'b', (char)0xff, (char)0xc3 };
    uint64_t value = check_random(seed);
    char byte = value & 256 ? (char)value : frequent[value % sizeof frequent];
    return byte == '\n' ? 'x' : byte;
}

static size_t random_text(uint64_t *seed, char *text)
{
    size_t len_bytes = 0, wanted = check_below(seed, 8) ? check_below(seed, FILE_MAX) : 0;
    while (len_bytes < wanted) {
        size_t line = random_line(seed);
        for (size_t i = 0; i < line && len_bytes < wanted; i++)
            text[len_bytes++] = random_byte(seed);
        if (len_bytes < wanted && check_below(seed, 10) == 0)
            text[len_bytes++] = '\r';
        if (len_bytes < wanted)
            text[len_bytes++] = '\n';
    }
    return len_bytes;
}

/* ---- reading it back */

struct seen {
    char *data;
    size_t len_bytes;
    size_t record_begin; /* of the record that fragments are put together to */
    bool in_record;
};

/* A record is whole lines; one in fragments is one line; FIRST counts it. */
static void check_record(const struct seen *seen, const struct source_fill *fill, bool is_last)
{
    const char *record = seen->data + seen->record_begin;
    size_t len_bytes = seen->len_bytes - seen->record_begin;
    if (!is_last)
        assert_int_equal(record[len_bytes - 1], '\n');
    if (fill->fragment == CHUNK_LAST)
        assert_true(memchr(record, '\n', len_bytes - 1) == NULL);
}

static void check_fill(struct seen *seen, const struct source_fill *fill, size_t text_bytes)
{
    bool begins = fill->fragment == CHUNK_WHOLE || fill->fragment == CHUNK_FIRST;
    assert_true(begins != seen->in_record);
    assert_int_equal(fill->record_count, begins && fill->payload_bytes > 0);
    assert_true(fill->payload_bytes > 0 || (fill->end && fill->fragment == CHUNK_WHOLE));
    if (begins)
        seen->record_begin = seen->len_bytes;
    seen->len_bytes += fill->payload_bytes;
    seen->in_record = fill->fragment == CHUNK_FIRST || fill->fragment == CHUNK_MIDDLE;
    if (!seen->in_record && fill->payload_bytes > 0) {
        assert_int_equal(fill->input_position, seen->len_bytes);
        check_record(seen, fill, seen->len_bytes == text_bytes);
    }
}

static size_t random_room(uint64_t *seed)
{
    return check_below(seed, 2) ? (size_t)ROOM_MIN << check_below(seed, 5)
                                : ROOM_MIN + check_below(seed, ROOM_MAX - ROOM_MIN);
}

static void read_partition(uint64_t *seed, const struct partition *partition, struct seen *seen,
                           size_t text_bytes)
{
    const struct source_ops *text = source_find("text");
    struct source_reader *reader;
    struct source_fill fill = { 0 };
    bool same_room = check_below(seed, 2);
    size_t room = random_room(seed);
    assert_int_equal(text->open(env_system(), FILE_NAME, partition, RECORD_MAX, &reader),
                     AIMSS_OK);
    while (!fill.end) {
        if (!same_room)
            room = random_room(seed);
        char *payload = malloc(room); /* the sanitizer sees a byte too many */
        assert_int_equal(text->fill(reader, payload, room, &fill), AIMSS_OK);
        assert_true(fill.payload_bytes <= room);
        assert_true(seen->len_bytes + fill.payload_bytes <= text_bytes);
        memcpy(seen->data + seen->len_bytes, payload, fill.payload_bytes);
        check_fill(seen, &fill, text_bytes);
        free(payload);
    }
    assert_false(seen->in_record);
    text->close(reader);
}

static int compare_cuts(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Reads the text in random partitions, some of them within one line. */
static void read_text(uint64_t *seed, const char *text, size_t text_bytes, char *found)
{
    uint64_t cuts[34] = { 0 };
    size_t count = check_below(seed, 32);
    struct seen seen = { .data = found };
    write_file(text, text_bytes);
    for (size_t i = 1; i <= count; i++)
        cuts[i] = check_below(seed, text_bytes + 1);
    cuts[count + 1] = text_bytes;
    qsort(cuts, count + 2, sizeof cuts[0], compare_cuts);
    for (size_t i = 0; i <= count; i++) {
        struct partition partition = { .begin = cuts[i], .end = cuts[i + 1] };
        size_t before = seen.len_bytes;
        if (partition.begin == partition.end)
            continue;
        read_partition(seed, &partition, &seen, text_bytes);
        /* It holds the lines that begin in it, no others. */
        if (seen.len_bytes > before) {
            assert_in_range(before, partition.begin, partition.end - 1);
            assert_true(before == 0 || text[before - 1] == '\n');
        }
    }
    assert_int_equal(seen.len_bytes, text_bytes);
    assert_memory_equal(found, text, text_bytes);
}

static void random_files_come_back(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    char *text = malloc(FILE_MAX), *found = malloc(FILE_MAX);
    for (unsigned trial = 0; trial < 400; trial++) {
        size_t text_bytes = random_text(&seed, text);
        read_text(&seed, text, text_bytes, found);
    }
    free(text);
    free(found);
    unlink(FILE_NAME);
}

/* Short lines and files, each cut everywhere: all the borders meet. */
static void every_cut_of_small_files(void **state)
{
    (void)state;
    static const char *const texts[] = { "\n", "a", "a\n", "a\nb", "\n\n\n", "ab\ncd\n", "\r\n\r\n",
                                         "abc\n\nd" };
    char found[16];
    uint64_t seed = 1;
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
        size_t len_bytes = strlen(texts[t]);
        write_file(texts[t], len_bytes);
        for (unsigned cuts = 0; cuts < 1u << (len_bytes - 1); cuts++) {
            struct seen seen = { .data = found };
            struct partition partition = { 0 };
            for (size_t at = 1; at <= len_bytes; at++) {
                if (at < len_bytes && !(cuts >> (at - 1) & 1))
                    continue;
                partition.end = at;
                read_partition(&seed, &partition, &seen, len_bytes);
                partition.begin = at;
            }
            assert_int_equal(seen.len_bytes, len_bytes);
            assert_memory_equal(found, texts[t], len_bytes);
        }
    }
    unlink(FILE_NAME);
}

/* ---- limits and changes */

static aimss_status_t read_all(uint64_t record_max_bytes, uint64_t file_bytes)
{
    const struct source_ops *text = source_find("text");
    struct partition partition = { .end = file_bytes };
    struct source_reader *reader;
    struct source_fill fill = { 0 };
    static char payload[8192];
    aimss_status_t status = text->open(env_system(), FILE_NAME, &partition, record_max_bytes,
                                       &reader);
    if (status != AIMSS_OK)
        return status;
    while (status == AIMSS_OK && !fill.end) {
        status = text->fill(reader, payload, sizeof payload, &fill);
        assert_true(status != AIMSS_OK || fill.payload_bytes > 0 || fill.end);
    }
    text->close(reader);
    return status;
}

static void lines_up_to_the_limit(void **state)
{
    (void)state;
    static char text[100000];
    const uint64_t limits[] = { 4096, 8191, 8192, 8193, 16384, 20000, 24576 };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        for (int with_newline = 0; with_newline <= 1; with_newline++) {
            for (int over = -1; over <= 1; over++) {
                size_t len_bytes = 10 + limits[i] + (uint64_t)over;
                memset(text, 'x', len_bytes);
                text[9] = '\n';
                if (with_newline)
                    text[len_bytes - 1] = '\n';
                write_file(text, len_bytes);
                aimss_status_t status = read_all(limits[i], len_bytes);
                assert_int_equal(status, over > 0 ? AIMSS_E_LIMIT : AIMSS_OK);
                if (over > 0) {
                    assert_non_null(strstr(error_text(), FILE_NAME));
                    assert_non_null(strstr(error_text(), "byte 10 "));
                    assert_non_null(strstr(error_text(), "--record-max"));
                }
            }
        }
    }
    unlink(FILE_NAME);
}

static void a_file_that_vanished(void **state)
{
    (void)state;
    unlink(FILE_NAME);
    assert_int_equal(read_all(RECORD_MAX, 10), AIMSS_E_NOT_FOUND);
    assert_non_null(strstr(error_text(), FILE_NAME));
}

static void a_file_that_became_something_else(void **state)
{
    (void)state;
    assert_int_equal(mkdir(FILE_NAME, 0700), 0);
    assert_int_equal(read_all(RECORD_MAX, 10), AIMSS_E_IO);
    assert_int_equal(rmdir(FILE_NAME), 0);
    assert_int_equal(mkfifo(FILE_NAME, 0600), 0);
    assert_int_equal(read_all(RECORD_MAX, 10), AIMSS_E_IO);
    unlink(FILE_NAME);
}

static void assert_shrink_named(void)
{
    assert_non_null(strstr(error_text(), FILE_NAME));
    assert_non_null(strstr(error_text(), "found 30000 bytes"));
    assert_non_null(strstr(error_text(), "at least 50000"));
}

static void a_file_that_shrinks(void **state)
{
    (void)state;
    static char text[50000];
    const struct source_ops *ops = source_find("text");
    struct partition partition = { .end = sizeof text };
    struct source_reader *reader;
    struct source_fill fill;
    static char payload[8192];
    for (unsigned line = 1; line <= 1000; line *= 1000) {
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = i % 1000 == 999 && line > 1 ? '\n' : 'y';
        write_file(text, sizeof text);
        assert_int_equal(ops->open(env_system(), FILE_NAME, &partition, RECORD_MAX, &reader),
                         AIMSS_OK);
        assert_int_equal(ops->fill(reader, payload, sizeof payload, &fill), AIMSS_OK);
        assert_int_equal(truncate(FILE_NAME, 30000), 0);
        aimss_status_t status = AIMSS_OK;
        while (status == AIMSS_OK) {
            status = ops->fill(reader, payload, sizeof payload, &fill);
            assert_false(status == AIMSS_OK && (fill.end || fill.payload_bytes == 0));
        }
        assert_int_equal(status, AIMSS_E_IO);
        assert_shrink_named();
        ops->close(reader);
        assert_int_equal(read_all(RECORD_MAX, sizeof text), AIMSS_E_IO);
        assert_shrink_named();
    }
    unlink(FILE_NAME);
}

static void sources_by_name(void **state)
{
    (void)state;
    assert_string_equal(source_find("text")->name, "text");
    assert_null(source_find("texts"));
    source_find("text")->close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_by_name),
        cmocka_unit_test(every_cut_of_small_files),
        cmocka_unit_test(random_files_come_back),
        cmocka_unit_test(lines_up_to_the_limit),
        cmocka_unit_test(a_file_that_vanished),
        cmocka_unit_test(a_file_that_became_something_else),
        cmocka_unit_test(a_file_that_shrinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
