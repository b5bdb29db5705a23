/* ingest.c: see ingest.h. What a slot does next is its state:
 *
 *   idle     --asked-->        asking   --partition--> opening
 *   opening  --group, segment, task--> filling --done--> opening or closing
 *   closing  --all accepted--> idle
 *   asking   --none-->         finished
 *
 * Tasks touch only their slot's job; the MPI thread reads it when it is done.
 */
#include "flow/ingest.h"

#include "base/error.h"
#include "log/chunk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SOURCES_MAX = 8,
    INGEST_SEGMENTS_AHEAD = 4
};

enum slot_state { SLOT_IDLE, SLOT_ASKING, SLOT_OPENING, SLOT_FILLING, SLOT_FINISHED };

/* What a task works on: one segment of one group, from one partition. */
struct fill_job {
    struct env_task task;
    struct env *env;
    const struct source_ops *ops;
    struct source_reader *reader;  /* NULL before the first fill */
    struct partition partition;
    uint64_t record_max_bytes, chunk_bytes;
    char *segment;
    uint64_t segment_bytes, used_bytes;
    uint64_t ordinal, records, input_bytes;
    uint32_t group, lease, writer;
    uint8_t format;
    bool end;
    uint8_t flags;                 /* LANE_FRAGMENTS: it holds parts of lines */
    bool open;                     /* the segment ends within a line */
    aimss_status_t status;
    char text[ERROR_TEXT_BYTES];
    char path[WIRE_TEXT_BYTES];
};

struct slot {
    enum slot_state state;
    struct group *group;
    struct fill_job job;
};

struct ingest_stream {
    struct wire_stream info;
    bool sealed;
    struct slot *slots; /* [thread_count] */
};

struct ingest {
    struct ingest_config config;
    struct env_pool *pool;
    unsigned stream_count;
    struct ingest_stream streams[SOURCES_MAX];
};

aimss_status_t ingest_create(const struct ingest_config *config, struct ingest **ingest)
{
    struct ingest *in = calloc(1, sizeof *in);
    aimss_status_t status;

    if (in == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for ingestion");
    in->config = *config;
    status = config->env->ops->pool_create(config->env, "aimss-io", config->thread_count,
                                           &in->pool);
    if (status != AIMSS_OK) {
        free(in);
        return status;
    }
    *ingest = in;
    return AIMSS_OK;
}

void ingest_destroy(struct ingest *ingest)
{
    if (ingest == NULL)
        return;
    ingest->config.env->ops->pool_destroy(ingest->pool);
    for (unsigned s = 0; s < ingest->stream_count; s++) {
        for (unsigned i = 0; i < ingest->config.thread_count; i++) {
            struct fill_job *job = &ingest->streams[s].slots[i].job;

            if (job->reader != NULL)
                job->ops->close(job->reader);
        }
        free(ingest->streams[s].slots);
    }
    free(ingest);
}

aimss_status_t ingest_start(struct ingest *ingest, const struct wire_stream *stream)
{
    struct ingest_stream *started;
    const struct source_ops *ops = source_find(stream->source);
    struct slot *slots;

    if (ops == NULL)
        return error_set(AIMSS_E_NOT_FOUND, "stream %s asks for source \"%s\", which does not "
                         "exist", stream->name, stream->source);
    if (ingest->stream_count == SOURCES_MAX)
        return error_set(AIMSS_E_LIMIT, "stream %s is one source too many: the limit is %d",
                         stream->name, SOURCES_MAX);
    slots = calloc(ingest->config.thread_count, sizeof *slots);
    if (slots == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the readers of %s", stream->name);
    started = &ingest->streams[ingest->stream_count++];
    *started = (struct ingest_stream){ .info = *stream, .slots = slots };
    for (unsigned i = 0; i < ingest->config.thread_count; i++)
        slots[i].job.ops = ops;
    return AIMSS_OK;
}

static struct ingest_stream *find_stream(struct ingest *ingest, uint64_t id)
{
    for (unsigned s = 0; s < ingest->stream_count; s++)
        if (ingest->streams[s].info.id == id)
            return &ingest->streams[s];
    return NULL;
}

static void begin_partition(struct slot *slot, const struct wire_message *message)
{
    struct fill_job *job = &slot->job;

    job->partition = (struct partition){ .number = (uint32_t)message->b,
                                         .file = (uint32_t)message->c,
                                         .begin = message->d,
                                         .end = message->e };
    snprintf(job->path, sizeof job->path, "%s", message->text);
    job->ordinal = job->records = job->input_bytes = 0;
    job->end = false;
    slot->group = NULL;
    slot->state = SLOT_OPENING;
}

aimss_status_t ingest_partition(struct ingest *ingest, const struct wire_message *message)
{
    struct ingest_stream *stream = find_stream(ingest, message->a);

    if (stream == NULL)
        return error_set(AIMSS_E_NOT_FOUND, "a partition came for stream %llu, which is not here",
                         (unsigned long long)message->a);
    for (unsigned i = 0; i < ingest->config.thread_count; i++) {
        struct slot *slot = &stream->slots[i];

        if (slot->state != SLOT_ASKING)
            continue;
        if (message->kind == WIRE_PARTITION_NONE)
            slot->state = SLOT_FINISHED;
        else
            begin_partition(slot, message);
        return AIMSS_OK;
    }
    return error_set(AIMSS_E_STATE, "a partition came that no reader had asked for");
}

static void seal_next(struct fill_job *job, const struct source_fill *fill)
{
    struct chunk_header *chunk = (struct chunk_header *)(job->segment + job->used_bytes);

    if (fill->payload_bytes == 0)
        return;
    *chunk = (struct chunk_header){ .payload_bytes = (uint32_t)fill->payload_bytes,
                                    .record_count = (uint32_t)fill->record_count,
                                    .group = job->group,
                                    .lease = job->lease,
                                    .writer = job->writer,
                                    .fragment = fill->fragment,
                                    .format = job->format,
                                    .first_ordinal = job->ordinal,
                                    .input_position = fill->input_position,
                                    .input_source = job->partition.file };
    chunk_seal(chunk);
    job->flags |= fill->fragment != CHUNK_WHOLE ? LANE_FRAGMENTS : 0;
    job->open = fill->fragment == CHUNK_FIRST || fill->fragment == CHUNK_MIDDLE;
    job->ordinal += fill->record_count;
    job->records += fill->record_count;
    job->used_bytes += chunk->len_bytes;
    job->input_bytes += fill->payload_bytes;
}

static aimss_status_t fill_segment(struct fill_job *job)
{
    aimss_status_t status = AIMSS_OK;

    if (job->reader == NULL)
        status = job->ops->open(job->env, job->path, &job->partition, job->record_max_bytes,
                                &job->reader);
    while (status == AIMSS_OK && !job->end) {
        uint64_t left = job->segment_bytes - job->used_bytes;
        uint64_t room = left < job->chunk_bytes ? left : job->chunk_bytes;
        struct source_fill fill = { 0 };

        if (job->used_bytes > 0 && room < SEGMENT_MIN_BYTES + 2 * sizeof(struct chunk_header))
            break; /* too little is left; the smallest segment holds one such chunk */
        room -= sizeof(struct chunk_header) + CHUNK_ALIGN_BYTES;
        status = job->ops->fill(job->reader, job->segment + job->used_bytes +
                                sizeof(struct chunk_header), room, &fill);
        if (status == AIMSS_OK) {
            seal_next(job, &fill);
            job->end = fill.end != 0;
        }
    }
    if (job->end) {
        job->ops->close(job->reader);
        job->reader = NULL;
    }
    return status;
}

static void run_fill(struct env_task *task)
{
    struct fill_job *job = (struct fill_job *)task;

    job->status = fill_segment(job);
    if (job->status != AIMSS_OK)
        snprintf(job->text, sizeof job->text, "%s", error_text());
}

static_assert(offsetof(struct fill_job, task) == 0, "a job is its task");

/* The streamlet of this broker whose consumer has the least before it. */
static uint32_t least_backlog(const struct ingest *ingest, const struct wire_stream *stream)
{
    uint32_t first, end, best;
    uint64_t least = UINT64_MAX;

    push_own_streamlets(ingest->config.push, stream, &first, &end);
    best = first;
    for (uint32_t s = first; s < end; s++) {
        uint64_t backlog = push_backlog_bytes(ingest->config.push, stream->id, s);

        if (backlog < least) {
            least = backlog;
            best = s;
        }
    }
    return best;
}

static aimss_status_t open_group(struct ingest *ingest, struct ingest_stream *stream,
                                 struct slot *slot)
{
    struct group_request request = { .stream = stream->info.id,
                                     .streamlet = least_backlog(ingest, &stream->info),
                                     .writer = slot->job.partition.number,
                                     .writer_rank = ingest->config.net->rank };

    return push_open_group(ingest->config.push, &request, &slot->group);
}

static void submit_fill(struct ingest *ingest, struct ingest_stream *stream, struct slot *slot)
{
    struct net *net = ingest->config.net;
    struct group *group = slot->group;
    const struct arena_segment *segment =
        &group->chain[(group->segment_count - 1) % ARENA_CHAIN_SEGMENTS];
    struct fill_job *job = &slot->job;

    job->task.run = run_fill;
    job->task.bell = net->bell;
    job->env = ingest->config.env;
    job->record_max_bytes = ingest->config.record_max_bytes;
    job->chunk_bytes = stream->info.chunk_bytes;
    job->segment = net->ops->map(net, net->rank, NET_REGION_ARENA) + segment->at;
    job->segment_bytes = segment->len_bytes;
    job->used_bytes = 0;
    job->flags = 0;
    job->group = group->id;
    job->lease = group->lease;
    job->writer = group->writer;
    job->format = (uint8_t)stream->info.format;
    slot->state = SLOT_FILLING;
    job->env->ops->pool_submit(ingest->pool, &job->task);
}

/* Needs a group with memory ahead of its consumers; waits for them otherwise. */
static aimss_status_t try_fill(struct ingest *ingest, struct ingest_stream *stream,
                               struct slot *slot, bool *busy)
{
    aimss_status_t status = AIMSS_OK;

    if (slot->group == NULL) {
        status = open_group(ingest, stream, slot);
        if (status != AIMSS_OK)
            return status == AIMSS_E_LIMIT ? AIMSS_OK : status;
    }
    if (slot->group->segment_count - slot->group->segment_first >= INGEST_SEGMENTS_AHEAD ||
        !groups_extend_within(ingest->config.groups, slot->group, stream->info.chunk_bytes,
                              stream->info.segment_bytes)) {
        push_let_go(ingest->config.push, slot->group);
        return AIMSS_OK;
    }
    submit_fill(ingest, stream, slot);
    *busy = true;
    return AIMSS_OK;
}

static aimss_status_t report_done(struct ingest *ingest, const struct ingest_stream *stream,
                                  const struct fill_job *job)
{
    struct wire_message message = { .kind = WIRE_PARTITION_DONE,
                                    .a = stream->info.id,
                                    .b = job->partition.number,
                                    .c = job->input_bytes,
                                    .d = job->records,
                                    .e = job->partition.file,
                                    .f = job->partition.begin,
                                    .g = job->partition.end };

    return ingest->config.net->ops->send(ingest->config.net, 0, &message);
}

static aimss_status_t take_filled(struct ingest *ingest, struct ingest_stream *stream,
                                  struct slot *slot)
{
    struct fill_job *job = &slot->job;
    struct group *group = slot->group;
    uint32_t ordinal = group->segment_count - 1;
    aimss_status_t status = AIMSS_OK;

    if (job->status != AIMSS_OK)
        return error_set(job->status, "%s", job->text);
    if (job->used_bytes > 0)
        status = push_accept(ingest->config.push, group, position_make(ordinal, 0),
                             position_make(ordinal, (uint32_t)job->used_bytes),
                             (uint8_t)(job->flags | (job->open ? LANE_RECORD_OPEN : 0)));
    slot->state = SLOT_OPENING;
    if (status != AIMSS_OK || !job->end)
        return status;
    push_close_group(ingest->config.push, group);
    slot->group = NULL;
    slot->state = SLOT_IDLE;
    return report_done(ingest, stream, job);
}

static aimss_status_t ask(struct ingest *ingest, const struct ingest_stream *stream,
                          struct slot *slot)
{
    struct wire_message message = { .kind = WIRE_PARTITION_NEXT, .a = stream->info.id };

    slot->state = SLOT_ASKING;
    return ingest->config.net->ops->send(ingest->config.net, 0, &message);
}

static aimss_status_t step_slot(struct ingest *ingest, struct ingest_stream *stream,
                                struct slot *slot, bool *busy)
{
    switch (slot->state) {
    case SLOT_IDLE:
        *busy = true;
        return ask(ingest, stream, slot);
    case SLOT_OPENING:
        return try_fill(ingest, stream, slot, busy);
    case SLOT_FILLING:
        if (!env_task_done(&slot->job.task))
            return AIMSS_OK;
        *busy = true;
        return take_filled(ingest, stream, slot);
    default:
        return AIMSS_OK;
    }
}

static aimss_status_t step_stream(struct ingest *ingest, struct ingest_stream *stream, bool *busy)
{
    unsigned finished = 0;
    aimss_status_t status = AIMSS_OK;

    if (stream->sealed)
        return AIMSS_OK;
    for (unsigned i = 0; i < ingest->config.thread_count && status == AIMSS_OK; i++) {
        status = step_slot(ingest, stream, &stream->slots[i], busy);
        finished += stream->slots[i].state == SLOT_FINISHED;
    }
    if (status != AIMSS_OK || finished < ingest->config.thread_count)
        return status;
    stream->sealed = true;
    *busy = true;
    return push_seal(ingest->config.push, stream->info.id);
}

aimss_status_t ingest_step(struct ingest *ingest, bool *busy)
{
    aimss_status_t status = AIMSS_OK;

    for (unsigned s = 0; s < ingest->stream_count && status == AIMSS_OK; s++)
        status = step_stream(ingest, &ingest->streams[s], busy);
    return status;
}
