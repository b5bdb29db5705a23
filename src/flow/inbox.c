/* inbox.c: see inbox.h.
 *
 * Buffers come from a pool that holds one for each entry that the lanes can
 * have in flight, so that nothing is allocated while data moves; only joined
 * records allocate. Released buffers return on a lock-free stack and are
 * collected by the MPI thread.
 */
#include "flow/inbox_internal.h"

#include "base/error.h"
#include "flow/join.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES_PER_STEP = 64 };

aimss_status_t inbox_create(struct net *net, struct lanes *lanes, uint64_t record_max_bytes,
                            struct inbox **inbox)
{
    struct inbox *in = calloc(1, sizeof *in);
    aimss_status_t status;

    if (in == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the inbox");
    in->net = net;
    in->lanes = lanes;
    status = joiner_create(record_max_bytes, &in->joiner);
    if (status != AIMSS_OK) {
        free(in);
        return status;
    }
    *inbox = in;
    return AIMSS_OK;
}

static void free_list(struct aimss_buffer *buffer)
{
    while (buffer != NULL) {
        struct aimss_buffer *next = buffer->next;

        free(buffer->owned);
        free(buffer);
        buffer = next;
    }
}

void inbox_destroy(struct inbox *inbox)
{
    if (inbox == NULL)
        return;
    for (unsigned r = 0; r < inbox->reader_count; r++) {
        free_list(inbox->readers[r]->first);
        free(inbox->readers[r]);
    }
    for (unsigned l = 0; l < LANES_MAX; l++)
        free(inbox->holds[l]);
    free_list(inbox->spare);
    free_list(inbox->returned);
    joiner_destroy(inbox->joiner);
    free(inbox);
}

aimss_status_t inbox_reader_open(struct inbox *inbox, const struct wire_stream *stream,
                                 unsigned consumer_group, uint32_t join,
                                 struct inbox_reader **reader)
{
    struct inbox_reader *made;

    if (inbox->reader_count == READERS_MAX)
        return error_set(AIMSS_E_LIMIT, "stream %s: %d readers are open on this rank, which is the "
                         "limit; close some", stream->name, READERS_MAX);
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a reader of %s", stream->name);
    made->stream = *stream;
    made->consumer_group = consumer_group;
    made->join = join;
    inbox->readers[inbox->reader_count++] = made;
    *reader = made;
    return AIMSS_OK;
}

void inbox_set_joining(struct inbox *inbox, bool joining)
{
    inbox->joining = joining;
}

static struct inbox_reader *find_reader(struct inbox *inbox, uint64_t stream, uint64_t group)
{
    for (unsigned r = 0; r < inbox->reader_count; r++)
        if (inbox->readers[r]->stream.id == stream && inbox->readers[r]->consumer_group == group)
            return inbox->readers[r];
    return NULL;
}

static aimss_status_t take_entry(struct inbox *inbox, struct lane_rx *lane,
                                 const struct lane_entry *entry)
{
    struct inbox_reader *reader = find_reader(inbox, entry->stream, entry->consumer_group);
    aimss_status_t status = AIMSS_OK;

    *inbox_holds(inbox, lane, entry->sequence) = 1; /* ours, until the entry is taken apart */
    if (reader != NULL && entry->kind == LANE_DATA)
        status = inbox_take_run(inbox, reader, lane, entry);
    else if (reader != NULL && entry->kind == LANE_STREAM_END)
        status = inbox_add_marker(inbox, reader, lane, entry);
    inbox_drop_hold(inbox, lane, entry->sequence);
    return status;
}

/* Entries for a reader that is leaving wait until the brokers have answered:
 * to release them would say that they were read. */
static bool must_wait(struct inbox *inbox, const struct lane_entry *entry)
{
    const struct inbox_reader *reader =
        find_reader(inbox, entry->stream, entry->consumer_group);

    if (reader == NULL)
        return inbox->joining;
    return reader->stopping && reader->stops_missing > 0;
}

/* Counts and buffers for all that a new lane can have in flight. */
static aimss_status_t prepare_lane(struct inbox *inbox, const struct lane_rx *lane)
{
    inbox->holds[lane->inbound] = calloc(1, sizeof *inbox->holds[0]);
    for (unsigned n = 0; n < LANE_ENTRIES; n++) {
        struct aimss_buffer *buffer = calloc(1, sizeof *buffer);

        if (buffer == NULL || inbox->holds[lane->inbound] == NULL) {
            free(buffer);
            return error_set(AIMSS_E_NO_MEMORY, "no memory for the buffers of a lane");
        }
        buffer->next = inbox->spare;
        inbox->spare = buffer;
    }
    return AIMSS_OK;
}

static aimss_status_t take_lane(struct inbox *inbox, struct lane_rx *lane, bool *busy)
{
    aimss_status_t status = AIMSS_OK;

    if (inbox->holds[lane->inbound] == NULL)
        status = prepare_lane(inbox, lane);
    for (unsigned n = 0; n < ENTRIES_PER_STEP && status == AIMSS_OK; n++) {
        const struct lane_entry *entry = lane_rx_peek(lane);

        if (entry == NULL || must_wait(inbox, entry))
            break;
        lane_rx_next(lane);
        status = take_entry(inbox, lane, entry);
        *busy = true;
    }
    return status;
}

static void collect_returned(struct inbox *inbox, bool *busy)
{
    struct aimss_buffer *buffer;

    if (__atomic_load_n(&inbox->returned, __ATOMIC_RELAXED) == NULL)
        return;
    buffer = __atomic_exchange_n(&inbox->returned, NULL, __ATOMIC_ACQUIRE);
    while (buffer != NULL) {
        struct aimss_buffer *next = buffer->next;

        free(buffer->owned);
        inbox_drop_hold(inbox, buffer->lane, buffer->sequence);
        buffer->owned = NULL;
        buffer->next = inbox->spare;
        inbox->spare = buffer;
        buffer = next;
        *busy = true;
    }
}

aimss_status_t inbox_step(struct inbox *inbox, bool *busy)
{
    aimss_status_t status = AIMSS_OK;

    collect_returned(inbox, busy);
    for (unsigned l = 0; l < lanes_rx_count(inbox->lanes) && status == AIMSS_OK; l++) {
        struct lane_rx *lane = lanes_rx(inbox->lanes, l);

        if (lane->kind != LANE_PUSH)
            continue;
        status = take_lane(inbox, lane, busy);
        if (status == AIMSS_OK)
            status = lane_rx_publish_credit(lane);
    }
    return status;
}

void inbox_return(struct inbox *inbox, struct aimss_buffer *buffer)
{
    struct aimss_buffer *head = __atomic_load_n(&inbox->returned, __ATOMIC_RELAXED);

    do {
        buffer->next = head;
    } while (!__atomic_compare_exchange_n(&inbox->returned, &head, buffer, true,
                                          __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    bell_ring(inbox->net->bell);
}

static struct aimss_buffer *take_first(struct inbox_reader *reader)
{
    struct aimss_buffer *first = reader->first;

    if (first == NULL)
        return NULL;
    reader->first = first->next;
    if (reader->first == NULL)
        reader->last = NULL;
    first->next = NULL;
    return first;
}

/* All of a streamlet has been handed to the application, which cannot leave any
 * of it to another reader now: only this ends the streamlet for the group. */
static aimss_status_t pass_marker(struct inbox *inbox, struct inbox_reader *reader,
                                  struct aimss_buffer *marker)
{
    struct wire_message message = { .kind = WIRE_ENDED, .a = marker->stream,
                                    .b = marker->streamlet, .c = reader->consumer_group };

    inbox_drop_hold(inbox, marker->lane, marker->sequence);
    marker->next = inbox->spare;
    inbox->spare = marker;
    return inbox->net->ops->send(inbox->net, 0, &message);
}

aimss_status_t inbox_next(struct inbox *inbox, struct inbox_reader *reader,
                          struct aimss_buffer **buffer)
{
    struct aimss_buffer *next;

    while ((next = take_first(reader)) != NULL && next->data == NULL) {
        aimss_status_t status = pass_marker(inbox, reader, next);

        if (status != AIMSS_OK)
            return status;
    }
    if (next == NULL)
        return reader->end_told ? AIMSS_END : AIMSS_TIMEOUT;
    *buffer = next;
    return AIMSS_OK;
}

/* The first entry of the lane that is not read, and how far it is. */
static void name_unread(const struct inbox_reader *reader, const struct lane_rx *lane,
                        struct wire_message *message)
{
    const struct aimss_buffer *unread = reader->first;

    while (unread != NULL && unread->lane != lane)
        unread = unread->next;
    message->c = lane == NULL ? 1 : unread != NULL ? unread->sequence : lane->next + 1;
    message->e = unread != NULL ? unread->entry_at : 0;
}

static const struct lane_rx *lane_from(const struct inbox *inbox, unsigned broker)
{
    for (unsigned l = 0; l < lanes_rx_count(inbox->lanes); l++) {
        const struct lane_rx *lane = lanes_rx(inbox->lanes, l);

        if (lane->kind == LANE_PUSH && lane->rank == broker)
            return lane;
    }
    return NULL;
}

/* Also those whose lane is not open yet: they may be about to push. */
aimss_status_t inbox_reader_stop(struct inbox *inbox, struct inbox_reader *reader)
{
    const struct net *net = inbox->net;
    aimss_status_t status = AIMSS_OK;

    reader->stopping = true;
    for (unsigned b = 0; b < net->broker_count && status == AIMSS_OK; b++) {
        struct wire_message message = { .kind = WIRE_READER_STOP, .a = reader->stream.id,
                                        .b = reader->consumer_group, .d = reader->join };

        name_unread(reader, lane_from(inbox, net->broker_ranks[b]), &message);
        status = net->ops->send(inbox->net, net->broker_ranks[b], &message);
        reader->stops_missing++;
    }
    return status;
}

bool inbox_reader_stopped(const struct inbox_reader *reader)
{
    return reader->stops_missing == 0;
}

void inbox_reader_close(struct inbox *inbox, struct inbox_reader *reader)
{
    struct aimss_buffer *buffer = reader->first;

    while (buffer != NULL) {
        struct aimss_buffer *next = buffer->next;

        inbox_return(inbox, buffer);
        buffer = next;
    }
    for (unsigned r = 0; r < inbox->reader_count; r++)
        if (inbox->readers[r] == reader)
            inbox->readers[r] = inbox->readers[--inbox->reader_count];
    free(reader);
}

void inbox_handle(struct inbox *inbox, const struct wire_message *message)
{
    struct inbox_reader *reader = find_reader(inbox, message->a, message->b);

    if (reader == NULL)
        return; /* it has left */
    if (message->kind == WIRE_READER_STOPPED)
        reader->stops_missing--;
    else
        reader->end_told = true;
}

bool inbox_unread_elsewhere(const struct inbox *inbox, const struct inbox_reader *reader)
{
    for (unsigned r = 0; r < inbox->reader_count; r++)
        if (inbox->readers[r] != reader && inbox->readers[r]->first != NULL)
            return true;
    return false;
}
