/* job_record.c: the job directory while a job runs, and its commit.
 *
 * The order at the end is what makes the result trustworthy: the parts were
 * synced by the compute ranks, then come the final name, COMMIT (synced) and
 * the result record. A job that died anywhere before has no final file.
 */
#include "api/job_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool parse_uuid(const char *text, uint8_t uuid[16])
{
    unsigned count = 0;

    for (; *text != '\0' && count < 32; text++) {
        char digit[2] = { *text, '\0' };
        unsigned long value;

        if (*text == '-')
            continue;
        value = strtoul(digit, NULL, 16);
        uuid[count / 2] = (uint8_t)(uuid[count / 2] << 4 | value);
        count++;
    }
    return count == 32;
}

static uint64_t unix_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The run's arenas by name, so that none from another run passes. */
static aimss_status_t log_run(struct job_record *record)
{
    struct aimss_runtime *rt = record->rt;
    unsigned count = rt->net->broker_count;
    char (*names)[SHM_NAME_BYTES] = calloc(count, sizeof *names);
    const char **list = calloc(count, sizeof *list);
    struct offsets_run run = { .started_unix_ns = unix_ns(), .run = rt->run,
                               .rank_count = rt->net->rank_count, .arena_count = count };
    aimss_status_t status;

    for (unsigned b = 0; names != NULL && list != NULL && b < count; b++) {
        shm_name(names[b], rt->job, rt->net->broker_ranks[b], "arena");
        list[b] = names[b];
    }
    status = names == NULL || list == NULL
                 ? error_set(AIMSS_E_NO_MEMORY, "no memory for the names of %u arenas", count)
                 : offsets_log_run(record->log, &run, list);
    free(names);
    free(list);
    return status;
}

aimss_status_t job_record_open(struct aimss_runtime *rt, struct job_record *record)
{
    char path[WIRE_TEXT_BYTES];
    uint8_t uuid[16] = { 0 };
    aimss_status_t status;

    *record = (struct job_record){ .rt = rt, .started_ns = env_now_ns(rt->env) };
    if (rt->dir == NULL)
        return AIMSS_OK;
    snprintf(path, sizeof path, "%s/offsets.log", jobdir_path(rt->dir));
    if (!parse_uuid(jobdir_uuid(rt->dir), uuid))
        return error_set(AIMSS_E_CORRUPT, "%s/job.conf: the job's UUID is \"%s\"; expected 32 hex "
                         "digits", jobdir_path(rt->dir), jobdir_uuid(rt->dir));
    status = offsets_log_open(rt->env, path, uuid, &record->log);
    if (status == AIMSS_OK)
        status = log_run(record);
    coordinator_set_log(rt->coordinator, record->log);
    return status == AIMSS_OK ? offsets_log_sync(record->log) : status;
}

static aimss_status_t rename_sink(const struct job_record *record, const char *file)
{
    struct env *env = record->rt->env;
    char from[WIRE_TEXT_BYTES], to[WIRE_TEXT_BYTES];
    int failure;

    snprintf(to, sizeof to, "%s/%s", jobdir_out(record->rt->dir), file);
    snprintf(from, sizeof from, "%s%s", to, jobdir_suffix(record->rt->dir));
    failure = env->ops->rename(env, from, to);
    if (failure == 0)
        return AIMSS_OK;
    return error_set(AIMSS_E_IO, "cannot rename %s to %s: %s", from, to, strerror(-failure));
}

static aimss_status_t commit(struct job_record *record, const struct coordinator_report *report,
                             uint32_t crc)
{
    char name[300];
    struct offsets_sink sink = { .name = name, .len_bytes = report->sink_bytes,
                                 .line_count = report->sink_lines, .crc32c = crc };
    aimss_status_t status = AIMSS_OK;

    if (report->sink_file != NULL) {
        snprintf(name, sizeof name, "out/%s", report->sink_file);
        status = rename_sink(record, report->sink_file);
    }
    if (status == AIMSS_OK)
        status = offsets_log_commit(record->log, 1, &sink, report->sink_file != NULL);
    if (status == AIMSS_OK)
        status = offsets_log_end(record->log, AIMSS_OK, "");
    return status == AIMSS_OK ? offsets_log_sync(record->log) : status;
}

static aimss_status_t write_result(const struct job_record *record, aimss_status_t ended,
                                   int exit_code, const struct coordinator_report *report,
                                   uint32_t crc)
{
    struct job_result *result = calloc(1, sizeof *result);
    char message[ERROR_TEXT_BYTES];
    aimss_status_t status;

    if (result == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the result record");
    snprintf(message, sizeof message, "%s", ended == AIMSS_OK ? "" : error_text());
    result->state = ended == AIMSS_OK ? JOB_DONE : ended == AIMSS_E_STOPPED ? JOB_STOPPED
                                                                             : JOB_FAILED;
    result->exit_code = exit_code;
    result->message = message;
    result->records = report->records_done;
    result->bytes = report->bytes_done;
    if (ended == AIMSS_OK && report->sink_file != NULL) {
        result->file_count = 1;
        result->files[0] = (struct job_file){ .name = report->sink_file,
                                              .len_bytes = report->sink_bytes,
                                              .line_count = report->sink_lines, .crc32c = crc };
    }
    status = jobdir_finish(record->rt->dir, result);
    free(result);
    return status;
}

/* Temporary files of a run that failed are of no use to anybody. */
static void remove_unfinished(const struct job_record *record, const struct aimss_job *job)
{
    struct env *env = record->rt->env;

    for (unsigned n = 0; n < job->graph.node_count; n++) {
        char path[WIRE_TEXT_BYTES];

        if (job->graph.nodes[n].kind != GRAPH_SINK)
            continue;
        snprintf(path, sizeof path, "%s/%s%s", jobdir_out(record->rt->dir),
                 job->graph.nodes[n].name, jobdir_suffix(record->rt->dir));
        env->ops->unlink(env, path);
    }
}

aimss_status_t job_record_finish(struct job_record *record, const struct aimss_job *job,
                                 aimss_status_t ended, int exit_code)
{
    struct coordinator_report report;
    char text[ERROR_TEXT_BYTES];
    uint32_t crc = coordinator_sink_crc32c(record->rt->coordinator);
    aimss_status_t status = ended;

    if (record->rt->dir == NULL)
        return ended;
    coordinator_report(record->rt->coordinator, &report);
    if (ended == AIMSS_OK)
        status = commit(record, &report, crc);
    if (status != AIMSS_OK)
        remove_unfinished(record, job);
    snprintf(text, sizeof text, "%s", status == AIMSS_OK ? "" : error_text());
    if (status != AIMSS_OK && record->log != NULL) {
        offsets_log_end(record->log, status, text);
        offsets_log_sync(record->log);
        error_set(status, "%s", text);
    }
    if (write_result(record, status, status == AIMSS_OK ? 0 : exit_code, &report, crc) !=
            AIMSS_OK && status == AIMSS_OK)
        return error_set(AIMSS_E_IO, "%s: the result record could not be written",
                         jobdir_path(record->rt->dir));
    return status == AIMSS_OK ? AIMSS_OK : error_set(status, "%s", text);
}

void job_record_close(struct job_record *record)
{
    coordinator_set_log(record->rt->coordinator, NULL);
    offsets_log_close(record->log);
    record->log = NULL;
}
