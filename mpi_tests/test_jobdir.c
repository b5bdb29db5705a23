/* test_jobdir.c: taking a job directory, refusing it, and the result record. */
#include "check.h"

#include "base/error.h"
#include "role/jobdir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct options *options_of(char *first, char *second)
{
    char *argv[] = { "program", first, second, NULL };
    int argc = 3;
    struct options *options = NULL;

    assert_int_equal(options_create(&options), AIMSS_OK);
    assert_int_equal(options_parse(options, &argc, argv, true), AIMSS_OK);
    return options;
}

static struct jobdir *open_job(const char *path)
{
    struct options *options = options_of("--brokers=2", "--job=x");
    struct jobdir *dir = NULL;

    if (jobdir_open(path, options, &dir) != AIMSS_OK)
        fail_msg("%s", error_text());
    options_destroy(options);
    return dir;
}

static void refuses(const char *path, aimss_status_t expected, const char *part)
{
    struct options *options = options_of("--brokers=2", "--quiet");
    struct jobdir *dir = NULL;

    assert_int_equal(jobdir_open(path, options, &dir), expected);
    if (strstr(error_text(), part) == NULL || strstr(error_text(), path) == NULL)
        fail_msg("`%s` lacks `%s` or `%s`", error_text(), part, path);
    assert_null(dir);
    options_destroy(options);
}

static void touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0666);

    assert_true(fd >= 0);
    close(fd);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void finish(const char *path, enum job_state state)
{
    struct jobdir *dir = open_job(path);
    struct job_result result = { .state = state, .exit_code = state == JOB_DONE ? 0 : 1 };

    assert_int_equal(jobdir_finish(dir, &result), AIMSS_OK);
    jobdir_close(dir);
}

/* ---- opening -------------------------------------------------------------- */

static void opening_makes_the_directory_and_job_conf(void **state)
{
    struct jobdir *dir = open_job("fresh");
    struct options *back = NULL;

    (void)state;
    assert_true(exists("fresh/out") && exists("fresh/log") && exists("fresh/job.conf"));
    assert_false(exists("fresh/job.conf.tmp"));
    assert_string_equal(jobdir_out(dir), "fresh/out");
    assert_string_equal(jobdir_path(dir), "fresh");
    assert_int_equal(jobdir_run(dir), 1);
    assert_string_equal(jobdir_suffix(dir), ".tmp-1");
    assert_int_equal(strlen(jobdir_uuid(dir)), 36);

    assert_int_equal(options_create(&back), AIMSS_OK);
    assert_int_equal(options_read_file(back, "fresh/job.conf"), AIMSS_OK);
    assert_int_equal(options_number(back, "brokers"), 2);
    assert_false(options_is_set(back, "job"));
    options_destroy(back);
    jobdir_close(dir);
    jobdir_close(NULL);
}

static void a_rerun_keeps_the_uuid_and_counts(void **state)
{
    struct job_identity first, second;
    struct jobdir *dir;

    (void)state;
    finish("again", JOB_FAILED);
    assert_int_equal(jobdir_read_identity("again", &first), AIMSS_OK);
    touch("again/out/table.tsv.tmp-1");
    touch("again/out/kept.tsv");
    touch("again/out/notes.tmp-1.txt");
    touch("again/out/x.tmp-");
    touch("again/out/table.tsv.tmp-1a");
    dir = open_job("again");
    assert_int_equal(jobdir_read_identity("again", &second), AIMSS_OK);
    assert_string_equal(first.uuid, second.uuid);
    assert_int_equal(first.run, 1);
    assert_int_equal(second.run, 2);
    assert_false(exists("again/out/table.tsv.tmp-1"));
    assert_true(exists("again/out/kept.tsv") && exists("again/out/notes.tmp-1.txt"));
    assert_true(exists("again/out/x.tmp-") && exists("again/out/table.tsv.tmp-1a"));
    jobdir_close(dir);
}

static void two_jobs_have_two_uuids(void **state)
{
    struct jobdir *a = open_job("one"), *b = open_job("two");

    (void)state;
    assert_string_not_equal(jobdir_uuid(a), jobdir_uuid(b));
    jobdir_close(a);
    jobdir_close(b);
}

/* ---- refusing ------------------------------------------------------------- */

static void a_directory_in_use_is_refused(void **state)
{
    struct jobdir *dir = open_job("busy");
    char holder[JOB_HOLDER_BYTES] = "", pid[32];
    struct job_identity identity;

    (void)state;
    snprintf(pid, sizeof pid, "pid %ld on", (long)getpid());
    refuses("busy", AIMSS_E_BUSY, pid);
    assert_true(jobdir_is_locked("busy", holder));
    assert_non_null(strstr(holder, pid));
    assert_int_equal(jobdir_read_identity("busy", &identity), AIMSS_OK);
    assert_int_equal(identity.run, 1);
    jobdir_close(dir);
    assert_false(jobdir_is_locked("busy", holder));
    jobdir_close(open_job("busy"));
}

static void a_killed_holder_gives_the_lock_back(void **state)
{
    int ready[2], status;
    char byte, holder[JOB_HOLDER_BYTES];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        struct jobdir *held;
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        held = open_job("killed");
        if (write(ready[1], "x", 1) == 1 && held != NULL)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_true(jobdir_is_locked("killed", holder));
    refuses("killed", AIMSS_E_BUSY, "is in use by pid");
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_false(jobdir_is_locked("killed", holder));
    jobdir_close(open_job("killed"));
    close(ready[0]);
    close(ready[1]);
}

static void a_foreign_directory_is_refused_and_left_alone(void **state)
{
    (void)state;
    mkdir("foreign", 0777);
    touch("foreign/photo.jpg");
    refuses("foreign", AIMSS_E_INVALID, "photo.jpg");
    assert_false(exists("foreign/lock") || exists("foreign/out") || exists("foreign/job.conf"));
    touch("plainfile");
    refuses("plainfile", AIMSS_E_INVALID, "found a file");
    refuses("plainfile/below", AIMSS_E_IO, "Not a directory");
    mkdir("empty", 0777);
    jobdir_close(open_job("empty"));
}

static void a_job_conf_without_a_uuid_makes_no_job(void **state)
{
    (void)state;
    touch("foreign/job.conf");
    refuses("foreign", AIMSS_E_INVALID, "photo.jpg");
    assert_false(exists("foreign/lock") || exists("foreign/out"));
    mkdir("prepared", 0777); /* options for the first run, and nothing else */
    touch("prepared/job.conf");
    jobdir_close(open_job("prepared"));
    touch("prepared/notes");
    jobdir_close(open_job("prepared"));
}

static void folders_above_are_made(void **state)
{
    char path[4096];

    (void)state;
    jobdir_close(open_job("made/by//the/job/"));
    assert_true(exists("made/by/the/job/job.conf"));
    assert_non_null(getcwd(path, sizeof path - 16));
    strcat(path, "/made/too/job");
    jobdir_close(open_job(path));
    assert_true(exists("made/too/job/job.conf"));
    refuses("", AIMSS_E_IO, "No such file");
}

static void a_finished_job_is_refused(void **state)
{
    struct job_identity identity;

    (void)state;
    finish("finished", JOB_DONE);
    refuses("finished", AIMSS_E_FINISHED, "holds a finished job (2");
    assert_int_equal(jobdir_read_identity("finished", &identity), AIMSS_OK);
    assert_int_equal(identity.run, 1);
}

static void states_that_are_not_done_may_run_again(void **state)
{
    static const enum job_state states[] = { JOB_FAILED, JOB_STOPPED };
    char path[32];

    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        snprintf(path, sizeof path, "state%zu", i);
        finish(path, states[i]);
        jobdir_close(open_job(path));
    }
}

/* Root may write anywhere, so the check runs as nobody. */
static void a_read_only_directory_is_refused(void **state)
{
    int status;
    pid_t child;

    (void)state;
    mkdir("readonly", 0555);
    chmod("readonly", 0555);
    chmod(".", 0755);
    child = fork();
    if (child == 0) {
        struct options *options = options_of("--brokers=2", "--quiet");
        struct jobdir *dir = NULL;
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        if (jobdir_open("readonly", options, &dir) != AIMSS_E_IO ||
            strstr(error_text(), "Permission denied") == NULL)
            _exit(3);
        _exit(jobdir_open("readonly/below", options, &dir) == AIMSS_E_IO ? 0 : 4);
    }
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    chmod("readonly", 0777);
}

/* ---- records -------------------------------------------------------------- */

static void the_result_record_comes_back(void **state)
{
    struct jobdir *dir = open_job("result");
    struct job_result *back = NULL, result = {
        .state = JOB_STOPPED, .exit_code = 130, .message = "stopped by \"you\" in \xff.txt",
        .records = 7, .bytes = UINT64_C(5) << 32, .file_count = 1,
        .files = { { .name = "w.tsv", .len_bytes = 9, .line_count = 2, .crc32c = 0xe3069283 } }
    };

    (void)state;
    assert_int_equal(jobdir_read_result("result", &back), AIMSS_E_NOT_FOUND);
    assert_int_equal(jobdir_finish(dir, &result), AIMSS_OK);
    assert_false(exists("result/result.json.tmp"));
    assert_int_equal(jobdir_read_result("result", &back), AIMSS_OK);
    assert_int_equal(back->state, JOB_STOPPED);
    assert_int_equal(back->exit_code, 130);
    assert_string_equal(back->message, "stopped by \"you\" in ?.txt");
    assert_int_equal(back->run, 1);
    assert_int_equal(back->records, 7);
    assert_int_equal(back->bytes, UINT64_C(5) << 32);
    assert_true(back->seconds >= 0 && back->seconds < 60);
    assert_int_equal(strlen(back->ended), 20);
    assert_int_equal(back->file_count, 1);
    assert_string_equal(back->files[0].name, "w.tsv");
    assert_int_equal(back->files[0].len_bytes, 9);
    assert_int_equal(back->files[0].line_count, 2);
    assert_int_equal(back->files[0].crc32c, 0xe3069283);
    job_result_destroy(back);
    job_result_destroy(NULL);
    jobdir_close(dir);
}

static void a_damaged_record_is_named(void **state)
{
    struct job_result *result = NULL;
    FILE *file;

    (void)state;
    jobdir_close(open_job("damaged"));
    file = fopen("damaged/result.json", "w");
    fputs("{ \"state\": ", file);
    fclose(file);
    assert_int_equal(jobdir_read_result("damaged", &result), AIMSS_E_CORRUPT);
    refuses("damaged", AIMSS_E_CORRUPT, "result.json");
    file = fopen("damaged/result.json", "w");
    fputs("{ \"state\": \"done\" }", file);
    fclose(file);
    refuses("damaged", AIMSS_E_CORRUPT, "other fields");
}

static void progress_comes_back_and_goes_with_the_run(void **state)
{
    struct jobdir *dir = open_job("progress");
    struct job_progress progress = { .records = 3, .bytes = 10, .bytes_total = 40 }, back;

    (void)state;
    assert_int_equal(jobdir_write_progress(dir, &progress), AIMSS_OK);
    assert_int_equal(jobdir_read_progress("progress", &back), AIMSS_OK);
    assert_int_equal(back.run, 1);
    assert_int_equal(back.records, 3);
    assert_int_equal(back.bytes, 10);
    assert_int_equal(back.bytes_total, 40);
    jobdir_close(dir);
    jobdir_close(open_job("progress"));
    assert_int_equal(jobdir_read_progress("progress", &back), AIMSS_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_makes_the_directory_and_job_conf),
        cmocka_unit_test(a_rerun_keeps_the_uuid_and_counts),
        cmocka_unit_test(two_jobs_have_two_uuids),
        cmocka_unit_test(a_directory_in_use_is_refused),
        cmocka_unit_test(a_killed_holder_gives_the_lock_back),
        cmocka_unit_test(a_foreign_directory_is_refused_and_left_alone),
        cmocka_unit_test(a_job_conf_without_a_uuid_makes_no_job),
        cmocka_unit_test(folders_above_are_made),
        cmocka_unit_test(a_finished_job_is_refused),
        cmocka_unit_test(states_that_are_not_done_may_run_again),
        cmocka_unit_test(a_read_only_directory_is_refused),
        cmocka_unit_test(the_result_record_comes_back),
        cmocka_unit_test(a_damaged_record_is_named),
        cmocka_unit_test(progress_comes_back_and_goes_with_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
