/* writer_lease.c: groups, segments and commits of a writer.
 *
 * The writer asks for the next segment when half of the current one is used,
 * so that it seldom waits. A range that is told lies in one segment; what
 * could not be told because the lane was full is told with the next one.
 */
#include "flow/writer_internal.h"

#include "base/error.h"
#include "log/chunk.h"

#include <stdlib.h>
#include <string.h>

enum { GROUP_FULL_SEGMENTS = 16, SEGMENT_GROWTH = 4 };

static const uint64_t patience_ns = UINT64_C(10000000000);

uint64_t writer_deadline(const struct writer *writer)
{
    if (writer->timeout_ns == 0)
        return UINT64_MAX;
    return env_now_ns(writer->writers->config.env) + writer->timeout_ns;
}

aimss_status_t writer_wait(struct writer *writer, uint64_t deadline_ns)
{
    struct writers_config *config = &writer->writers->config;
    aimss_status_t status;

    writer->waiting = true;
    status = config->wait(config->wait_arg, deadline_ns);
    writer->waiting = false;
    if (status == AIMSS_OK && deadline_ns != UINT64_MAX && env_now_ns(config->env) >= deadline_ns)
        status = error_set(AIMSS_TIMEOUT, "stream %s: no memory came within the writer's timeout; "
                           "do its readers keep up? --arena gives the brokers more",
                           writer->stream.name);
    return status;
}

static uint32_t streamlet_of(const struct writer *writer, const struct writer_part *part)
{
    return (uint32_t)(part - writer->parts);
}

static aimss_status_t lease_lost(const struct writer *writer, const struct writer_part *part)
{
    return error_set(AIMSS_E_REVOKED, "stream %s, streamlet %u: the broker has revoked this "
                     "writer's lease", writer->stream.name, streamlet_of(writer, part));
}

/* Waits until the commit lane can take an entry. */
static aimss_status_t lane_ready(struct writer *writer, struct writer_part *part)
{
    struct lanes *lanes = writer->writers->config.lanes;
    aimss_status_t status = AIMSS_OK;

    while (status == AIMSS_OK) {
        if (part->commit == NULL)
            part->commit = lanes_tx(lanes, part->broker, LANE_COMMIT);
        if (part->commit != NULL && lane_tx_room(part->commit) > 0)
            break;
        status = writer_wait(writer, UINT64_MAX);
    }
    return status;
}

static aimss_status_t tell(struct writer *writer, struct writer_part *part,
                           struct lane_entry *entry)
{
    aimss_status_t status = lane_ready(writer, part);

    if (status != AIMSS_OK)
        return status;
    entry->stream = writer->stream.id;
    entry->streamlet = streamlet_of(writer, part);
    entry->writer = writer->id;
    entry->group = part->group;
    entry->lease = part->lease;
    lane_tx_write(part->commit, entry);
    return lane_tx_publish(part->commit);
}

/* Far: what was Put must be there before its commit entry is. */
static aimss_status_t flush_far(struct writer *writer, struct writer_part *part)
{
    struct net *net = writer->writers->config.net;
    aimss_status_t status = AIMSS_OK;

    if (!part->near && part->unflushed)
        status = net->ops->flush(net, part->broker, NET_REGION_SEGMENTS);
    part->unflushed = false;
    part->window_used = 0;
    return status;
}

aimss_status_t writer_commit(struct writer *writer, struct writer_part *part, bool must)
{
    struct lane_entry entry = { .kind = LANE_COMMIT_RANGE };
    aimss_status_t status;

    if (part->sealed == part->committed)
        return AIMSS_OK;
    if (!must && (part->commit == NULL || lane_tx_room(part->commit) == 0))
        return AIMSS_OK; /* told together with the next */
    entry.from = position_make(part->segment.ordinal, part->committed);
    entry.to = position_make(part->segment.ordinal, part->sealed);
    entry.flags = (uint8_t)((part->record_open ? LANE_RECORD_OPEN : 0) |
                            (part->fragmented ? LANE_FRAGMENTS : 0));
    status = flush_far(writer, part);
    if (status == AIMSS_OK)
        status = tell(writer, part, &entry);
    if (status != AIMSS_OK)
        return status;
    part->committed = part->sealed;
    part->fragmented = false;
    part->commit_sequence = part->commit->tail;
    part->commit_ns = env_now_ns(writer->writers->config.env);
    return AIMSS_OK;
}

static aimss_status_t put_chunk(struct writer *writer, struct writer_part *part,
                                const struct chunk_header *chunk)
{
    struct net *net = writer->writers->config.net;

    if (part->near)
        return AIMSS_OK;
    part->unflushed = true;
    part->window_used += chunk->len_bytes;
    return net->ops->put(net, part->broker, NET_REGION_SEGMENTS, part->segment.at + part->sealed,
                         chunk, chunk->len_bytes);
}

/* Sealed chunks gather while the broker is busy with what it was told, and a few
 * microseconds longer: telling each would cost more cache misses than its bytes,
 * and a flush on the far path. */
static bool may_gather(const struct writer *writer, const struct writer_part *part)
{
    if (part->commit == NULL || part->sealed - part->committed >= WRITER_GATHER_BYTES)
        return false;
    return !writer_is_acked(part) ||
           env_now_ns(writer->writers->config.env) - part->commit_ns < WRITER_QUIET_NS;
}

aimss_status_t writer_end_chunk(struct writer *writer, struct writer_part *part,
                                enum chunk_fragment fragment)
{
    struct chunk_header *chunk = (struct chunk_header *)part->chunk;
    aimss_status_t status;

    if (chunk == NULL ||
        (part->chunk_records == 0 && part->next == part->chunk + sizeof *chunk))
        return AIMSS_OK; /* empty: it stays open */
    *chunk = (struct chunk_header){
        .payload_bytes = (uint32_t)(part->next - part->chunk - (ptrdiff_t)sizeof *chunk),
        .record_count = part->chunk_records,
        .group = part->group,
        .lease = part->lease,
        .writer = writer->id,
        .fragment = (uint8_t)fragment,
        .format = (uint8_t)writer->stream.format,
        .first_ordinal = part->ordinal,
        .input_position = writer->records
    };
    chunk_seal(chunk);
    part->ordinal += part->chunk_records;
    status = put_chunk(writer, part, chunk);
    part->sealed += chunk->len_bytes;
    part->record_open = fragment == CHUNK_FIRST || fragment == CHUNK_MIDDLE;
    part->fragmented |= fragment != CHUNK_WHOLE;
    part->chunk = NULL;
    part->room = 0;
    part->chunk_records = 0;
    if (status == AIMSS_OK && !may_gather(writer, part))
        status = writer_commit(writer, part, false);
    return status;
}

static uint64_t next_segment_bytes(const struct writer *writer, const struct writer_part *part,
                                   uint64_t need)
{
    const struct wire_stream *stream = &writer->stream;
    uint64_t bytes = (uint64_t)part->segment.len_bytes * SEGMENT_GROWTH;

    if (bytes < stream->segment_first_bytes)
        bytes = stream->segment_first_bytes;
    while (bytes < need && bytes < stream->segment_bytes)
        bytes *= 2;
    return bytes < stream->segment_bytes ? bytes : stream->segment_bytes;
}

static aimss_status_t ask_segment(struct writer *writer, struct writer_part *part, uint64_t need)
{
    struct lane_entry entry = { .kind = LANE_NEED_SEGMENT };
    aimss_status_t status;

    if (part->asked || part->granted.len_bytes > 0)
        return AIMSS_OK;
    entry.length_bytes = (uint32_t)next_segment_bytes(writer, part, need);
    entry.from = need;
    if (!part->has_group)
        entry.kind = LANE_OPEN_GROUP;
    status = tell(writer, part, &entry);
    part->asked = status == AIMSS_OK;
    return status;
}

/* Also the previous group's end for the broker: order is kept by its lane. */
aimss_status_t writer_close_group(struct writer *writer, struct writer_part *part)
{
    struct lane_entry entry = { .kind = LANE_CLOSE_GROUP };
    uint64_t deadline = writer_deadline(writer);
    aimss_status_t status = AIMSS_OK;

    /* The first grant tells which group to close. Further ones are not awaited:
     * they may need memory that only this rank's own reading frees. */
    while (status == AIMSS_OK && part->asked && !part->has_group)
        status = part->refused ? lease_lost(writer, part) : writer_wait(writer, deadline);
    if (!part->has_group || status != AIMSS_OK)
        return status;
    status = writer_commit(writer, part, true);
    if (status == AIMSS_OK)
        status = tell(writer, part, &entry);
    if (status != AIMSS_OK)
        return status;
    part->commit_sequence = part->commit->tail;
    part->has_group = part->asked = false;
    part->granted.len_bytes = part->segment.len_bytes = 0;
    part->sealed = part->committed = 0;
    part->full_segments = 0;
    part->ordinal = 0;
    part->chunk = NULL;
    return AIMSS_OK;
}

static aimss_status_t adopt_segment(struct writer *writer, struct writer_part *part)
{
    struct net *net = writer->writers->config.net;

    part->segment = part->granted;
    part->granted.len_bytes = 0;
    part->sealed = part->committed = 0;
    part->full_segments += part->segment.len_bytes == writer->stream.segment_bytes;
    if (part->near) {
        char *arena = net->ops->map(net, part->broker, NET_REGION_SEGMENTS);

        if (arena == NULL)
            return error_set(AIMSS_E_NO_MEMORY, "the arena of rank %u cannot be mapped writable",
                             part->broker);
        part->base = arena + part->segment.at;
        return AIMSS_OK;
    }
    if (part->base == NULL)
        part->base = aligned_alloc(4096, WRITER_WINDOW_BYTES);
    if (part->base == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the window of a far writer");
    return AIMSS_OK;
}

/* Nobody should wait in silence: mostly the stream has no reader. */
static void say_waiting(const struct writer *writer, const struct writer_part *part,
                        uint64_t *since_ns)
{
    uint64_t now = env_now_ns(writer->writers->config.env);

    if (*since_ns == 0)
        *since_ns = now;
    if (*since_ns == UINT64_MAX || now - *since_ns < patience_ns)
        return;
    *since_ns = UINT64_MAX; /* said once */
    diag(DIAG_WARNING, "stream %s, streamlet %u: a writer has waited 10 s for memory of the broker "
         "on rank %u; do all consumer groups of the stream read, and is the arena large enough "
         "(--arena)?", writer->stream.name, streamlet_of(writer, part), part->broker);
}

/* The current segment is used up: commit its rest, take the granted one. */
static aimss_status_t next_segment(struct writer *writer, struct writer_part *part, uint64_t need)
{
    uint64_t deadline = writer_deadline(writer), since = 0;
    aimss_status_t status = part->has_group ? writer_commit(writer, part, true) : AIMSS_OK;

    /* Not within a record: a reader joins its fragments by group. */
    if (status == AIMSS_OK && part->full_segments >= GROUP_FULL_SEGMENTS && !part->record_open)
        status = writer_close_group(writer, part);
    if (status == AIMSS_OK)
        status = ask_segment(writer, part, need);
    while (status == AIMSS_OK && part->granted.len_bytes == 0) {
        if (part->refused)
            return lease_lost(writer, part);
        say_waiting(writer, part, &since);
        status = writer_wait(writer, deadline);
    }
    return status == AIMSS_OK ? adopt_segment(writer, part) : status;
}

static char *chunk_place(struct writer_part *part, uint64_t room)
{
    if (part->near)
        return part->base + part->sealed;
    return part->window_used + room <= WRITER_WINDOW_BYTES ? part->base + part->window_used : NULL;
}

static uint64_t segment_room(const struct writer_part *part)
{
    return part->segment.len_bytes - part->sealed;
}

aimss_status_t writer_begin_chunk(struct writer *writer, struct writer_part *part,
                                  uint64_t payload_min_bytes, uint64_t cap)
{
    uint64_t head = sizeof(struct chunk_header) + CHUNK_ALIGN_BYTES, room;
    aimss_status_t status = AIMSS_OK;

    while (status == AIMSS_OK && segment_room(part) < payload_min_bytes + head)
        status = next_segment(writer, part, payload_min_bytes + head);
    if (status != AIMSS_OK)
        return status;
    room = segment_room(part) < cap ? segment_room(part) : cap;
    part->chunk = chunk_place(part, room);
    if (part->chunk == NULL) { /* the window is used up */
        status = writer_commit(writer, part, true);
        part->chunk = chunk_place(part, room);
    }
    part->next = part->chunk + sizeof(struct chunk_header);
    part->room = room - head;
    part->chunk_records = 0;
    if (status == AIMSS_OK && segment_room(part) <= part->segment.len_bytes / 2 &&
        part->full_segments < GROUP_FULL_SEGMENTS && lane_tx_room(part->commit) > 0)
        status = ask_segment(writer, part, 0);
    return status;
}

static struct writer_part *find_part(struct writers *writers, const struct lane_entry *entry)
{
    for (unsigned i = 0; i < writers->count; i++) {
        struct writer *writer = writers->list[i];

        if (writer->id == entry->writer && entry->streamlet < writer->stream.streamlet_count)
            return &writer->parts[entry->streamlet];
    }
    return NULL;
}

/* Whether an answer is for what the part asks now, and not for a group that it
 * has closed meanwhile, whose name it keeps. */
static bool is_for_now(const struct writer_part *part, const struct lane_entry *entry)
{
    bool same = entry->group == part->group && entry->lease == part->lease;

    return part->asked && part->has_group == same;
}

void writer_take_grant(struct writers *writers, const struct lane_entry *entry)
{
    struct writer_part *part = find_part(writers, entry);

    if (part == NULL)
        return; /* its writer is gone */
    if (entry->kind == LANE_REFUSED) {
        if (entry->to != 0 || is_for_now(part, entry)) /* to: a commit's, and its records' loss */
            part->refused = true;
        return;
    }
    if (!is_for_now(part, entry))
        return;
    part->asked = false;
    part->has_group = true;
    part->group = entry->group;
    part->lease = entry->lease;
    part->granted = (struct lease_segment){ .at = entry->place,
                                            .ordinal = position_segment(entry->from),
                                            .len_bytes = entry->length_bytes };
}
