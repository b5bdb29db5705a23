/* run.h: a graph at work on one compute rank.
 *
 * The owner (the compute role) feeds buffers that brokers pushed; workers walk
 * their records and run the callbacks; what they emit is combined or collected
 * by destination, exchanged in bounded rounds, counted, ordered and written.
 * run_step() never blocks: each call does what can be done now and returns.
 * Phases are a table: feeding, exchanging, ordering, writing, done.
 */
#ifndef AIMSS_FLOW_RUN_H
#define AIMSS_FLOW_RUN_H

#include "env/env.h"
#include "flow/buffer.h"
#include "flow/graph.h"
#include "net/net.h"

struct run;

struct run_config {
    struct env *env;
    struct net *net;
    const struct graph *graph;
    unsigned index, count;         /* this compute rank among the compute ranks */
    unsigned worker_count;         /* at least 1 */
    uint64_t state_memory_bytes;   /* for counts and states of this rank (--state-memory) */
    uint64_t round_bytes;          /* of one exchange round, per pair of ranks (--round) */
    const char *out_dir;           /* DIR/out; the sink writes FILE.tmp-RUN there */
    const char *temporary_suffix;  /* ".tmp-3f2a" */
};

aimss_status_t run_create(const struct run_config *config, struct run **run);
void run_destroy(struct run *run);

/* Offers a buffer: true if it was taken (the run releases it when its records
 * are done), false if the workers' queues are full. */
bool run_feed(struct run *run, struct aimss_buffer *buffer);

/* No more buffers will be fed. */
void run_end_of_input(struct run *run);

/* A peer asks for an exchange round (see run_step). */
void run_round_wanted(struct run *run, uint64_t round);

/* Does what can be done now. Sets *busy when something was done and the call
 * should come again soon, and leaves it alone otherwise.
 * Returns AIMSS_OK, AIMSS_END when this rank's output is complete under its
 * temporary name and synced, or the error that ended it (first one met, e.g. a
 * callback's, with stream and position). */
aimss_status_t run_step(struct run *run, bool *busy);

/* After AIMSS_END: the sink's file. Bytes and CRC32C of this rank's part. */
struct run_result {
    const char *file;            /* final name within out/; NULL without a sink */
    uint64_t offset, len_bytes;  /* this rank's part of the file */
    uint32_t crc32c;
    uint64_t line_count;
    uint64_t round_count;        /* of its shuffle */
};
void run_result(const struct run *run, struct run_result *result);

/* For progress: records and bytes that callbacks are through with. */
void run_progress(const struct run *run, uint64_t *records, uint64_t *bytes);

#endif
