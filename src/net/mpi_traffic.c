/* mpi_traffic.c: Put, control messages, bells and exchanges over MPI.
 *
 * Everything here runs on the rank's MPI thread. Only flush may block, and the
 * watchdog looks at it. Control messages wait in one posted receive; sends are
 * kept until MPI has finished with them.
 */
#include "net/mpi_internal.h"

#include "base/error.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONTROL_TAG = 1,
    WAIT_LONGEST_NS = 20 * 1000 * 1000,      /* cap of a futex wait */
    FAR_WAIT_FIRST_NS = 20 * 1000,           /* far peers ring no bell: look again soon, */
    FAR_WAIT_LONGEST_NS = 64 * 1000 * 1000,  /* then ever more rarely */
    EXCHANGE_WAIT_NS = 200 * 1000
};

static struct mpi_net *self(struct net *net)
{
    return (struct mpi_net *)net;
}

static char *map_arena(struct mpi_net *m, unsigned rank, bool writable)
{
    struct mpi_near_arena *arena = &m->arenas[rank];

    if (rank == m->base.rank)
        return m->own_arena != NULL ? m->own_arena->shm.base : NULL;
    if (!writable || arena->shm.base == NULL)
        return arena->shm.base;
    if (arena->writable == NULL) {
        if (shm_map_writable(&arena->shm, &arena->writable) != AIMSS_OK)
            return NULL;
        shm_touch_start(&arena->touch_writable, arena->writable, arena->shm.len_bytes);
    }
    return arena->writable;
}

static char *net_map(struct net *net, unsigned rank, enum net_region region)
{
    struct mpi_net *m = self(net);

    switch (region) {
    case NET_REGION_NEAR:
        return m->near[rank].base;
    case NET_REGION_FAR:
        return rank == net->rank ? m->far_base : NULL;
    case NET_REGION_ARENA:
        return map_arena(m, rank, false);
    default:
        return map_arena(m, rank, true);
    }
}

static MPI_Win window(struct mpi_net *m, enum net_region region)
{
    return region == NET_REGION_FAR ? m->far_win : m->arena_win;
}

static aimss_status_t net_put(struct net *net, unsigned rank, enum net_region region,
                              uint64_t offset, const void *src, uint64_t len_bytes)
{
    int len = (int)len_bytes;

    assert(len_bytes <= INT_MAX);
    net->put_count++;
    net->put_bytes += len_bytes;
    return mpi_net_error(MPI_Put(src, len, MPI_BYTE, (int)rank, (MPI_Aint)offset, len, MPI_BYTE,
                                 window(self(net), region)), "MPI_Put");
}

static aimss_status_t net_flush(struct net *net, unsigned rank, enum net_region region)
{
    struct mpi_net *m = self(net);
    int code;

    net->flush_count++;
    watchdog_enter(m->dog, "MPI_Win_flush", (int)rank);
    code = MPI_Win_flush((int)rank, window(m, region));
    watchdog_leave(m->dog);
    return mpi_net_error(code, "MPI_Win_flush");
}

static struct mpi_outgoing *take_outgoing(struct mpi_net *m)
{
    struct mpi_outgoing *out = m->spare;

    if (out != NULL)
        m->spare = out->next;
    else
        out = malloc(sizeof *out);
    return out;
}

static void collect_sent(struct mpi_net *m)
{
    struct mpi_outgoing **link = &m->outgoing;

    while (*link != NULL) {
        struct mpi_outgoing *out = *link;
        int done = 0;

        MPI_Test(&out->request, &done, MPI_STATUS_IGNORE);
        if (!done) {
            link = &out->next;
            continue;
        }
        *link = out->next;
        out->next = m->spare;
        m->spare = out;
    }
}

static aimss_status_t net_send(struct net *net, unsigned rank, const struct wire_message *message)
{
    struct mpi_net *m = self(net);
    struct mpi_outgoing *out;
    size_t len = offsetof(struct wire_message, text) + message->text_bytes;
    aimss_status_t status;

    collect_sent(m);
    out = take_outgoing(m);
    if (out == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a control message");
    memcpy(&out->message, message, len);
    out->message.version = WIRE_VERSION;
    out->message.from = net->rank;
    net->send_count++;
    status = mpi_net_error(MPI_Isend(&out->message, (int)len, MPI_BYTE, (int)rank, CONTROL_TAG,
                                     m->comm, &out->request), "MPI_Isend");
    out->next = m->outgoing;
    m->outgoing = out;
    if (net_is_near(net, rank))
        net->ops->ring(net, rank);
    return status;
}

aimss_status_t mpi_net_post_receive(struct mpi_net *net)
{
    return mpi_net_error(MPI_Irecv(&net->incoming, (int)sizeof net->incoming, MPI_BYTE,
                                   MPI_ANY_SOURCE, CONTROL_TAG, net->comm,
                                   &net->receive_request), "MPI_Irecv");
}

static bool net_receive(struct net *net, struct wire_message *message)
{
    struct mpi_net *m = self(net);
    int done = 0;

    if (m->outgoing != NULL)
        collect_sent(m);
    if (m->receive_request == MPI_REQUEST_NULL)
        return false;
    MPI_Test(&m->receive_request, &done, MPI_STATUS_IGNORE);
    if (!done)
        return false;
    assert(m->incoming.version == WIRE_VERSION && m->incoming.text_bytes <= WIRE_TEXT_BYTES);
    memcpy(message, &m->incoming,
           offsetof(struct wire_message, text) + m->incoming.text_bytes);
    m->idle_wait_ns = 0;
    mpi_net_post_receive(m);
    return true;
}

static void net_ring(struct net *net, unsigned rank)
{
    struct mpi_net *m = self(net);

    if (m->near[rank].base != NULL)
        bell_ring((struct bell *)(m->near[rank].base + lane_bell_at()));
}

/* Messages that MPI still has to move need calls, not sleep. Far peers ring no
 * bell, and over TCP their Puts and flushes need calls here too: the wait grows
 * to a sixteenth of the time that nothing has happened, and so delays little. */
static void net_wait(struct net *net, uint64_t timeout_ns)
{
    struct mpi_net *m = self(net);
    uint64_t longest = WAIT_LONGEST_NS;

    if (m->exchange_request != MPI_REQUEST_NULL || m->outgoing != NULL)
        longest = EXCHANGE_WAIT_NS;
    else if (net->has_far_peers) {
        m->idle_wait_ns += m->idle_wait_ns == 0 ? FAR_WAIT_FIRST_NS : m->idle_wait_ns / 16;
        if (m->idle_wait_ns > FAR_WAIT_LONGEST_NS)
            m->idle_wait_ns = FAR_WAIT_LONGEST_NS;
        longest = m->idle_wait_ns;
    }
    bell_wait(net->bell, timeout_ns < longest ? timeout_ns : longest);
}

static void net_woken(struct net *net)
{
    self(net)->idle_wait_ns = 0;
}

static aimss_status_t net_alltoall(struct net *net, const uint64_t *send, uint64_t *recv,
                                   unsigned width_words)
{
    struct mpi_net *m = self(net);

    return mpi_net_error(MPI_Ialltoall(send, (int)width_words, MPI_UINT64_T, recv,
                                       (int)width_words, MPI_UINT64_T, m->compute_comm,
                                       &m->exchange_request), "MPI_Ialltoall");
}

static aimss_status_t net_alltoallv(struct net *net, const char *send, const int *send_bytes,
                                    const int *send_at, char *recv, const int *recv_bytes,
                                    const int *recv_at)
{
    struct mpi_net *m = self(net);

    return mpi_net_error(MPI_Ialltoallv(send, send_bytes, send_at, MPI_BYTE, recv, recv_bytes,
                                        recv_at, MPI_BYTE, m->compute_comm,
                                        &m->exchange_request), "MPI_Ialltoallv");
}

static aimss_status_t net_exchange_done(struct net *net, bool *done)
{
    struct mpi_net *m = self(net);
    int flag = 0, code = MPI_Test(&m->exchange_request, &flag, MPI_STATUS_IGNORE);

    *done = flag != 0;
    return mpi_net_error(code, "MPI_Test of an exchange");
}

void mpi_net_finish_traffic(struct mpi_net *net)
{
    if (net->receive_request != MPI_REQUEST_NULL) {
        MPI_Cancel(&net->receive_request);
        MPI_Wait(&net->receive_request, MPI_STATUS_IGNORE);
    }
    while (net->outgoing != NULL) {
        collect_sent(net);
        sched_yield();
    }
    while (net->spare != NULL) {
        struct mpi_outgoing *next = net->spare->next;

        free(net->spare);
        net->spare = next;
    }
}

const struct net_ops mpi_net_ops = {
    .map = net_map,
    .put = net_put,
    .flush = net_flush,
    .send = net_send,
    .receive = net_receive,
    .ring = net_ring,
    .wait = net_wait,
    .woken = net_woken,
    .alltoall = net_alltoall,
    .alltoallv = net_alltoallv,
    .exchange_done = net_exchange_done,
};
