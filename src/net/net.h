/* net.h: what moves between ranks. The only layer that knows MPI.
 *
 * Three kinds of traffic, none of which blocks but a flush:
 *   - memory regions of other ranks, mapped (same node) or written by Put,
 *   - control messages: small, two-sided, in order between two ranks,
 *   - exchanges among the compute ranks: non-blocking all-to-alls.
 * One table (net_ops) stands before it, so that the simulator runs the same
 * state machines. All calls come from the rank's one MPI thread; only
 * net->bell may be rung by others.
 */
#ifndef AIMSS_NET_NET_H
#define AIMSS_NET_NET_H

#include "env/bell.h"
#include "net/wire.h"
#include <aimss/types.h>
#include <stdbool.h>

struct net;

/* Memory of a rank that others reach. */
enum net_region {
    NET_REGION_NEAR = 0, /* bell, lanes, credits: for ranks of the node */
    NET_REGION_FAR = 1,  /* lanes, credits, slots: for ranks of other nodes */
    NET_REGION_ARENA = 2, /* a broker's arena, mapped read-only (its own: writable) */
    NET_REGION_SEGMENTS = 3 /* the same for writers: mapped writable, Put from other nodes */
};

struct net_ops {
    /* Address of a rank's region in this process, or NULL where it is not
     * mapped. Its own regions are always mapped. */
    char *(*map)(struct net *net, unsigned rank, enum net_region region);

    /* One-sided write; visible after flush, in no order before. src must stay
     * as it is until then. */
    aimss_status_t (*put)(struct net *net, unsigned rank, enum net_region region,
                          uint64_t offset, const void *src, uint64_t len_bytes);
    aimss_status_t (*flush)(struct net *net, unsigned rank, enum net_region region);

    /* Queues a message; never blocks. The receiver's bell is rung if near. */
    aimss_status_t (*send)(struct net *net, unsigned rank, const struct wire_message *message);
    bool (*receive)(struct net *net, struct wire_message *message);

    /* Rings a near rank's bell; nothing for a far one. */
    void (*ring)(struct net *net, unsigned rank);

    /* Waits for the own bell, timeout_ns at most, less where far peers exist.
     * The caller has armed the bell and looked again. */
    void (*wait)(struct net *net, uint64_t timeout_ns);

    /* Something was found to do: the next wait starts short again. */
    void (*woken)(struct net *net);

    /* Exchanges among the compute ranks; one at a time, all take part in the
     * same order. Buffers stay untouched until exchange_done says so.
     * alltoall: width words to each rank. alltoallv: counts and displacements
     * in bytes, each sum below 2 GiB. */
    aimss_status_t (*alltoall)(struct net *net, const uint64_t *send, uint64_t *recv,
                               unsigned width_words);
    aimss_status_t (*alltoallv)(struct net *net, const char *send, const int *send_bytes,
                                const int *send_at, char *recv, const int *recv_bytes,
                                const int *recv_at);
    aimss_status_t (*exchange_done)(struct net *net, bool *done);
};

struct net {
    const struct net_ops *ops;
    unsigned rank, rank_count;
    const unsigned *node_of;       /* of each rank: number of its node, counted from 0 */
    unsigned broker_count, compute_count;
    const unsigned *broker_ranks;  /* [broker_count], ascending */
    const unsigned *compute_ranks; /* [compute_count], ascending */
    unsigned role_index;           /* this rank's place in the one that it is in */
    bool has_far_peers;
    struct bell *bell;             /* the own one */
    /* Path counters: what tests look at to see which way bytes went. */
    uint64_t put_count, put_bytes, flush_count, send_count;
};

static inline bool net_is_near(const struct net *net, unsigned rank)
{
    return net->node_of[rank] == net->node_of[net->rank];
}

#endif
