/* workload.c: what each compute rank does. See workload.h.
 *
 * A rank goes round in turns: put a few records, read a few buffers, join or
 * leave. Buffers that were read are kept for a while and looked at again before
 * they go back: their memory must not have been used for something else.
 */
#include "sim/workload.h"

#include "api/stream.h"
#include "base/error.h"

#include <stdlib.h>

enum {
    TEXT = LEDGER_GROUPS_MAX,       /* the reader of the text */
    READERS = WORKLOAD_READERS,
    IDLE_NS = 200 * 1000,
    WRITE_TIMEOUT_NS = 100 * 1000,
    SETTLE_NS = 50 * 1000 * 1000
};
#define DRAIN_NS (UINT64_C(20) * 1000 * 1000 * 1000)

/* True for success. The one failure that is not the library's fault stops the
 * rank; what a lost lease means is the writer's to say. */
static bool is_ok(struct workload_worker *w, aimss_status_t status, const char *call)
{
    if (status >= AIMSS_OK)
        return true;
    if (!sim_read_failed(w->sim))
        sim_fail(w->sim, "rank %u: %s returns %d: %s", w->number, call, status, error_text());
    w->failed = true;
    return false;
}

/* ---- reading */

static void look(struct workload_worker *w, unsigned group, const struct aimss_buffer *buffer,
                 bool again)
{
    struct aimss_record record;
    uint64_t cursor = 0;
    aimss_status_t status;

    while ((status = aimss_buffer_record(buffer, &cursor, &record)) == AIMSS_OK)
        if (group == TEXT)
            ledger_see_lines(&w->load->ledger, w->sim, 0, &record, again);
        else
            ledger_see(&w->load->ledger, w->sim, group, &record, again);
    if (status != AIMSS_END)
        sim_fail(w->sim, "rank %u, group %u: %s%s", w->number, group, error_text(),
                 again ? " (while the buffer is held)" : "");
}

static void give_back(struct workload_worker *w, unsigned group, unsigned at)
{
    struct workload_reader *reading = &w->readings[group];
    struct aimss_buffer *buffer = reading->held[at];

    reading->held[at] = reading->held[--reading->held_count];
    look(w, group, buffer, true);
    aimss_buffer_release(buffer);
}

static void give_all_back(struct workload_worker *w, unsigned group)
{
    while (w->readings[group].held_count > 0)
        give_back(w, group, 0);
}

static void hold(struct workload_worker *w, unsigned group, struct aimss_buffer *buffer)
{
    struct workload_reader *reading = &w->readings[group];

    look(w, group, buffer, false);
    reading->held[reading->held_count++] = buffer;
    while (reading->held_count > w->load->hold_max)
        give_back(w, group, (unsigned)sim_below(&w->random, reading->held_count));
}

static void read_some(struct workload_worker *w, unsigned group, uint64_t timeout_ns)
{
    struct workload_reader *reading = &w->readings[group];
    struct aimss_buffer *buffer;
    unsigned most = 1 + (unsigned)sim_below(&w->random, 4);

    for (unsigned n = 0; n < most && !reading->ended; n++) {
        aimss_status_t status = aimss_reader_next(reading->reader, timeout_ns, &buffer);

        if (!is_ok(w, status, "aimss_reader_next"))
            return;
        if (status == AIMSS_OK) {
            hold(w, group, buffer);
            continue;
        }
        give_all_back(w, group);
        reading->ended = status == AIMSS_END;
        return;
    }
}

static void join(struct workload_worker *w, unsigned group)
{
    static const char *const names[READERS] = { "first", "second", "first" };
    struct aimss_reader_options options = { .group = names[group] };

    is_ok(w, aimss_read_from(group == TEXT ? w->text : w->records, &options,
                             &w->readings[group].reader), "aimss_read_from");
}

static void leave(struct workload_worker *w, unsigned group)
{
    struct workload_reader *reading = &w->readings[group];

    give_all_back(w, group);
    if (reading->reader != NULL)
        is_ok(w, aimss_reader_close(reading->reader), "aimss_reader_close");
    reading->reader = NULL;
}

/* Joins or leaves when its turn has come. */
static void change(struct workload_worker *w, unsigned group)
{
    struct workload_reader *reading = &w->readings[group];
    unsigned after = w->part->change_after;

    if (w->turns == after && reading->plan == WORKLOAD_LATE)
        join(w, group);
    if (w->turns == after && (reading->plan == WORKLOAD_LEAVES ||
                              reading->plan == WORKLOAD_RETURNS))
        leave(w, group);
    if (w->turns == after + 3 && reading->plan == WORKLOAD_RETURNS && !w->failed) {
        reading->ended = false;
        join(w, group);
    }
}

static bool has_read(const struct workload_worker *w, unsigned group)
{
    const struct workload_reader *reading = &w->readings[group];
    unsigned changes = reading->plan == WORKLOAD_RETURNS ? 3 : 0;

    if (reading->plan == WORKLOAD_NEVER)
        return true;
    if (reading->plan == WORKLOAD_LEAVES)
        return reading->reader == NULL && w->turns >= w->part->change_after;
    if (reading->plan != WORKLOAD_FROM_START && w->turns < w->part->change_after + changes)
        return false;
    return reading->ended;
}

/* ---- writing */

/* The rank has been taken for dead and is not: it writes no more. The test
 * seals what it may still hold, as a coordinator would, and counts it out. */
static void give_up_writing(struct workload_worker *w)
{
    struct wire_message closed = { .kind = WIRE_WRITER_CLOSED };
    aimss_status_t status = AIMSS_OK;

    closed.a = w->records->info.id;
    if (aimss_writer_close(w->writer) == AIMSS_OK)
        sim_fail(w->sim, "rank %u: a writer without its lease closes well", w->number);
    w->writer = NULL;
    is_ok(w, aimss_runtime_progress(w->rt, SETTLE_NS), "aimss_runtime_progress");
    sim_revoke(w->sim, w->number);
    while (status == AIMSS_OK && !sim_revoke_done(w->sim))
        status = aimss_runtime_progress(w->rt, IDLE_NS);
    if (is_ok(w, status, "aimss_runtime_progress"))
        is_ok(w, compute_tell(w->rt->compute, &closed), "a message");
}

/* True: goes on writing. */
static bool may_go_on(struct workload_worker *w, aimss_status_t status, const char *call)
{
    if (status == AIMSS_E_REVOKED && sim_was_revoked(w->sim, w->number)) {
        give_up_writing(w);
        return false;
    }
    return is_ok(w, status, call) && status == AIMSS_OK;
}

static bool put_one(struct workload_worker *w)
{
    struct ledger *ledger = &w->load->ledger;
    uint64_t key = ledger_key(ledger, w->number, w->put);
    size_t len = ledger_fill(ledger, w->number, w->put, w->value);

    ledger->written[w->number] = w->put + 1;
    if (!may_go_on(w, aimss_writer_put(w->writer, (struct aimss_bytes){ &key, sizeof key },
                                       (struct aimss_bytes){ w->value, len }),
                   "aimss_writer_put"))
        return false;
    w->put++;
    return true;
}

static bool flush(struct workload_worker *w)
{
    if (!may_go_on(w, aimss_writer_flush(w->writer, AIMSS_ACCEPTED, NULL), "aimss_writer_flush"))
        return false;
    w->load->ledger.accepted[w->number] = w->put;
    return true;
}

static void close_writer(struct workload_worker *w)
{
    struct aimss_writer *writer = w->writer;
    aimss_status_t status;

    if (!flush(w))
        return;
    w->writer = NULL;
    status = aimss_writer_close(writer);
    if (status == AIMSS_E_REVOKED && sim_was_revoked(w->sim, w->number))
        give_up_writing(w);
    else if (is_ok(w, status, "aimss_writer_close") && status != AIMSS_OK)
        sim_fail(w->sim, "rank %u: aimss_writer_close returns %d: %s", w->number, status,
                 error_text());
}

static void write_some(struct workload_worker *w)
{
    unsigned most = 1 + (unsigned)sim_below(&w->random, 16);

    for (unsigned n = 0; n < most && w->put < w->load->record_count; n++) {
        if (!put_one(w))
            return;
        if (w->load->flush_every > 0 && w->put % w->load->flush_every == 0 && !flush(w))
            return;
    }
    if (w->put == w->load->record_count)
        close_writer(w);
}

/* ---- a rank's life */

static void open_records(struct workload_worker *w)
{
    const struct workload *load = w->load;
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED,
                                            .writer_count = load->writer_count,
                                            .streamlet_count = load->streamlet_count,
                                            .segment_bytes = load->segment_bytes,
                                            .segment_first_bytes = load->segment_first_bytes,
                                            .chunk_bytes = load->chunk_bytes };

    is_ok(w, aimss_stream_create(w->rt, "records", &options, &w->records), "aimss_stream_create");
}

static void open_text(struct workload_worker *w)
{
    const char *path = w->load->ledger.text->file.path;
    struct aimss_stream_options options = { .source = "text", .inputs = &path, .input_count = 1,
                                            .segment_bytes = 32 * 1024, .chunk_bytes = 8192 };

    if (w->load->has_text)
        is_ok(w, aimss_stream_create(w->rt, "text", &options, &w->text), "aimss_stream_create");
}

static bool starts_at_once(const struct workload_reader *reading)
{
    return reading->plan != WORKLOAD_NEVER && reading->plan != WORKLOAD_LATE;
}

static void plan_readings(struct workload_worker *w)
{
    for (unsigned g = 0; g < w->load->group_count; g++)
        w->readings[g].plan = w->part->reading[g];
    if (w->load->has_text)
        w->readings[TEXT].plan = WORKLOAD_FROM_START;
}

/* Nobody writes before the first members of all groups are there: a group reads
 * what comes after its joining. */
static void join_first(struct workload_worker *w)
{
    aimss_status_t status = AIMSS_OK;

    for (unsigned g = 0; g < READERS && !w->failed; g++) {
        if (!starts_at_once(&w->readings[g]))
            continue;
        join(w, g);
        w->load->joined++;
    }
    while (status == AIMSS_OK && !w->failed && w->load->joined < w->load->joins_first)
        status = aimss_runtime_progress(w->rt, IDLE_NS);
    is_ok(w, status, "aimss_runtime_progress");
}

static void open_writer(struct workload_worker *w)
{
    struct aimss_writer_options options = {
        .timeout_ns = w->load->blocking ? 0 : WRITE_TIMEOUT_NS
    };

    if (w->part->writes && !w->failed)
        is_ok(w, aimss_writer_open(w->records, &options, &w->writer), "aimss_writer_open");
}

static bool is_finished(const struct workload_worker *w)
{
    bool finished = w->writer == NULL;

    for (unsigned g = 0; g < READERS; g++)
        finished = finished && has_read(w, g);
    return finished || w->failed;
}

static bool is_lazy(const struct workload_worker *w)
{
    return w->load->lazy && w->writer != NULL && w->turns % 16 != 0;
}

static void take_turn(struct workload_worker *w)
{
    uint64_t timeout = w->writer != NULL ? 0 : IDLE_NS;

    w->turns++;
    if (w->writer != NULL)
        write_some(w);
    for (unsigned g = 0; g < READERS && !w->failed; g++) {
        change(w, g);
        if (w->readings[g].reader != NULL && !w->failed && !is_lazy(w))
            read_some(w, g, timeout);
    }
}

static bool is_memory_free(const struct workload_worker *w)
{
    unsigned held = 0;

    for (unsigned b = 0; b < w->load->sim.broker_count; b++)
        held += sim_groups_held(w->sim, b, false);
    return held == 0;
}

/* A broker that is told to stop leaves the last credits unread: so nobody says
 * goodbye before the memory is free again. */
static void await_others(struct workload_worker *w)
{
    uint64_t deadline = sim_now_ns(w->sim) + DRAIN_NS;
    aimss_status_t status = AIMSS_OK;

    w->load->finished++;
    while (status == AIMSS_OK && !w->failed && sim_now_ns(w->sim) < deadline &&
           (w->load->finished < w->load->compute_count || !is_memory_free(w)))
        status = aimss_runtime_progress(w->rt, IDLE_NS);
    is_ok(w, status, "aimss_runtime_progress");
}

static void close_all(struct workload_worker *w)
{
    for (unsigned g = 0; g < READERS; g++)
        leave(w, g);
    if (w->writer != NULL)
        aimss_writer_close(w->writer);
    aimss_stream_destroy(w->records);
    aimss_stream_destroy(w->text);
}

void workload_run(struct sim_rank *rank, void *arg)
{
    struct workload *load = arg;
    unsigned number = sim_rank_number(rank);
    struct workload_worker *w = &load->workers[number];

    *w = (struct workload_worker){ .load = load, .rank = rank, .sim = sim_of(rank),
                                   .rt = sim_runtime(rank), .number = number,
                                   .part = &load->parts[number - 1 - load->sim.broker_count],
                                   .random = load->sim.seed ^ (uint64_t)number << 8 };
    open_records(w);
    if (!w->failed)
        open_text(w);
    plan_readings(w);
    join_first(w);
    open_writer(w);
    while (!is_finished(w))
        take_turn(w);
    await_others(w);
    close_all(w);
}

/* ---- after the end */

static void check_status(struct sim *sim, unsigned rank)
{
    aimss_status_t status = sim_rank_status(sim, rank);
    bool expected = status == (sim_read_failed(sim) ? AIMSS_E_IO : AIMSS_OK);

    if (!expected)
        sim_fail(sim, "rank %u ends with %d", rank, status);
}

static void check_memory(const struct workload *load, struct sim *sim)
{
    bool lost = false;

    for (unsigned r = 0; r < load->sim.rank_count; r++)
        lost |= sim_was_revoked(sim, r);
    for (unsigned b = 0; b < load->sim.broker_count; b++) {
        unsigned open = sim_groups_held(sim, b, false), revoked = sim_groups_held(sim, b, true);

        if (open > 0 || (revoked > 0 && !lost))
            sim_fail(sim, "broker %u holds %u groups at the end, and %u revoked ones", b, open,
                     revoked);
    }
}

/* Buffers that were read and not given back belong to nobody else. */
static void free_held(struct workload_reader *reading)
{
    for (unsigned h = 0; h < reading->held_count; h++) {
        free(reading->held[h]->owned);
        free(reading->held[h]);
    }
}

static void free_workers(struct workload *load)
{
    for (unsigned r = 0; r < SIM_RANKS_MAX; r++)
        for (unsigned g = 0; g < READERS; g++)
            free_held(&load->workers[r].readings[g]);
}

void workload_check(struct workload *load, struct sim *sim, enum sim_outcome outcome)
{
    if (outcome == SIM_CRASHED) {
        free_workers(load); /* what was delivered was looked at; the rest is recovery's */
        return;
    }
    for (unsigned r = 0; r < load->sim.rank_count; r++)
        check_status(sim, r);
    if (sim_read_failed(sim))
        return;
    for (unsigned g = 0; g < load->group_count; g++)
        ledger_check(&load->ledger, sim, g);
    if (load->has_text)
        ledger_check_lines(&load->ledger, sim, 0);
    check_memory(load, sim);
}
