/* test_offsets_crash.c: what was synced is read back, whatever crash, full disk or
 * flipped bit came between; what cannot be read back is told.
 */
#include "offsets_sample.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_flipped_bit),
        cmocka_unit_test(lost_page_of_a_batch),
        cmocka_unit_test(record_out_of_place),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(full_disk_while_cutting),
        cmocka_unit_test(failed_sync_is_final),
    };
    diag_set(hear, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
