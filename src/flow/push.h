/* push.h: a broker's streams and who consumes them: what is accepted goes out.
 *
 * Groups with something new queue at their consumer; each pass sends runs of
 * them through its push lane, near as descriptors, far with their bytes. A run
 * counts as consumed when the consumer's credit has passed it; when all
 * consumer groups are past a segment, it is free. Markers (end, revoke) travel
 * in the same lane, so that nothing overtakes them. MPI thread only; no MPI in
 * here: all goes through net and lanes.
 */
#ifndef AIMSS_FLOW_PUSH_H
#define AIMSS_FLOW_PUSH_H

#include "net/lanes.h"
#include "store/groups.h"

struct push;

aimss_status_t push_create(struct net *net, struct lanes *lanes, struct groups *groups,
                           struct push **push);
void push_destroy(struct push *push);

/* What the coordinator says. Unknown streams: AIMSS_E_NOT_FOUND. */
aimss_status_t push_stream_new(struct push *push, const struct wire_stream *stream);
const struct wire_stream *push_stream(const struct push *push, uint32_t stream);
aimss_status_t push_group_new(struct push *push, const struct wire_message *message);
aimss_status_t push_assign(struct push *push, const struct wire_message *message);
aimss_status_t push_revoke(struct push *push, const struct wire_message *message);
aimss_status_t push_reader_stop(struct push *push, const struct wire_message *message);
/* No writer opens a group of the stream after this. */
aimss_status_t push_seal(struct push *push, uint32_t stream);

/* What writers do, and the broker's own ingestion. */
aimss_status_t push_open_group(struct push *push, const struct group_request *request,
                               struct group **group);
/* flags: LANE_RECORD_OPEN, LANE_FRAGMENTS. */
aimss_status_t push_accept(struct push *push, struct group *group, uint64_t from, uint64_t to,
                           uint8_t flags);
void push_close_group(struct push *push, struct group *group);

/* A group needs a segment and gets none: if it is a record larger than the memory
 * that waits for its rest, what its readers have of it goes. Such a record passes,
 * but none of its readers may leave in the middle of it. */
void push_let_go(struct push *push, struct group *group);

/* Revokes the leases of a compute rank's writers: its open groups end at what
 * is accepted. *count: how many there were. */
aimss_status_t push_revoke_writer(struct push *push, unsigned rank, unsigned *count);

/* Streamlets of a stream that live on this broker: [first, end). */
void push_own_streamlets(const struct push *push, const struct wire_stream *stream,
                         uint32_t *first, uint32_t *end);

/* Accepted and not yet consumed, of a streamlet; UINT64_MAX: nobody consumes it. */
uint64_t push_backlog_bytes(const struct push *push, uint32_t stream, uint32_t streamlet);

/* One pass over all consumers. *busy: something moved. */
aimss_status_t push_step(struct push *push, bool *busy);

/* The broker, by number, of a streamlet: blocks of streamlets, in order. */
static inline unsigned push_broker_of(uint32_t streamlet, uint32_t streamlet_count,
                                      unsigned broker_count)
{
    return (unsigned)((uint64_t)streamlet * broker_count / streamlet_count);
}

#endif
