/* worker.h: one worker of a run: a queue of buffers, a task and what it emits.
 *
 * The MPI thread feeds buffers and submits the worker's task while there are
 * some; the task walks their records, releases them and returns when the queue
 * is empty or when what it has combined or collected fills its share of memory.
 * A full worker rests until an exchange has drained it. Between the two threads
 * lie the queue's two words and the task's end; the drain belongs to the
 * exchange's thread while the worker rests.
 */
#ifndef AIMSS_FLOW_WORKER_H
#define AIMSS_FLOW_WORKER_H

#include "env/env.h"
#include "flow/buffer.h"
#include "flow/run_failure.h"
#include "flow/shuffle.h"
#include "flow/task.h"

enum { WORKER_QUEUE = 16 /* buffers; a power of two */ };

enum worker_state { WORKER_OPEN, WORKER_DRAINING, WORKER_ENDED };

struct worker {
    struct env_task task;     /* first: the pool hands it back */
    struct aimss_task call;
    struct failure *failure;  /* the run's */

    struct aimss_buffer *queue[WORKER_QUEUE];
    uint64_t fed, taken;      /* words: by the MPI thread, by the worker */
    uint64_t record_count, byte_count; /* words: done */
    uint64_t hand_over;       /* word: by the MPI thread: half full is full */
    bool full;                /* by the worker; looked at when its task is done */

    bool counting;            /* combines; otherwise it collects */
    struct counts combiner;
    struct blocks log;
    uint64_t log_soft_bytes;

    enum worker_state state;  /* the MPI thread's */
    bool is_last;             /* drain */
    bool drained;             /* by the exchange's thread: nothing is left */
    uint64_t cursor;          /* of the drain: in the combiner */
    struct block *block;      /* in the log */
    size_t block_at_bytes;
};

/* What a worker does with the end of its chain, and its share of memory. */
struct worker_options {
    const struct chain *chain;
    task_emit_fn *last;
    struct failure *failure;
    struct bell *bell;
    struct counts_options combiner; /* used with task_emit_counted */
    uint64_t log_soft_bytes;        /* used with task_emit_collected */
};

aimss_status_t worker_open(struct worker *worker, const struct worker_options *options);
/* Releases what is in the queue; the pool must be gone. */
void worker_close(struct worker *worker);

/* MPI thread. */
bool worker_feed(struct worker *worker, struct aimss_buffer *buffer); /* false: no room */
uint64_t worker_queued(const struct worker *worker);
bool worker_resting(const struct worker *worker); /* no task in progress */
/* Whether there is work and the task may be submitted for it. */
bool worker_ready(const struct worker *worker);

/* The drain, between start and stop; the worker rests all the time. After the
 * last one it is fed no more. */
void worker_drain_start(struct worker *worker, bool is_last);
/* Moves entries until an outlet is full (false) or nothing is left (true).
 * Counts of keys that the rank itself owns go to own directly. */
bool worker_drain(struct worker *worker, struct shuffle *shuffle, struct counts *own);
void worker_drain_stop(struct worker *worker);

/* The same for counts alone, from *cursor on. */
bool worker_drain_counts(const struct counts *counts, uint64_t *cursor, struct shuffle *shuffle,
                         struct counts *own);

#endif
