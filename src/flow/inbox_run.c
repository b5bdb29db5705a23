/* inbox_run.c: cuts what was pushed into buffers.
 *
 * A stretch of whole chunks becomes one buffer in place; fragments are joined in
 * memory of their own. Each buffer holds its lane entry, a joined one that of its
 * last fragment, and knows how far into it it begins: a reader that leaves says so.
 */
#include "flow/inbox_internal.h"

#include "base/error.h"
#include "flow/join.h"
#include "log/chunk.h"

#include <stdlib.h>

/* One entry that is being taken apart. */
struct run {
    struct inbox *inbox;
    struct inbox_reader *reader;
    struct lane_rx *lane;
    const struct lane_entry *entry;
    const char *data;
    uint64_t record_at; /* where the record of the present fragments begins; 0: or before */
};

struct aimss_buffer *inbox_take_spare(struct inbox *inbox)
{
    struct aimss_buffer *buffer = inbox->spare;

    if (buffer == NULL)
        return calloc(1, sizeof *buffer); /* until the pool has grown to what is in flight */
    inbox->spare = buffer->next;
    return buffer;
}

static void append(struct inbox_reader *reader, struct aimss_buffer *buffer)
{
    buffer->next = NULL;
    if (reader->last != NULL)
        reader->last->next = buffer;
    else
        reader->first = buffer;
    reader->last = buffer;
}

uint16_t *inbox_holds(struct inbox *inbox, const struct lane_rx *lane, uint64_t sequence)
{
    return &inbox->holds[lane->inbound]->holds[(sequence - 1) % LANE_ENTRIES];
}

void inbox_drop_hold(struct inbox *inbox, struct lane_rx *lane, uint64_t sequence)
{
    if (--*inbox_holds(inbox, lane, sequence) == 0)
        lane_rx_release(lane, sequence);
}

/* Fills in what all buffers of an entry have, and queues it. */
static aimss_status_t add(const struct run *run, const struct aimss_buffer *made)
{
    const struct lane_entry *entry = run->entry;
    struct aimss_buffer *buffer = inbox_take_spare(run->inbox);

    if (buffer == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a buffer");
    *buffer = *made;
    buffer->stream = entry->stream;
    buffer->streamlet = entry->streamlet;
    buffer->group = entry->group;
    buffer->segment = position_segment(entry->from);
    buffer->format = (enum aimss_format)entry->format;
    buffer->record_bytes = run->reader->stream.record_bytes;
    buffer->inbox = run->inbox;
    buffer->lane = run->lane;
    buffer->sequence = entry->sequence;
    ++*inbox_holds(run->inbox, run->lane, entry->sequence);
    append(run->reader, buffer);
    return AIMSS_OK;
}

/* A marker has no data. */
aimss_status_t inbox_add_marker(struct inbox *inbox, struct inbox_reader *reader,
                                struct lane_rx *lane, const struct lane_entry *entry)
{
    struct run run = { .inbox = inbox, .reader = reader, .lane = lane, .entry = entry };

    return add(&run, &(struct aimss_buffer){ .data = NULL });
}

static aimss_status_t add_whole(const struct run *run, uint64_t from, uint64_t to)
{
    struct aimss_buffer buffer = { .data = run->data + from, .len_bytes = to - from,
                                   .offset = position_offset(run->entry->from) + from,
                                   .entry_at = (uint32_t)from };

    return to > from ? add(run, &buffer) : AIMSS_OK;
}

static aimss_status_t add_fragment(struct run *run, uint64_t at)
{
    const struct chunk_header *chunk = (const struct chunk_header *)(run->data + at);
    struct aimss_buffer buffer = { 0 };
    struct join_result joined;
    aimss_status_t status = joiner_add(run->inbox->joiner, run->entry, chunk, &joined);

    if (chunk->fragment == CHUNK_FIRST)
        run->record_at = at;
    if (status != AIMSS_OK || joined.data == NULL)
        return status;
    buffer.data = buffer.owned = joined.data;
    buffer.len_bytes = joined.len_bytes;
    buffer.offset = joined.ordinal;
    buffer.entry_at = (uint32_t)run->record_at;
    status = add(run, &buffer);
    if (status != AIMSS_OK)
        free(joined.data);
    return status;
}

static const char *data_of(const struct inbox *inbox, const struct lane_rx *lane,
                           const struct lane_entry *entry)
{
    const char *base = lane->near
                           ? inbox->net->ops->map(inbox->net, lane->rank, NET_REGION_ARENA)
                           : lane->slots;

    return base + entry->place;
}

static bool is_sane(const struct chunk_header *chunk, uint64_t room)
{
    return room >= sizeof *chunk && chunk->len_bytes >= sizeof *chunk &&
           chunk->len_bytes <= room && chunk->len_bytes % CHUNK_ALIGN_BYTES == 0;
}

/* Lengths are not yet checked by CRC, so nothing is followed out of the run. */
aimss_status_t inbox_take_run(struct inbox *inbox, struct inbox_reader *reader,
                              struct lane_rx *lane, const struct lane_entry *entry)
{
    struct run run = { .inbox = inbox, .reader = reader, .lane = lane, .entry = entry,
                       .data = data_of(inbox, lane, entry) };
    uint64_t at = 0, whole_from = 0, len = entry->length_bytes;
    aimss_status_t status = AIMSS_OK;

    if ((entry->flags & LANE_FRAGMENTS) == 0)
        return add_whole(&run, 0, len);
    while (at < len && status == AIMSS_OK) {
        const struct chunk_header *chunk = (const struct chunk_header *)(run.data + at);

        if (!is_sane(chunk, len - at)) { /* the reader's CRC check names the place */
            at = len;
            break;
        }
        if (chunk->fragment != CHUNK_WHOLE) {
            status = add_whole(&run, whole_from, at);
            if (status == AIMSS_OK)
                status = add_fragment(&run, at);
            whole_from = at + chunk->len_bytes;
        }
        at += chunk->len_bytes;
    }
    return status == AIMSS_OK ? add_whole(&run, whole_from, at) : status;
}
