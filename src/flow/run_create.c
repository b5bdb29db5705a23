/* run_create.c: making a run from a graph, and what it leaves.
 *
 * A graph becomes a chain before the shuffle, which the workers run, and one
 * after it, which the exchange's thread runs on what arrives. Where a count
 * follows the shuffle at once, workers combine: only distinct keys travel.
 *
 * Memory: a quarter of --state-memory for all workers, of which they use a
 * quarter before they ask for a round (the rest is for the emits of one huge
 * record); three quarters for what the rank owns: counts, states.
 */
#include "flow/run_internal.h"

#include "base/error.h"
#include "base/word.h"
#include <stdlib.h>

/* Lower bits of the hash for workers, others for what they are drained into. */
enum { SHIFT_OTHERS = 12, SHIFT_OWN = 24 };

/* ---- what the graph means ---------------------------------------------------- */

static void chain_add(struct chain *chain, const struct graph_node *node)
{
    chain->fns[chain->count] = node->apply;
    chain->args[chain->count++] = node->arg;
}

static void read_graph(struct run *run)
{
    const struct graph *graph = run->config.graph;
    for (unsigned i = 0; i < graph->node_count; i++) {
        const struct graph_node *node = &graph->nodes[i];
        struct chain *chain = run->shuffles ? &run->after : &run->before;
        if (node->kind == GRAPH_APPLY)
            chain_add(chain, node);
        run->shuffles = run->shuffles || node->kind == GRAPH_SHUFFLE;
        run->counts = run->counts || node->kind == GRAPH_COUNT;
        if (node->kind == GRAPH_SINK)
            run->sink_node = node;
    }
    run->combines = run->counts && run->after.count == 0;
}

static struct counts_options counts_share(const struct run *run, const char *what,
                                          uint64_t limit_bytes)
{
    return (struct counts_options){
        .what = what,
        .limit_bytes = limit_bytes,
        .option_bytes = run->config.state_memory_bytes,
    };
}

/* The counts of the keys that this rank owns. */
static struct counts_options own_share(const struct run *run)
{
    uint64_t own_bytes = run->config.state_memory_bytes / 4 * 3;
    struct counts_options options = counts_share(run, "the counts of this rank",
                                                 run->combines ? own_bytes : own_bytes / 2);
    options.reserve_per_key_bytes = ORDER_BYTES_PER_KEY;
    options.hash_shift = SHIFT_OWN;
    return options;
}

static aimss_status_t open_workers(struct run *run)
{
    unsigned count = run->config.worker_count;
    uint64_t share = run->config.state_memory_bytes / 4 / count;
    struct worker_options options = {
        .chain = &run->before,
        .last = run->combines ? task_emit_counted
                : run->shuffles ? task_emit_collected : task_emit_nowhere,
        .failure = &run->failure,
        .bell = run->config.net->bell,
        .combiner = counts_share(run, "the counts of one worker", share),
        .log_soft_bytes = share / 4,
    };
    options.combiner.soft_bytes = share / 4;
    if (run_is_alone(run))
        options.combiner = own_share(run);
    run->workers = calloc(count, sizeof *run->workers);
    if (run->workers == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for %u workers", count);
    for (unsigned i = 0; i < count; i++) {
        aimss_status_t status = worker_open(&run->workers[i], &options);
        if (status != AIMSS_OK)
            return status;
    }
    return AIMSS_OK;
}

/* Tables of what this rank owns. With functions after the shuffle these share. */
static aimss_status_t open_tables(struct run *run)
{
    uint64_t memory = run->config.state_memory_bytes, own = memory / 4 * 3;
    aimss_status_t status = AIMSS_OK;
    if (run->counts) {
        struct counts_options options = own_share(run);
        status = counts_open(&run->own, &options);
    }
    if (status == AIMSS_OK && run->counts && !run->combines) {
        struct counts_options options = counts_share(run, "the counts for other ranks", own / 4);
        options.hash_shift = SHIFT_OTHERS;
        status = counts_open(&run->others, &options);
    }
    if (status == AIMSS_OK && run->after.count != 0)
        status = table_open(&run->state, run->counts ? own / 4 : own, memory);
    return status;
}

/* ---- life -------------------------------------------------------------------------- */

static aimss_status_t create_sink(struct run *run)
{
    const struct run_config *config = &run->config;
    if (config->out_dir == NULL)
        return error_set(AIMSS_E_INVALID, "the sink %s has no directory to write to; give the "
                         "job one with --job", run->sink_node->name);
    return run_sink_create(&(struct run_sink_options){
        .env = config->env, .shuffle = run->shuffle, .out_dir = config->out_dir,
        .file = run->sink_node->name, .temporary_suffix = config->temporary_suffix,
        .index = config->index }, &run->sink);
}

static aimss_status_t open_shuffle(struct run *run)
{
    const struct run_config *config = &run->config;
    run->client = (struct shuffle_client){ run_pack, run_deliver, run };
    run->arrived = (struct aimss_task){
        .chain = &run->after, .last = run->counts ? task_emit_owned : task_emit_nowhere,
        .counts = &run->others, .own = &run->own, .index = config->index,
        .count = config->count, .state = &run->state,
    };
    aimss_status_t status = open_tables(run);
    if (status == AIMSS_OK)
        status = shuffle_create(&(struct shuffle_options){
            .env = config->env, .net = config->net, .failure = &run->failure,
            .index = config->index, .count = config->count,
            .round_bytes = config->round_bytes }, &run->shuffle);
    if (status == AIMSS_OK && run->sink_node != NULL)
        status = create_sink(run);
    return status;
}

aimss_status_t run_create(const struct run_config *config, struct run **run)
{
    aimss_status_t status = graph_check(config->graph);
    if (status != AIMSS_OK)
        return status;
    struct run *made = calloc(1, sizeof *made);
    if (made == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the job's run");
    made->config = *config;
    read_graph(made);
    status = open_workers(made);
    if (status == AIMSS_OK && made->shuffles)
        status = open_shuffle(made);
    if (status == AIMSS_OK)
        status = config->env->ops->pool_create(config->env, "aimss-worker",
                                               config->worker_count, &made->pool);
    if (status != AIMSS_OK) {
        run_destroy(made);
        return status;
    }
    *run = made;
    return AIMSS_OK;
}

void run_destroy(struct run *run)
{
    if (run == NULL)
        return;
    if (run->pool != NULL)
        run->config.env->ops->pool_destroy(run->pool);
    shuffle_destroy(run->shuffle); /* ends its thread, which uses the rest */
    for (unsigned i = 0; run->workers != NULL && i < run->config.worker_count; i++)
        worker_close(&run->workers[i]);
    free(run->workers);
    order_destroy(run->order);
    run_sink_destroy(run->sink);
    counts_close(&run->own);
    counts_close(&run->others);
    table_close(&run->state);
    free(run);
}

/* ---- results ----------------------------------------------------------------------- */

void run_result(const struct run *run, struct run_result *result)
{
    struct sink_part part = { 0 };
    if (run->sink != NULL)
        run_sink_part(run->sink, &part);
    *result = (struct run_result){
        .file = run->sink_node != NULL ? run->sink_node->name : NULL,
        .offset = part.offset,
        .len_bytes = part.len_bytes,
        .crc32c = part.crc32c,
        .line_count = part.line_count,
        .round_count = run->shuffle != NULL ? shuffle_round(run->shuffle) : 0,
    };
}

void run_progress(const struct run *run, uint64_t *records, uint64_t *bytes)
{
    *records = *bytes = 0;
    for (unsigned i = 0; i < run->config.worker_count; i++) {
        *records += word_load(&run->workers[i].record_count);
        *bytes += word_load(&run->workers[i].byte_count);
    }
}
