/* workload.h: what the compute ranks of a simulated job do, drawn from a seed.
 *
 * Ranks write keyed records, read them in one or two consumer groups, or both;
 * some join late, some leave early, some come back. Some schedules also read a
 * text through the brokers' source.
 */
#ifndef AIMSS_SIM_WORKLOAD_H
#define AIMSS_SIM_WORKLOAD_H

#include "sim/ledger.h"

enum { WORKLOAD_READERS = LEDGER_GROUPS_MAX + 1, WORKLOAD_HELD_MAX = 8 };

enum workload_reading {
    WORKLOAD_NEVER,
    WORKLOAD_FROM_START,
    WORKLOAD_LATE,      /* joins while data moves, or after it */
    WORKLOAD_LEAVES,    /* and does not come back */
    WORKLOAD_RETURNS
};

/* What one compute rank does. */
struct workload_part {
    bool writes;
    enum workload_reading reading[LEDGER_GROUPS_MAX];
    unsigned change_after;     /* turns before it joins or leaves */
};

/* A compute rank at work. */
struct workload_reader {
    struct aimss_reader *reader;
    enum workload_reading plan;
    bool ended;
    unsigned held_count;
    struct aimss_buffer *held[WORKLOAD_HELD_MAX];
};

struct workload_worker {
    struct workload *load;
    struct sim_rank *rank;
    struct sim *sim;
    struct aimss_runtime *rt;
    unsigned number;             /* rank */
    const struct workload_part *part;
    struct aimss_stream *records, *text;
    struct aimss_writer *writer;
    uint64_t put, random;
    unsigned turns;
    bool failed;                 /* as the schedule expects */
    struct workload_reader readings[WORKLOAD_READERS];
    char value[LEDGER_VALUE_MAX];
};

struct workload {
    struct ledger ledger;
    struct sim_config sim;
    unsigned writer_count, group_count;
    uint64_t record_count;     /* of each writer */
    unsigned streamlet_count;
    uint64_t chunk_bytes, segment_first_bytes, segment_bytes;
    unsigned flush_every;      /* records; 0: never */
    unsigned hold_max;         /* buffers that a reader keeps for a while */
    bool lazy;                 /* who writes seldom reads: lanes fill up */
    bool blocking;             /* writers wait for ever: they do not read */
    bool has_text;             /* group 0 reads it, and writes nothing */
    struct workload_part parts[SIM_RANKS_MAX]; /* by compute rank */
    unsigned joined;           /* first joinings that have been answered */
    unsigned joins_first;      /* of how many */
    unsigned compute_count, finished;
    struct workload_worker workers[SIM_RANKS_MAX]; /* by rank */
};

void workload_draw(struct workload *workload, uint64_t seed);

/* One line for a person, and one for each compute rank. */
void workload_print(const struct workload *workload);

/* A sim_app_fn; arg is the workload. */
void workload_run(struct sim_rank *rank, void *arg);

/* After the end. */
void workload_check(struct workload *workload, struct sim *sim, enum sim_outcome outcome);

#endif
