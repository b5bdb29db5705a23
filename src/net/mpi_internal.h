/* mpi_internal.h: what mpi_net.c (start, end) and mpi_traffic.c share. */
#ifndef AIMSS_NET_MPI_INTERNAL_H
#define AIMSS_NET_MPI_INTERNAL_H

#include "net/lane.h"
#include "net/mpi_net.h"
#include "net/roles.h"
#include "net/watchdog.h"

/* A control message on its way; kept until MPI is done with it. */
struct mpi_outgoing {
    MPI_Request request;
    struct mpi_outgoing *next;
    struct wire_message message;
};

/* A near broker's arena: read-only, and writable once somebody writes. */
struct mpi_near_arena {
    struct shm shm;
    char *writable;
    struct shm_touch touch, touch_writable;
};

struct mpi_net {
    struct net base;
    MPI_Comm comm, compute_comm;
    MPI_Win far_win, arena_win;
    char *far_base;
    struct roles roles;
    unsigned *node_of, *machine_of;
    struct shm *near;               /* [rank_count]; base NULL where not mapped */
    struct mpi_near_arena *arenas;  /* [rank_count] */
    struct arena *own_arena;        /* on brokers; theirs */
    struct watchdog *dog;

    MPI_Request receive_request;
    struct wire_message incoming;
    struct mpi_outgoing *outgoing, *spare;
    MPI_Request exchange_request;
    uint64_t idle_wait_ns;          /* grows while nothing comes from far peers */
};

extern const struct net_ops mpi_net_ops;

aimss_status_t mpi_net_error(int code, const char *call);
aimss_status_t mpi_net_post_receive(struct mpi_net *net);
void mpi_net_finish_traffic(struct mpi_net *net);

#endif
