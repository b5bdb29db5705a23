/* test_offsets_log.c: what is appended to an offsets.log is read back; syncs come
 * in batches; limits, strangers and lying fields are told.
 *
 * `test_offsets_log write|dump FILE` is for offsets_log_python, which knows the
 * bytes from their description alone.
 */
#include "offsets_sample.h"

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
        cmocka_unit_test(syncs_come_in_batches),
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
