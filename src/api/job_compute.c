/* job_compute.c: the event loop of a compute rank that runs a graph.
 *
 * Buffers go from the reader to the run as fast as its workers take them; one
 * that does not fit yet is held, and with it the credit that brings more.
 */
#include "api/job_run.h"

#include "api/stream.h"
#include "flow/run.h"

#include <stdio.h>
#include <string.h>

enum { PROGRESS_NS = 200 * 1000 * 1000 };

struct compute_job {
    struct aimss_runtime *rt;
    struct run *run;
    struct aimss_stream *stream;
    struct aimss_reader *reader;
    struct aimss_buffer *held;
    bool ended;
    uint64_t reported_ns, reported_bytes;
};

static aimss_status_t create_run(struct compute_job *job, const struct aimss_job *declared)
{
    const struct options *options = job->rt->options;
    static const char no_dir[] = ".";
    char out[WIRE_TEXT_BYTES], suffix[32];
    const char *dir = options_text(options, "job");
    struct run_config config = {
        .env = job->rt->env, .net = job->rt->net, .graph = &declared->graph,
        .index = job->rt->net->role_index, .count = job->rt->net->compute_count,
        .worker_count = job->rt->workers,
        .state_memory_bytes = options_number(options, "state-memory"),
        .round_bytes = options_number(options, "round"),
        .out_dir = out, .temporary_suffix = suffix
    };

    snprintf(out, sizeof out, "%s/out", dir != NULL ? dir : no_dir);
    snprintf(suffix, sizeof suffix, ".tmp-%u", job->rt->run);
    return run_create(&config, &job->run);
}

static aimss_status_t open_source(struct compute_job *job, const struct aimss_job *declared)
{
    struct aimss_stream_options options = { .source = declared->graph.nodes[0].name };
    aimss_status_t status = aimss_stream_create(job->rt, "input", &options, &job->stream);

    return status == AIMSS_OK ? aimss_read_from(job->stream, NULL, &job->reader) : status;
}

static aimss_status_t feed(struct compute_job *job, bool *busy)
{
    while (!job->ended) {
        aimss_status_t status = AIMSS_OK;

        if (job->held == NULL)
            status = reader_poll(job->reader, &job->held);
        if (status == AIMSS_END) {
            job->ended = *busy = true;
            run_end_of_input(job->run);
        }
        if (status != AIMSS_OK)
            return status < 0 ? status : AIMSS_OK;
        if (!run_feed(job->run, job->held))
            return AIMSS_OK;
        job->held = NULL;
        *busy = true;
    }
    return AIMSS_OK;
}

static void report_progress(struct compute_job *job, bool last)
{
    struct wire_message message = { .kind = WIRE_PROGRESS };
    uint64_t now = env_now_ns(job->rt->env);

    if (!last && now - job->reported_ns < PROGRESS_NS)
        return;
    run_progress(job->run, &message.a, &message.b);
    if (last || message.b != job->reported_bytes)
        compute_tell(job->rt->compute, &message);
    job->reported_ns = now;
    job->reported_bytes = message.b;
}

static aimss_status_t work(struct compute_job *job)
{
    for (;;) {
        bool busy = false, moved = false;
        aimss_status_t status = compute_step(job->rt->compute, &busy);

        if (status == AIMSS_OK)
            status = feed(job, &moved);
        if (status == AIMSS_OK)
            status = run_step(job->run, &moved);
        if (status != AIMSS_OK)
            return status == AIMSS_END ? AIMSS_OK : status;
        report_progress(job, false);
        compute_turn(job->rt->compute, busy || moved, UINT64_MAX);
    }
}

static aimss_status_t report_result(struct compute_job *job)
{
    struct wire_message message = { .kind = WIRE_RESULT };
    struct run_result result;

    report_progress(job, true);
    run_result(job->run, &result);
    if (result.file == NULL)
        return AIMSS_OK;
    message.a = result.offset;
    message.b = result.len_bytes;
    message.c = result.line_count;
    message.d = result.crc32c;
    message.text_bytes = (uint32_t)snprintf(message.text, 256, "%s", result.file) + 1;
    return compute_tell(job->rt->compute, &message);
}

/* With --verbose. */
static void say_measures(const struct compute_job *job)
{
    const struct wire_stream *info = &job->stream->info;
    struct run_result result;

    if (!options_flag(job->rt->options, "verbose"))
        return;
    run_result(job->run, &result);
    diag(DIAG_NOTE, "rank %u: %u streamlets in segments of %llu bytes and chunks of %llu, %llu "
         "rounds of a shuffle", job->rt->net->rank, info->streamlet_count,
         (unsigned long long)info->segment_bytes, (unsigned long long)info->chunk_bytes,
         (unsigned long long)result.round_count);
}

aimss_status_t job_compute(struct aimss_runtime *rt, const struct aimss_job *declared)
{
    struct compute_job job = { .rt = rt };
    aimss_status_t status = create_run(&job, declared);

    if (status == AIMSS_OK) {
        compute_set_run(rt->compute, job.run);
        status = open_source(&job, declared);
    }
    if (status == AIMSS_OK)
        status = work(&job);
    if (status == AIMSS_OK) {
        say_measures(&job);
        status = report_result(&job);
    }
    if (status == AIMSS_OK)
        status = aimss_reader_close(job.reader);
    else
        compute_fail(rt->compute, status);
    compute_set_run(rt->compute, NULL);
    buffer_release(job.held);
    run_destroy(job.run);
    aimss_stream_destroy(job.stream);
    return status;
}
