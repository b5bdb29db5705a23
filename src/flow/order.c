/* order.c: see order.h. The stages are a list; each does one step of the
 * sample sort. Splitters are the same on every rank, because every rank has
 * the same samples.
 */
#include "flow/order.h"

#include "base/error.h"
#include "flow/order_guess.h"
#include "flow/order_sort.h"
#include "state/blocks.h"
#include "state/pages.h"
#include <stdlib.h>

enum {
    SAMPLES_PER_RANK = 16, /* of all ranks, for each pair of ranks: ranges are equal to 1/16 */
    ORDER_BLOCK_BYTES = 256 * 1024,
    LOOK_AHEAD = 16        /* lines that are fetched early */
};

/* Lines that arrive, those of each source at a place of their own. */
struct arrivals {
    struct pages lines;
    size_t count;
    size_t *at; /* of each source: where its next line goes */
    struct blocks keys;
};

struct order {
    struct stages stages;
    struct counts *counts;
    aimss_order_fn *compare;
    unsigned ranks;
    struct pages own;            /* lines of this rank's keys */
    size_t own_count;
    uint64_t step;               /* lines from one sample to the next */
    struct arrivals samples, range;
    size_t *cuts;                /* ranks + 1: own lines cuts[r] to cuts[r + 1] go to r */
    size_t *cursors;             /* of packing, for each rank */
};

static aimss_status_t no_memory(size_t count)
{
    return error_set(AIMSS_E_NO_MEMORY, "no memory to order %zu lines; lower --state-memory or "
                     "use more ranks", count);
}

static struct aimss_counted *own_lines(const struct order *order)
{
    return order->own.data;
}

static struct aimss_counted *arrived_lines(const struct arrivals *arrivals)
{
    return arrivals->lines.data;
}

/* ---- sorting the own keys -------------------------------------------------- */

static aimss_status_t gather(struct order *order)
{
    uint64_t cursor = 0, hash;
    size_t count = 0;
    while (counts_next(order->counts, &cursor, &own_lines(order)[count], &hash))
        count++;
    return AIMSS_OK;
}

/* Sorted by the likeliest order first, which is fast; where that is the
 * application's, its own takes one look at each line. */
static aimss_status_t sort_lines(struct order *order)
{
    size_t count = order->own_count;
    const struct counts_slot *slots = order->counts->slots;
    struct aimss_counted *lines = own_lines(order);
    struct pages pages;
    if (!pages_open(&pages, 2 * (count + 1) * sizeof(struct order_guess)))
        return no_memory(count);
    struct order_guess *guess = pages.data, *scratch = guess + count;
    order_guess(order->counts, guess, scratch);
    for (size_t i = 0; i < count; i++) {
        if (i + LOOK_AHEAD < count)
            __builtin_prefetch(&slots[guess[i + LOOK_AHEAD].slot]);
        lines[i] = counts_line(&slots[guess[i].slot]);
    }
    order_sort(lines, count, (struct aimss_counted *)scratch, order->compare);
    pages_close(&pages);
    return AIMSS_OK;
}

static aimss_status_t sort_own(void *arg)
{
    struct order *order = arg;
    counts_settle(order->counts);
    if (order->counts->status != AIMSS_OK)
        return order->counts->status;
    order->own_count = order->counts->used_count;
    if (!pages_open(&order->own, order->own_count * sizeof(struct aimss_counted)))
        return no_memory(order->own_count);
    return order->compare != NULL ? sort_lines(order) : gather(order);
}

/* ---- samples and splitters -------------------------------------------------- */

/* Samples lie step lines apart, from the middle of the first step on. */
static size_t samples_of(const struct order *order, uint64_t line_count)
{
    size_t before = order->step / 2;
    return line_count > before ? (line_count - before - 1) / order->step + 1 : 0;
}

static aimss_status_t tell_line_count(void *arg)
{
    struct order *order = arg;
    for (unsigned i = 0; i < order->ranks; i++)
        order->stages.words[i] = order->own_count;
    return AIMSS_OK;
}

static aimss_status_t arrivals_open(struct arrivals *arrivals, const size_t *counts,
                                    unsigned ranks)
{
    arrivals->count = 0;
    arrivals->at = calloc(ranks, sizeof *arrivals->at);
    for (unsigned i = 0; arrivals->at != NULL && i < ranks; i++) {
        arrivals->at[i] = arrivals->count;
        arrivals->count += counts[i];
    }
    blocks_open(&arrivals->keys, ORDER_BLOCK_BYTES);
    bool open = pages_open(&arrivals->lines, arrivals->count * sizeof(struct aimss_counted));
    return arrivals->at != NULL && open ? AIMSS_OK : no_memory(arrivals->count);
}

static void arrivals_close(struct arrivals *arrivals)
{
    pages_close(&arrivals->lines);
    free(arrivals->at);
    blocks_close(&arrivals->keys);
    arrivals->at = NULL;
}

static aimss_status_t arrive(struct arrivals *arrivals, unsigned source,
                             const struct shuffle_entry *entry, const char *bytes)
{
    char *key = blocks_take(&arrivals->keys, entry->key_bytes);
    if (key == NULL)
        return no_memory(arrivals->count);
    blocks_copy(key, bytes, entry->key_bytes);
    arrived_lines(arrivals)[arrivals->at[source]++] =
        (struct aimss_counted){ { key, entry->key_bytes }, entry->count };
    return AIMSS_OK;
}

/* One step for all ranks: then each sample stands for as many lines. */
static aimss_status_t prepare_samples(void *arg)
{
    struct order *order = arg;
    const uint64_t *line_counts = shuffle_received(order->stages.shuffle);
    uint64_t total = 0;
    for (unsigned i = 0; i < order->ranks; i++)
        total += line_counts[i];
    order->step = total / ((uint64_t)SAMPLES_PER_RANK * order->ranks * order->ranks) + 1;
    for (unsigned i = 0; i < order->ranks; i++) {
        order->cuts[i] = samples_of(order, line_counts[i]);
        order->cursors[i] = 0;
    }
    return arrivals_open(&order->samples, order->cuts, order->ranks);
}

static bool pack_line(struct order *order, struct shuffle *shuffle, unsigned rank, size_t at)
{
    const struct aimss_counted *line = &own_lines(order)[at];
    struct shuffle_entry entry = { (uint32_t)line->key.len_bytes, 0, line->count };
    order->cursors[rank]++;
    return shuffle_put(shuffle, rank, &entry, line->key.data, NULL);
}

static bool pack_samples(void *arg, struct shuffle *shuffle)
{
    struct order *order = arg;
    bool all = true;
    size_t count = samples_of(order, order->own_count);
    for (unsigned rank = 0; rank < order->ranks; rank++) {
        bool room = true;
        while (room && order->cursors[rank] < count) {
            size_t at = order->step / 2 + order->cursors[rank] * order->step;
            room = pack_line(order, shuffle, rank, at);
        }
        all = all && room;
    }
    return all;
}

static aimss_status_t deliver_sample(void *arg, unsigned source,
                                     const struct shuffle_entry *entry, const char *bytes)
{
    struct order *order = arg;
    return arrive(&order->samples, source, entry, bytes);
}

static aimss_status_t sort_arrived(const struct order *order, struct arrivals *arrivals)
{
    struct pages scratch;
    if (!pages_open(&scratch, (arrivals->count / 2 + 1) * sizeof(struct aimss_counted)))
        return no_memory(arrivals->count);
    order_sort(arrived_lines(arrivals), arrivals->count, scratch.data, order->compare);
    pages_close(&scratch);
    return AIMSS_OK;
}

/* Rank r's range begins with sample ceil(r * samples / ranks): a few lines go
 * to the lowest ranks. */
static aimss_status_t cut_by_samples(void *arg)
{
    struct order *order = arg;
    size_t count = order->samples.count;
    const struct aimss_counted *samples = arrived_lines(&order->samples);
    aimss_status_t status = sort_arrived(order, &order->samples);
    if (status != AIMSS_OK)
        return status;
    order->cuts[0] = 0;
    for (unsigned rank = 1; rank <= order->ranks; rank++) {
        size_t at = (rank * count + order->ranks - 1) / order->ranks;
        order->cuts[rank] = order->own_count;
        if (at < count)
            order->cuts[rank] = order_find(own_lines(order), order->own_count, &samples[at],
                                           order->compare);
    }
    arrivals_close(&order->samples);
    return AIMSS_OK;
}

/* ---- ranges ------------------------------------------------------------------ */

static aimss_status_t tell_range_counts(void *arg)
{
    struct order *order = arg;
    for (unsigned i = 0; i < order->ranks; i++)
        order->stages.words[i] = order->cuts[i + 1] - order->cuts[i];
    return AIMSS_OK;
}

static aimss_status_t prepare_ranges(void *arg)
{
    struct order *order = arg;
    const uint64_t *received = shuffle_received(order->stages.shuffle);
    for (unsigned i = 0; i < order->ranks; i++)
        order->cursors[i] = received[i];
    aimss_status_t status = arrivals_open(&order->range, order->cursors, order->ranks);
    for (unsigned i = 0; i < order->ranks; i++)
        order->cursors[i] = order->cuts[i];
    return status;
}

static bool pack_ranges(void *arg, struct shuffle *shuffle)
{
    struct order *order = arg;
    bool all = true;
    for (unsigned rank = 0; rank < order->ranks; rank++) {
        bool room = true;
        while (room && order->cursors[rank] < order->cuts[rank + 1])
            room = pack_line(order, shuffle, rank, order->cursors[rank]);
        all = all && room;
    }
    return all;
}

static aimss_status_t deliver_line(void *arg, unsigned source, const struct shuffle_entry *entry,
                                   const char *bytes)
{
    struct order *order = arg;
    return arrive(&order->range, source, entry, bytes);
}

/* What arrived is one sorted run of each source. */
static aimss_status_t merge_range(void *arg)
{
    struct order *order = arg;
    pages_close(&order->own);
    counts_close(order->counts);
    return sort_arrived(order, &order->range);
}

static const struct stage sample_sort[] = {
    { .kind = STAGE_WORK, .act = sort_own },
    { .kind = STAGE_WORDS, .act = tell_line_count, .width = 1 },
    { .kind = STAGE_ROUNDS, .act = prepare_samples, .pack = pack_samples,
      .deliver = deliver_sample },
    { .kind = STAGE_WORK, .act = cut_by_samples },
    { .kind = STAGE_WORDS, .act = tell_range_counts, .width = 1 },
    { .kind = STAGE_ROUNDS, .act = prepare_ranges, .pack = pack_ranges, .deliver = deliver_line },
    { .kind = STAGE_WORK, .act = merge_range },
};

enum { STAGES_ALONE = 1, STAGES_ALL = sizeof sample_sort / sizeof sample_sort[0] };

aimss_status_t order_create(struct shuffle *shuffle, struct counts *counts,
                            aimss_order_fn *compare, struct order **order)
{
    struct order *made = calloc(1, sizeof *made);
    if (made == NULL)
        return no_memory(0);
    made->counts = counts;
    made->compare = compare;
    made->ranks = shuffle_rank_count(shuffle);
    made->stages = (struct stages){
        .list = sample_sort, .arg = made, .shuffle = shuffle,
        .count = compare == NULL || made->ranks == 1 ? STAGES_ALONE : STAGES_ALL,
        .words = calloc(made->ranks * SHUFFLE_WORDS_MAX, sizeof *made->stages.words),
    };
    made->cuts = calloc(made->ranks + 1, sizeof *made->cuts);
    made->cursors = calloc(made->ranks, sizeof *made->cursors);
    if (made->stages.words == NULL || made->cuts == NULL || made->cursors == NULL) {
        order_destroy(made);
        return no_memory(0);
    }
    *order = made;
    return AIMSS_OK;
}

void order_destroy(struct order *order)
{
    if (order == NULL)
        return;
    arrivals_close(&order->samples);
    arrivals_close(&order->range);
    pages_close(&order->own);
    free(order->stages.words);
    free(order->cuts);
    free(order->cursors);
    free(order);
}

aimss_status_t order_step(struct order *order, bool *busy)
{
    return stages_step(&order->stages, busy);
}

const struct aimss_counted *order_lines(const struct order *order, size_t *count)
{
    bool alone = order->stages.count == STAGES_ALONE;
    *count = alone ? order->own_count : order->range.count;
    return alone ? own_lines(order) : arrived_lines(&order->range);
}
