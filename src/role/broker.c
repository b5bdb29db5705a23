/* broker.c: see broker.h. */
#include "role/broker.h"

#include "base/error.h"
#include "flow/ingest.h"
#include "flow/push.h"
#include "net/lanes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 4096, ENTRIES_PER_STEP = 64, CONTROL_PER_STEP = 16 };

/* How far a writer runs ahead of its consumers before its next segment waits
 * a moment for one that they give back: that one is still in a cache, and fresh
 * memory costs twice the time. Only a moment, because memory is there to hold
 * what consumers cannot take yet. */
enum { AHEAD_BYTES = 6 * 1024 * 1024, AHEAD_WAIT_NS = 2 * 1000 * 1000 };

/* A writer's request that waits for memory or for its grant lane. */
struct waiting {
    unsigned rank;
    uint64_t since_ns;
    struct lane_entry entry;
};

struct broker {
    struct broker_config config;
    struct lanes *lanes;
    struct groups *groups;
    struct push *push;
    struct ingest *ingest;
    bool patient;               /* the request at hand may wait for warm memory */
    unsigned waiting_count;
    struct waiting waiting[WAITING_MAX];
    bool failed, stopped;
    aimss_status_t outcome;
    char outcome_text[ERROR_TEXT_BYTES];
    struct wire_message message;
};

aimss_status_t broker_create(const struct broker_config *config, struct broker **broker)
{
    struct broker *b = calloc(1, sizeof *b);
    struct net *net = config->net;
    aimss_status_t status;

    if (b == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a broker");
    b->config = *config;
    status = lanes_create(net, 0, &b->lanes);
    if (status == AIMSS_OK)
        status = groups_create(config->arena, net->role_index, &b->groups);
    if (status == AIMSS_OK)
        status = push_create(net, b->lanes, b->groups, &b->push);
    if (status == AIMSS_OK) {
        struct ingest_config ingest = { .env = config->env, .net = net, .push = b->push,
                                        .groups = b->groups,
                                        .thread_count = config->io_threads,
                                        .record_max_bytes = config->record_max_bytes };

        status = ingest_create(&ingest, &b->ingest);
    }
    if (status != AIMSS_OK) {
        broker_destroy(b);
        return status;
    }
    *broker = b;
    return AIMSS_OK;
}

void broker_destroy(struct broker *broker)
{
    if (broker == NULL)
        return;
    ingest_destroy(broker->ingest);
    push_destroy(broker->push);
    groups_destroy(broker->groups);
    lanes_destroy(broker->lanes);
    free(broker);
}

static aimss_status_t start_stream(struct broker *broker, const struct wire_stream *stream)
{
    aimss_status_t status = push_stream_new(broker->push, stream);

    if (status == AIMSS_OK && stream->source[0] != '\0')
        status = ingest_start(broker->ingest, stream);
    return status;
}

static aimss_status_t take_stop(struct broker *broker, const struct wire_message *message)
{
    broker->stopped = true;
    broker->outcome = (aimss_status_t)message->a;
    snprintf(broker->outcome_text, sizeof broker->outcome_text, "%.*s",
             (int)message->text_bytes, message->text);
    return AIMSS_OK;
}

static aimss_status_t handle(struct broker *broker, const struct wire_message *message)
{
    switch (message->kind) {
    case WIRE_LANE_OPEN:
    case WIRE_LANE_OPENED:
        return lanes_handle(broker->lanes, message);
    case WIRE_STREAM_NEW:
        return start_stream(broker, &message->stream);
    case WIRE_GROUP_NEW:
        return push_group_new(broker->push, message);
    case WIRE_ASSIGN:
        return push_assign(broker->push, message);
    case WIRE_REVOKE:
        return push_revoke(broker->push, message);
    case WIRE_READER_STOP:
        return push_reader_stop(broker->push, message);
    case WIRE_SEAL:
        return push_seal(broker->push, (uint32_t)message->a);
    case WIRE_PARTITION:
    case WIRE_PARTITION_NONE:
        return ingest_partition(broker->ingest, message);
    case WIRE_STOP:
        return take_stop(broker, message);
    default:
        return error_set(AIMSS_E_STATE, "a broker got message %u, which is none for it",
                         message->kind);
    }
}

static aimss_status_t take_control(struct broker *broker, bool *busy)
{
    struct net *net = broker->config.net;
    aimss_status_t status = AIMSS_OK;

    for (unsigned n = 0; n < CONTROL_PER_STEP && status == AIMSS_OK; n++) {
        if (!net->ops->receive(net, &broker->message))
            break;
        status = handle(broker, &broker->message);
        *busy = true;
    }
    return status;
}

/* False: the grant lane cannot take it now. */
static bool answer(struct broker *broker, unsigned rank, const struct lane_entry *entry)
{
    struct lane_tx *tx = lanes_tx(broker->lanes, rank, LANE_GRANT);

    if (tx == NULL || lane_tx_room(tx) == 0)
        return false;
    lane_tx_write(tx, entry);
    return lane_tx_publish(tx) == AIMSS_OK;
}

/* The answer to a commit that is not accepted: whoever holds a lease that is
 * no longer valid must learn it. */
static struct lane_entry refusal(const struct lane_entry *asked)
{
    return (struct lane_entry){ .kind = LANE_REFUSED,
                                .stream = asked->stream,
                                .streamlet = asked->streamlet,
                                .group = asked->group,
                                .lease = asked->lease,
                                .to = asked->to,
                                .writer = asked->writer };
}

static bool wait_for_later(struct broker *broker, unsigned rank, const struct lane_entry *entry)
{
    if (broker->waiting_count == WAITING_MAX)
        return false;
    broker->waiting[broker->waiting_count++] =
        (struct waiting){ rank, env_now_ns(broker->config.env), *entry };
    return true;
}

static bool is_ahead(const struct broker *broker, const struct group *group)
{
    uint64_t backlog = push_backlog_bytes(broker->push, group->stream, group->streamlet);

    return backlog != UINT64_MAX && backlog >= AHEAD_BYTES;
}

static bool give_segment(struct broker *broker, unsigned rank, const struct lane_entry *asked,
                         struct group *group)
{
    struct lane_entry grant = refusal(asked);
    const struct arena_segment *segment;
    struct lane_tx *tx = lanes_tx(broker->lanes, rank, LANE_GRANT);

    if (tx == NULL || lane_tx_room(tx) == 0 || (broker->patient && is_ahead(broker, group)))
        return false;
    if (!groups_extend_within(broker->groups, group, asked->from, asked->length_bytes)) {
        push_let_go(broker->push, group);
        return false;
    }
    segment = &group->chain[(group->segment_count - 1) % ARENA_CHAIN_SEGMENTS];
    grant.kind = LANE_GRANTED;
    grant.group = group->id;
    grant.lease = group->lease;
    grant.from = position_make(group->segment_count - 1, 0);
    grant.place = segment->at;
    grant.length_bytes = segment->len_bytes;
    return answer(broker, rank, &grant);
}

/* Opens the group first and keeps it while memory is awaited: entry->group and
 * lease then name it, and kind says that only its segment is missing. */
static bool open_group(struct broker *broker, unsigned rank, struct lane_entry *entry)
{
    struct group_request request = { .stream = entry->stream,
                                     .streamlet = entry->streamlet,
                                     .writer = entry->writer,
                                     .writer_rank = rank,
                                     .previous = groups_find(broker->groups, entry->group,
                                                             entry->lease) };
    struct group *group;

    if (push_stream(broker->push, entry->stream) == NULL)
        return false; /* the writer knows of it sooner than this broker */
    if (push_open_group(broker->push, &request, &group) != AIMSS_OK)
        return false;
    entry->kind = LANE_NEED_SEGMENT;
    entry->group = group->id;
    entry->lease = group->lease;
    return give_segment(broker, rank, entry, group);
}

/* Its commits may have been refused, which it does not know yet: a next group
 * would go on behind the gap. */
static bool has_lost_lease(const struct broker *broker, const struct lane_entry *entry)
{
    const struct group *previous = groups_find(broker->groups, entry->group, entry->lease);

    return entry->kind == LANE_OPEN_GROUP && previous != NULL &&
           previous->state == GROUP_REVOKED;
}

/* True: dealt with. */
static bool grant(struct broker *broker, unsigned rank, struct lane_entry *entry)
{
    struct lane_entry refused = refusal(entry);
    struct group *group;

    if (has_lost_lease(broker, entry)) {
        refused.group = refused.lease = 0; /* of the group that there will not be */
        return answer(broker, rank, &refused);
    }
    if (entry->kind == LANE_OPEN_GROUP)
        return open_group(broker, rank, entry);
    group = groups_find(broker->groups, entry->group, entry->lease);
    if (group == NULL || group->state != GROUP_OPEN)
        return answer(broker, rank, &refused);
    return give_segment(broker, rank, entry, group);
}

/* False: a refusal has to go out before the commit's credit does, because the
 * writer takes credit without one for acceptance, and the lane is full. */
static bool commit(struct broker *broker, unsigned rank, const struct lane_entry *entry)
{
    struct group *group = groups_find(broker->groups, entry->group, entry->lease);
    struct lane_entry refused = refusal(entry);

    if (group != NULL &&
        push_accept(broker->push, group, entry->from, entry->to,
                    entry->flags) == AIMSS_OK)
        return true;
    refused.from = group != NULL ? group->accepted : 0;
    return answer(broker, rank, &refused);
}

static void close_group(struct broker *broker, const struct lane_entry *entry)
{
    struct group *group = groups_find(broker->groups, entry->group, entry->lease);

    if (group != NULL && group->state == GROUP_OPEN)
        push_close_group(broker->push, group);
}

/* *later: the entry cannot be dealt with now; it stays in the lane. */
static aimss_status_t take_entry(struct broker *broker, unsigned rank,
                                 const struct lane_entry *entry, bool *later)
{
    struct lane_entry copy = *entry;

    switch (entry->kind) {
    case LANE_COMMIT_RANGE:
        *later = !commit(broker, rank, entry);
        return AIMSS_OK;
    case LANE_CLOSE_GROUP:
        close_group(broker, entry);
        return AIMSS_OK;
    case LANE_OPEN_GROUP:
    case LANE_NEED_SEGMENT:
        broker->patient = true;
        if (grant(broker, rank, &copy) || wait_for_later(broker, rank, &copy))
            return AIMSS_OK;
        return error_set(AIMSS_E_LIMIT, "%d requests of writers wait, which is the limit",
                         WAITING_MAX);
    default:
        return error_set(AIMSS_E_STATE, "a commit lane brought entry kind %u", entry->kind);
    }
}

static aimss_status_t take_lane(struct broker *broker, struct lane_rx *lane, bool *busy)
{
    aimss_status_t status = AIMSS_OK;

    for (unsigned n = 0; n < ENTRIES_PER_STEP && status == AIMSS_OK; n++) {
        const struct lane_entry *entry = lane_rx_peek(lane);
        bool later = false;

        if (entry == NULL)
            break;
        status = take_entry(broker, lane->rank, entry, &later);
        if (later)
            break;
        lane_rx_next(lane);
        lane_rx_release(lane, entry->sequence);
        *busy = true;
    }
    return status == AIMSS_OK ? lane_rx_publish_credit(lane) : status;
}

static aimss_status_t take_commits(struct broker *broker, bool *busy)
{
    aimss_status_t status = AIMSS_OK;

    for (unsigned l = 0; l < lanes_rx_count(broker->lanes) && status == AIMSS_OK; l++) {
        struct lane_rx *lane = lanes_rx(broker->lanes, l);

        if (lane->kind == LANE_COMMIT)
            status = take_lane(broker, lane, busy);
    }
    return status;
}

/* In the order of asking, so that nobody starves; the first that cannot be
 * served ends the round only for memory's sake, not for other writers'. */
static void serve_waiting(struct broker *broker, bool *busy)
{
    uint64_t now = env_now_ns(broker->config.env);
    unsigned kept = 0;

    for (unsigned i = 0; i < broker->waiting_count; i++) {
        struct waiting *w = &broker->waiting[i];

        broker->patient = now - w->since_ns < AHEAD_WAIT_NS;
        if (grant(broker, w->rank, &w->entry))
            *busy = true;
        else
            broker->waiting[kept++] = *w;
    }
    broker->waiting_count = kept;
}

/* The run goes on without this broker's data; the coordinator will stop it. */
static aimss_status_t report_failure(struct broker *broker, aimss_status_t status)
{
    struct wire_message message = { .kind = WIRE_FAILED, .a = (uint64_t)(int64_t)status };

    broker->failed = true;
    message.text_bytes = (uint32_t)snprintf(message.text, sizeof message.text, "%s", error_text());
    return broker->config.net->ops->send(broker->config.net, 0, &message);
}

static aimss_status_t work(struct broker *broker, bool *busy)
{
    aimss_status_t status = take_commits(broker, busy);

    if (status == AIMSS_OK)
        status = ingest_step(broker->ingest, busy);
    if (status == AIMSS_OK)
        status = push_step(broker->push, busy);
    if (status == AIMSS_OK && broker->waiting_count > 0)
        serve_waiting(broker, busy);
    return status;
}

aimss_status_t broker_step(struct broker *broker, bool control, bool *busy)
{
    aimss_status_t status = AIMSS_OK;

    *busy = false;
    if (control)
        status = take_control(broker, busy);
    if (broker->stopped)
        return AIMSS_END;
    if (status == AIMSS_OK && !broker->failed)
        status = work(broker, busy);
    return status == AIMSS_OK ? AIMSS_OK : report_failure(broker, status);
}

unsigned broker_revoke_writer(struct broker *broker, unsigned rank)
{
    unsigned count;
    aimss_status_t status = push_revoke_writer(broker->push, rank, &count);

    if (status != AIMSS_OK)
        report_failure(broker, status);
    return count;
}

aimss_status_t broker_outcome(const struct broker *broker, const char **text)
{
    *text = broker->outcome_text;
    return broker->outcome;
}
