/* status.c: `aimss status DIR`: how a job stands, from its directory alone.
 *
 * Three things are looked at, none of them taken: the lock (does a job run?),
 * the number of the last run in job.conf, and the result record. A run that
 * neither holds the lock nor has a result has died.
 */
#include "cli/cli.h"

#include "base/error.h"
#include "role/jobdir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void print_progress(const char *path, unsigned run)
{
    struct job_progress progress;
    char done[CLI_SIZE_BYTES], total[CLI_SIZE_BYTES];

    if (jobdir_read_progress(path, &progress) != AIMSS_OK || progress.run != run)
        return;
    printf("progress   %s", cli_size(progress.bytes, done));
    if (progress.bytes_total > 0)
        printf(" of %s (%.0f %%)", cli_size(progress.bytes_total, total),
               100.0 * (double)progress.bytes / (double)progress.bytes_total);
    printf(", %llu records, after %.1f s\n", (unsigned long long)progress.records,
           progress.seconds);
}

static void print_file(const char *path, const struct job_file *file)
{
    char name[4096], size[CLI_SIZE_BYTES];
    struct stat about;
    const char *found = "";

    snprintf(name, sizeof name, "%s/out/%s", path, file->name);
    if (stat(name, &about) != 0)
        found = "  (missing now)";
    else if ((uint64_t)about.st_size != file->len_bytes)
        found = "  (has another length now)";
    printf("file       %s  %s, %llu lines, crc32c %08x%s\n", name,
           cli_size(file->len_bytes, size), (unsigned long long)file->line_count, file->crc32c,
           found);
}

static void print_result(const char *path, const struct job_result *result)
{
    char size[CLI_SIZE_BYTES];

    printf("state      %s, exit code %d\n", job_state_name(result->state), result->exit_code);
    if (*result->message != '\0')
        printf("message    %s\n", result->message);
    printf("ended      %s after %.1f s\n", result->ended, result->seconds);
    printf("read       %s, %llu records\n", cli_size(result->bytes, size),
           (unsigned long long)result->records);
    for (size_t i = 0; i < result->file_count; i++)
        print_file(path, &result->files[i]);
}

static int print_status(const char *path)
{
    struct job_identity identity;
    struct job_result *result = NULL;
    char holder[JOB_HOLDER_BYTES];
    aimss_status_t status = jobdir_read_identity(path, &identity);

    if (status == AIMSS_E_NOT_FOUND)
        error_set(status, "%s: found no job.conf, expected a job directory; give the DIR of the "
                  "job's --job", path);
    if (status != AIMSS_OK)
        return cli_fail(status);
    /* The lock first: a job that ends in between has its result written by now. */
    bool runs = jobdir_is_locked(path, holder);
    status = jobdir_read_result(path, &result);
    if (status != AIMSS_OK && status != AIMSS_E_NOT_FOUND)
        return cli_fail(status);

    printf("job        %s\nuuid       %s\nrun        %u\n", path, identity.uuid, identity.run);
    if (runs) {
        printf("state      running, %s\n", holder);
        print_progress(path, identity.run);
    } else if (result != NULL && result->run == identity.run) {
        print_result(path, result);
    } else if (identity.run == 0) {
        printf("state      never started\n");
    } else {
        printf("state      died; run it again with the same command, `aimss clean` frees its "
               "memory\n");
    }
    job_result_destroy(result);
    return CLI_DONE;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    int exit_code;
    struct options *options = cli_parse(command, &argc, argv, &exit_code);

    if (options == NULL)
        return exit_code;
    options_destroy(options);
    if (argc != 2) {
        error_set(AIMSS_E_USAGE, "aimss status: found %d words, expected one job directory; "
                  "write aimss status DIR", argc - 1);
        return cli_fail(AIMSS_E_USAGE);
    }
    return print_status(argv[1]);
}

const struct cli_command cli_status = {
    .name = "status",
    .words = "DIR",
    .summary = "tell how the job in a directory stands",
    .detail = "Tells whether the job in DIR runs, has finished, failed, was stopped or died,\n"
              "how far it is, and which files it has written.",
    .run = run,
};
