/* run.c: see run.h; the phases of a run, stepped by the MPI thread.
 *
 *   feeding     workers take buffers; a full one wants a round of exchange
 *   exchanging  rounds until every rank has told that nothing is left
 *   ordering    this rank's range of all counts, in order
 *   writing     this rank's part of the file
 *   done
 */
#include "flow/run_internal.h"

#include "base/error.h"
#include "base/word.h"
#include <stdio.h>

/* What a rank tells the others in a round. */
enum {
    FLAG_RECORDS_END = 1, /* no record follows from here */
    FLAG_COUNTS_END = 2   /* nothing at all */
};

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
        if (run_is_alone(run) && !worker->drained)
            adopt(&run->own, &worker->combiner);
        else if (run->combines && worker->is_last && worker->cursor == 0)
            counts_reserve(&run->own, run->own.used_count +
                                      worker->combiner.used_count / run->config.count);
        if (!worker_drain(worker, shuffle, &run->own))
            return false;
    }
    return true;
}

bool run_pack(void *arg, struct shuffle *shuffle)
{
    struct run *run = arg;
    bool all = pack_workers(run, shuffle);
    if (all && run->counts && !run->combines && run->records_over) {
        counts_settle(&run->others);
        all = worker_drain_counts(&run->others, &run->others_cursor, shuffle, &run->own);
    }
    aimss_status_t status = run->own.status != AIMSS_OK ? run->own.status : run->others.status;
    if (status != AIMSS_OK)
        failure_set(&run->failure, status);
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

aimss_status_t run_deliver(void *arg, unsigned source, const struct shuffle_entry *entry,
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
