/* push_send.c: the passes of push.h: credits in, markers and data out.
 *
 * A near consumer gets one descriptor for all that is accepted of a group in a
 * segment. A far one gets the bytes: runs are cut at chunks, at most 256 KiB
 * each and 1 MiB a pass, so that nothing waits long behind the flush.
 */
#include "flow/push_internal.h"

#include "base/error.h"

#include <stdlib.h>

enum { FAR_PASS_BYTES = 1024 * 1024 };

static struct feed *feed_of(struct streamlet *streamlet, unsigned consumer_group)
{
    return &streamlet->feeds[consumer_group];
}

/* Order is promised per writer: a group waits for the one before it. */
static bool previous_is_out(const struct group *group, unsigned number)
{
    const struct group *previous = group->previous;

    return previous == NULL || (previous->state != GROUP_OPEN &&
                                group_drained(previous, previous->cursors[number].pushed));
}

static void append_ready(struct consumer *consumer, struct group *group, unsigned number)
{
    group->cursors[number].queued = true;
    group->cursors[number].ready_next = NULL;
    if (consumer->ready[number] != NULL)
        consumer->ready_last[number]->cursors[number].ready_next = group;
    else
        consumer->ready[number] = group;
    consumer->ready_last[number] = group;
}

static bool may_push(const struct feed *feed)
{
    return feed->state == FEED_ON || feed->state == FEED_CLOSING;
}

void push_enqueue(struct streamlet *streamlet, struct group *group, unsigned number)
{
    struct feed *feed = feed_of(streamlet, number);
    struct group_cursor *cursor = &group->cursors[number];

    if (!may_push(feed) || cursor->queued || group_drained(group, cursor->pushed))
        return;
    if (previous_is_out(group, number))
        append_ready(feed->consumer, group, number);
}

static struct group *pop_ready(struct consumer *consumer, unsigned number)
{
    struct group *group = consumer->ready[number];

    if (group == NULL)
        return NULL;
    consumer->ready[number] = group->cursors[number].ready_next;
    group->cursors[number].queued = false;
    return group;
}

static void push_front(struct consumer *consumer, struct group *group, unsigned number)
{
    group->cursors[number].queued = true;
    group->cursors[number].ready_next = consumer->ready[number];
    if (consumer->ready[number] == NULL)
        consumer->ready_last[number] = group;
    consumer->ready[number] = group;
}

/* Twice the room; the ring is laid straight. */
static aimss_status_t grow_markers(struct consumer *consumer)
{
    unsigned room = consumer->marker_room == 0 ? 64 : 2 * consumer->marker_room;
    struct marker *markers = malloc(room * sizeof *markers);

    if (markers == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for %u markers of rank %u", room,
                         consumer->rank);
    for (unsigned m = 0; m < consumer->marker_count; m++)
        markers[m] = consumer->markers[(consumer->marker_first + m) % consumer->marker_room];
    free(consumer->markers);
    consumer->markers = markers;
    consumer->marker_room = room;
    consumer->marker_first = 0;
    return AIMSS_OK;
}

aimss_status_t push_marker(struct push *push, struct streamlet *streamlet, unsigned number,
                           enum lane_entry_kind kind)
{
    struct consumer *consumer = feed_of(streamlet, number)->consumer;
    aimss_status_t status = AIMSS_OK;
    unsigned at;

    (void)push;
    if (consumer->marker_count == consumer->marker_room)
        status = grow_markers(consumer);
    if (status != AIMSS_OK)
        return status;
    at = (consumer->marker_first + consumer->marker_count) % consumer->marker_room;
    consumer->markers[at] = (struct marker){ .kind = (uint8_t)kind,
                                             .consumer_group = (uint8_t)number,
                                             .streamlet = streamlet };
    consumer->marker_count++;
    return AIMSS_OK;
}

aimss_status_t push_report_revoked(struct push *push, struct streamlet *streamlet,
                                   unsigned number)
{
    struct wire_message message = { .kind = WIRE_REVOKED,
                                    .a = streamlet->stream->info.id,
                                    .b = streamlet->number,
                                    .c = number };
    const struct consumer *consumer = feed_of(streamlet, number)->consumer;

    message.d = consumer != NULL ? consumer->rank : UINT64_MAX;
    return push->net->ops->send(push->net, 0, &message);
}

/* Room in the lane, as far as the credits that make it have been taken: until
 * then flight still tells what those entries were. */
static bool has_room(const struct consumer *consumer, unsigned kept)
{
    return consumer->tx->tail - consumer->credited + kept < LANE_ENTRIES;
}

static struct in_flight *write_entry(struct consumer *consumer, const struct lane_entry *entry,
                                     struct streamlet *streamlet)
{
    struct in_flight *flight = &consumer->flight[consumer->tx->tail % LANE_ENTRIES];

    assert(consumer->tx->tail - consumer->credited < LANE_ENTRIES);
    *flight = (struct in_flight){ .kind = entry->kind,
                                  .consumer_group = entry->consumer_group,
                                  .streamlet = streamlet,
                                  .from = entry->from,
                                  .to = entry->to };
    lane_tx_write(consumer->tx, entry);
    return flight;
}

static void send_markers(struct consumer *consumer, bool *busy)
{
    while (consumer->marker_count > 0 && has_room(consumer, 0)) {
        struct marker marker = consumer->markers[consumer->marker_first];
        struct lane_entry entry = { .kind = marker.kind,
                                    .consumer_group = marker.consumer_group,
                                    .stream = marker.streamlet->stream->info.id,
                                    .streamlet = marker.streamlet->number };

        consumer->marker_first = (consumer->marker_first + 1) % consumer->marker_room;
        consumer->marker_count--;
        if (marker.kind != 0) /* not taken back */
            write_entry(consumer, &entry, marker.streamlet);
        *busy = true;
    }
}

/* The longest prefix of whole chunks within limit. */
static uint64_t cut_at_chunk(const char *data, uint64_t len_bytes, uint64_t limit)
{
    uint64_t cut = 0;

    while (cut < len_bytes) {
        const struct chunk_header *chunk = (const struct chunk_header *)(data + cut);

        if (chunk->len_bytes < sizeof *chunk || cut + chunk->len_bytes > limit)
            break;
        cut += chunk->len_bytes;
    }
    return cut;
}

static const char *own_data(const struct push *push, uint64_t place)
{
    return push->net->ops->map(push->net, push->net->rank, NET_REGION_ARENA) + place;
}

/* Whether a run that was cut short ends within a record. */
static bool ends_open(const char *data, uint64_t len_bytes)
{
    const struct chunk_header *chunk = (const struct chunk_header *)data;
    uint64_t at = 0;

    while (at < len_bytes) {
        chunk = (const struct chunk_header *)(data + at);
        at += chunk->len_bytes;
    }
    return chunk->fragment == CHUNK_FIRST || chunk->fragment == CHUNK_MIDDLE;
}

/* Puts a run into the consumer's slots; its length, or 0 without room there. */
static uint64_t put_run(struct push *push, struct consumer *consumer, struct lane_entry *entry,
                        uint64_t run, aimss_status_t *status)
{
    struct net *net = push->net;
    const char *data = own_data(push, entry->place);
    uint64_t limit = LANE_SLOT_MAX_BYTES, slot;

    if (limit > consumer->tx->slot_bytes)
        limit = consumer->tx->slot_bytes;
    if (run > limit)
        run = cut_at_chunk(data, run, limit);
    if (run == 0) {
        *status = error_set(AIMSS_E_CORRUPT, "group %u holds a chunk with a broken header at "
                            "arena offset %llu", entry->group, (unsigned long long)entry->place);
        return 0;
    }
    if (!lane_tx_slot(consumer->tx, (uint32_t)run, &slot))
        return 0;
    *status = net->ops->put(net, consumer->rank, NET_REGION_FAR, slot, data, run);
    entry->place = slot;
    return run;
}

/* Where the record begins that a run ends in; otherwise: where that did which it
 * begins in. */
static uint64_t record_start(const char *data, uint64_t len_bytes, uint64_t from,
                             uint64_t otherwise)
{
    uint64_t start = otherwise;

    for (uint64_t at = 0; at < len_bytes;) {
        const struct chunk_header *chunk = (const struct chunk_header *)(data + at);

        if (chunk->len_bytes < sizeof *chunk)
            break;
        if (chunk->fragment == CHUNK_FIRST)
            start = from + at;
        at += chunk->len_bytes;
    }
    return start;
}

/* Sends the next run of a group; its length, 0 if it has to wait. */
static uint64_t send_run(struct push *push, struct consumer *consumer, struct group *group,
                         unsigned number, aimss_status_t *status)
{
    struct group_cursor *cursor = &group->cursors[number];
    struct streamlet *streamlet = push_streamlet(push, group);
    struct lane_entry entry = { .kind = LANE_DATA,
                                .format = (uint8_t)streamlet->stream->info.format,
                                .consumer_group = (uint8_t)number,
                                .stream = group->stream,
                                .streamlet = group->streamlet,
                                .group = group->id,
                                .lease = group->lease,
                                .writer = group->writer,
                                .from = cursor->pushed };
    uint64_t all = group_run(group, &entry.from, &entry.place), run = all;
    uint64_t begun = cursor->open ? cursor->record_from : entry.from;
    struct in_flight *flight;
    const char *data = own_data(push, entry.place);

    if (!consumer->tx->near)
        run = put_run(push, consumer, &entry, run, status);
    if (run == 0 || *status != AIMSS_OK)
        return 0;
    cursor->open = run == all ? group_is_open(group, entry.from) : ends_open(data, run);
    entry.length_bytes = (uint32_t)run;
    entry.flags = group_has_fragments(group, entry.from) ? LANE_FRAGMENTS : 0;
    entry.to = entry.from + run;
    if (cursor->open)
        cursor->record_from = record_start(data, run, entry.from, begun);
    flight = write_entry(consumer, &entry, streamlet);
    flight->group = group;
    flight->record_from = begun;
    flight->keep = cursor->open ? cursor->record_from : entry.to;
    cursor->pushed = entry.to;
    return run;
}

/* After a run: more of the group later, or the writer's next group now. */
static aimss_status_t after_run(struct push *push, struct streamlet *streamlet,
                                struct group *group, unsigned number)
{
    if (!group_drained(group, group->cursors[number].pushed))
        push_enqueue(streamlet, group, number);
    else if (group->next != NULL)
        push_enqueue(streamlet, group->next, number);
    if (feed_of(streamlet, number)->state == FEED_CLOSING)
        return push_check_closed(push, streamlet, number);
    return streamlet->stream->sealed ? push_check_end(push, streamlet) : AIMSS_OK;
}

static aimss_status_t send_data(struct push *push, struct consumer *consumer, unsigned number,
                                bool *busy)
{
    uint64_t sent = 0, most = consumer->tx->near ? UINT64_MAX : FAR_PASS_BYTES;
    aimss_status_t status = AIMSS_OK;

    while (sent < most && consumer->ready[number] != NULL && has_room(consumer, LANE_RESERVED)) {
        struct group *group = pop_ready(consumer, number);
        struct streamlet *streamlet = push_streamlet(push, group);
        uint64_t run;

        if (feed_of(streamlet, number)->consumer != consumer ||
            !may_push(feed_of(streamlet, number))) {
            push_enqueue(streamlet, group, number);
            push_trim(push, streamlet, group); /* it may have stayed for this queue only */
            continue;
        }
        run = send_run(push, consumer, group, number, &status);
        if (run == 0) {
            push_front(consumer, group, number);
            return status;
        }
        sent += run;
        *busy = true;
        status = after_run(push, streamlet, group, number);
        if (status != AIMSS_OK)
            break;
    }
    return status;
}

static aimss_status_t credit_one(struct push *push, struct in_flight *flight)
{
    struct feed *feed = feed_of(flight->streamlet, flight->consumer_group);

    if (flight->kind == LANE_DATA) {
        struct group_cursor *cursor = &flight->group->cursors[flight->consumer_group];
        bool held = position_segment(flight->keep) >= flight->group->segment_first;

        cursor->consumed = flight->to;
        cursor->keep = held ? flight->keep : flight->to;
        feed->consumed_bytes += flight->to - flight->from;
        push_trim(push, flight->streamlet, flight->group);
    } else if (flight->kind == LANE_REVOKE) {
        feed->state = FEED_OFF;
        return push_report_revoked(push, flight->streamlet, flight->consumer_group);
    }
    return AIMSS_OK;
}

static aimss_status_t take_credits(struct push *push, struct consumer *consumer, bool *busy)
{
    uint64_t credit = lane_tx_credit(consumer->tx);
    aimss_status_t status = AIMSS_OK;

    for (; consumer->credited < credit && status == AIMSS_OK; consumer->credited++) {
        status = credit_one(push, &consumer->flight[consumer->credited % LANE_ENTRIES]);
        *busy = true;
    }
    return status;
}

static aimss_status_t step_consumer(struct push *push, struct consumer *consumer, bool *busy)
{
    aimss_status_t status;

    if (consumer->tx == NULL)
        consumer->tx = lanes_tx(push->lanes, consumer->rank, LANE_PUSH);
    if (consumer->tx == NULL)
        return AIMSS_OK;
    status = take_credits(push, consumer, busy);
    for (unsigned g = 0; g < CONSUMER_GROUPS_MAX && status == AIMSS_OK; g++)
        status = send_data(push, consumer, g, busy);
    if (status == AIMSS_OK)
        send_markers(consumer, busy);
    if (status == AIMSS_OK)
        status = lane_tx_publish(consumer->tx);
    return status;
}

aimss_status_t push_step(struct push *push, bool *busy)
{
    aimss_status_t status = AIMSS_OK;

    for (unsigned c = 0; c < push->consumer_count && status == AIMSS_OK; c++)
        status = step_consumer(push, push->active[c], busy);
    return status;
}
