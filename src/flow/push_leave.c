/* push_leave.c: a reader that leaves: what it has not read goes to others.
 *
 * It names the first entry of its lane that it has not read, and how far it has
 * come in that one. Cursors go back to there, and to the beginning of a record
 * that it has in part; entries behind count for nothing when their credit comes.
 * Nothing is pushed to it any more, and a marker tells when it has let go of all.
 */
#include "flow/push_internal.h"

#include "base/error.h"

static struct feed *feed_of(struct streamlet *streamlet, unsigned consumer_group)
{
    return &streamlet->feeds[consumer_group];
}

/* Remembers a leaving; the oldest one makes room. */
static void note_stop(struct push *push, const struct wire_message *message)
{
    struct push_stream *stream = push_find_stream(push, (uint32_t)message->a);
    struct push_stop *stop;

    if (stream == NULL)
        return;
    for (stop = stream->stops; stop < stream->stops + stream->stop_count; stop++)
        if (stop->rank == message->from && stop->consumer_group == message->b)
            break;
    if (stop == stream->stops + STOPS_MAX)
        stop = stream->stops;
    else if (stop == stream->stops + stream->stop_count)
        stream->stop_count++;
    *stop = (struct push_stop){ .rank = message->from, .consumer_group = (unsigned)message->b,
                                .join = (uint32_t)message->d };
}

static uint64_t bytes_between(const struct group *group, uint64_t from, uint64_t to)
{
    uint64_t bytes = 0;
    uint32_t ordinal = position_segment(from), offset = position_offset(from);

    for (; ordinal < position_segment(to); ordinal++) {
        bytes += group->chain[ordinal % ARENA_CHAIN_SEGMENTS].end - offset;
        offset = 0;
    }
    return bytes + position_offset(to) - offset;
}

bool push_may_go_back(const struct group *group, uint64_t to)
{
    return position_segment(to) >= group->segment_first;
}

void push_go_back(struct streamlet *streamlet, struct group *group, unsigned number, uint64_t to)
{
    struct group_cursor *cursor = &group->cursors[number];

    if (to >= cursor->pushed)
        return;
    cursor->pushed = to;
    cursor->open = false;
    if (cursor->keep > to)
        cursor->keep = to;
    if (cursor->consumed > to) {
        feed_of(streamlet, number)->consumed_bytes -= bytes_between(group, to, cursor->consumed);
        cursor->consumed = to;
    }
}

static aimss_status_t go_back(struct streamlet *streamlet, struct group *group, unsigned number,
                              uint64_t to)
{
    if (!push_may_go_back(group, to))
        return error_set(AIMSS_E_LIMIT, "stream %s, streamlet %u: rank %u left in the middle of a "
                         "record that is larger than the memory for it; --arena gives more",
                         streamlet->stream->info.name, streamlet->number,
                         feed_of(streamlet, number)->consumer->rank);
    push_go_back(streamlet, group, number, to);
    return AIMSS_OK;
}

static bool is_of(const struct streamlet *streamlet, const struct wire_message *message)
{
    return streamlet->stream->info.id == message->a;
}

/* An entry that was not read, or read up to read_bytes. */
static aimss_status_t take_back(struct in_flight *flight, unsigned number, uint64_t read_bytes)
{
    uint64_t to = read_bytes > 0 ? flight->from + read_bytes : flight->record_from;

    if (flight->kind == LANE_STREAM_END) {
        feed_of(flight->streamlet, number)->ended = false;
        flight->kind = 0;
    }
    if (flight->kind != LANE_DATA)
        return AIMSS_OK;
    return go_back(flight->streamlet, flight->group, number, to);
}

static aimss_status_t take_back_unread(struct consumer *consumer,
                                       const struct wire_message *message)
{
    unsigned number = (unsigned)message->b;
    uint64_t first = message->c - 1;
    aimss_status_t status = AIMSS_OK;

    for (uint64_t i = first > consumer->credited ? first : consumer->credited;
         i < consumer->tx->tail && status == AIMSS_OK; i++) {
        struct in_flight *flight = &consumer->flight[i % LANE_ENTRIES];

        if (flight->kind != 0 && flight->consumer_group == number &&
            is_of(flight->streamlet, message))
            status = take_back(flight, number, i == first ? message->e : 0);
    }
    return status;
}

/* Of records that it has in part, all entries may be read and credited. */
static aimss_status_t take_back_parts(struct push *push, const struct consumer *consumer,
                                      const struct wire_message *message)
{
    struct push_stream *stream = push_find_stream(push, (uint32_t)message->a);
    unsigned number = (unsigned)message->b;
    aimss_status_t status = AIMSS_OK;

    for (uint32_t i = 0; stream != NULL && i < stream->count; i++) {
        struct streamlet *streamlet = &stream->streamlets[i];

        if (streamlet->feeds[number].consumer != consumer)
            continue;
        for (struct group *g = streamlet->groups; g != NULL && status == AIMSS_OK;
             g = g->streamlet_next)
            if (g->cursors[number].open)
                status = go_back(streamlet, g, number, g->cursors[number].record_from);
    }
    return status;
}

void push_void_entries(struct consumer *consumer, uint32_t stream, unsigned number)
{
    uint64_t end = consumer->tx != NULL ? consumer->tx->tail : 0;

    for (uint64_t i = consumer->credited; i < end; i++) {
        struct in_flight *flight = &consumer->flight[i % LANE_ENTRIES];
        uint64_t pushed;

        if (flight->kind != LANE_DATA || flight->consumer_group != number ||
            flight->streamlet->stream->info.id != stream)
            continue;
        pushed = flight->group->cursors[number].pushed;
        if (flight->from >= pushed)
            flight->kind = 0;
        else if (flight->to > pushed)
            flight->to = flight->keep = pushed;
    }
}

/* Ends that have not gone out yet count for nothing, either. */
static void take_back_markers(struct consumer *consumer, const struct wire_message *message)
{
    for (unsigned m = 0; m < consumer->marker_count; m++) {
        unsigned at = (consumer->marker_first + m) % consumer->marker_room;
        struct marker *marker = &consumer->markers[at];

        if (marker->kind != LANE_STREAM_END || marker->consumer_group != message->b ||
            !is_of(marker->streamlet, message))
            continue;
        marker->kind = 0;
        feed_of(marker->streamlet, marker->consumer_group)->ended = false;
    }
}

static aimss_status_t stop_feeds(struct push *push, struct consumer *consumer,
                                 const struct wire_message *message)
{
    struct push_stream *found = push_find_stream(push, (uint32_t)message->a);
    aimss_status_t status = AIMSS_OK;

    for (uint32_t i = 0; found != NULL && i < found->count && status == AIMSS_OK; i++) {
        struct feed *feed = &found->streamlets[i].feeds[message->b];

        if (feed->consumer != consumer || feed->ended ||
            (feed->state != FEED_ON && feed->state != FEED_CLOSING))
            continue;
        feed->state = FEED_REVOKING;
        status = push_marker(push, &found->streamlets[i], (unsigned)message->b, LANE_REVOKE);
    }
    return status;
}

static aimss_status_t stop_consumer(struct push *push, struct consumer *consumer,
                                    const struct wire_message *message)
{
    aimss_status_t status = AIMSS_OK;

    if (consumer->tx != NULL)
        status = take_back_unread(consumer, message);
    if (status == AIMSS_OK)
        status = take_back_parts(push, consumer, message);
    if (status != AIMSS_OK)
        return status;
    push_void_entries(consumer, (uint32_t)message->a, (unsigned)message->b);
    take_back_markers(consumer, message);
    return stop_feeds(push, consumer, message);
}

aimss_status_t push_reader_stop(struct push *push, const struct wire_message *message)
{
    struct consumer *consumer = push->consumers[message->from];
    struct wire_message answer = { .kind = WIRE_READER_STOPPED, .a = message->a, .b = message->b };
    aimss_status_t status = AIMSS_OK;

    note_stop(push, message);
    if (consumer != NULL)
        status = stop_consumer(push, consumer, message);
    if (status == AIMSS_OK)
        status = push->net->ops->send(push->net, message->from, &answer);
    return status;
}
