/* mpi_net.c: the start and the end of a net over MPI; its traffic is in
 * mpi_traffic.c.
 *
 * Node-local memory: a file per rank under /dev/shm with the bell and the near
 * lanes, unlinked as soon as all peers of the node have mapped it, and the
 * brokers' arenas. Memory for far peers: an MPI_Win_allocate window with the
 * far lanes and slots, and an MPI_Win_create window over the arenas for writers
 * of other nodes. Both exist only if there is more than one node. Collectives
 * block here and nowhere else.
 */
#include "net/mpi_internal.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

aimss_status_t mpi_net_error(int code, const char *call)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int len = 0;

    if (code == MPI_SUCCESS)
        return AIMSS_OK;
    MPI_Error_string(code, text, &len);
    return error_set(AIMSS_E_MPI, "%s failed: %s", call, text);
}

static aimss_status_t check_level(void)
{
    int level = MPI_THREAD_SINGLE;

    MPI_Query_thread(&level);
    if (level < MPI_THREAD_FUNNELED)
        return error_set(AIMSS_E_MPI, "MPI gives thread level %d, but AIMSS runs threads beside "
                         "the one that calls MPI: initialise it with MPI_Init_thread("
                         "MPI_THREAD_FUNNELED) or above", level);
    return AIMSS_OK;
}

aimss_status_t mpi_net_init(int *argc, char ***argv, bool *ours)
{
    int done = 0, level = MPI_THREAD_SINGLE;

    MPI_Initialized(&done);
    if (!done)
        MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &level);
    *ours = !done;
    return check_level();
}

aimss_status_t mpi_net_check(void)
{
    int done = 0;

    MPI_Initialized(&done);
    if (!done)
        return error_set(AIMSS_E_STATE, "MPI is not initialised; call MPI_Init_thread first, or "
                         "use aimss_runtime_create, which does");
    return check_level();
}

int mpi_net_world_rank(void)
{
    int rank = 0;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}

void mpi_net_finalize(void)
{
    int done = 0;

    MPI_Finalized(&done);
    if (!done)
        MPI_Finalize();
}

/* Numbers of the machines, dense, from the lowest rank of each. */
static aimss_status_t find_nodes(struct mpi_net *m, unsigned nodes_as)
{
    int rank = (int)m->base.rank, leader = rank, local = 0;
    int *all = malloc(sizeof *all * 2 * m->base.rank_count), pair[2];
    unsigned nodes = 0;
    MPI_Comm machine;

    if (all == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the places of ranks");
    MPI_Comm_split_type(m->comm, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &machine);
    MPI_Comm_rank(machine, &local);
    MPI_Bcast(&leader, 1, MPI_INT, 0, machine);
    MPI_Comm_free(&machine);
    pair[0] = leader;
    pair[1] = local;
    MPI_Allgather(pair, 2, MPI_INT, all, 2, MPI_INT, m->comm);
    if (nodes_as == 0)
        nodes_as = 1;
    for (unsigned r = 0; r < m->base.rank_count; r++) {
        m->machine_of[r] = (unsigned)all[2 * r];
        m->node_of[r] = (unsigned)all[2 * r] * nodes_as + (unsigned)all[2 * r + 1] % nodes_as;
        nodes += r == 0 || m->node_of[r] != m->node_of[0];
    }
    m->base.has_far_peers = nodes > 1;
    free(all);
    return AIMSS_OK;
}

static unsigned place_of(const unsigned *ranks, unsigned count, unsigned rank)
{
    for (unsigned i = 0; i < count; i++)
        if (ranks[i] == rank)
            return i;
    return UINT32_MAX;
}

static void set_roles(struct mpi_net *m)
{
    struct net *net = &m->base;
    unsigned broker = place_of(m->roles.broker_ranks, m->roles.broker_count, net->rank);
    unsigned compute = place_of(m->roles.compute_ranks, m->roles.compute_count, net->rank);

    net->broker_count = m->roles.broker_count;
    net->broker_ranks = m->roles.broker_ranks;
    net->compute_count = m->roles.compute_count;
    net->compute_ranks = m->roles.compute_ranks;
    net->role_index = broker != UINT32_MAX ? broker : compute != UINT32_MAX ? compute : 0;
    MPI_Comm_split(m->comm, compute != UINT32_MAX ? 0 : MPI_UNDEFINED, (int)net->rank,
                   &m->compute_comm);
    if (m->compute_comm != MPI_COMM_NULL)
        MPI_Comm_set_errhandler(m->compute_comm, MPI_ERRORS_RETURN);
}

aimss_status_t mpi_net_create(MPI_Comm comm, const struct mpi_net_policy *policy,
                              struct mpi_net **net)
{
    struct mpi_net *m = calloc(1, sizeof *m);
    aimss_status_t status;
    int rank, size;

    if (m == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the net");
    m->comm = m->compute_comm = MPI_COMM_NULL;
    m->far_win = m->arena_win = MPI_WIN_NULL;
    m->receive_request = MPI_REQUEST_NULL;
    m->exchange_request = MPI_REQUEST_NULL;
    status = mpi_net_error(MPI_Comm_dup(comm, &m->comm), "MPI_Comm_dup");
    if (status != AIMSS_OK)
        goto fail;
    MPI_Comm_set_errhandler(m->comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(m->comm, &rank);
    MPI_Comm_size(m->comm, &size);
    m->base.ops = &mpi_net_ops;
    m->base.rank = (unsigned)rank;
    m->base.rank_count = (unsigned)size;
    m->node_of = calloc((size_t)size, sizeof *m->node_of);
    m->machine_of = calloc((size_t)size, sizeof *m->machine_of);
    m->near = calloc((size_t)size, sizeof *m->near);
    m->arenas = calloc((size_t)size, sizeof *m->arenas);
    if (m->node_of == NULL || m->machine_of == NULL || m->near == NULL || m->arenas == NULL) {
        status = error_set(AIMSS_E_NO_MEMORY, "no memory for the tables of %d ranks", size);
        goto fail;
    }
    m->base.node_of = m->node_of;
    status = find_nodes(m, policy->nodes_as);
    if (status == AIMSS_OK)
        status = roles_create((unsigned)size, m->node_of, policy->broker_count,
                              policy->brokers_per_node, &m->roles);
    if (status != AIMSS_OK)
        goto fail;
    set_roles(m);
    *net = m;
    return AIMSS_OK;

fail:
    mpi_net_destroy(m);
    return status;
}

struct agreement {
    int32_t status;
    char text[ERROR_TEXT_BYTES];
};

aimss_status_t mpi_net_agree(struct mpi_net *net, aimss_status_t status)
{
    int rank = (int)net->base.rank, mine = status == AIMSS_OK ? INT32_MAX : rank, first;
    struct agreement agreed = { .status = status };

    watchdog_enter(net->dog, "MPI_Allreduce", -1);
    MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, net->comm);
    if (first != INT32_MAX) {
        snprintf(agreed.text, sizeof agreed.text, "%s", status == AIMSS_OK ? "" : error_text());
        MPI_Bcast(&agreed, (int)sizeof agreed, MPI_BYTE, first, net->comm);
    }
    watchdog_leave(net->dog);
    if (first == INT32_MAX)
        return AIMSS_OK;
    return error_set((aimss_status_t)agreed.status, "%s", agreed.text);
}

aimss_status_t mpi_net_share(struct mpi_net *net, void *data, int len_bytes)
{
    return mpi_net_error(MPI_Bcast(data, len_bytes, MPI_BYTE, 0, net->comm), "MPI_Bcast");
}

static aimss_status_t create_near(struct mpi_net *m, const struct mpi_net_memory *memory)
{
    char name[SHM_NAME_BYTES];

    shm_name(name, memory->job, m->base.rank, "lanes");
    return shm_create(name, lane_region_bytes(LANES_MAX, 0), "fewer ranks on this node",
                      &m->near[m->base.rank]);
}

/* Maps lanes of all near peers and the arenas of near brokers. */
static aimss_status_t attach_peers(struct mpi_net *m, const struct mpi_net_memory *memory)
{
    char name[SHM_NAME_BYTES];
    aimss_status_t status = AIMSS_OK;

    for (unsigned r = 0; r < m->base.rank_count && status == AIMSS_OK; r++) {
        if (!net_is_near(&m->base, r) || r == m->base.rank)
            continue;
        shm_name(name, memory->job, r, "lanes");
        status = shm_attach(name, true, &m->near[r]);
    }
    for (unsigned b = 0; b < m->base.broker_count && status == AIMSS_OK; b++) {
        unsigned r = m->base.broker_ranks[b];

        if (!net_is_near(&m->base, r) || r == m->base.rank)
            continue;
        shm_name(name, memory->job, r, "arena");
        status = shm_attach(name, false, &m->arenas[r].shm);
        if (status == AIMSS_OK)
            shm_touch_start(&m->arenas[r].touch, m->arenas[r].shm.base,
                            m->arenas[r].shm.len_bytes);
    }
    return status;
}

static aimss_status_t create_windows(struct mpi_net *m, const struct mpi_net_memory *memory)
{
    bool compute = m->compute_comm != MPI_COMM_NULL;
    uint64_t bytes = lane_region_bytes(LANES_MAX, compute ? memory->far_slot_bytes : 0);
    void *arena = memory->arena != NULL ? memory->arena->shm.base : NULL;
    uint64_t arena_bytes = memory->arena != NULL ? memory->arena->shm.len_bytes : 0;
    aimss_status_t status;

    if (!m->base.has_far_peers)
        return AIMSS_OK;
    status = mpi_net_error(MPI_Win_allocate((MPI_Aint)bytes, 1, MPI_INFO_NULL, m->comm,
                                            &m->far_base, &m->far_win), "MPI_Win_allocate");
    if (status != AIMSS_OK)
        return status;
    memset(m->far_base, 0, (size_t)bytes); /* also the first touch */
    status = mpi_net_error(MPI_Win_create(arena, (MPI_Aint)arena_bytes, 1, MPI_INFO_NULL, m->comm,
                                          &m->arena_win), "MPI_Win_create");
    if (status != AIMSS_OK)
        return status;
    MPI_Win_set_errhandler(m->far_win, MPI_ERRORS_RETURN);
    MPI_Win_set_errhandler(m->arena_win, MPI_ERRORS_RETURN);
    /* One passive epoch for the whole run; NOCHECK: nobody locks exclusively. */
    MPI_Win_lock_all(MPI_MODE_NOCHECK, m->far_win);
    MPI_Win_lock_all(MPI_MODE_NOCHECK, m->arena_win);
    MPI_Win_sync(m->far_win);
    return AIMSS_OK;
}

aimss_status_t mpi_net_open_memory(struct mpi_net *net, const struct mpi_net_memory *memory)
{
    aimss_status_t status = watchdog_create(net->base.rank, memory->deadline_ns, &net->dog);

    net->own_arena = memory->arena;
    if (status == AIMSS_OK)
        status = shm_reserve_mapped();
    if (status == AIMSS_OK)
        status = create_near(net, memory);
    status = mpi_net_agree(net, status);
    if (status == AIMSS_OK)
        status = mpi_net_agree(net, attach_peers(net, memory));
    /* The lanes need no name any more: whatever happens now, they leave nothing behind. */
    if (net->near[net->base.rank].base != NULL)
        shm_remove(net->near[net->base.rank].name);
    if (status == AIMSS_OK)
        status = mpi_net_agree(net, create_windows(net, memory));
    if (status != AIMSS_OK)
        return status;
    net->base.bell = (struct bell *)(net->near[net->base.rank].base + lane_bell_at());
    net->base.bell->value = 1;
    return mpi_net_agree(net, mpi_net_post_receive(net));
}

struct net *mpi_net_base(struct mpi_net *net)
{
    return &net->base;
}

bool mpi_net_on_machine(const struct mpi_net *net, unsigned rank)
{
    return net->machine_of[rank] == net->machine_of[net->base.rank];
}

unsigned mpi_net_brokers_on_machine(const struct mpi_net *net)
{
    unsigned count = 0;

    for (unsigned b = 0; b < net->base.broker_count; b++)
        count += mpi_net_on_machine(net, net->base.broker_ranks[b]);
    return count;
}

MPI_Comm mpi_net_compute_comm(const struct mpi_net *net)
{
    return net->compute_comm;
}

static void free_window(MPI_Win *win)
{
    if (*win == MPI_WIN_NULL)
        return;
    MPI_Win_unlock_all(*win);
    MPI_Win_free(win);
}

void mpi_net_destroy(struct mpi_net *net)
{
    if (net == NULL)
        return;
    watchdog_enter(net->dog, "the end of the run", -1);
    mpi_net_finish_traffic(net);
    free_window(&net->arena_win);
    free_window(&net->far_win);
    if (net->compute_comm != MPI_COMM_NULL)
        MPI_Comm_free(&net->compute_comm);
    if (net->comm != MPI_COMM_NULL)
        MPI_Comm_free(&net->comm);
    watchdog_leave(net->dog);
    watchdog_destroy(net->dog);
    for (unsigned r = 0; net->near != NULL && net->arenas != NULL && r < net->base.rank_count;
         r++) {
        shm_close(&net->near[r]);
        shm_touch_stop(&net->arenas[r].touch);
        shm_touch_stop(&net->arenas[r].touch_writable);
        if (net->arenas[r].writable != NULL)
            shm_unmap_writable(&net->arenas[r].shm, net->arenas[r].writable);
        shm_close(&net->arenas[r].shm);
    }
    roles_clear(&net->roles);
    free(net->near);
    free(net->arenas);
    free(net->node_of);
    free(net->machine_of);
    free(net);
}
