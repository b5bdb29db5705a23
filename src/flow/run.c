/* run.c: see run.h.
 *
 * A graph becomes a chain before the shuffle, which the workers run, and one
 * after it, which the exchange's thread runs on what arrives. Where a count
 * follows the shuffle at once, workers combine: only distinct keys travel.
 *
 *   feeding     workers take buffers; a full one wants a round of exchange
 *   exchanging  rounds until every rank has told that nothing is left
 *   ordering    this rank's range of all counts, in order
 *   writing     this rank's part of the file
 *   done
 *
 * Memory: a quarter of --state-memory for all workers, of which they use a
 * quarter before they ask for a round (the rest is for the emits of one huge
 * record); three quarters for what the rank owns: counts, states.
 */
#include "flow/run.h"

#include "base/error.h"
#include "base/word.h"
#include "flow/order.h"
#include "flow/run_sink.h"
#include "flow/worker.h"
#include <stdio.h>
#include <stdlib.h>

enum run_phase { RUN_FEEDING, RUN_EXCHANGING, RUN_ORDERING, RUN_WRITING, RUN_DONE };

/* What a rank tells the others in a round. */
enum {
    FLAG_RECORDS_END = 1, /* no record follows from here */
    FLAG_COUNTS_END = 2   /* nothing at all */
};

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

/* ---- what the graph means ---------------------------------------------------- */

static void read_graph(struct run *run)
{
    const struct graph *graph = run->config.graph;
    for (unsigned i = 0; i < graph->node_count; i++) {
        const struct graph_node *node = &graph->nodes[i];
        struct chain *chain = run->shuffles ? &run->after : &run->before;
        if (node->kind == GRAPH_APPLY)
            chain->fns[chain->count++] = node->apply;
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
    return options;
}

/* One worker of one rank combines what the rank owns: nothing is exchanged. */
static bool is_alone(const struct run *run)
{
    return run->combines && run->config.count == 1 && run->config.worker_count == 1;
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
    if (is_alone(run))
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
        status = counts_open(&run->others, &options);
    }
    if (status == AIMSS_OK && run->after.count != 0)
        status = table_open(&run->state, run->counts ? own / 4 : own, memory);
    return status;
}

/* ---- what arrives -------------------------------------------------------------- */

static void adopt(struct counts *own, struct counts *combiner)
{
    struct counts empty = *own;
    *own = *combiner;
    *combiner = empty;
}

static bool pack_workers(struct run *run, struct shuffle *shuffle)
{
    for (unsigned i = 0; i < run->config.worker_count; i++) {
        struct worker *worker = &run->workers[i];
        if (worker->state != WORKER_DRAINING)
            continue;
        if (is_alone(run) && !worker->drained)
            adopt(&run->own, &worker->combiner);
        else if (run->combines && worker->is_last && !worker->drained)
            counts_reserve(&run->own, run->own.used_count +
                                      worker->combiner.used_count / run->config.count);
        if (!worker_drain(worker, shuffle, &run->own))
            return false;
    }
    return true;
}

static bool pack(void *arg, struct shuffle *shuffle)
{
    struct run *run = arg;
    bool all = pack_workers(run, shuffle);
    if (all && run->counts && !run->combines && run->records_over) {
        counts_settle(&run->others);
        all = worker_drain_counts(&run->others, &run->others_cursor, shuffle, &run->own);
    }
    if (run->own.status != AIMSS_OK)
        failure_set(&run->failure, run->own.status);
    return all;
}

static aimss_status_t walk_arrived(struct run *run, unsigned source,
                                   const struct aimss_record *record)
{
    aimss_status_t status = task_run(&run->arrived, record);
    if (status != AIMSS_E_CALLBACK)
        return status;
    char text[ERROR_TEXT_BYTES];
    snprintf(text, sizeof text, "%s", error_text());
    return error_set(status, "record %llu that arrived by the shuffle, from compute rank %u: "
                     "%.600s; see the job's program", (unsigned long long)record->ordinal, source,
                     text);
}

static aimss_status_t deliver(void *arg, unsigned source, const struct shuffle_entry *entry,
                              const char *bytes)
{
    struct run *run = arg;
    if (entry->count != 0)
        return counts_add(&run->own, bytes, entry->key_bytes, entry->count);
    struct aimss_record record = {
        .key = { bytes, entry->key_bytes },
        .value = { bytes + entry->key_bytes, entry->value_bytes },
        .ordinal = run->arrived_count++,
    };
    return walk_arrived(run, source, &record);
}

/* ---- rounds --------------------------------------------------------------------- */

static bool workers_at_end(const struct run *run)
{
    for (unsigned i = 0; i < run->config.worker_count; i++) {
        const struct worker *worker = &run->workers[i];
        if (!worker_resting(worker) || worker_queued(worker) != 0)
            return false;
    }
    return run->input_ended;
}

/* Hands full workers over to the round; at the end all of them. */
static bool hand_over(struct run *run)
{
    bool any = false, at_end = run->phase == RUN_EXCHANGING;
    for (unsigned i = 0; i < run->config.worker_count; i++) {
        struct worker *worker = &run->workers[i];
        if (!worker_resting(worker))
            continue;
        if (worker->state == WORKER_OPEN && (at_end || worker->full))
            worker_drain_start(worker, at_end);
        any = any || worker->state == WORKER_DRAINING;
    }
    return any;
}

static aimss_status_t tell_round(struct run *run, uint64_t round)
{
    struct net *net = run->config.net;
    struct wire_message message = { .version = WIRE_VERSION, .kind = WIRE_ROUND,
                                    .from = net->rank, .a = round };
    aimss_status_t status = AIMSS_OK;
    run->round_told = round + 1;
    for (unsigned i = 0; i < net->compute_count && status == AIMSS_OK; i++) {
        if (net->compute_ranks[i] != net->rank)
            status = net->ops->send(net, net->compute_ranks[i], &message);
    }
    return status;
}

/* Whoever is half full joins a round that others want. */
static void ask_workers(struct run *run, uint64_t half_is_full)
{
    for (unsigned i = 0; i < run->config.worker_count; i++)
        word_store(&run->workers[i].hand_over, half_is_full);
}

static uint64_t flags_to_tell(const struct run *run)
{
    if (run->phase != RUN_EXCHANGING)
        return 0;
    bool counts_follow = run->counts && !run->combines && !run->records_over;
    return FLAG_RECORDS_END | (counts_follow ? 0 : FLAG_COUNTS_END);
}

static aimss_status_t round_maybe(struct run *run, bool *busy)
{
    uint64_t round = shuffle_round(run->shuffle);
    bool any_handed = hand_over(run);
    bool wanted = run->round_wanted > round;
    aimss_status_t status = AIMSS_OK;
    if (run->phase == RUN_FEEDING && !any_handed && !wanted)
        return AIMSS_OK;
    if (run->phase == RUN_FEEDING && !wanted && run->round_told <= round)
        status = tell_round(run, round);
    if (run->phase == RUN_FEEDING && wanted)
        ask_workers(run, 1);
    if (status == AIMSS_OK)
        shuffle_begin(run->shuffle, &run->client, flags_to_tell(run));
    run->in_round = true;
    *busy = true;
    return status;
}

static aimss_status_t round_close(struct run *run)
{
    for (unsigned i = 0; i < run->config.worker_count; i++) {
        struct worker *worker = &run->workers[i];
        if (worker->state == WORKER_DRAINING && worker->drained)
            worker_drain_stop(worker);
    }
    ask_workers(run, 0);
    run->in_round = false;
    uint64_t flags = shuffle_flags(run->shuffle);
    run->records_over = run->records_over || (flags & FLAG_RECORDS_END) != 0;
    if (flags & FLAG_COUNTS_END)
        run->phase = run->counts ? RUN_ORDERING : RUN_DONE;
    return AIMSS_OK;
}

/* ---- phases ---------------------------------------------------------------------- */

static void kick_workers(struct run *run, bool *busy)
{
    for (unsigned i = 0; i < run->config.worker_count; i++) {
        if (!worker_ready(&run->workers[i]))
            continue;
        run->config.env->ops->pool_submit(run->pool, &run->workers[i].task);
        *busy = true;
    }
}

static aimss_status_t step_exchange(struct run *run, bool *busy)
{
    aimss_status_t status = shuffle_step(run->shuffle, busy);
    if (status != AIMSS_OK || !shuffle_idle(run->shuffle))
        return status;
    if (run->in_round)
        return round_close(run);
    return round_maybe(run, busy);
}

static aimss_status_t step_feeding(struct run *run, bool *busy)
{
    kick_workers(run, busy);
    if (workers_at_end(run)) {
        run->phase = run->shuffles ? RUN_EXCHANGING : RUN_DONE;
        *busy = true;
    }
    return run->shuffles ? step_exchange(run, busy) : AIMSS_OK;
}

/* What only the exchange needed makes room for the order. */
static aimss_status_t step_ordering(struct run *run, bool *busy)
{
    if (run->order == NULL) {
        counts_close(&run->others);
        table_close(&run->state);
        aimss_status_t status = order_create(run->shuffle, &run->own,
                                             run->sink_node->sink.order, &run->order);
        if (status != AIMSS_OK)
            return status;
    }
    aimss_status_t status = order_step(run->order, busy);
    if (status != AIMSS_END)
        return status;
    size_t count;
    const struct aimss_counted *lines = order_lines(run->order, &count);
    run_sink_lines(run->sink, lines, count);
    run->phase = RUN_WRITING;
    *busy = true;
    return AIMSS_OK;
}

static aimss_status_t step_writing(struct run *run, bool *busy)
{
    aimss_status_t status = run_sink_step(run->sink, busy);
    if (status != AIMSS_END)
        return status;
    run->phase = RUN_DONE;
    *busy = true;
    return AIMSS_OK;
}

static aimss_status_t step_done(struct run *run, bool *busy)
{
    (void)run;
    (void)busy;
    return AIMSS_END;
}

static aimss_status_t (*const phase_steps[])(struct run *run, bool *busy) = {
    [RUN_FEEDING] = step_feeding,
    [RUN_EXCHANGING] = step_exchange,
    [RUN_ORDERING] = step_ordering,
    [RUN_WRITING] = step_writing,
    [RUN_DONE] = step_done,
};

aimss_status_t run_step(struct run *run, bool *busy)
{
    *busy = false;
    if (failure_is_set(&run->failure))
        return failure_get(&run->failure);
    aimss_status_t status = phase_steps[run->phase](run, busy);
    if (status < 0)
        failure_set(&run->failure, status);
    return status < 0 ? failure_get(&run->failure) : status;
}

bool run_feed(struct run *run, struct aimss_buffer *buffer)
{
    struct worker *least = NULL;
    for (unsigned i = 0; i < run->config.worker_count; i++) {
        struct worker *worker = &run->workers[i];
        if (least == NULL || worker_queued(worker) < worker_queued(least))
            least = worker;
    }
    if (!worker_feed(least, buffer))
        return false;
    if (worker_ready(least))
        run->config.env->ops->pool_submit(run->pool, &least->task);
    return true;
}

void run_end_of_input(struct run *run)
{
    run->input_ended = true;
}

void run_round_wanted(struct run *run, uint64_t round)
{
    if (run->round_wanted < round + 1)
        run->round_wanted = round + 1;
}

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
        .shown = run->sink != NULL ? run_sink_shown(run->sink) : NULL,
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
        .index = config->index, .show_count = run->sink_node->sink.show_count }, &run->sink);
}

static aimss_status_t open_shuffle(struct run *run)
{
    const struct run_config *config = &run->config;
    run->client = (struct shuffle_client){ pack, deliver, run };
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
