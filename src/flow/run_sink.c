/* run_sink.c: see run_sink.h. */
#include "flow/run_sink.h"

#include "base/error.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_BYTES, SINK_WORDS };

struct run_sink {
    struct stages stages;
    struct env *env;
    unsigned index, ranks;
    char *path;
    const struct aimss_counted *lines;
    size_t line_count;
    uint64_t len_bytes;          /* of this part, before it is written */
    struct sink_part part;
};

static aimss_status_t measure(void *arg)
{
    struct run_sink *sink = arg;
    sink->len_bytes = sink_tsv_bytes(sink->lines, sink->line_count);
    return AIMSS_OK;
}

static aimss_status_t tell_length(void *arg)
{
    struct run_sink *sink = arg;
    for (unsigned i = 0; i < sink->ranks; i++)
        sink->stages.words[i * SINK_WORDS + WORD_BYTES] = sink->len_bytes;
    return AIMSS_OK;
}

static aimss_status_t write_part(void *arg)
{
    struct run_sink *sink = arg;
    const uint64_t *received = shuffle_received(sink->stages.shuffle);
    uint64_t offset = 0;
    struct sink_tsv *file;
    for (unsigned i = 0; i < sink->index; i++)
        offset += received[i * SINK_WORDS + WORD_BYTES];
    aimss_status_t status = sink_tsv_open(sink->env, sink->path, offset, &file);
    if (status != AIMSS_OK)
        return status;
    status = sink_tsv_write(file, sink->lines, sink->line_count);
    if (status == AIMSS_OK)
        status = sink_tsv_finish(file, &sink->part);
    sink_tsv_close(file);
    return status;
}

static const struct stage sink_stages[] = {
    { .kind = STAGE_WORK, .act = measure },
    { .kind = STAGE_WORDS, .act = tell_length, .width = SINK_WORDS },
    { .kind = STAGE_WORK, .act = write_part },
};

static aimss_status_t allocate(struct run_sink *sink, const struct run_sink_options *options)
{
    size_t room = strlen(options->out_dir) + 1 + strlen(options->file) +
                  strlen(options->temporary_suffix) + 1;
    sink->path = malloc(room);
    sink->stages.words = calloc(sink->ranks * SHUFFLE_WORDS_MAX, sizeof *sink->stages.words);
    if (!sink->path || !sink->stages.words)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the sink %s", options->file);
    snprintf(sink->path, room, "%s/%s%s", options->out_dir, options->file,
             options->temporary_suffix);
    return AIMSS_OK;
}

aimss_status_t run_sink_create(const struct run_sink_options *options, struct run_sink **sink)
{
    struct run_sink *made = calloc(1, sizeof *made);
    if (made == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the sink %s", options->file);
    made->env = options->env;
    made->index = options->index;
    made->ranks = shuffle_rank_count(options->shuffle);
    made->stages = (struct stages){
        .list = sink_stages, .count = sizeof sink_stages / sizeof sink_stages[0],
        .arg = made, .shuffle = options->shuffle,
    };
    aimss_status_t status = allocate(made, options);
    if (status != AIMSS_OK) {
        run_sink_destroy(made);
        return status;
    }
    *sink = made;
    return AIMSS_OK;
}

void run_sink_destroy(struct run_sink *sink)
{
    if (sink == NULL)
        return;
    free(sink->path);
    free(sink->stages.words);
    free(sink);
}

void run_sink_lines(struct run_sink *sink, const struct aimss_counted *lines, size_t count)
{
    sink->lines = lines;
    sink->line_count = count;
}

aimss_status_t run_sink_step(struct run_sink *sink, bool *busy)
{
    return stages_step(&sink->stages, busy);
}

void run_sink_part(const struct run_sink *sink, struct sink_part *part)
{
    *part = sink->part;
}
