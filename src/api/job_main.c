/* job_main.c: a job from its command line to its exit code.
 *
 * All ranks run this. What the command line alone can tell (help, version, a
 * wrong option, an impossible graph) is told before MPI starts, by one rank.
 * Signals: SIGINT, SIGTERM and SIGUSR1 (which launchers forward) ask rank 0 to
 * end the run cleanly; the other ranks wait to be told. Below `aimss launch` and
 * mpirun such a request is always SIGUSR1, and a SIGTERM is mpirun's, which ends
 * what a dead rank has left: that is no clean end, and none is recorded.
 */
#include "api/job_run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Written by the signal handler of a process that aimss_job_main() rules. */
static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
    stop_signal = number;
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    const char *started_by = getenv("AIMSS_LAUNCH_BY");

    sigaction(SIGINT, &action, NULL);
    if (started_by == NULL || strcmp(started_by, "mpirun") != 0)
        sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
}

enum { EXIT_USAGE = 2 };

static int exit_code_of(aimss_status_t status)
{
    switch (status) {
    case AIMSS_OK:
        return 0;
    case AIMSS_E_USAGE:
        return EXIT_USAGE;
    case AIMSS_E_STOPPED:
        return 128 + (stop_signal == SIGTERM ? SIGTERM : SIGINT);
    default:
        return 1;
    }
}

/* Before MPI runs: launchers say in the environment which rank this is. */
static bool speaks_for_all(void)
{
    static const char *const names[] = { "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK",
                                         "SLURM_PROCID" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *rank = getenv(names[i]);

        if (rank != NULL)
            return strcmp(rank, "0") == 0;
    }
    return true;
}

static void say_error(const struct aimss_job *job)
{
    fprintf(stderr, "%s: %s\n", job->name, error_text());
    fflush(stderr);
}

static void print_help(const struct aimss_job *job)
{
    printf("usage: aimss launch -n RANKS aimss-%s --input PATH... --job DIR [options]\n\n",
           job->name);
    options_print_help(job->options, stdout);
    fflush(stdout);
}

/* *done: the command line asked for nothing but text. */
static aimss_status_t check_command(struct aimss_job *job, bool *done)
{
    bool source = job->graph.node_count > 0 && job->graph.nodes[0].kind == GRAPH_SOURCE;
    aimss_status_t status;

    *done = options_flag(job->options, "help") || options_flag(job->options, "version");
    if (*done) {
        if (speaks_for_all() && options_flag(job->options, "help"))
            print_help(job);
        else if (speaks_for_all())
            printf("%s %s\n", job->name, aimss_version());
        return AIMSS_OK;
    }
    status = options_refuse_unknown(job->options, job->argc, job->argv);
    if (status == AIMSS_OK)
        status = graph_check(&job->graph);
    if (status == AIMSS_OK && source && !options_is_set(job->options, "input"))
        status = error_set(AIMSS_E_USAGE, "no input; name files, directories or patterns with "
                           "--input PATH...");
    if (status == AIMSS_OK && !options_is_set(job->options, "job"))
        status = error_set(AIMSS_E_USAGE, "no job directory; name one with --job DIR");
    return status;
}

/* ---- rank 0 while it serves */

struct serving {
    struct job_screen screen;
};

static void tick(void *arg, struct aimss_runtime *rt)
{
    struct serving *serving = arg;

    job_screen_progress(&serving->screen, rt);
    if (stop_signal != 0)
        coordinator_stop(rt->coordinator, AIMSS_E_STOPPED, "the job was stopped by a signal; "
                         "what it had written was removed");
}

static aimss_status_t coordinate(struct aimss_runtime *rt, const struct aimss_job *job)
{
    struct serving serving;
    struct job_record record;
    aimss_status_t status = job_record_open(rt, &record);

    if (status != AIMSS_OK)
        coordinator_stop(rt->coordinator, status, error_text());
    job_screen_start(&serving.screen, rt);
    rt->tick = tick;
    rt->tick_arg = &serving;
    status = runtime_serve(rt);
    job_screen_clear(&serving.screen);
    status = job_record_finish(&record, job, status, exit_code_of(status));
    if (status == AIMSS_OK)
        job_screen_result(&serving.screen, rt, job);
    job_record_close(&record);
    return status;
}

/* The first error is the coordinator's to tell; a rank's own is only a part. */
static aimss_status_t compute(struct aimss_runtime *rt, const struct aimss_job *job)
{
    aimss_status_t status = job_compute(rt, job);
    aimss_status_t outcome = runtime_serve(rt);

    return outcome != AIMSS_OK ? outcome : status;
}

static aimss_status_t run_job(struct aimss_job *job, int *rank)
{
    struct runtime_start start = { .comm = MPI_COMM_WORLD, .options = job->options, .by_job = true,
                                   .job_dir = options_text(job->options, "job") };
    struct aimss_runtime *rt;
    aimss_status_t status;

    *rank = mpi_net_world_rank();
    status = runtime_start(&start, &rt);
    if (status != AIMSS_OK)
        return status;
    job_screen_decisions(rt);
    if (rt->role == AIMSS_ROLE_COORDINATOR)
        status = coordinate(rt, job);
    else if (rt->role == AIMSS_ROLE_BROKER)
        status = runtime_serve(rt);
    else
        status = compute(rt, job);
    return runtime_end(rt, status);
}

/* Under a foreign launcher each rank is rank 0 of a world of its own: then the
 * launcher's first one speaks. */
static bool speaks(int rank, aimss_status_t status)
{
    return rank == 0 && (status != AIMSS_E_USAGE || speaks_for_all());
}

static int run_with_mpi(struct aimss_job *job)
{
    bool ours = false;
    int rank = 0;
    aimss_status_t status = mpi_net_init(&job->argc, &job->argv, &ours);

    catch_signals();
    if (status == AIMSS_OK)
        status = run_job(job, &rank);
    if (status != AIMSS_OK && speaks(rank, status))
        say_error(job);
    if (ours)
        mpi_net_finalize();
    return exit_code_of(status);
}

int aimss_job_main(struct aimss_job *job)
{
    bool done = false;
    aimss_status_t status;
    int code;

    if (job == NULL) {
        fprintf(stderr, "aimss: %s\n", error_text());
        return 1;
    }
    status = job->status;
    if (status != AIMSS_OK)
        error_set(status, "%s", job->error);
    else
        status = check_command(job, &done);
    if (status != AIMSS_OK && speaks_for_all())
        say_error(job);
    /* Only the rank that speaks fails: launchers end the others at the first failure,
     * and it might be one of them. */
    if (status != AIMSS_OK || done)
        code = exit_code_of(status == AIMSS_OK || !speaks_for_all() ? AIMSS_OK : AIMSS_E_USAGE);
    else
        code = run_with_mpi(job);
    job_destroy(job);
    return code;
}
