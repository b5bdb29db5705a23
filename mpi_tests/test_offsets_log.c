/* test_offsets_log.c: what was synced is read back, whatever crash, full disk or
 * flipped bit came between; what cannot be read back is told.
 *
 * The reference is a table of payloads that this file makes up itself.
 * `test_offsets_log write|dump FILE` is for offsets_log_python, which knows the
 * bytes from their description alone.
 */
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

static int64_t disk_pwrite(struct env *env, int fd, const void *data, size_t len_bytes,
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
static int disk_sync(struct env *env, int fd)
{
    (void)env;
    (void)fd;
    disk.sync_count++;
    disk.sync_seen = disk.write_count;
    return disk.sync_result;
}

static int disk_rename(struct env *env, const char *from, const char *to)
{
    (void)env;
    return rename(from, to) ? -errno : 0;
}

static struct env *fresh_disk(void)
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

static void hear(void *arg, int level, const char *line)
{
    (void)arg;
    (void)level;
    snprintf(said, sizeof said, "%s", line);
}

/* ---- files as bytes */

static char *read_file(size_t *len_bytes)
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

static void write_file(const char *data, size_t len_bytes)
{
    FILE *file = fopen(FILE_NAME, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len_bytes, file), len_bytes);
    assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *data, size_t len_bytes)
{
    size_t found_bytes;
    char *found = read_file(&found_bytes);
    assert_int_equal(found_bytes, len_bytes);
    assert_memory_equal(found, data, len_bytes);
    free(found);
    assert_int_not_equal(access(TEMPORARY, F_OK), 0);
}

static void assert_said(const char *text, const char *what, uint64_t number)
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

static aimss_status_t append_kind(struct offsets_log *log, unsigned kind)
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

static const char *text_at(const void *text, uint32_t len_bytes, const char *expected)
{
    assert_int_equal(len_bytes, strlen(expected));
    assert_memory_equal(text, expected, len_bytes);
    return (const char *)text + len_bytes;
}

static void check_run(const struct offsets_run *run)
{
    const char *name = (const char *)(run + 1);
    assert_true(run->started_unix_ns == RUN.started_unix_ns && run->run == 3);
    assert_true(run->rank_count == 7 && run->arena_count == 2);
    assert_string_equal(name, ARENAS[0]);
    assert_string_equal(name + strlen(name) + 1, ARENAS[1]);
}

static void check_commit(const struct offsets_commit *commit)
{
    const struct offsets_commit_file *file = (const void *)(commit + 1);
    assert_true(commit->epoch == 42 && commit->file_count == 3);
    for (unsigned i = 0; i < 3; i++, file = offsets_commit_next(file)) {
        assert_true(file->offset == SINKS[i].offset && file->len_bytes == SINKS[i].len_bytes);
        assert_true(file->line_count == SINKS[i].line_count && file->crc32c == SINKS[i].crc32c);
        text_at(file + 1, file->name_bytes, SINKS[i].name);
    }
}

static void check_payload(unsigned kind, const void *payload)
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
static unsigned kind_of(uint64_t sequence)
{
    return (unsigned)(1 + (sequence - 1) % OFFSETS_END);
}

static aimss_status_t check_record(void *arg, const struct offsets_record *record,
                                   const void *payload)
{
    uint64_t *count = arg;
    assert_true(record->sequence == ++*count);
    assert_int_equal(record->kind, kind_of(*count));
    check_payload(record->kind, payload);
    return AIMSS_OK;
}

static uint64_t read_checked(void)
{
    uint64_t count = 0;
    assert_int_equal(offsets_log_read(env_system(), FILE_NAME, check_record, &count), AIMSS_OK);
    return count;
}

/* Builds a log of count records, with a sync behind every batch_count; ends[i] is
 * where record i ends, ends[0] where the file header does. Returns its bytes. */
static char *build_log(unsigned count, unsigned batch_count, size_t *ends)
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

static unsigned last_before(const size_t *ends, unsigned count, size_t len_bytes)
{
    while (ends[count] > len_bytes)
        count--;
    return count;
}

/* Opens, expects the first `kept` records, and that the log goes on behind them. */
static void expect_open(unsigned kept, const char *data, const size_t *ends)
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

static void expect_refused(aimss_status_t status, const char *data, size_t len_bytes)
{
    struct env *env = fresh_disk();
    struct offsets_log *log = NULL;
    assert_int_equal(offsets_log_open(env, FILE_NAME, UUID, &log), status);
    assert_null(log);
    assert_file(data, len_bytes);
}

/* ---- tests */

static void round_trip(void **state)
{
    (void)state;
    size_t ends[RECORDS_MAX];
    struct env *env = env_system();
    struct offsets_log *log = NULL;
    free(build_log(RECORDS_MAX - 1, 4, ends));
    assert_int_equal(read_checked(), RECORDS_MAX - 1);
    assert_int_equal(offsets_log_open(env, FILE_NAME, UUID, &log), AIMSS_OK);
    for (unsigned i = RECORDS_MAX; i < 3 * RECORDS_MAX; i++) {
        assert_int_equal(append_kind(log, kind_of(i)), AIMSS_OK);
        assert_int_equal(read_checked(), i); /* beside the writer */
    }
    assert_int_equal(offsets_log_sync(log), AIMSS_OK);
    offsets_log_close(log);
    assert_int_equal(read_checked(), 3 * RECORDS_MAX - 1);
    assert_string_equal(said, "");
}

static void every_truncation(void **state)
{
    (void)state;
    size_t ends[RECORDS_MAX];
    unsigned count = OFFSETS_END + 2;
    char *data = build_log(count, 1, ends);
    for (size_t len_bytes = 0; len_bytes <= ends[count]; len_bytes++) {
        write_file(data, len_bytes);
        if (len_bytes < HEADER_BYTES) {
            expect_refused(AIMSS_E_CORRUPT, data, len_bytes);
            assert_said(error_text(), "at byte", 0);
            continue;
        }
        unsigned kept = last_before(ends, count, len_bytes);
        assert_int_equal(read_checked(), kept);
        expect_open(kept, data, ends);
        if (len_bytes == ends[kept]) {
            assert_string_equal(said, "");
            continue;
        }
        assert_said(said, "from", len_bytes);
        assert_said(said, "to", ends[kept]);
    }
    free(data);
}

/* The last record is the one whose loss nothing in the file can tell from an
 * unfinished write. */
static void every_flipped_bit(void **state)
{
    (void)state;
    size_t ends[RECORDS_MAX];
    unsigned count = OFFSETS_END;
    char *data = build_log(count, 1, ends);
    for (size_t bit = 0; bit < 8 * ends[count]; bit++) {
        size_t at = bit / 8;
        data[at] ^= (char)(1 << bit % 8);
        write_file(data, ends[count]);
        unsigned kept = at < HEADER_BYTES ? 0 : last_before(ends, count, at);
        if (kept == count - 1) {
            expect_open(kept, data, ends);
            assert_said(said, "to", ends[kept]);
        } else {
            expect_refused(AIMSS_E_CORRUPT, data, ends[count]);
            assert_said(error_text(), "at byte", at < HEADER_BYTES ? 0 : ends[kept]);
        }
        data[at] ^= (char)(1 << bit % 8);
    }
    free(data);
}

/* Pages of a batch that no sync covered may reach the disk in any order. */
static void lost_page_of_a_batch(void **state)
{
    (void)state;
    size_t ends[RECORDS_MAX];
    unsigned count = 9;
    char *data = build_log(count, 3, ends);
    char *damaged = malloc(ends[count]);
    for (unsigned lost = 1; lost <= count; lost++) {
        memcpy(damaged, data, ends[count]);
        memset(damaged + ends[lost - 1], 0, ends[lost] - ends[lost - 1]);
        write_file(damaged, ends[count]);
        if (lost <= 6) { /* a third batch tells that the first two were synced */
            expect_refused(AIMSS_E_CORRUPT, damaged, ends[count]);
            assert_said(error_text(), "at byte", ends[lost - 1]);
        } else {
            expect_open(lost - 1, data, ends);
            assert_said(said, "to", ends[lost - 1]);
        }
    }
    free(damaged);
    free(data);
}

/* A record that is sound but not the next one, e.g. of an old copy of a block. */
static void record_out_of_place(void **state)
{
    (void)state;
    size_t ends[RECORDS_MAX];
    char *data = build_log(4, 1, ends);
    size_t first_bytes = ends[1] - ends[0];
    char *twice = malloc(ends[4] + first_bytes);
    memcpy(twice, data, ends[4]);
    memcpy(twice + ends[4], data + ends[0], first_bytes);
    write_file(twice, ends[4] + first_bytes);
    assert_int_equal(read_checked(), 4);
    expect_open(4, data, ends);
    assert_said(said, "to", ends[4]);
    free(twice);
    free(data);
}

static void full_disk(void **state)
{
    (void)state;
    size_t ends[RECORDS_MAX];
    unsigned count = OFFSETS_END;
    char *data = build_log(count, count, ends);
    for (uint64_t budget_bytes = 0; budget_bytes < ends[count]; budget_bytes++) {
        struct env *env = fresh_disk();
        struct offsets_log *log = NULL;
        unlink(FILE_NAME);
        disk.budget_bytes = budget_bytes;
        aimss_status_t status = offsets_log_open(env, FILE_NAME, UUID, &log);
        assert_int_equal(status, budget_bytes < HEADER_BYTES ? AIMSS_E_NO_SPACE : AIMSS_OK);
        if (status != AIMSS_OK) { /* nothing is left behind */
            assert_null(log);
            assert_true(access(FILE_NAME, F_OK) != 0 && access(TEMPORARY, F_OK) != 0);
            continue;
        }
        unsigned next = 1;
        while ((status = append_kind(log, kind_of(next))) == AIMSS_OK)
            next++;
        assert_int_equal(status, AIMSS_E_NO_SPACE);
        assert_non_null(strstr(error_text(), FILE_NAME));
        assert_int_equal(next, 1 + last_before(ends, count, budget_bytes));
        assert_int_equal(read_checked(), next - 1);
        disk.budget_bytes = UINT64_MAX; /* somebody made room */
        for (; next <= count; next++)
            assert_int_equal(append_kind(log, kind_of(next)), AIMSS_OK);
        offsets_log_close(log);
        assert_file(data, ends[count]);
    }
    free(data);
}

/* A torn tail and no room for the copy without it: the file stays as it was. */
static void full_disk_while_cutting(void **state)
{
    (void)state;
    size_t ends[RECORDS_MAX];
    char *data = build_log(3, 1, ends);
    write_file(data, ends[3] - 1);
    struct env *env = fresh_disk();
    struct offsets_log *log = NULL;
    disk.budget_bytes = 100;
    assert_int_equal(offsets_log_open(env, FILE_NAME, UUID, &log), AIMSS_E_NO_SPACE);
    assert_null(log);
    assert_file(data, ends[3] - 1);
    free(data);
}

static uint64_t last_durable;

static aimss_status_t note_durable(void *arg, const struct offsets_record *record,
                                   const void *payload)
{
    (void)arg;
    (void)payload;
    last_durable = record->durable_bytes;
    return AIMSS_OK;
}

static void syncs_come_in_batches(void **state)
{
    (void)state;
    struct env *env = fresh_disk();
    struct offsets_log *log = NULL;
    unlink(FILE_NAME);
    assert_int_equal(offsets_log_open(env, FILE_NAME, UUID, &log), AIMSS_OK);
    assert_int_equal(disk.sync_count, 1); /* of the new file, before its rename */
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(append_kind(log, OFFSETS_COMMIT), AIMSS_OK);
    assert_int_equal(disk.sync_count, 1);
    assert_int_equal(offsets_log_sync(log), AIMSS_OK);
    assert_int_equal(disk.sync_count, 2);
    assert_int_equal(disk.sync_seen, disk.write_count);
    assert_int_equal(offsets_log_sync(log), AIMSS_OK); /* nothing new */
    assert_int_equal(disk.sync_count, 2);
    size_t durable_bytes;
    free(read_file(&durable_bytes));
    assert_int_equal(append_kind(log, OFFSETS_END), AIMSS_OK);
    assert_int_equal(offsets_log_read(env, FILE_NAME, note_durable, NULL), AIMSS_OK);
    assert_true(last_durable == durable_bytes);
    offsets_log_close(log);
}

/* After a failed fsync the kernel forgets the pages: a second one that succeeds
 * would say nothing. */
static void failed_sync_is_final(void **state)
{
    (void)state;
    struct env *env = fresh_disk();
    struct offsets_log *log = NULL;
    unlink(FILE_NAME);
    assert_int_equal(offsets_log_open(env, FILE_NAME, UUID, &log), AIMSS_OK);
    assert_int_equal(append_kind(log, OFFSETS_COMMIT), AIMSS_OK);
    disk.sync_result = -EIO;
    assert_int_equal(offsets_log_sync(log), AIMSS_E_IO);
    assert_non_null(strstr(error_text(), FILE_NAME));
    disk.sync_result = 0;
    assert_int_equal(offsets_log_sync(log), AIMSS_E_IO);
    assert_int_equal(append_kind(log, OFFSETS_END), AIMSS_E_IO);
    offsets_log_close(log);
}

static void limits_are_named(void **state)
{
    (void)state;
    struct env *env = fresh_disk();
    struct offsets_log *log = NULL;
    char *payload = calloc(1, OFFSETS_RECORD_MAX_BYTES);
    size_t most_bytes = OFFSETS_RECORD_MAX_BYTES - sizeof(struct offsets_record);
    unsigned unknown_kind = 99;
    unlink(FILE_NAME);
    assert_int_equal(offsets_log_open(env, FILE_NAME, UUID, &log), AIMSS_OK);
    assert_int_equal(offsets_log_append(log, unknown_kind, payload, most_bytes + 1),
                     AIMSS_E_LIMIT);
    assert_said(error_text(), "expected", OFFSETS_RECORD_MAX_BYTES);
    for (unsigned i = 0; i < OFFSETS_FILE_MAX_BYTES / OFFSETS_RECORD_MAX_BYTES - 1; i++)
        assert_int_equal(offsets_log_append(log, unknown_kind, payload, most_bytes), AIMSS_OK);
    assert_int_equal(offsets_log_append(log, unknown_kind, payload, most_bytes), AIMSS_E_LIMIT);
    assert_said(error_text(), "full", OFFSETS_FILE_MAX_BYTES);
    assert_int_equal(append_kind(log, OFFSETS_END), AIMSS_OK);
    offsets_log_close(log);
    assert_int_equal(offsets_log_read(env, FILE_NAME, note_durable, NULL), AIMSS_OK);
    assert_int_equal(truncate(FILE_NAME, (off_t)OFFSETS_FILE_MAX_BYTES + 1), 0);
    assert_int_equal(offsets_log_open(env, FILE_NAME, UUID, &log), AIMSS_E_LIMIT);
    unlink(FILE_NAME);
    free(payload);
}

static aimss_status_t stop_at_two(void *arg, const struct offsets_record *record,
                                  const void *payload)
{
    (void)arg;
    (void)payload;
    return record->sequence == 2 ? AIMSS_E_STOPPED : AIMSS_OK;
}

static void strangers_are_refused(void **state)
{
    (void)state;
    size_t ends[RECORDS_MAX];
    struct env *env = fresh_disk();
    struct offsets_log *log = NULL;
    uint64_t count = 0;
    unlink(FILE_NAME);
    assert_int_equal(offsets_log_read(env, FILE_NAME, check_record, &count), AIMSS_E_NOT_FOUND);
    assert_int_equal(offsets_log_open(env, "no/such/place", UUID, &log), AIMSS_E_IO);
    char *data = build_log(3, 1, ends);
    assert_int_equal(offsets_log_read(env, FILE_NAME, stop_at_two, NULL), AIMSS_E_STOPPED);
    assert_int_equal(offsets_log_open(env, FILE_NAME, (const uint8_t *)"another job's id", &log),
                     AIMSS_E_INVALID);
    assert_non_null(strstr(error_text(), "6a6f6220303132333435363738396162"));
    assert_file(data, ends[3]);
    offsets_log_close(NULL);
    free(data);
}

/* Sound by its CRC, yet its fields lie: a reader would run off the payload. */
static void fields_that_lie(void **state)
{
    (void)state;
    struct env *env = fresh_disk();
    const struct offsets_run run = { .arena_count = 2, .names_bytes = 4 };
    struct { struct offsets_run fixed; char names[4]; } names = { run, "abc" };
    struct { struct offsets_commit fixed; struct offsets_commit_file file; } commit = {
        { .file_count = 1 }, { .name_bytes = 1 }
    };
    const struct offsets_stream stream = { .name_bytes = 1 };
    const struct { enum offsets_kind kind; const void *payload; size_t len_bytes; } lies[] = {
        { OFFSETS_RUN, &names, sizeof names },      { OFFSETS_RUN, &run, sizeof run },
        { OFFSETS_COMMIT, &commit, sizeof commit }, { OFFSETS_COMMIT, &commit, 40 },
        { OFFSETS_STREAM, &stream, sizeof stream }, { OFFSETS_END, &stream, 4 },
        { OFFSETS_PARTITION_DONE, &commit, 47 },    { OFFSETS_READER_GROUP, &run, 24 },
    };
    for (unsigned i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct offsets_log *log = NULL;
        unlink(FILE_NAME);
        assert_int_equal(offsets_log_open(env, FILE_NAME, UUID, &log), AIMSS_OK);
        assert_int_equal(offsets_log_append(log, lies[i].kind, lies[i].payload,
                                            lies[i].len_bytes), AIMSS_OK);
        offsets_log_close(log);
        assert_int_equal(offsets_log_read(env, FILE_NAME, note_durable, NULL), AIMSS_E_CORRUPT);
        assert_said(error_text(), "at byte", HEADER_BYTES);
    }
}

/* ---- for offsets_log_python */

static int write_sample(const char *path)
{
    struct offsets_log *log = NULL;
    if (offsets_log_open(env_system(), path, UUID, &log) != AIMSS_OK)
        return 1;
    for (unsigned kind = OFFSETS_RUN; kind <= OFFSETS_END; kind++)
        if (append_kind(log, kind) != AIMSS_OK || offsets_log_sync(log) != AIMSS_OK)
            return 1;
    offsets_log_close(log);
    return 0;
}

static aimss_status_t dump_record(void *arg, const struct offsets_record *record,
                                  const void *payload)
{
    (void)arg;
    printf("%" PRIu64 " %u ", record->sequence, record->kind);
    for (uint32_t i = 0; i < record->payload_bytes; i++)
        printf("%02x", ((const uint8_t *)payload)[i]);
    printf("\n");
    return AIMSS_OK;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_flipped_bit),
        cmocka_unit_test(lost_page_of_a_batch),
        cmocka_unit_test(record_out_of_place),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(full_disk_while_cutting),
        cmocka_unit_test(syncs_come_in_batches),
        cmocka_unit_test(failed_sync_is_final),
        cmocka_unit_test(limits_are_named),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(fields_that_lie),
    };
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return write_sample(argv[2]);
    if (argc == 3 && strcmp(argv[1], "dump") == 0)
        return offsets_log_read(env_system(), argv[2], dump_record, NULL) != AIMSS_OK;
    diag_set(hear, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
