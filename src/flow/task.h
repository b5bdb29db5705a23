/* task.h: one thread's walk through the applied functions of a graph.
 *
 * A chain is the functions between two ends: source and shuffle, or shuffle
 * and count. Emitting calls the next function; what the last one emits goes to
 * `last`: into a combiner, into a log of records to be exchanged, or nowhere.
 * The whole chain runs inside one call for each record. One thread at a time.
 */
#ifndef AIMSS_FLOW_TASK_H
#define AIMSS_FLOW_TASK_H

#include "flow/graph.h"
#include "state/blocks.h"
#include "state/counts.h"
#include "state/table.h"

typedef aimss_status_t task_emit_fn(struct aimss_task *task, struct aimss_bytes key,
                                    struct aimss_bytes value);

struct chain {
    unsigned count;
    aimss_apply_fn *fns[GRAPH_NODES_MAX];
    void *args[GRAPH_NODES_MAX];
};

struct aimss_task {
    task_emit_fn *emit;          /* for the function that runs now */
    task_emit_fn *last;          /* what follows the chain */
    const struct chain *chain;
    unsigned depth;              /* which function runs */
    aimss_status_t status;       /* the first error; the record's walk is over then */
    uint64_t event_time_ns, ordinal; /* of the record that came in */

    struct counts *counts;       /* task_emit_counted, and _owned for keys of other ranks */
    struct counts *own;          /* task_emit_owned: keys of this rank */
    unsigned index, count;       /* this compute rank among the compute ranks */
    struct blocks *log;          /* task_emit_collected */
    struct table *state;         /* NULL before a shuffle */
};

/* In a log: a record on its way to the rank that owns its key. */
struct collected {
    uint64_t hash;
    uint32_t key_bytes, value_bytes;
    /* key and value follow; the next one begins at a multiple of 16 */
};

/* What may follow a chain. */
task_emit_fn task_emit_nowhere;   /* refuses */
task_emit_fn task_emit_counted;   /* before the exchange: combines */
task_emit_fn task_emit_collected; /* before the exchange: keeps for it */
task_emit_fn task_emit_owned;     /* after it: counts, or combines keys of others */

/* Runs one record through the chain. AIMSS_OK, AIMSS_E_CALLBACK (a function
 * failed), or what the end of the chain said; the thread's text says which. */
aimss_status_t task_run(struct aimss_task *task, const struct aimss_record *record);

aimss_status_t task_state(struct aimss_task *task, struct aimss_bytes key, size_t len_bytes,
                          void **state);

#endif
