/* offsets_sample.h: a small offsets.log with a record of each kind, what it must
 * give, and a disk that counts and fails.
 *
 * For test_offsets_log.c and test_offsets_crash.c. Both write over offsets.log in
 * the folder where they run.
 */
#ifndef AIMSS_MPI_TESTS_OFFSETS_SAMPLE_H
#define AIMSS_MPI_TESTS_OFFSETS_SAMPLE_H

#include "check.h"

#include "base/error.h"
#include "store/offsets_log.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { HEADER_BYTES = sizeof(struct offsets_file_header), RECORDS_MAX = 16 };
static const char FILE_NAME[] = "offsets.log", TEMPORARY[] = "offsets.log.tmp";
static const uint8_t UUID[OFFSETS_UUID_BYTES] = "job 0123456789ab";

/* ---- a table of the environment that counts and fails */

static struct {
    uint64_t budget_bytes;       /* that writes still get */
    unsigned sync_count, sync_seen; /* syncs; writes before the last one */
    unsigned write_count;
    int sync_result;
} disk;

static inline int64_t disk_pwrite(struct env *env, int fd, const void *data, size_t len_bytes,
                           uint64_t offset)
{
    disk.write_count++;
    if (disk.budget_bytes == 0)
        return -ENOSPC;
    if (len_bytes > disk.budget_bytes)
        len_bytes = (size_t)disk.budget_bytes;
    disk.budget_bytes -= len_bytes;
    return env_system()->ops->pwrite(env, fd, data, len_bytes, offset);
}

/* Doesn't trouble the disk: what a test looks at is whether it was called. */
static inline int disk_sync(struct env *env, int fd)
{
    (void)env;
    (void)fd;
    disk.sync_count++;
    disk.sync_seen = disk.write_count;
    return disk.sync_result;
}

static inline int disk_rename(struct env *env, const char *from, const char *to)
{
    (void)env;
    return rename(from, to) ? -errno : 0;
}

static inline struct env *fresh_disk(void)
{
    static struct env_ops ops;
    static struct env env = { .ops = &ops };
    ops = *env_system()->ops;
    ops.pwrite = disk_pwrite;
    ops.sync = disk_sync;
    ops.rename = disk_rename;
    memset(&disk, 0, sizeof disk);
    disk.budget_bytes = UINT64_MAX;
    return &env;
}

static char said[ERROR_TEXT_BYTES];

static inline void hear(void *arg, int level, const char *line)
{
    (void)arg;
    (void)level;
    snprintf(said, sizeof said, "%s", line);
}

/* ---- files as bytes */

static inline char *read_file(size_t *len_bytes)
{
    FILE *file = fopen(FILE_NAME, "r");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *len_bytes = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*len_bytes + 1);
    assert_int_equal(fread(data, 1, *len_bytes, file), *len_bytes);
    fclose(file);
    return data;
}

static inline void write_file(const char *data, size_t len_bytes)
{
    FILE *file = fopen(FILE_NAME, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len_bytes, file), len_bytes);
    assert_int_equal(fclose(file), 0);
}

static inline void assert_file(const char *data, size_t len_bytes)
{
    size_t found_bytes;
    char *found = read_file(&found_bytes);
    assert_int_equal(found_bytes, len_bytes);
    assert_memory_equal(found, data, len_bytes);
    free(found);
    assert_int_not_equal(access(TEMPORARY, F_OK), 0);
}

static inline void assert_said(const char *text, const char *what, uint64_t number)
{
    char expected[64];
    snprintf(expected, sizeof expected, "%s %" PRIu64, what, number);
    const char *found = strstr(text, expected);
    if (found == NULL || strstr(text, FILE_NAME) == NULL)
        fail_msg("expected \"%s\" and the file's name in: %s", expected, text);
    char behind = found[strlen(expected)];
    assert_false(behind >= '0' && behind <= '9');
}

/* ---- one small log with a record of each kind, and what it must give */

static const char *const ARENAS[] = { "/dev/shm/aimss-0-3f2a77c1-r1.arena",
                                      "/dev/shm/aimss-0-3f2a77c1-r2.arena" };
static const struct offsets_run RUN = { .started_unix_ns = 1785600000123456789u, .run = 3,
                                        .rank_count = 7, .arena_count = 2 };
static const struct offsets_stream STREAM = { .id = 5, .parent = 4, .streamlet_count = 1000,
                                              .format = 2, .record_bytes = 100 };
static const struct offsets_partition_done PARTITION = { .stream = 5, .number = 12, .file = 2,
                                                         .begin = 1ull << 40, .end = 3ull << 40,
                                                         .records = 77, .bytes = 7700 };
static const struct offsets_sink SINKS[] = {
    { "out/wordcount.tsv", 0, 1ull << 33, 9999, 0xe3069283 },
    { "out/wordcount.tsv", 1ull << 33, 17, 1, 0x01020304 },
    { "out/tab\tnewline\n", 8, 8, 8, 8 },
};

static inline aimss_status_t append_kind(struct offsets_log *log, unsigned kind)
{
    switch (kind) {
    case OFFSETS_RUN:
        return offsets_log_run(log, &RUN, ARENAS);
    case OFFSETS_STREAM:
        return offsets_log_stream(log, &STREAM, "words");
    case OFFSETS_READER_GROUP:
        return offsets_log_reader_group(log, 5, 1, "counter!");
    case OFFSETS_PARTITION_DONE:
        return offsets_log_partition_done(log, &PARTITION);
    case OFFSETS_COMMIT:
        return offsets_log_commit(log, 42, SINKS, 3);
    default:
        return offsets_log_end(log, AIMSS_E_PEER, "rank 3 died");
    }
}

static inline const char *text_at(const void *text, uint32_t len_bytes, const char *expected)
{
    assert_int_equal(len_bytes, strlen(expected));
    assert_memory_equal(text, expected, len_bytes);
    return (const char *)text + len_bytes;
}

static inline void check_run(const struct offsets_run *run)
{
    const char *name = (const char *)(run + 1);
    assert_true(run->started_unix_ns == RUN.started_unix_ns && run->run == 3);
    assert_true(run->rank_count == 7 && run->arena_count == 2);
    assert_string_equal(name, ARENAS[0]);
    assert_string_equal(name + strlen(name) + 1, ARENAS[1]);
}

static inline void check_commit(const struct offsets_commit *commit)
{
    const struct offsets_commit_file *file = (const void *)(commit + 1);
    assert_true(commit->epoch == 42 && commit->file_count == 3);
    for (unsigned i = 0; i < 3; i++, file = offsets_commit_next(file)) {
        assert_true(file->offset == SINKS[i].offset && file->len_bytes == SINKS[i].len_bytes);
        assert_true(file->line_count == SINKS[i].line_count && file->crc32c == SINKS[i].crc32c);
        text_at(file + 1, file->name_bytes, SINKS[i].name);
    }
}

static inline void check_payload(unsigned kind, const void *payload)
{
    const struct offsets_stream *stream = payload;
    const struct offsets_reader_group *group = payload;
    const struct offsets_end *end = payload;
    switch (kind) {
    case OFFSETS_RUN:
        check_run(payload);
        break;
    case OFFSETS_STREAM:
        assert_memory_equal(stream, &STREAM, offsetof(struct offsets_stream, name_bytes));
        text_at(stream + 1, stream->name_bytes, "words");
        break;
    case OFFSETS_READER_GROUP:
        assert_true(group->stream == 5 && group->number == 1);
        text_at(group + 1, group->name_bytes, "counter!");
        break;
    case OFFSETS_PARTITION_DONE:
        assert_memory_equal(payload, &PARTITION, sizeof PARTITION);
        break;
    case OFFSETS_COMMIT:
        check_commit(payload);
        break;
    case OFFSETS_END:
        assert_int_equal(end->status, AIMSS_E_PEER);
        text_at(end + 1, end->message_bytes, "rank 3 died");
    }
}

/* Kinds cycle from RUN to END; the record's number says which one it must be. */
static inline unsigned kind_of(uint64_t sequence)
{
    return (unsigned)(1 + (sequence - 1) % OFFSETS_END);
}

static inline aimss_status_t check_record(void *arg, const struct offsets_record *record,
                                   const void *payload)
{
    uint64_t *count = arg;
    assert_true(record->sequence == ++*count);
    assert_int_equal(record->kind, kind_of(*count));
    check_payload(record->kind, payload);
    return AIMSS_OK;
}

static inline uint64_t read_checked(void)
{
    uint64_t count = 0;
    assert_int_equal(offsets_log_read(env_system(), FILE_NAME, check_record, &count), AIMSS_OK);
    return count;
}

/* Builds a log of count records, with a sync behind every batch_count; ends[i] is
 * where record i ends, ends[0] where the file header does. Returns its bytes. */
static inline char *build_log(unsigned count, unsigned batch_count, size_t *ends)
{
    struct env *env = fresh_disk();
    struct offsets_log *log = NULL;
    unlink(FILE_NAME);
    assert_int_equal(offsets_log_open(env, FILE_NAME, UUID, &log), AIMSS_OK);
    ends[0] = HEADER_BYTES;
    for (unsigned i = 1; i <= count; i++) {
        assert_int_equal(append_kind(log, kind_of(i)), AIMSS_OK);
        free(read_file(&ends[i]));
        assert_true(ends[i] > ends[i - 1] && ends[i] % OFFSETS_ALIGN_BYTES == 0);
        if (i % batch_count == 0)
            assert_int_equal(offsets_log_sync(log), AIMSS_OK);
    }
    offsets_log_close(log);
    size_t len_bytes;
    char *data = read_file(&len_bytes);
    assert_int_equal(len_bytes, ends[count]);
    return data;
}

static inline unsigned last_before(const size_t *ends, unsigned count, size_t len_bytes)
{
    while (ends[count] > len_bytes)
        count--;
    return count;
}

/* Opens, expects the first `kept` records, and that the log goes on behind them. */
static inline void expect_open(unsigned kept, const char *data, const size_t *ends)
{
    struct env *env = fresh_disk();
    struct offsets_log *log = NULL;
    said[0] = '\0';
    assert_int_equal(offsets_log_open(env, FILE_NAME, UUID, &log), AIMSS_OK);
    assert_true(disk.sync_count > 0);
    assert_file(data, ends[kept]);
    assert_int_equal(append_kind(log, kind_of(kept + 1)), AIMSS_OK);
    offsets_log_close(log);
    assert_int_equal(read_checked(), kept + 1);
}

static inline void expect_refused(aimss_status_t status, const char *data, size_t len_bytes)
{
    struct env *env = fresh_disk();
    struct offsets_log *log = NULL;
    assert_int_equal(offsets_log_open(env, FILE_NAME, UUID, &log), status);
    assert_null(log);
    assert_file(data, len_bytes);
}

#endif
