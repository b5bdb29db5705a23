/* schedule.c: the virtual clock, trouble, and who is next.
 *
 * One thread. A rank runs for a burst of yields, then the scheduler lands Puts,
 * lets tasks run or end, wakes sleepers and picks another rank. When nobody can
 * run the clock jumps to the next event; a schedule that does not end within a
 * minute of virtual time hangs.
 */
#include "sim/sim_internal.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#define LONGEST_NS (UINT64_C(60) * 1000 * 1000 * 1000)
#define LONGEST_STEPS (UINT64_C(20) * 1000 * 1000)

enum {
    YIELD_NS = 30,
    STOPPED_NS = 200 * 1000 * 1000,
    LAUNCHER_NS = 5 * 1000 * 1000
};

void sim_note(struct sim *sim, const char *what, uint64_t a, uint64_t b)
{
    uint64_t word = a * UINT64_C(0x9e3779b97f4a7c15) ^ b ^ sim->now_ns << 20;

    for (const char *c = what; *c != '\0'; c++)
        word = word * 31 + (unsigned char)*c;
    sim->hash = (sim->hash ^ word) * UINT64_C(0x100000001b3);
    sim->hash ^= sim->hash >> 29;
    if (sim->config.trace)
        printf("%12" PRIu64 " %-14s %" PRIx64 " %" PRIx64 "\n", sim->now_ns, what, a, b);
}

/* ---- switching */

/* The last error belongs to a thread, and here all ranks share one. */
static void enter(struct sim *sim, struct sim_rank *rank)
{
    if (rank->error[0] != '\0' || error_text()[0] != '\0')
        error_set(AIMSS_OK, "%s", rank->error);
    sim->running = rank;
    rank->burst = (unsigned)sim_below(&sim->random, sim->manner.burst_max);
    sim_note(sim, "runs", rank->net.rank, sim->steps);
    coroutine_enter(&rank->coroutine);
    sim->running = NULL;
    if (rank->error[0] != '\0' || error_text()[0] != '\0')
        snprintf(rank->error, sizeof rank->error, "%s", error_text());
}

void sim_sleep(struct sim_rank *rank)
{
    coroutine_leave(&rank->coroutine);
}

void sim_yield(struct sim_rank *rank)
{
    struct sim *sim = rank->sim;

    if (sim->running != rank)
        return; /* the scheduler's own call: a role is made, or a task runs */
    sim->steps++;
    sim->now_ns += YIELD_NS;
    if (rank->burst-- == 0)
        sim_sleep(rank);
}

/* ---- trouble */

static void crash(struct sim *sim, struct sim_rank *rank)
{
    rank->state = SIM_DEAD;
    for (unsigned t = sim->task_count; t > 0; t--)
        if (sim->tasks[t - 1].pool->rank == rank)
            sim->tasks[t - 1] = sim->tasks[--sim->task_count];
    sim->ends_at_ns = sim->now_ns + sim_below(&sim->random, LAUNCHER_NS);
    sim_note(sim, "crash", rank->net.rank, 0);
}

static void stop_writer(struct sim *sim, struct sim_rank *rank)
{
    uint64_t pause = 1 + sim_below(&sim->random, STOPPED_NS);

    rank->stopped_until_ns = sim->now_ns + pause;
    sim->revokes_at_ns = sim->now_ns + sim_below(&sim->random, pause);
    sim_note(sim, "stands still", rank->net.rank, pause);
}

static void make_trouble(struct sim *sim)
{
    struct sim_config *config = &sim->config;
    struct sim_rank *victim = &sim->ranks[config->crash_rank];
    struct sim_rank *writer = &sim->ranks[config->stop_rank];

    if (config->crash_step > 0 && sim->steps >= config->crash_step) {
        config->crash_step = 0;
        if (victim->state != SIM_DONE)
            crash(sim, victim);
    }
    if (config->stop_step > 0 && sim->steps >= config->stop_step) {
        config->stop_step = 0;
        stop_writer(sim, writer);
    }
    if (sim->revokes_at_ns > 0 && sim->now_ns >= sim->revokes_at_ns) {
        sim->revokes_at_ns = 0;
        sim_revoke(sim, writer->net.rank);
    }
}

/* ---- the next step */

static void land_some(struct sim *sim)
{
    while (sim->put_count > 0 && sim_one_in(&sim->random, sim->manner.put_lands_in))
        sim_put_land(sim, (unsigned)sim_below(&sim->random, sim->put_count));
}

static void advance_tasks(struct sim *sim)
{
    for (unsigned t = sim->task_count; t > 0; t--)
        if (sim->tasks[t - 1].due_ns <= sim->now_ns)
            sim_task_advance(sim, t - 1);
}

static bool is_runnable(struct sim *sim, struct sim_rank *rank)
{
    if (rank->stopped_until_ns > sim->now_ns)
        return false;
    if (rank->state == SIM_ASLEEP && rank->wake_ns <= sim->now_ns) {
        rank->state = SIM_READY;
        sim_note(sim, "time-out", rank->net.rank, 0);
        sim_check_bell(rank);
    }
    return rank->state == SIM_READY;
}

static struct sim_rank *pick(struct sim *sim)
{
    struct sim_rank *runnable[SIM_RANKS_MAX], *rank;
    unsigned count = 0;

    for (unsigned r = 0; r < sim->rank_count; r++)
        if (is_runnable(sim, &sim->ranks[r]))
            runnable[count++] = &sim->ranks[r];
    if (count == 0)
        return NULL;
    rank = runnable[sim_below(&sim->random, count)];
    if (rank->net.rank == sim->manner.slow_rank && !sim_one_in(&sim->random, 16))
        rank = runnable[sim_below(&sim->random, count)];
    return rank;
}

static void earlier(uint64_t *next, uint64_t when)
{
    if (when < *next)
        *next = when;
}

/* Nobody can run: time passes. */
static void jump(struct sim *sim)
{
    uint64_t next = UINT64_MAX;

    for (unsigned r = 0; r < sim->rank_count; r++) {
        const struct sim_rank *rank = &sim->ranks[r];

        if (rank->stopped_until_ns > sim->now_ns)
            earlier(&next, rank->stopped_until_ns);
        else if (rank->state == SIM_ASLEEP)
            earlier(&next, rank->wake_ns);
    }
    for (unsigned t = 0; t < sim->task_count; t++)
        earlier(&next, sim->tasks[t].due_ns);
    if (sim->revokes_at_ns > 0)
        earlier(&next, sim->revokes_at_ns);
    if (sim->ends_at_ns > 0)
        earlier(&next, sim->ends_at_ns);
    if (next > sim->now_ns)
        sim->now_ns = next;
}

static bool is_over(const struct sim *sim)
{
    if (sim->ends_at_ns > 0 && sim->now_ns >= sim->ends_at_ns)
        return true;
    for (unsigned r = 0; r < sim->rank_count; r++)
        if (sim->ranks[r].state != SIM_DONE)
            return false;
    return true;
}

enum sim_outcome sim_run(struct sim *sim)
{
    uint64_t begin = sim->now_ns;

    while (!is_over(sim)) {
        struct sim_rank *rank;

        make_trouble(sim);
        land_some(sim);
        advance_tasks(sim);
        rank = pick(sim);
        if (rank != NULL)
            enter(sim, rank);
        else
            jump(sim);
        if (sim->now_ns - begin > LONGEST_NS || sim->steps > LONGEST_STEPS)
            sim_fail(sim, "the job does not end");
    }
    for (unsigned b = 0; b < sim->roles.broker_count; b++)
        sim_check_sealed(&sim->ranks[sim->roles.broker_ranks[b]]);
    return sim->ends_at_ns > 0 ? SIM_CRASHED : SIM_ENDED;
}

/* ---- reports */

static void print_groups(const struct sim_rank *broker)
{
    const struct arena_header *header = broker->rt.arena.header;
    const char *base = broker->rt.arena.shm.base;
    const uint64_t *accepted = (const void *)(base + header->accepted_at);

    for (uint32_t slot = 0; slot < header->group_max; slot++) {
        const struct arena_group *g = sim_group_entry(broker, slot);

        if (g->state != 0)
            fprintf(stderr, "    group %u.%u of stream %u.%u, writer %x: state %u, segments %u to "
                    "%u, accepted %" PRIx64 "\n", slot, g->lease, g->stream, g->streamlet,
                    g->writer, g->state, g->segment_first, g->segment_count, accepted[slot]);
    }
}

static void print_ranks(const struct sim *sim)
{
    static const char *const names[] = { "ready", "asleep", "done", "dead" };

    for (unsigned r = 0; r < sim->rank_count; r++) {
        const struct sim_rank *rank = &sim->ranks[r];

        fprintf(stderr, "  rank %u (%s, node %u): %s, status %d%s%s\n", r,
                r == 0 ? "coordinator" : r <= sim->roles.broker_count ? "broker" : "compute",
                sim->config.node_of[r], names[rank->state], rank->status,
                rank->error[0] != '\0' ? ", last error: " : "", rank->error);
        if (rank->rt.role == AIMSS_ROLE_BROKER)
            print_groups(rank);
    }
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fprintf(stderr, "seed %" PRIu64 ": ", sim->config.seed);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n  at %.6f s of virtual time, step %" PRIu64 ", hash %016" PRIx64 "\n",
            (double)sim->now_ns / 1e9, sim->steps, sim->hash);
    print_ranks(sim);
    exit(1);
}
