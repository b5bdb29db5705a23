/* aimss_mpi.h: AIMSS inside a program that has MPI of its own.
 *
 * The only public header that includes mpi.h, so that programs which leave MPI
 * to the runtime need none.
 */
#ifndef AIMSS_MPI_H
#define AIMSS_MPI_H

#include <aimss.h>
#include <mpi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Collective over comm. Starts the runtime on a duplicate of comm, which must have at
 * least 3 ranks and MPI at MPI_THREAD_FUNNELED or above; the program keeps MPI.
 * Works again after aimss_runtime_destroy(). Options come from options and from
 * AIMSS_* in the environment. Errors as aimss_runtime_create(). */
aimss_status_t aimss_runtime_attach(MPI_Comm comm, const struct aimss_runtime_options *options,
                                    struct aimss_runtime **rt);

/* The communicator of the compute ranks, borrowed; MPI_COMM_NULL elsewhere. */
aimss_status_t aimss_runtime_comm(const struct aimss_runtime *rt, MPI_Comm *comm);

#ifdef __cplusplus
}
#endif

#endif
