/* push.c: see push.h. Streams and streamlets here; the sending is in
 * push_send.c. */
#include "flow/push_internal.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

aimss_status_t push_create(struct net *net, struct lanes *lanes, struct groups *groups,
                           struct push **push)
{
    struct push *p = calloc(1, sizeof *p);

    if (p != NULL) {
        p->net = net;
        p->consumers = calloc(net->rank_count, sizeof *p->consumers);
        p->active = calloc(net->rank_count, sizeof *p->active);
    }
    if (p == NULL || p->consumers == NULL || p->active == NULL) {
        push_destroy(p);
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the consumers of a broker");
    }
    p->lanes = lanes;
    p->groups = groups;
    *push = p;
    return AIMSS_OK;
}

void push_destroy(struct push *push)
{
    if (push == NULL)
        return;
    for (unsigned s = 0; s < push->stream_count; s++)
        free(push->streams[s]);
    for (unsigned c = 0; c < push->consumer_count; c++) {
        free(push->active[c]->markers);
        free(push->active[c]);
    }
    free(push->consumers);
    free(push->active);
    free(push);
}

void push_own_streamlets(const struct push *push, const struct wire_stream *stream,
                         uint32_t *first, uint32_t *end)
{
    uint32_t count = stream->streamlet_count, brokers = push->net->broker_count;
    uint32_t own = push->net->role_index;

    /* The inverse of push_broker_of. */
    *first = (uint32_t)(((uint64_t)own * count + brokers - 1) / brokers);
    *end = (uint32_t)(((uint64_t)(own + 1) * count + brokers - 1) / brokers);
}

aimss_status_t push_stream_new(struct push *push, const struct wire_stream *info)
{
    struct push_stream *stream;
    uint32_t first, end;

    if (push->stream_count == STREAMS_MAX)
        return error_set(AIMSS_E_LIMIT, "stream %s is one too many: a broker keeps %d", info->name,
                         STREAMS_MAX);
    push_own_streamlets(push, info, &first, &end);
    stream = calloc(1, sizeof *stream + sizeof stream->streamlets[0] * (end - first));
    if (stream == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the streamlets of %s", info->name);
    stream->info = *info;
    stream->first = first;
    stream->count = end - first;
    for (uint32_t i = 0; i < stream->count; i++) {
        stream->streamlets[i].stream = stream;
        stream->streamlets[i].number = first + i;
    }
    push->streams[push->stream_count++] = stream;
    return AIMSS_OK;
}

struct push_stream *push_find_stream(const struct push *push, uint32_t id)
{
    for (unsigned s = 0; s < push->stream_count; s++)
        if (push->streams[s]->info.id == id)
            return push->streams[s];
    return NULL;
}

const struct wire_stream *push_stream(const struct push *push, uint32_t id)
{
    struct push_stream *stream = push_find_stream(push, id);

    return stream != NULL ? &stream->info : NULL;
}

static struct streamlet *find_streamlet(const struct push *push, uint32_t id, uint32_t number)
{
    struct push_stream *stream = push_find_stream(push, id);

    if (stream == NULL || number < stream->first || number - stream->first >= stream->count)
        return NULL;
    return &stream->streamlets[number - stream->first];
}

struct consumer *push_consumer(struct push *push, unsigned rank)
{
    struct consumer *consumer = push->consumers[rank];

    if (consumer != NULL)
        return consumer;
    consumer = calloc(1, sizeof *consumer);
    if (consumer == NULL)
        return NULL;
    consumer->rank = rank;
    push->consumers[rank] = consumer;
    push->active[push->consumer_count++] = consumer;
    return consumer;
}

uint64_t push_backlog_bytes(const struct push *push, uint32_t stream, uint32_t number)
{
    const struct streamlet *streamlet = find_streamlet(push, stream, number);

    for (unsigned g = 0; g < CONSUMER_GROUPS_MAX; g++)
        if (streamlet->feeds[g].state == FEED_ON)
            return streamlet->accepted_bytes - streamlet->feeds[g].consumed_bytes;
    return UINT64_MAX;
}

aimss_status_t push_group_new(struct push *push, const struct wire_message *message)
{
    struct push_stream *stream = push_find_stream(push, (uint32_t)message->a);
    struct wire_message known = { .kind = WIRE_GROUP_KNOWN, .a = message->a, .b = message->b };

    if (stream == NULL || message->b >= CONSUMER_GROUPS_MAX)
        return error_set(AIMSS_E_NOT_FOUND, "a consumer group of stream %llu, which is not here",
                         (unsigned long long)message->a);
    if (message->b >= stream->consumer_groups)
        stream->consumer_groups = (unsigned)message->b + 1;
    return push->net->ops->send(push->net, 0, &known);
}

static aimss_status_t unknown(const struct wire_message *message, const char *what)
{
    return error_set(AIMSS_E_NOT_FOUND, "%s for streamlet %llu of stream %llu, which is not here",
                     what, (unsigned long long)message->b, (unsigned long long)message->a);
}

static bool has_left(const struct push_stream *stream, const struct wire_message *message)
{
    for (unsigned i = 0; i < stream->stop_count; i++) {
        const struct push_stop *stop = &stream->stops[i];

        if (stop->rank == message->d && stop->consumer_group == message->c)
            return message->e <= stop->join;
    }
    return false;
}

aimss_status_t push_assign(struct push *push, const struct wire_message *message)
{
    struct streamlet *streamlet =
        find_streamlet(push, (uint32_t)message->a, (uint32_t)message->b);
    unsigned number = (unsigned)message->c;
    struct feed *feed;

    if (streamlet == NULL || number >= CONSUMER_GROUPS_MAX)
        return unknown(message, "an assignment");
    feed = &streamlet->feeds[number];
    feed->consumer = push_consumer(push, (unsigned)message->d);
    if (feed->consumer == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a consumer");
    if (has_left(streamlet->stream, message))
        return push_report_revoked(push, streamlet, number);
    feed->state = FEED_ON;
    if (number >= streamlet->stream->consumer_groups)
        streamlet->stream->consumer_groups = number + 1;
    for (struct group *g = streamlet->groups; g != NULL; g = g->streamlet_next)
        push_enqueue(streamlet, g, number);
    return push_check_end(push, streamlet);
}

/* Queued groups stay queued; push_send skips those whose feed is not on. */
aimss_status_t push_revoke(struct push *push, const struct wire_message *message)
{
    struct streamlet *streamlet =
        find_streamlet(push, (uint32_t)message->a, (uint32_t)message->b);
    struct feed *feed;

    if (streamlet == NULL || message->c >= CONSUMER_GROUPS_MAX)
        return unknown(message, "a revocation");
    feed = &streamlet->feeds[message->c];
    if (feed->state == FEED_REVOKING || feed->state == FEED_CLOSING)
        return AIMSS_OK; /* its reader was quicker; the report follows */
    if (feed->ended)
        return AIMSS_OK; /* the reader's word on that follows, unless it leaves */
    if (feed->state == FEED_OFF)
        return push_report_revoked(push, streamlet, (unsigned)message->c);
    feed->state = FEED_CLOSING;
    return push_check_closed(push, streamlet, (unsigned)message->c);
}

/* Its consumer has a part of a record of which that part is here no more: only the
 * same consumer can have the rest. What a lost writer has begun has none. */
static bool awaits_rest(const struct group *group, unsigned number)
{
    const struct group_cursor *cursor = &group->cursors[number];
    bool rest = group->state == GROUP_OPEN || !group_drained(group, cursor->pushed);

    return cursor->open && rest && !push_may_go_back(group, cursor->record_from);
}

static void go_back_to_records(struct streamlet *streamlet, unsigned number)
{
    for (struct group *g = streamlet->groups; g != NULL; g = g->streamlet_next)
        if (g->cursors[number].open && push_may_go_back(g, g->cursors[number].record_from))
            push_go_back(streamlet, g, number, g->cursors[number].record_from);
    push_void_entries(streamlet->feeds[number].consumer, streamlet->stream->info.id, number);
}

/* The marker may go out once no record is cut in two by it: the next consumer
 * gets those that this one has in part from their beginning. */
aimss_status_t push_check_closed(struct push *push, struct streamlet *streamlet, unsigned number)
{
    struct feed *feed = &streamlet->feeds[number];

    if (feed->state != FEED_CLOSING)
        return AIMSS_OK;
    for (const struct group *g = streamlet->groups; g != NULL; g = g->streamlet_next)
        if (awaits_rest(g, number))
            return AIMSS_OK;
    go_back_to_records(streamlet, number);
    feed->state = FEED_REVOKING;
    return push_marker(push, streamlet, number, LANE_REVOKE);
}

aimss_status_t push_seal(struct push *push, uint32_t id)
{
    struct push_stream *stream = push_find_stream(push, id);
    aimss_status_t status = AIMSS_OK;

    if (stream == NULL)
        return error_set(AIMSS_E_NOT_FOUND, "stream %u is sealed but not here", id);
    stream->sealed = true;
    for (uint32_t i = 0; i < stream->count && status == AIMSS_OK; i++)
        status = push_check_end(push, &stream->streamlets[i]);
    return status;
}

aimss_status_t push_open_group(struct push *push, const struct group_request *request,
                               struct group **group)
{
    struct streamlet *streamlet = find_streamlet(push, request->stream, request->streamlet);
    aimss_status_t status;

    if (streamlet == NULL)
        return AIMSS_E_NOT_FOUND;
    status = groups_open(push->groups, request, group);
    if (status != AIMSS_OK)
        return status;
    (*group)->streamlet_prev = streamlet->groups_last;
    if (streamlet->groups_last != NULL)
        streamlet->groups_last->streamlet_next = *group;
    else
        streamlet->groups = *group;
    streamlet->groups_last = *group;
    return AIMSS_OK;
}

/* Mostly the same one as the last time. */
struct streamlet *push_streamlet(struct push *push, const struct group *group)
{
    struct streamlet *last = push->last_streamlet;

    if (last == NULL || last->stream->info.id != group->stream || last->number != group->streamlet)
        last = push->last_streamlet = find_streamlet(push, group->stream, group->streamlet);
    return last;
}

aimss_status_t push_accept(struct push *push, struct group *group, uint64_t from, uint64_t to,
                           uint8_t flags)
{
    struct streamlet *streamlet = push_streamlet(push, group);
    aimss_status_t status = groups_accept(push->groups, group, from, to);

    if (status != AIMSS_OK)
        return status;
    group_mark_open(group, to, (flags & LANE_RECORD_OPEN) != 0);
    if (flags & LANE_FRAGMENTS)
        group_mark_fragments(group, to);
    streamlet->accepted_bytes += to - from;
    for (unsigned g = 0; g < streamlet->stream->consumer_groups; g++)
        push_enqueue(streamlet, group, g);
    return AIMSS_OK;
}

/* Of a record that its reader has in part, all is kept: the reader may leave, and
 * another one needs it from its beginning. */
static uint64_t cursor_floor(const struct group *group, const struct group_cursor *cursor)
{
    bool rest_follows = group->state == GROUP_OPEN || cursor->consumed < group->accepted;

    if (cursor->pushed < cursor->consumed)
        return cursor->pushed;
    return rest_follows && cursor->keep < cursor->consumed ? cursor->keep : cursor->consumed;
}

static bool all_consumed(const struct streamlet *streamlet)
{
    for (const struct group *group = streamlet->groups; group != NULL;
         group = group->streamlet_next)
        for (unsigned g = 0; g < streamlet->stream->consumer_groups; g++)
            if (group->cursors[g].consumed < group->accepted)
                return false;
    return true;
}

/* As long as anything is left to consume, that will free memory. */
void push_let_go(struct push *push, struct group *group)
{
    struct streamlet *streamlet = push_streamlet(push, group);
    bool kept = false;

    for (unsigned g = 0; g < streamlet->stream->consumer_groups; g++)
        kept |= group->cursors[g].keep < group->cursors[g].consumed;
    for (unsigned s = 0; kept && s < push->stream_count; s++)
        for (uint32_t i = 0; kept && i < push->streams[s]->count; i++)
            kept = all_consumed(&push->streams[s]->streamlets[i]);
    for (unsigned g = 0; kept && g < streamlet->stream->consumer_groups; g++)
        group->cursors[g].keep = group->cursors[g].consumed;
    if (kept)
        push_trim(push, streamlet, group);
}

/* Takes a group that is consumed by all out of its streamlet and frees it. */
void push_trim(struct push *push, struct streamlet *streamlet, struct group *group)
{
    unsigned groups = streamlet->stream->consumer_groups;
    uint64_t floor = groups > 0 ? UINT64_MAX : 0;
    struct group *next = group->streamlet_next, *prev = group->streamlet_prev;
    struct group *follower = group->next;

    for (unsigned g = 0; g < groups; g++)
        if (cursor_floor(group, &group->cursors[g]) < floor)
            floor = cursor_floor(group, &group->cursors[g]);
    for (unsigned g = 0; g < groups && group->state == GROUP_CLOSED; g++)
        if (group->cursors[g].queued && floor >= group->accepted)
            return; /* its consumer's queue still points at it: it stays, empty */
    if (groups == 0 || !groups_trim(push->groups, group, floor))
        return;
    if (prev != NULL)
        prev->streamlet_next = next;
    else
        streamlet->groups = next;
    if (next != NULL)
        next->streamlet_prev = prev;
    else
        streamlet->groups_last = prev;
    for (unsigned g = 0; follower != NULL && g < groups; g++)
        push_enqueue(streamlet, follower, g);
}

void push_close_group(struct push *push, struct group *group)
{
    struct streamlet *streamlet = push_streamlet(push, group);
    struct group *follower = group->next;

    groups_close_lease(push->groups, group);
    for (unsigned g = 0; follower != NULL && g < streamlet->stream->consumer_groups; g++)
        push_enqueue(streamlet, follower, g);
    push_trim(push, streamlet, group);
    push_check_end(push, streamlet);
}

/* Everything of the streamlet has been pushed to the feed's consumer. */
static bool all_pushed(const struct streamlet *streamlet, unsigned number)
{
    for (const struct group *g = streamlet->groups; g != NULL; g = g->streamlet_next)
        if (g->state == GROUP_OPEN || !group_drained(g, g->cursors[number].pushed))
            return false;
    return true;
}

aimss_status_t push_check_end(struct push *push, struct streamlet *streamlet)
{
    aimss_status_t status = AIMSS_OK;

    if (!streamlet->stream->sealed)
        return AIMSS_OK;
    for (unsigned g = 0; g < CONSUMER_GROUPS_MAX && status == AIMSS_OK; g++) {
        struct feed *feed = &streamlet->feeds[g];

        if (feed->state != FEED_ON || feed->ended || !all_pushed(streamlet, g))
            continue;
        feed->ended = true;
        status = push_marker(push, streamlet, g, LANE_STREAM_END);
    }
    return status;
}

static aimss_status_t revoke_group(struct push *push, struct streamlet *streamlet,
                                   struct group *group)
{
    aimss_status_t status = AIMSS_OK;

    groups_revoke(push->groups, group);
    for (unsigned g = 0; g < streamlet->stream->consumer_groups && status == AIMSS_OK; g++) {
        if (group->next != NULL)
            push_enqueue(streamlet, group->next, g);
        status = push_check_closed(push, streamlet, g);
    }
    return status == AIMSS_OK ? push_check_end(push, streamlet) : status;
}

static aimss_status_t revoke_in(struct push *push, struct streamlet *streamlet, unsigned rank,
                                unsigned *count)
{
    aimss_status_t status = AIMSS_OK;

    for (struct group *g = streamlet->groups; g != NULL && status == AIMSS_OK;
         g = g->streamlet_next) {
        if (g->writer_rank != rank || g->state != GROUP_OPEN)
            continue;
        status = revoke_group(push, streamlet, g);
        ++*count;
    }
    return status;
}

aimss_status_t push_revoke_writer(struct push *push, unsigned rank, unsigned *count)
{
    aimss_status_t status = AIMSS_OK;

    *count = 0;
    for (unsigned s = 0; s < push->stream_count; s++)
        for (uint32_t i = 0; i < push->streams[s]->count && status == AIMSS_OK; i++)
            status = revoke_in(push, &push->streams[s]->streamlets[i], rank, count);
    return status;
}
