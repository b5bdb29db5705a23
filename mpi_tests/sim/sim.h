/* sim.h: all ranks of one job in one process, under a seeded scheduler.
 *
 * Coordinator, brokers and compute ranks are the shipped objects: the library's
 * own serving loops and calls. Only the tables below them are replaced:
 *   - net: memory of the "other" ranks is mapped or Put piecewise and late,
 *     control messages arrive later, in order between two ranks only,
 *   - env: a virtual clock, random numbers, files that may read short or fail,
 *     tasks that finish when the scheduler says so.
 * Each rank is a coroutine; each call of a table may hand over to another one.
 * Everything follows from the seed, so a schedule can be run again exactly, and
 * its hash shows that it was.
 *
 * A check that fails calls sim_fail(), which says how to run the seed again and
 * ends the process: the ranks are in the middle of things.
 */
#ifndef AIMSS_SIM_SIM_H
#define AIMSS_SIM_SIM_H

#include "api/runtime.h"

#include <stdio.h>

enum { SIM_RANKS_MAX = 9, SIM_FILES_MAX = 4 };

struct sim;
struct sim_rank;
struct sim_fault;

/* A file that the simulated ranks can open. */
struct sim_file {
    const char *path;
    const char *data;
    uint64_t len_bytes;
};

/* Stacks, regions and arenas; they are used again by each schedule. */
struct sim_memory;
struct sim_memory *sim_memory_create(void);
void sim_memory_destroy(struct sim_memory *memory);

/* What a compute rank does before it says goodbye. */
typedef void sim_app_fn(struct sim_rank *rank, void *arg);

struct sim_config {
    uint64_t seed;
    unsigned rank_count, broker_count;
    unsigned node_of[SIM_RANKS_MAX];
    uint64_t arena_bytes;      /* for segments, behind the arena's tables */
    uint64_t slot_bytes;       /* of a compute rank, for far pushes */
    uint64_t record_max_bytes;
    unsigned io_threads;
    const struct sim_file *files;
    unsigned file_count;

    /* Trouble. Steps are counted over all ranks; 0: never. */
    uint64_t crash_step;       /* a rank dies, and soon after the launcher ends the job */
    unsigned crash_rank;
    uint64_t stop_step;        /* a compute rank stops for long; its leases are revoked */
    unsigned stop_rank;
    bool short_reads;
    uint64_t fail_read;        /* this read of a file fails with EIO */

    struct options *options;   /* the library's defaults; shared by all schedules */
    const struct sim_fault *fault; /* NULL: none is planted */
    bool trace;
    sim_app_fn *app;
    void *app_arg;
};

enum sim_outcome { SIM_ENDED, SIM_CRASHED };

struct sim *sim_create(const struct sim_config *config, struct sim_memory *memory);
enum sim_outcome sim_run(struct sim *sim);
void sim_destroy(struct sim *sim);

/* Of the schedule so far. */
uint64_t sim_hash(const struct sim *sim);
uint64_t sim_steps(const struct sim *sim);
uint64_t sim_now_ns(const struct sim *sim);
/* What the rank's run ended with. */
aimss_status_t sim_rank_status(const struct sim *sim, unsigned rank);
/* Whether leases of that rank were revoked, or a read has failed. */
bool sim_was_revoked(const struct sim *sim, unsigned rank);
bool sim_read_failed(const struct sim *sim);

/* Groups of a broker that are not free, by the arena's tables: what a restart
 * would find. revoked: only those that are sealed for a lost writer. */
unsigned sim_groups_held(const struct sim *sim, unsigned broker, bool revoked);

struct aimss_runtime *sim_runtime(struct sim_rank *rank);
unsigned sim_rank_number(const struct sim_rank *rank);

/* Has each broker revoke what the writers of a compute rank hold, between two
 * of its steps; and whether all have. */
void sim_revoke(struct sim *sim, unsigned rank);
bool sim_revoke_done(const struct sim *sim);

/* Ends the process with the seed and the reason; callable from anywhere. */
void sim_fail(struct sim *sim, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
struct sim *sim_of(struct sim_rank *rank);

/* A wrapper that breaks a promise of the tables below the protocols. */
const struct sim_fault *sim_fault_find(const char *name);
void sim_fault_list(FILE *out);

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t sim_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* From 0 to bound - 1. */
static inline uint64_t sim_below(uint64_t *state, uint64_t bound)
{
    return sim_random(state) % bound;
}

static inline bool sim_one_in(uint64_t *state, uint64_t bound)
{
    return sim_below(state, bound) == 0;
}

#endif
