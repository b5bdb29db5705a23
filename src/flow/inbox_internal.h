/* inbox_internal.h: what inbox.c (lanes, readers) and inbox_run.c (runs into
 * buffers) share.
 */
#ifndef AIMSS_FLOW_INBOX_INTERNAL_H
#define AIMSS_FLOW_INBOX_INTERNAL_H

#include "flow/inbox.h"

enum { READERS_MAX = 64 };

struct inbox_reader {
    struct wire_stream stream;
    unsigned consumer_group;
    uint32_t join;          /* the coordinator's number of this joining */
    bool stopping, end_told;
    unsigned stops_missing;
    struct aimss_buffer *first, *last;
};

/* How many buffers still hold an entry. */
struct lane_holds {
    uint16_t holds[LANE_ENTRIES];
};

struct inbox {
    struct net *net;
    struct lanes *lanes;
    struct joiner *joiner;
    struct lane_holds *holds[LANES_MAX];
    struct aimss_buffer *spare;
    struct aimss_buffer *returned; /* shared with other threads */
    bool joining;
    unsigned reader_count;
    struct inbox_reader *readers[READERS_MAX];
};

/* A buffer from the pool; NULL without memory. */
struct aimss_buffer *inbox_take_spare(struct inbox *inbox);

uint16_t *inbox_holds(struct inbox *inbox, const struct lane_rx *lane, uint64_t sequence);
void inbox_drop_hold(struct inbox *inbox, struct lane_rx *lane, uint64_t sequence);

/* Buffers of a run, and the end of a streamlet behind them, in the reader's queue. */
aimss_status_t inbox_take_run(struct inbox *inbox, struct inbox_reader *reader,
                              struct lane_rx *lane, const struct lane_entry *entry);
aimss_status_t inbox_add_marker(struct inbox *inbox, struct inbox_reader *reader,
                                struct lane_rx *lane, const struct lane_entry *entry);

#endif
