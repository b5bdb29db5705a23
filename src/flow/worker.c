/* worker.c: see worker.h. */
#include "flow/worker.h"

#include "base/word.h"
#include <inttypes.h>
#include <stdio.h>

enum {
    WORKER_BELL_EVERY = 4,            /* buffers after which the MPI thread may feed more */
    WORKER_LOG_BLOCK_BYTES = 256 * 1024
};

static void worker_task(struct env_task *task);

aimss_status_t worker_open(struct worker *worker, const struct worker_options *options)
{
    *worker = (struct worker){
        .task = { .run = worker_task, .bell = options->bell, .done = 1 },
        .call = { .chain = options->chain, .last = options->last },
        .failure = options->failure,
        .counting = options->last == task_emit_counted,
        .log_soft_bytes = options->log_soft_bytes,
    };
    blocks_open(&worker->log, WORKER_LOG_BLOCK_BYTES);
    worker->call.log = &worker->log;
    worker->call.counts = &worker->combiner;
    return worker->counting ? counts_open(&worker->combiner, &options->combiner) : AIMSS_OK;
}

void worker_close(struct worker *worker)
{
    for (uint64_t i = worker->taken; i != worker->fed; i++)
        buffer_release(worker->queue[i % WORKER_QUEUE]);
    worker->taken = worker->fed;
    counts_close(&worker->combiner);
    blocks_close(&worker->log);
}

bool worker_feed(struct worker *worker, struct aimss_buffer *buffer)
{
    if (worker_queued(worker) == WORKER_QUEUE)
        return false;
    worker->queue[worker->fed % WORKER_QUEUE] = buffer;
    word_store(&worker->fed, worker->fed + 1);
    return true;
}

uint64_t worker_queued(const struct worker *worker)
{
    return worker->fed - word_load(&worker->taken);
}

bool worker_resting(const struct worker *worker)
{
    return env_task_done(&worker->task);
}

bool worker_ready(const struct worker *worker)
{
    return worker_resting(worker) && !worker->full && worker->state == WORKER_OPEN &&
           worker_queued(worker) != 0;
}

/* Full between two records, not within one: a record's emits are not cut. */
static bool is_full(const struct worker *worker)
{
    uint64_t soft_bytes = worker->counting ? worker->combiner.options.soft_bytes
                                           : worker->log_soft_bytes;
    uint64_t used_bytes = worker->counting ? counts_key_bytes(&worker->combiner)
                                           : worker->log.held_bytes;
    if (worker->counting ? worker->combiner.over : used_bytes > soft_bytes)
        return true;
    return word_load(&worker->hand_over) != 0 && 3 * used_bytes > soft_bytes;
}

/* A callback's error gets the place of its record, others name their own. */
static void record_failed(struct worker *worker, const struct aimss_buffer *buffer,
                          aimss_status_t status)
{
    char text[ERROR_TEXT_BYTES];
    snprintf(text, sizeof text, "%s", error_text());
    if (status == AIMSS_E_CALLBACK)
        error_set(status, "record %" PRIu64 " of stream %u, streamlet %u, group %u, in segment "
                  "%u from offset %" PRIu64 " on: %.600s; see the job's program",
                  worker->call.ordinal, buffer->stream, buffer->streamlet, buffer->group,
                  buffer->segment, buffer->offset, text);
    failure_set(worker->failure, status);
}

static void walk_buffer(struct worker *worker, const struct aimss_buffer *buffer)
{
    struct aimss_record record;
    uint64_t cursor = 0, record_count = 0, byte_count = 0;
    aimss_status_t status = AIMSS_OK;
    while (status == AIMSS_OK) {
        status = buffer_record(buffer, &cursor, &record);
        if (status != AIMSS_OK)
            break;
        status = task_run(&worker->call, &record);
        record_count++;
        byte_count += record.key.len_bytes + record.value.len_bytes;
    }
    if (status != AIMSS_END)
        record_failed(worker, buffer, status);
    word_store(&worker->record_count, worker->record_count + record_count);
    word_store(&worker->byte_count, worker->byte_count + byte_count);
}

static void worker_task(struct env_task *task)
{
    struct worker *worker = (struct worker *)task;
    while (!worker->full && worker->taken != word_load(&worker->fed)) {
        struct aimss_buffer *buffer = worker->queue[worker->taken % WORKER_QUEUE];
        if (!failure_is_set(worker->failure))
            walk_buffer(worker, buffer);
        buffer_release(buffer);
        worker->full = is_full(worker);
        word_store(&worker->taken, worker->taken + 1);
        if (worker->taken % WORKER_BELL_EVERY == 0 && task->bell != NULL)
            bell_ring(task->bell);
    }
    if (worker->counting)
        counts_settle(&worker->combiner);
    if (worker->combiner.status != AIMSS_OK)
        failure_set(worker->failure, worker->combiner.status);
}

void worker_drain_start(struct worker *worker, bool is_last)
{
    worker->state = WORKER_DRAINING;
    worker->is_last = is_last;
    worker->drained = false;
    worker->cursor = 0;
    worker->block = worker->log.first;
    worker->block_at_bytes = 0;
}

bool worker_drain_counts(const struct counts *counts, uint64_t *cursor, struct shuffle *shuffle,
                         struct counts *own)
{
    struct aimss_counted counted;
    uint64_t hash;
    unsigned ranks = shuffle_rank_count(shuffle), index = shuffle_rank_index(shuffle);
    while (counts_next(counts, cursor, &counted, &hash)) {
        unsigned rank = key_part(hash, ranks);
        struct shuffle_entry entry = { (uint32_t)counted.key.len_bytes, 0, counted.count };
        if (rank == index)
            counts_add(own, counted.key.data, counted.key.len_bytes, counted.count);
        else if (!shuffle_put(shuffle, rank, &entry, counted.key.data, NULL))
            return false;
    }
    return true;
}

static struct collected *next_collected(struct worker *worker)
{
    while (worker->block != NULL && worker->block_at_bytes == worker->block->used_bytes) {
        worker->block = worker->block->next;
        worker->block_at_bytes = 0;
    }
    if (worker->block == NULL)
        return NULL;
    struct collected *record = (void *)(block_data(worker->block) + worker->block_at_bytes);
    worker->block_at_bytes += blocks_run_bytes(sizeof *record + record->key_bytes +
                                               record->value_bytes);
    return record;
}

static bool drain_log(struct worker *worker, struct shuffle *shuffle)
{
    unsigned ranks = shuffle_rank_count(shuffle);
    struct collected *record;
    while ((record = next_collected(worker)) != NULL) {
        const char *key = (const char *)(record + 1);
        struct shuffle_entry entry = { record->key_bytes, record->value_bytes, 0 };
        if (!shuffle_put(shuffle, key_part(record->hash, ranks), &entry, key,
                         key + record->key_bytes))
            return false;
    }
    return true;
}

bool worker_drain(struct worker *worker, struct shuffle *shuffle, struct counts *own)
{
    if (worker->drained)
        return true;
    bool all = worker->counting
                   ? worker_drain_counts(&worker->combiner, &worker->cursor, shuffle, own)
                   : drain_log(worker, shuffle);
    if (!all)
        return false;
    worker->drained = true;
    if (worker->counting && !worker->is_last)
        counts_clear(&worker->combiner);
    blocks_clear(&worker->log);
    return true;
}

void worker_drain_stop(struct worker *worker)
{
    worker->state = worker->is_last ? WORKER_ENDED : WORKER_OPEN;
    worker->full = false;
    word_store(&worker->hand_over, 0);
}
