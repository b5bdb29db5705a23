/* runtime.c: starting and ending a runtime. See runtime.h and aimss.h. */
#include "api/runtime.h"

#include "base/error.h"
#include "mem/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_NS = 100 * 1000 * 1000 };

/* What rank 0 decides for all. */
struct shared_start {
    uint8_t uuid[16];
    uint32_t run;
};

static uint64_t setting(const struct runtime_start *start, uint64_t given, const char *name)
{
    return given != 0 ? given : options_number(start->options, name);
}

static void policy_of(const struct runtime_start *start, const struct aimss_runtime_options *given,
                      struct mpi_net_policy *policy)
{
    *policy = (struct mpi_net_policy){
        .broker_count = (unsigned)setting(start, given->broker_count, "brokers"),
        .brokers_per_node = (unsigned)setting(start, given->brokers_per_node, "brokers-per-node"),
        .nodes_as = (unsigned)setting(start, given->nodes_as, "nodes-as")
    };
}

static enum aimss_role role_of(const struct net *net, unsigned rank)
{
    if (rank == 0)
        return AIMSS_ROLE_COORDINATOR;
    for (unsigned b = 0; b < net->broker_count; b++)
        if (net->broker_ranks[b] == rank)
            return AIMSS_ROLE_BROKER;
    return AIMSS_ROLE_COMPUTE;
}

/* Rank 0 takes the job directory, and everybody learns whether it could. */
static aimss_status_t share_identity(struct aimss_runtime *rt, const struct runtime_start *start,
                                     struct shared_start *shared)
{
    aimss_status_t status = AIMSS_OK;

    if (rt->role == AIMSS_ROLE_COORDINATOR && start->job_dir != NULL)
        status = jobdir_open(start->job_dir, start->options, &rt->dir);
    status = mpi_net_agree(rt->mpi, status);
    if (status != AIMSS_OK)
        return status;
    for (unsigned i = 0; i < sizeof shared->uuid; i++)
        shared->uuid[i] = (uint8_t)rt->env->ops->random(rt->env);
    shared->run = rt->dir != NULL ? jobdir_run(rt->dir) : 1;
    status = mpi_net_share(rt->mpi, shared, (int)sizeof *shared);
    rt->run = shared->run;
    snprintf(rt->job, sizeof rt->job, "%02x%02x%02x%02x", shared->uuid[0], shared->uuid[1],
             shared->uuid[2], shared->uuid[3]);
    return status;
}

static aimss_status_t open_arena(struct aimss_runtime *rt, const struct runtime_start *start,
                                 const struct shared_start *shared)
{
    struct arena_identity identity = { .run = shared->run, .rank = rt->net->rank };
    uint64_t bytes = setting(start, rt->given.arena_bytes, "arena");
    char name[SHM_NAME_BYTES];
    aimss_status_t status;

    if (rt->role != AIMSS_ROLE_BROKER)
        return AIMSS_OK;
    if (bytes == 0)
        bytes = arena_default_bytes(mpi_net_brokers_on_machine(rt->mpi));
    memcpy(identity.job_uuid, shared->uuid, sizeof identity.job_uuid);
    shm_name(name, rt->job, rt->net->rank, "arena");
    status = arena_create(name, bytes, &identity, &rt->arena);
    if (status == AIMSS_OK)
        arena_touch(&rt->arena);
    return status;
}

static aimss_status_t open_memory(struct aimss_runtime *rt, const struct runtime_start *start)
{
    struct mpi_net_memory memory = {
        .job = rt->job,
        .far_slot_bytes = options_number(start->options, "slots"),
        .arena = rt->role == AIMSS_ROLE_BROKER ? &rt->arena : NULL,
        .deadline_ns = setting(start, rt->given.deadline_ns, "deadline")
    };

    return mpi_net_open_memory(rt->mpi, &memory);
}

static aimss_status_t open_coordinator(struct aimss_runtime *rt, const struct runtime_start *start)
{
    struct coordinator_config config = { .env = rt->env, .net = rt->net };

    config.job_dir = start->job_dir;
    if (start->by_job)
        config.inputs = options_list(start->options, "input", &config.input_count);
    return coordinator_create(&config, &rt->coordinator);
}

static aimss_status_t open_role(struct aimss_runtime *rt, const struct runtime_start *start)
{
    uint64_t record_max = setting(start, rt->given.record_max_bytes, "record-max");

    if (rt->role == AIMSS_ROLE_COORDINATOR)
        return open_coordinator(rt, start);
    if (rt->role == AIMSS_ROLE_BROKER) {
        struct broker_config config = {
            .env = rt->env, .net = rt->net, .arena = &rt->arena,
            .io_threads = (unsigned)options_number(start->options, "io-threads"),
            .record_max_bytes = record_max
        };

        return broker_create(&config, &rt->broker);
    }
    struct compute_config config = { .env = rt->env, .net = rt->net,
                                     .record_max_bytes = record_max,
                                     .slot_bytes = options_number(start->options, "slots") };

    return compute_create(&config, &rt->compute);
}

/* The ranks of this machine by role; how many of them compute. */
static unsigned machine_roles(const struct aimss_runtime *rt, enum aimss_role *roles,
                              struct topology_ranks *ranks)
{
    unsigned computing = 0;

    *ranks = (struct topology_ranks){ .roles = roles };
    for (unsigned r = 0; r < rt->net->rank_count; r++) {
        if (!mpi_net_on_machine(rt->mpi, r))
            continue;
        if (r == rt->net->rank)
            ranks->self = ranks->count;
        roles[ranks->count] = role_of(rt->net, r);
        computing += roles[ranks->count++] == AIMSS_ROLE_COMPUTE;
    }
    return computing;
}

/* Where this rank's threads run, and how many kernel threads it has: its share
 * of the cores that brokers leave, when not told. */
static aimss_status_t place_threads(struct aimss_runtime *rt, const struct runtime_start *start)
{
    enum aimss_role *roles = calloc(rt->net->rank_count, sizeof *roles);
    struct topology *topology = NULL;
    struct topology_ranks ranks;
    unsigned computing, cores;

    if (roles == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the roles of this machine");
    rt->workers = (unsigned)options_number(start->options, "workers");
    computing = machine_roles(rt, roles, &ranks);
    if (topology_create(&topology) == AIMSS_OK) {
        bool bound = topology_bind(topology, &ranks);

        cores = bound ? topology_own_core_count(topology)
                      : topology_core_count(topology) / (computing > 0 ? computing : 1);
        if (rt->workers == 0)
            rt->workers = cores;
    }
    if (rt->workers == 0)
        rt->workers = 1;
    topology_destroy(topology);
    free(roles);
    return AIMSS_OK;
}

static aimss_status_t start_all(struct aimss_runtime *rt, const struct runtime_start *start)
{
    struct shared_start shared;
    struct mpi_net_policy policy;
    aimss_status_t status;

    policy_of(start, &rt->given, &policy);
    status = mpi_net_create(start->comm, &policy, &rt->mpi);
    if (status != AIMSS_OK)
        return status;
    rt->net = mpi_net_base(rt->mpi);
    rt->role = role_of(rt->net, rt->net->rank);
    status = mpi_net_agree(rt->mpi, place_threads(rt, start));
    if (status == AIMSS_OK)
        status = share_identity(rt, start, &shared);
    if (status == AIMSS_OK)
        status = mpi_net_agree(rt->mpi, open_arena(rt, start, &shared));
    if (status == AIMSS_OK)
        status = open_memory(rt, start);
    if (status == AIMSS_OK)
        status = mpi_net_agree(rt->mpi, open_role(rt, start));
    return status;
}

static void free_runtime(struct aimss_runtime *rt)
{
    coordinator_destroy(rt->coordinator);
    broker_destroy(rt->broker);
    compute_destroy(rt->compute);
    mpi_net_destroy(rt->mpi);
    arena_close(&rt->arena, true);
    jobdir_close(rt->dir);
    if (rt->owns_options)
        options_destroy(rt->options);
    free(rt);
}

/* How a run ended that no job's record tells of: one of the streams alone, or a
 * start that was refused after it had the directory. Without it, it has died. */
static void record_end(const struct aimss_runtime *rt, aimss_status_t status)
{
    enum { EXIT_USAGE = 2 };
    char text[ERROR_TEXT_BYTES];
    struct job_result *result = rt->dir != NULL ? calloc(1, sizeof *result) : NULL;

    if (result == NULL)
        return;
    snprintf(text, sizeof text, "%s", status == AIMSS_OK ? "" : error_text());
    result->state = status == AIMSS_OK ? JOB_DONE : JOB_FAILED;
    result->exit_code = status == AIMSS_OK ? 0 : status == AIMSS_E_USAGE ? EXIT_USAGE : 1;
    result->message = text;
    jobdir_finish(rt->dir, result);
    free(result);
    if (status != AIMSS_OK)
        error_set(status, "%s", text);
}

aimss_status_t runtime_start(const struct runtime_start *start, struct aimss_runtime **rt)
{
    struct aimss_runtime *r = calloc(1, sizeof *r);
    aimss_status_t status;

    if (r == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a runtime");
    r->env = env_system();
    r->options = start->options;
    if (start->given != NULL)
        r->given = *start->given;
    status = start_all(r, start);
    if (status != AIMSS_OK) {
        record_end(r, status);
        free_runtime(r);
        return status;
    }
    *rt = r;
    return AIMSS_OK;
}

static aimss_status_t serve_coordinator(struct aimss_runtime *rt)
{
    struct coordinator_report report;
    struct pacer pacer = { 0 };
    aimss_status_t status = AIMSS_OK;
    uint64_t next_tick = 0;

    while (status == AIMSS_OK) {
        uint64_t now = env_now_ns(rt->env);
        bool busy;

        if (rt->tick != NULL && now >= next_tick) {
            rt->tick(rt->tick_arg, rt);
            next_tick = now + TICK_NS;
        }
        status = coordinator_step(rt->coordinator, &busy);
        if (status == AIMSS_OK)
            pacer_turn(&pacer, rt->net, busy, rt->tick != NULL ? TICK_NS : UINT64_MAX);
    }
    coordinator_report(rt->coordinator, &report);
    return report.outcome == AIMSS_OK ? AIMSS_OK : error_set(report.outcome, "%s", report.text);
}

static aimss_status_t serve_broker(struct aimss_runtime *rt)
{
    struct pacer pacer = { 0 };
    aimss_status_t status = AIMSS_OK;
    const char *text;

    while (status == AIMSS_OK) {
        bool busy;

        status = broker_step(rt->broker, pacer_control_due(&pacer), &busy);
        if (status == AIMSS_OK)
            pacer_turn(&pacer, rt->net, busy, UINT64_MAX);
    }
    if (status != AIMSS_END)
        return status;
    status = broker_outcome(rt->broker, &text);
    return status == AIMSS_OK ? AIMSS_OK : error_set(status, "%s", text);
}

aimss_status_t runtime_serve(struct aimss_runtime *rt)
{
    if (rt->role == AIMSS_ROLE_COORDINATOR)
        return serve_coordinator(rt);
    if (rt->role == AIMSS_ROLE_BROKER)
        return serve_broker(rt);
    return compute_finish(rt->compute);
}

aimss_status_t runtime_end(struct aimss_runtime *rt, aimss_status_t status)
{
    status = mpi_net_agree(rt->mpi, status);
    free_runtime(rt);
    return status;
}

aimss_status_t runtime_check_compute(const struct aimss_runtime *rt, const char *call)
{
    if (rt != NULL && rt->role == AIMSS_ROLE_COMPUTE)
        return AIMSS_OK;
    return error_set(AIMSS_E_ROLE, "%s is for compute ranks; this rank %s: look at "
                     "aimss_runtime_role() first", call,
                     rt == NULL ? "has no runtime" : rt->role == AIMSS_ROLE_BROKER
                                                         ? "is a broker" : "coordinates");
}

/* ---- the public calls */

static aimss_status_t read_options(int *argc, char ***argv, struct options **options)
{
    struct options *o;
    aimss_status_t status = options_create(&o);

    if (status != AIMSS_OK)
        return status;
    status = options_read_environment(o);
    if (status == AIMSS_OK && argc != NULL && argv != NULL)
        status = options_parse(o, argc, *argv, false);
    if (status != AIMSS_OK) {
        options_destroy(o);
        return status;
    }
    *options = o;
    return AIMSS_OK;
}

static aimss_status_t start_public(MPI_Comm comm, int *argc, char ***argv,
                                   const struct aimss_runtime_options *given,
                                   struct aimss_runtime **rt)
{
    struct runtime_start start = { .comm = comm, .given = given };
    aimss_status_t status = read_options(argc, argv, &start.options);

    if (status != AIMSS_OK)
        return status;
    start.job_dir = given != NULL && given->job_dir != NULL ? given->job_dir
                                                            : options_text(start.options, "job");
    status = runtime_start(&start, rt);
    if (status != AIMSS_OK)
        options_destroy(start.options);
    else
        (*rt)->owns_options = true;
    return status;
}

aimss_status_t aimss_runtime_create(int *argc, char ***argv,
                                    const struct aimss_runtime_options *options,
                                    struct aimss_runtime **rt)
{
    bool ours = false;
    aimss_status_t status;

    if (rt == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_runtime_create: rt is NULL");
    status = mpi_net_init(argc, argv, &ours);
    if (status == AIMSS_OK)
        status = start_public(MPI_COMM_WORLD, argc, argv, options, rt);
    if (status == AIMSS_OK)
        (*rt)->owns_mpi = ours;
    else if (ours)
        mpi_net_finalize();
    return status;
}

aimss_status_t aimss_runtime_attach(MPI_Comm comm, const struct aimss_runtime_options *options,
                                    struct aimss_runtime **rt)
{
    aimss_status_t status;

    if (rt == NULL || comm == MPI_COMM_NULL)
        return error_set(AIMSS_E_INVALID, "aimss_runtime_attach: comm or rt is missing");
    status = mpi_net_check();
    return status == AIMSS_OK ? start_public(comm, NULL, NULL, options, rt) : status;
}

enum aimss_role aimss_runtime_role(const struct aimss_runtime *rt)
{
    return rt->role;
}

void aimss_runtime_compute_rank(const struct aimss_runtime *rt, unsigned *index, unsigned *count)
{
    if (index != NULL)
        *index = rt->role == AIMSS_ROLE_COMPUTE ? rt->net->role_index : (unsigned)-1;
    if (count != NULL)
        *count = rt->net->compute_count;
}

aimss_status_t aimss_runtime_comm(const struct aimss_runtime *rt, MPI_Comm *comm)
{
    if (rt == NULL || comm == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_runtime_comm: rt or comm is NULL");
    *comm = mpi_net_compute_comm(rt->mpi);
    return AIMSS_OK;
}

uint64_t runtime_deadline(const struct aimss_runtime *rt, uint64_t timeout_ns)
{
    uint64_t now = env_now_ns(rt->env);

    return timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX;
}

aimss_status_t aimss_runtime_progress(struct aimss_runtime *rt, uint64_t timeout_ns)
{
    aimss_status_t status = runtime_check_compute(rt, "aimss_runtime_progress");
    uint64_t deadline;

    if (status != AIMSS_OK)
        return status;
    deadline = runtime_deadline(rt, timeout_ns);
    do {
        status = compute_wait(rt->compute, deadline);
    } while (status == AIMSS_OK && timeout_ns > 0 && env_now_ns(rt->env) < deadline);
    return status;
}

/* Readers of other ranks would wait for ever for a stream whose writer is gone. */
static void close_writers(struct aimss_runtime *rt)
{
    struct writers *writers = compute_writers(rt->compute);
    struct writer *writer;

    while ((writer = writers_first(writers)) != NULL) {
        struct wire_message message = { .kind = WIRE_WRITER_CLOSED, .a = writer_stream(writer) };

        if (writer_close(writer) != AIMSS_OK)
            diag(DIAG_WARNING, "a writer that was left open could not be closed: %s",
                 error_text());
        compute_tell(rt->compute, &message);
    }
}

aimss_status_t aimss_runtime_destroy(struct aimss_runtime *rt)
{
    aimss_status_t status;
    bool ours;

    if (rt == NULL)
        return AIMSS_OK;
    ours = rt->owns_mpi;
    if (rt->role == AIMSS_ROLE_COMPUTE)
        close_writers(rt);
    status = runtime_serve(rt);
    record_end(rt, status);
    status = runtime_end(rt, status);
    if (ours)
        mpi_net_finalize();
    return status;
}
