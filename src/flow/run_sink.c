/* run_sink.c: see run_sink.h. */
#include "flow/run_sink.h"

#include "base/error.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHOWN_KEY_BYTES = 60,
    SHOWN_LINE_BYTES = SHOWN_KEY_BYTES + 32 /* "...", TAB, count, LF, zero */
};

enum { WORD_BYTES, WORD_LINES, SINK_WORDS };

struct run_sink {
    struct stages stages;
    struct env *env;
    unsigned index, ranks, show_count;
    char *path;
    const struct aimss_counted *lines;
    size_t line_count;
    uint64_t len_bytes;          /* of this part, before it is written */
    struct sink_part part;
    size_t shown_left;           /* lines that rank 0 still wants from this rank */
    size_t *shown_at;            /* on rank 0: the next shown line of each rank */
    char (*shown_lines)[SHOWN_LINE_BYTES];
    char *shown;
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
    for (unsigned i = 0; i < sink->ranks; i++) {
        sink->stages.words[i * SINK_WORDS + WORD_BYTES] = sink->len_bytes;
        sink->stages.words[i * SINK_WORDS + WORD_LINES] = sink->line_count;
    }
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

/* ---- the lines that are shown ------------------------------------------------ */

/* Rank r shows of its first lines what the ranks before it leave of the count. */
static aimss_status_t prepare_shown(void *arg)
{
    struct run_sink *sink = arg;
    const uint64_t *received = shuffle_received(sink->stages.shuffle);
    size_t at = 0;
    for (unsigned i = 0; i < sink->ranks; i++) {
        size_t lines = received[i * SINK_WORDS + WORD_LINES], room = sink->show_count - at;
        sink->shown_at[i] = at;
        at += lines < room ? lines : room;
        if (i == sink->index)
            sink->shown_left = at - sink->shown_at[i];
    }
    sink->show_count = (unsigned)at;
    sink->shown_lines = calloc(sink->index == 0 ? at + 1 : 1, SHOWN_LINE_BYTES);
    if (sink->shown_lines == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for %zu lines to show; lower --top", at);
    return AIMSS_OK;
}

/* Cut at a whole character: no byte behind the cut continues one. */
static uint32_t shown_key_bytes(struct aimss_bytes key)
{
    const unsigned char *bytes = key.data;
    size_t len = key.len_bytes;
    if (len > SHOWN_KEY_BYTES) {
        len = SHOWN_KEY_BYTES;
        for (int i = 0; i < 3 && (bytes[len] & 0xc0) == 0x80; i++)
            len--;
    }
    return (uint32_t)len;
}

static bool pack_shown(void *arg, struct shuffle *shuffle)
{
    struct run_sink *sink = arg;
    bool room = true;
    while (room && sink->shown_left > 0) {
        const struct aimss_counted *line = sink->lines++;
        uint32_t shown_bytes = shown_key_bytes(line->key);
        bool cut = shown_bytes < line->key.len_bytes;
        struct shuffle_entry entry = { shown_bytes, cut ? 3 : 0, line->count };
        sink->shown_left--;
        room = shuffle_put(shuffle, 0, &entry, line->key.data, "...");
    }
    return room;
}

/* A terminal must not be told what to do by a word. */
static aimss_status_t deliver_shown(void *arg, unsigned source,
                                    const struct shuffle_entry *entry, const char *bytes)
{
    struct run_sink *sink = arg;
    char *line = sink->shown_lines[sink->shown_at[source]++];
    size_t len = entry->key_bytes + entry->value_bytes;
    for (size_t i = 0; i < len; i++)
        line[i] = (unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f ? '?' : bytes[i];
    snprintf(line + len, SHOWN_LINE_BYTES - len, "\t%" PRIu64 "\n", entry->count);
    return AIMSS_OK;
}

static aimss_status_t join_shown(void *arg)
{
    struct run_sink *sink = arg;
    if (sink->index != 0)
        return AIMSS_OK;
    char *at = sink->shown = malloc((size_t)sink->show_count * SHOWN_LINE_BYTES + 1);
    if (at == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for %u lines to show", sink->show_count);
    *at = '\0';
    for (unsigned i = 0; i < sink->show_count; i++)
        at = stpcpy(at, sink->shown_lines[i]);
    return AIMSS_OK;
}

/* ---- */

static const struct stage sink_stages[] = {
    { .kind = STAGE_WORK, .act = measure },
    { .kind = STAGE_WORDS, .act = tell_length, .width = SINK_WORDS },
    { .kind = STAGE_WORK, .act = write_part },
    { .kind = STAGE_ROUNDS, .act = prepare_shown, .pack = pack_shown, .deliver = deliver_shown },
    { .kind = STAGE_WORK, .act = join_shown },
};

static aimss_status_t allocate(struct run_sink *sink, const struct run_sink_options *options)
{
    size_t room = strlen(options->out_dir) + 1 + strlen(options->file) +
                  strlen(options->temporary_suffix) + 1;
    sink->path = malloc(room);
    sink->stages.words = calloc(sink->ranks * SHUFFLE_WORDS_MAX, sizeof *sink->stages.words);
    sink->shown_at = calloc(sink->ranks, sizeof *sink->shown_at);
    if (!sink->path || !sink->stages.words || !sink->shown_at)
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
    made->show_count = options->show_count;
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
    free(sink->shown_at);
    free(sink->shown_lines);
    free(sink->shown);
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

const char *run_sink_shown(const struct run_sink *sink)
{
    return sink->shown;
}
