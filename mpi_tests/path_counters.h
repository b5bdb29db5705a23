/* path_counters.h: what goes through MPI and what is allocated, counted in the
 * process itself.
 *
 * The MPI calls that move bytes or wait for others are defined here and hand on
 * to their PMPI_ twins; malloc and its kin hand on to glibc's. An allocation
 * counts when our own code asks for it on the MPI thread: what MPI allocates
 * within its calls is not ours. Included by one program only.
 */
#ifndef AIMSS_MPI_TESTS_PATH_COUNTERS_H
#define AIMSS_MPI_TESTS_PATH_COUNTERS_H

#include <mpi.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATH_RANKS_MAX = 64 };

struct path_counters {
    uint64_t put_count, put_bytes, flush_count;
    uint64_t send_count, send_bytes;
    uint64_t bytes_to[PATH_RANKS_MAX]; /* sent or Put to that rank of the world */
    uint64_t atomics;          /* accumulates, swaps and exclusive locks */
    uint64_t collectives;      /* blocking ones */
    uint64_t after_collective; /* Put or sent after one of them */
    uint64_t other;            /* ways for bytes that nobody should take */
    uint64_t allocations;
};

static struct path_counters path;
static bool path_counts_allocations;
static __thread bool path_mpi_thread;

/* ---- one-sided */

static void path_moved(uint64_t bytes, int rank)
{
    path.bytes_to[rank] += bytes;
    path.after_collective += path.collectives > 0;
}

int MPI_Put(const void *src, int count, MPI_Datatype type, int rank, MPI_Aint at, int at_count,
            MPI_Datatype at_type, MPI_Win win)
{
    int size;

    PMPI_Type_size(type, &size);
    path.put_count++;
    path.put_bytes += (uint64_t)count * (uint64_t)size;
    path_moved((uint64_t)count * (uint64_t)size, rank);
    return PMPI_Put(src, count, type, rank, at, at_count, at_type, win);
}

int MPI_Win_flush(int rank, MPI_Win win)
{
    path.flush_count++;
    return PMPI_Win_flush(rank, win);
}

/* Calls that are only counted: name, parameters, arguments, counter. */
#define PATH_COUNTED(name, parameters, arguments, counter) \
    int MPI_##name parameters                              \
    {                                                      \
        path.counter++;                                    \
        return PMPI_##name arguments;                      \
    }

#define PATH_TARGET const void *o, int oc, MPI_Datatype ot, int r, MPI_Aint d, int c, MPI_Datatype t
PATH_COUNTED(Accumulate, (PATH_TARGET, MPI_Op op, MPI_Win w), (o, oc, ot, r, d, c, t, op, w),
             atomics)
PATH_COUNTED(Raccumulate, (PATH_TARGET, MPI_Op op, MPI_Win w, MPI_Request *q),
             (o, oc, ot, r, d, c, t, op, w, q), atomics)
PATH_COUNTED(Get_accumulate, (const void *o, int oc, MPI_Datatype ot, void *s, int sc,
                              MPI_Datatype st, int r, MPI_Aint d, int c, MPI_Datatype t, MPI_Op op,
                              MPI_Win w), (o, oc, ot, s, sc, st, r, d, c, t, op, w), atomics)
PATH_COUNTED(Fetch_and_op, (const void *o, void *s, MPI_Datatype t, int r, MPI_Aint d, MPI_Op op,
                            MPI_Win w), (o, s, t, r, d, op, w), atomics)
PATH_COUNTED(Compare_and_swap, (const void *o, const void *c, void *s, MPI_Datatype t, int r,
                                MPI_Aint d, MPI_Win w), (o, c, s, t, r, d, w), atomics)
PATH_COUNTED(Win_lock, (int type, int r, int mode, MPI_Win w), (type, r, mode, w), atomics)
PATH_COUNTED(Rput, (PATH_TARGET, MPI_Win w, MPI_Request *q), (o, oc, ot, r, d, c, t, w, q), other)
PATH_COUNTED(Get, (void *o, int oc, MPI_Datatype ot, int r, MPI_Aint d, int c, MPI_Datatype t,
                   MPI_Win w), (o, oc, ot, r, d, c, t, w), other)
PATH_COUNTED(Win_fence, (int mode, MPI_Win w), (mode, w), collectives)

/* ---- two-sided: a receive takes what a send has counted already */

static void path_sent(int count, MPI_Datatype type, int rank)
{
    int size;

    PMPI_Type_size(type, &size);
    path.send_count++;
    path.send_bytes += (uint64_t)count * (uint64_t)size;
    path_moved((uint64_t)count * (uint64_t)size, rank);
}

#define PATH_MESSAGE const void *b, int c, MPI_Datatype t, int r, int tag, MPI_Comm comm
#define PATH_SEND(name)                              \
    int MPI_##name(PATH_MESSAGE)                     \
    {                                                \
        path_sent(c, t, r);                          \
        return PMPI_##name(b, c, t, r, tag, comm);   \
    }
#define PATH_ISEND(name)                                \
    int MPI_##name(PATH_MESSAGE, MPI_Request *q)        \
    {                                                   \
        path_sent(c, t, r);                             \
        return PMPI_##name(b, c, t, r, tag, comm, q);   \
    }
PATH_SEND(Send)
PATH_SEND(Ssend)
PATH_SEND(Rsend)
PATH_SEND(Bsend)
PATH_ISEND(Isend)
PATH_ISEND(Issend)
PATH_ISEND(Irsend)
PATH_ISEND(Ibsend)

/* ---- blocking collectives, and the exchange of a shuffle, which moves bytes too */

#define PATH_PAIR const void *s, int sc, MPI_Datatype st, void *d, int dc, MPI_Datatype dt
PATH_COUNTED(Barrier, (MPI_Comm c), (c), collectives)
PATH_COUNTED(Bcast, (void *b, int n, MPI_Datatype t, int r, MPI_Comm c), (b, n, t, r, c),
             collectives)
PATH_COUNTED(Allreduce, (const void *s, void *d, int n, MPI_Datatype t, MPI_Op op, MPI_Comm c),
             (s, d, n, t, op, c), collectives)
PATH_COUNTED(Reduce, (const void *s, void *d, int n, MPI_Datatype t, MPI_Op op, int r, MPI_Comm c),
             (s, d, n, t, op, r, c), collectives)
PATH_COUNTED(Gather, (PATH_PAIR, int r, MPI_Comm c), (s, sc, st, d, dc, dt, r, c), collectives)
PATH_COUNTED(Scatter, (PATH_PAIR, int r, MPI_Comm c), (s, sc, st, d, dc, dt, r, c), collectives)
PATH_COUNTED(Allgather, (PATH_PAIR, MPI_Comm c), (s, sc, st, d, dc, dt, c), collectives)
PATH_COUNTED(Alltoall, (PATH_PAIR, MPI_Comm c), (s, sc, st, d, dc, dt, c), collectives)
PATH_COUNTED(Alltoallv, (const void *s, const int *sn, const int *sd, MPI_Datatype st, void *d,
                         const int *dn, const int *dd, MPI_Datatype dt, MPI_Comm c),
             (s, sn, sd, st, d, dn, dd, dt, c), collectives)
PATH_COUNTED(Ialltoallv, (const void *s, const int *sn, const int *sd, MPI_Datatype st, void *d,
                          const int *dn, const int *dd, MPI_Datatype dt, MPI_Comm c,
                          MPI_Request *q), (s, sn, sd, st, d, dn, dd, dt, c, q), other)

/* ---- allocation: not under a sanitizer, whose own functions these are */

#ifndef __SANITIZE_ADDRESS__
extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t count, size_t len);
extern void *__libc_realloc(void *old, size_t len);
extern void *__libc_memalign(size_t align, size_t len);
extern char __executable_start, etext;

static void path_allocated(const char *caller)
{
    path.allocations += path_counts_allocations && path_mpi_thread &&
                        caller >= &__executable_start && caller < &etext;
}

void *malloc(size_t len)
{
    path_allocated(__builtin_return_address(0));
    return __libc_malloc(len);
}

void *calloc(size_t count, size_t len)
{
    path_allocated(__builtin_return_address(0));
    return __libc_calloc(count, len);
}

void *realloc(void *old, size_t len)
{
    path_allocated(__builtin_return_address(0));
    return __libc_realloc(old, len);
}

void *aligned_alloc(size_t align, size_t len)
{
    path_allocated(__builtin_return_address(0));
    return __libc_memalign(align, len);
}
#endif

#endif
