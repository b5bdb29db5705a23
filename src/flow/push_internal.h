/* push_internal.h: what push.c (streams) and push_send.c (sending) share. */
#ifndef AIMSS_FLOW_PUSH_INTERNAL_H
#define AIMSS_FLOW_PUSH_INTERNAL_H

#include "flow/push.h"

enum { STREAMS_MAX = 256 };

/* How a streamlet feeds one consumer group. */
enum feed_state {
    FEED_OFF = 0,      /* nobody consumes */
    FEED_ON = 1,
    FEED_CLOSING = 2,  /* to be revoked; a record that is no longer here whole goes on to its end */
    FEED_REVOKING = 3  /* the marker is on its way; nothing is pushed */
};

struct feed {
    enum feed_state state;
    bool ended;               /* the end marker is written */
    struct consumer *consumer;
    uint64_t consumed_bytes;
};

struct streamlet {
    struct push_stream *stream;
    uint32_t number;
    struct group *groups, *groups_last; /* in the order of their opening */
    uint64_t accepted_bytes;
    struct feed feeds[CONSUMER_GROUPS_MAX];
};

/* The last joining of a rank that has left: an assignment for it, or for an
 * earlier one, was overtaken by the leaving and must not feed anybody. */
struct push_stop {
    unsigned rank, consumer_group;
    uint32_t join;
};
enum { STOPS_MAX = 64 };

struct push_stream {
    struct wire_stream info;
    bool sealed;
    unsigned stop_count;
    struct push_stop stops[STOPS_MAX];
    unsigned consumer_groups;
    uint32_t first, count;
    struct streamlet streamlets[]; /* those that live here */
};

/* What a lane entry stands for until its credit comes back. */
struct in_flight {
    uint8_t kind;            /* enum lane_entry_kind; 0: taken back, counts for nothing */
    uint8_t consumer_group;
    struct streamlet *streamlet;
    struct group *group;
    uint64_t from, to;
    uint64_t record_from;    /* where the record begins that from lies in; from if in none */
    uint64_t keep;           /* the same of to */
};

struct marker {
    uint8_t kind, consumer_group;
    struct streamlet *streamlet;
};

/* One compute rank, as this broker feeds it. */
struct consumer {
    unsigned rank;
    struct lane_tx *tx;            /* NULL until the lane is open */
    uint64_t credited;             /* entries whose credit was handled */
    struct group *ready[CONSUMER_GROUPS_MAX], *ready_last[CONSUMER_GROUPS_MAX];
    unsigned marker_first, marker_count, marker_room;
    struct marker *markers;        /* [marker_room]: a ring that grows; one a streamlet at most */
    struct in_flight flight[LANE_ENTRIES];
};

struct push {
    struct net *net;
    struct lanes *lanes;
    struct groups *groups;
    struct consumer **consumers;   /* [rank_count]; NULL: never fed */
    struct consumer **active;      /* [consumer_count], those that were fed */
    unsigned consumer_count;
    struct streamlet *last_streamlet;
    unsigned stream_count;
    struct push_stream *streams[STREAMS_MAX];
};

struct push_stream *push_find_stream(const struct push *push, uint32_t id);
struct streamlet *push_streamlet(struct push *push, const struct group *group);
struct consumer *push_consumer(struct push *push, unsigned rank);
void push_enqueue(struct streamlet *streamlet, struct group *group, unsigned consumer_group);
void push_trim(struct push *push, struct streamlet *streamlet, struct group *group);
aimss_status_t push_check_end(struct push *push, struct streamlet *streamlet);
/* The cursor goes back to a record's beginning; what was pushed behind it counts
 * for nothing when its credit comes. */
bool push_may_go_back(const struct group *group, uint64_t to);
void push_go_back(struct streamlet *streamlet, struct group *group, unsigned consumer_group,
                  uint64_t to);
void push_void_entries(struct consumer *consumer, uint32_t stream, unsigned consumer_group);
aimss_status_t push_check_closed(struct push *push, struct streamlet *streamlet,
                                 unsigned consumer_group);
aimss_status_t push_marker(struct push *push, struct streamlet *streamlet,
                           unsigned consumer_group, enum lane_entry_kind kind);
aimss_status_t push_report_revoked(struct push *push, struct streamlet *streamlet,
                                   unsigned consumer_group);

#endif
