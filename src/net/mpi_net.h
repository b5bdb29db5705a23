/* mpi_net.h: the net of a real job, over MPI and shared files of the node. */
#ifndef AIMSS_NET_MPI_NET_H
#define AIMSS_NET_MPI_NET_H

#include "mem/arena.h"
#include "net/net.h"

#include <mpi.h>

struct mpi_net;

/* How ranks become coordinator, brokers and compute ranks. */
struct mpi_net_policy {
    unsigned broker_count;     /* 0: one for every three compute ranks, at least one */
    unsigned brokers_per_node; /* instead: so many on each node */
    unsigned nodes_as;         /* count the ranks of one machine as so many nodes */
};

/* * Duplicates comm and finds nodes and roles. Fewer than 3 ranks, or more
 * brokers than leave a compute rank: AIMSS_E_USAGE on all ranks. */
aimss_status_t mpi_net_create(MPI_Comm comm, const struct mpi_net_policy *policy,
                              struct mpi_net **net);

/* * All ranks agree on one outcome: the lowest failed rank's status and text
 * reach everybody. Blocks; for start and end only. */
aimss_status_t mpi_net_agree(struct mpi_net *net, aimss_status_t status);

/* * Copies bytes of rank 0 to all. For the start only. */
aimss_status_t mpi_net_share(struct mpi_net *net, void *data, int len_bytes);

struct mpi_net_memory {
    const char *job;          /* short id in the names of shared files */
    uint64_t far_slot_bytes;  /* of a compute rank */
    struct arena *arena;      /* the own one, on brokers */
    uint64_t deadline_ns;     /* of a blocking MPI call */
};

/* * Creates the regions of all ranks and maps those of the node. */
aimss_status_t mpi_net_open_memory(struct mpi_net *net, const struct mpi_net_memory *memory);

struct net *mpi_net_base(struct mpi_net *net);
/* Whether a rank runs on this rank's machine, whatever --nodes-as says. */
bool mpi_net_on_machine(const struct mpi_net *net, unsigned rank);
unsigned mpi_net_brokers_on_machine(const struct mpi_net *net);
MPI_Comm mpi_net_compute_comm(const struct mpi_net *net);

/* * Frees windows and communicators; blocks until all ranks are here. */
void mpi_net_destroy(struct mpi_net *net);

/* MPI_Init with FUNNELED unless the program has; *ours says who finalises. */
aimss_status_t mpi_net_init(int *argc, char ***argv, bool *ours);
/* The same of a program that must have initialised MPI already. */
aimss_status_t mpi_net_check(void);
int mpi_net_world_rank(void);
void mpi_net_finalize(void);

#endif
