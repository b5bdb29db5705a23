/* groups.h: the groups of one broker: leases, accepted positions, segments.
 *
 * A group is a chain of segments that one writer appends to under one lease.
 * The broker grants segments, accepts ranges that follow what it has accepted
 * already, under the current lease only, and frees segments from the front
 * once everybody is past them. What must survive lies in the arena; cursors of
 * consumers and links are process memory. MPI thread only.
 */
#ifndef AIMSS_STORE_GROUPS_H
#define AIMSS_STORE_GROUPS_H

#include "log/format.h"
#include "mem/arena.h"
#include "store/segments.h"
#include <aimss/types.h>
#include <stdbool.h>

enum {
    CONSUMER_GROUPS_MAX = 4,   /* of one stream */
    GROUP_FULL_SEGMENTS = 16,  /* a writer moves to a new group after so many full ones */
    GROUP_SLOT_BITS = 22       /* of a group's id; the rest is the broker */
};

enum group_state {
    GROUP_FREE = 0,
    GROUP_OPEN = 1,    /* its writer may commit */
    GROUP_CLOSED = 2,  /* complete at its accepted position */
    GROUP_REVOKED = 3  /* sealed at it; its bytes rest until the writer is certainly dead */
};

/* Where one consumer group stands in a group. */
struct group_cursor {
    uint64_t pushed, consumed;
    bool open;    /* what was pushed ends within a record, */
    uint64_t record_from; /* which begins here */
    uint64_t keep; /* what was consumed from here on is a part of a record: it may go out again */
    struct group *ready_next; /* in its consumer's queue of groups with something to push */
    bool queued;
};

struct group {
    uint32_t id, slot, lease;
    uint32_t stream, streamlet, writer, writer_rank;
    enum group_state state;
    uint32_t segment_first, segment_count;
    uint64_t accepted;
    uint32_t open_segments;                   /* bit by chain place: ends within a record */
    uint32_t fragment_segments;               /* the same: holds fragments */
    struct arena_segment *chain;              /* [ARENA_CHAIN_SEGMENTS] */
    struct group *previous, *next;            /* of the same writer and streamlet */
    struct group *streamlet_next, *streamlet_prev;
    struct group_cursor cursors[CONSUMER_GROUPS_MAX];
};

struct groups;

/* broker: this broker's number, which its group ids carry. */
aimss_status_t groups_create(struct arena *arena, unsigned broker, struct groups **groups);
void groups_destroy(struct groups *groups);

struct group_request {
    uint32_t stream, streamlet, writer, writer_rank;
    struct group *previous; /* NULL: the writer's first in this streamlet */
};

/* Opens a group without segments under a new lease. AIMSS_E_LIMIT without a
 * text when the table is full (the caller waits). */
aimss_status_t groups_open(struct groups *groups, const struct group_request *request,
                           struct group **group);

/* The open or sealed group with that id and lease, or NULL. */
struct group *groups_find(struct groups *groups, uint32_t id, uint32_t lease);

/* Appends a segment; false when there is no memory now. */
bool groups_extend(struct groups *groups, struct group *group, uint64_t len_bytes);

/* The same with what memory allows: most_bytes, or its part of what is free when
 * that is less, so that each open group finds a next segment and no writer
 * waits for memory that idle groups hold; least_bytes at least. */
bool groups_extend_within(struct groups *groups, struct group *group, uint64_t least_bytes,
                          uint64_t most_bytes);

/* Accepts a range that lies in one segment and begins where the accepted part
 * ends (or at the start of a later segment). AIMSS_E_REVOKED under a revoked
 * lease, AIMSS_E_INVALID if it does not fit; both change nothing. */
aimss_status_t groups_accept(struct groups *groups, struct group *group, uint64_t from,
                             uint64_t to);

void groups_close_lease(struct groups *groups, struct group *group);
void groups_revoke(struct groups *groups, struct group *group);

/* A run of accepted bytes in one segment at position *from (moved on to the
 * next segment if its own is exhausted); 0 if there is nothing. */
uint64_t group_run(const struct group *group, uint64_t *from, uint64_t *place);

/* Whether the accepted part of a segment ends within a record that is larger
 * than a chunk: told by the writer with each range, since a broker reads none. */
static inline void group_mark_open(struct group *group, uint64_t position, bool open)
{
    uint32_t bit = 1u << position_segment(position) % ARENA_CHAIN_SEGMENTS;

    group->open_segments = open ? group->open_segments | bit : group->open_segments & ~bit;
}

/* Whether a segment holds fragments of such records at all. */
static inline void group_mark_fragments(struct group *group, uint64_t position)
{
    group->fragment_segments |= 1u << position_segment(position) % ARENA_CHAIN_SEGMENTS;
}

static inline bool group_has_fragments(const struct group *group, uint64_t position)
{
    return (group->fragment_segments >> position_segment(position) % ARENA_CHAIN_SEGMENTS & 1) != 0;
}

static inline bool group_is_open(const struct group *group, uint64_t position)
{
    return (group->open_segments >> position_segment(position) % ARENA_CHAIN_SEGMENTS & 1) != 0;
}

/* Nothing accepted lies behind that position. */
static inline bool group_drained(const struct group *group, uint64_t position)
{
    return position >= group->accepted;
}

/* Frees the segments before floor; the whole group if it is closed and floor
 * has reached its end (returns true: the group is gone). */
bool groups_trim(struct groups *groups, struct group *group, uint64_t floor);

/* The writer of a revoked group is certainly dead: its memory may be used. */
void groups_writer_dead(struct groups *groups, struct group *group);

struct segments *groups_segments(struct groups *groups);

#endif
