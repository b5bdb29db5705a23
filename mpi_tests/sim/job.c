/* job.c: the ranks and roles of one schedule, from creation to end.
 *
 * A rank is what api/runtime.c makes of a process, but for MPI: a runtime with
 * its net, its env and its role. Service ranks run runtime_serve(); compute
 * ranks run the test's function first.
 */
#include "sim/sim_internal.h"

#include "base/error.h"
#include "store/groups.h"

#include <stdlib.h>
#include <string.h>

enum { CLOCK_STARTS_NS = 1000 * 1000 * 1000 };

static void draw_manner(struct sim *sim)
{
    static const unsigned bursts[] = { 1, 8, 40, 200 };
    static const unsigned delays[] = { 1, 2000, 50 * 1000, 2000 * 1000 };
    static const unsigned lands[] = { 2, 4, 16, 200 };
    uint64_t *random = &sim->random;

    sim->manner = (struct sim_manner){
        .burst_max = bursts[sim_below(random, 4)],
        .message_delay_ns = delays[sim_below(random, 4)],
        .task_delay_ns = delays[sim_below(random, 4)],
        .put_lands_in = lands[sim_below(random, 4)],
        .slow_rank = SIM_RANKS_MAX
    };
    if (sim_one_in(random, 3))
        sim->manner.slow_rank = (unsigned)sim_below(random, sim->rank_count);
}

/* The arena has the header of a real one, but ends where the schedule says. */
static void open_arena(struct sim_rank *rank)
{
    struct sim *sim = rank->sim;
    char *base = sim->memory->arena[rank->net.rank];
    struct arena_header *header = (struct arena_header *)base;

    *header = sim->memory->header;
    header->len_bytes = header->segments_at + sim->config.arena_bytes;
    rank->rt.arena = (struct arena){ .shm = { .fd = -1, .base = base,
                                              .len_bytes = header->len_bytes },
                                     .header = header };
}

static aimss_status_t open_role(struct sim_rank *rank)
{
    const struct sim_config *config = &rank->sim->config;
    struct coordinator_config coordinator = { .env = &rank->env, .net = &rank->net };
    struct broker_config broker = { .env = &rank->env, .net = &rank->net,
                                    .arena = &rank->rt.arena,
                                    .io_threads = config->io_threads,
                                    .record_max_bytes = config->record_max_bytes };
    struct compute_config compute = { .env = &rank->env, .net = &rank->net,
                                      .record_max_bytes = config->record_max_bytes,
                                      .slot_bytes = config->slot_bytes };

    switch (rank->rt.role) {
    case AIMSS_ROLE_COORDINATOR:
        return coordinator_create(&coordinator, &rank->rt.coordinator);
    case AIMSS_ROLE_BROKER:
        open_arena(rank);
        return broker_create(&broker, &rank->rt.broker);
    default:
        return compute_create(&compute, &rank->rt.compute);
    }
}

static void run_rank(void *arg)
{
    struct sim_rank *rank = arg;
    struct sim *sim = rank->sim;

    if (rank->rt.role == AIMSS_ROLE_COMPUTE)
        sim->config.app(rank, sim->config.app_arg);
    rank->status = runtime_serve(&rank->rt);
    rank->state = SIM_DONE;
    sim_note(sim, "ends", rank->net.rank, (uint64_t)(int64_t)rank->status);
    sim_sleep(rank);
}

static void start_rank(struct sim_rank *rank)
{
    coroutine_start(&rank->coroutine, run_rank, rank);
    coroutine_set_stack(&rank->coroutine, rank->sim->memory->stack[rank->net.rank],
                        SIM_STACK_BYTES);
}

static void open_rank(struct sim *sim, unsigned number)
{
    struct sim_rank *rank = &sim->ranks[number];

    rank->sim = sim;
    rank->env = (struct env){ .ops = &sim->env_ops, .self = rank };
    sim_net_open(rank);
    rank->rt.env = &rank->env;
    rank->rt.net = &rank->net;
    rank->rt.options = sim->config.options;
    rank->rt.run = 1;
    rank->rt.role = number == 0                          ? AIMSS_ROLE_COORDINATOR
                    : number <= sim->roles.broker_count ? AIMSS_ROLE_BROKER
                                                        : AIMSS_ROLE_COMPUTE;
    if (open_role(rank) != AIMSS_OK)
        sim_fail(sim, "rank %u cannot start: %s", number, error_text());
    start_rank(rank);
}

struct sim *sim_create(const struct sim_config *config, struct sim_memory *memory)
{
    struct sim *sim = calloc(1, sizeof *sim);

    if (sim == NULL)
        abort();
    assert(memory->header.group_max == SIM_GROUPS_MAX);
    sim->config = *config;
    sim->memory = memory;
    sim->random = config->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    sim->rank_count = config->rank_count;
    sim->now_ns = CLOCK_STARTS_NS;
    sim->net_ops = sim_net_ops;
    sim->env_ops = sim_env_ops;
    sim_fault_plant(sim);
    sim_memory_reset(memory, sim->rank_count);
    error_set(AIMSS_OK, "%s", "");
    if (roles_create(sim->rank_count, sim->config.node_of, config->broker_count, 0,
                     &sim->roles) != AIMSS_OK)
        sim_fail(sim, "%s", error_text());
    draw_manner(sim);
    for (unsigned r = 0; r < sim->rank_count; r++)
        open_rank(sim, r);
    return sim;
}

void sim_destroy(struct sim *sim)
{
    if (sim == NULL)
        return;
    for (unsigned r = 0; r < sim->rank_count; r++) {
        struct sim_rank *rank = &sim->ranks[r];

        coordinator_destroy(rank->rt.coordinator);
        broker_destroy(rank->rt.broker);
        compute_destroy(rank->rt.compute);
        sim_net_close(rank);
    }
    roles_clear(&sim->roles);
    free(sim);
}

/* ---- what a test may ask */

uint64_t sim_hash(const struct sim *sim)
{
    return sim->hash;
}

uint64_t sim_steps(const struct sim *sim)
{
    return sim->steps;
}

uint64_t sim_now_ns(const struct sim *sim)
{
    return sim->now_ns;
}

aimss_status_t sim_rank_status(const struct sim *sim, unsigned rank)
{
    return sim->ranks[rank].status;
}

bool sim_was_revoked(const struct sim *sim, unsigned rank)
{
    return sim->ranks[rank].revoked;
}

bool sim_read_failed(const struct sim *sim)
{
    return sim->read_failed;
}

struct aimss_runtime *sim_runtime(struct sim_rank *rank)
{
    return &rank->rt;
}

unsigned sim_rank_number(const struct sim_rank *rank)
{
    return rank->net.rank;
}

void sim_revoke(struct sim *sim, unsigned rank)
{
    for (unsigned b = 0; b < sim->roles.broker_count; b++)
        sim->ranks[sim->roles.broker_ranks[b]].revoke_rank = rank;
}

bool sim_revoke_done(const struct sim *sim)
{
    for (unsigned b = 0; b < sim->roles.broker_count; b++)
        if (sim->ranks[sim->roles.broker_ranks[b]].revoke_rank != 0)
            return false;
    return true;
}

struct sim *sim_of(struct sim_rank *rank)
{
    return rank->sim;
}

const struct arena_group *sim_group_entry(const struct sim_rank *broker, uint32_t slot)
{
    const struct arena *arena = &broker->rt.arena;
    const struct arena_group *copies = (const void *)(arena->shm.base + arena->header->groups_at);

    copies += 2 * (size_t)slot;
    return &copies[copies[1].sequence > copies[0].sequence];
}

void sim_check_sealed(struct sim_rank *broker)
{
    const struct arena *arena = &broker->rt.arena;
    const uint64_t *accepted = (const void *)(arena->shm.base + arena->header->accepted_at);

    for (uint32_t slot = 0; slot < SIM_GROUPS_MAX; slot++) {
        if (sim_group_entry(broker, slot)->state != GROUP_REVOKED)
            continue;
        if (broker->sealed[slot] == 0)
            broker->sealed[slot] = accepted[slot] + 1;
        else if (broker->sealed[slot] != accepted[slot] + 1)
            sim_fail(broker->sim, "broker %u accepts under a lease that it has revoked",
                     broker->net.rank);
    }
}

unsigned sim_groups_held(const struct sim *sim, unsigned broker, bool revoked)
{
    const struct sim_rank *rank = &sim->ranks[sim->roles.broker_ranks[broker]];
    unsigned held = 0;

    for (uint32_t slot = 0; slot < rank->rt.arena.header->group_max; slot++) {
        uint32_t state = sim_group_entry(rank, slot)->state;

        held += state != GROUP_FREE && (state == GROUP_REVOKED) == revoked;
    }
    return held;
}
