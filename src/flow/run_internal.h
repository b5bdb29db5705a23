/* run_internal.h: the inside of a run, for run.c and run_create.c alone. */
#ifndef AIMSS_FLOW_RUN_INTERNAL_H
#define AIMSS_FLOW_RUN_INTERNAL_H

#include "flow/order.h"
#include "flow/run.h"
#include "flow/run_sink.h"
#include "flow/worker.h"

enum run_phase { RUN_FEEDING, RUN_EXCHANGING, RUN_ORDERING, RUN_WRITING, RUN_DONE };

struct run {
    struct run_config config;
    struct chain before, after;
    bool shuffles, counts, combines;
    const struct graph_node *sink_node;
    struct failure failure;
    enum run_phase phase;
    bool input_ended, in_round;
    bool records_over;          /* on all ranks */
    uint64_t round_wanted, round_told; /* by a peer; by this rank: the number plus 1 */

    struct env_pool *pool;
    struct worker *workers;
    struct shuffle *shuffle;
    struct shuffle_client client;
    struct aimss_task arrived;  /* walks the chain after the shuffle */
    struct counts own;          /* keys of this rank */
    struct counts others;       /* emitted here after the shuffle, keys of other ranks */
    uint64_t others_cursor;
    struct table state;
    uint64_t arrived_count;
    struct order *order;
    struct run_sink *sink;
};

/* Fills rounds with what workers hand over, and takes what arrives; arg is the
 * run. On the exchange's thread. */
bool run_pack(void *arg, struct shuffle *shuffle);
aimss_status_t run_deliver(void *arg, unsigned source, const struct shuffle_entry *entry,
                           const char *bytes);

/* One worker of one rank combines what the rank owns: nothing is exchanged. */
static inline bool run_is_alone(const struct run *run)
{
    return run->combines && run->config.count == 1 && run->config.worker_count == 1;
}

#endif
