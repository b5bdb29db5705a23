/* runtime.h: what an aimss_runtime is made of, and its stages, for the files of
 * this layer.
 */
#ifndef AIMSS_API_RUNTIME_H
#define AIMSS_API_RUNTIME_H

#include "base/options.h"
#include "env/env.h"
#include "mem/arena.h"
#include "net/mpi_net.h"
#include "role/broker.h"
#include "role/compute.h"
#include "role/coordinator.h"
#include "role/jobdir.h"
#include "role/pacer.h"

#include <aimss.h>

struct aimss_runtime {
    struct env *env;
    struct options *options;
    bool owns_options, owns_mpi;
    struct mpi_net *mpi;
    struct net *net;
    enum aimss_role role;
    struct jobdir *dir;              /* rank 0, if there is one */
    struct arena arena;              /* brokers */
    struct coordinator *coordinator; /* one of the three */
    struct broker *broker;
    struct compute *compute;
    unsigned workers;                /* kernel threads of this compute rank */
    struct aimss_stream *streams;    /* open handles */
    uint32_t run;
    char job[9];                     /* short id in names of shared files */
    struct aimss_runtime_options given;

    /* Rank 0, in a job: called now and again while it serves. */
    void (*tick)(void *arg, struct aimss_runtime *rt);
    void *tick_arg;
};

struct runtime_start {
    MPI_Comm comm;
    struct options *options;  /* parsed; borrowed */
    const struct aimss_runtime_options *given; /* may be NULL; stronger than options */
    const char *job_dir;      /* NULL: none */
    bool by_job;              /* inputs of the options go to the coordinator */
};

/* * Starts all that a runtime needs on a communicator. All ranks get the same
 * status; on failure nothing is left. */
aimss_status_t runtime_start(const struct runtime_start *start, struct aimss_runtime **rt);

/* * Serves (service ranks) or works until the run is over; its outcome so far. */
aimss_status_t runtime_serve(struct aimss_runtime *rt);

/* * Agrees on the outcome and frees all. MPI stays. */
aimss_status_t runtime_end(struct aimss_runtime *rt, aimss_status_t status);

/* AIMSS_OK on compute ranks, AIMSS_E_ROLE elsewhere, naming the call. */
aimss_status_t runtime_check_compute(const struct aimss_runtime *rt, const char *call);

/* When a time-out that begins now ends; UINT64_MAX: never. */
uint64_t runtime_deadline(const struct aimss_runtime *rt, uint64_t timeout_ns);

#endif
