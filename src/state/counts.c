/* counts.c: see counts.h.
 *
 * Growing in place: the table of N slots becomes one of 2 N whose upper half
 * is free. Starting behind a free slot, each key in the order of the slots is
 * taken out and put in again under the wider mask. Whatever lies between a
 * key's new home and its old slot was treated before it, so the first free
 * slot on its way is never behind a key that is still to be moved.
 */
#include "state/counts.h"

#include "base/error.h"
#include <assert.h>
#include <inttypes.h>

static_assert(sizeof(struct counts_slot) == 32, "two slots are one cache line");

enum {
    SLOTS_FIRST = 1024,
    KEYS_BLOCK_BYTES = 64 * 1024,
    LOOK_AHEAD = 16, /* slots whose long keys are fetched early */
    LIMIT_LEAST_BYTES = 256 * 1024 /* the first slots and a few blocks always fit */
};

static uint64_t slots_bytes(uint64_t slot_count)
{
    return slot_count * sizeof(struct counts_slot);
}

uint64_t counts_bytes(const struct counts *counts)
{
    uint64_t reserve_bytes = counts->options.reserve_per_key_bytes;
    uint64_t far_bytes = counts->blocks.held_bytes;
    return slots_bytes(counts->mask + 1) + counts->used_count * reserve_bytes +
           (reserve_bytes != 0 ? 2 : 1) * far_bytes;
}

static uint64_t keys_before_growth(uint64_t slot_count)
{
    return slot_count / 4 * 3;
}

/* Where the last growth left off: fuller than this, probing takes too long. */
static uint64_t keys_at_most(uint64_t slot_count)
{
    return slot_count / 16 * 15;
}

static aimss_status_t slots_enable(struct counts *counts, uint64_t slot_count)
{
    uint64_t len_bytes = slots_bytes(slot_count);
    if (!pages_use(&counts->pages, len_bytes))
        return error_set(AIMSS_E_NO_MEMORY, "no memory for %" PRIu64 " slots of %s (%" PRIu64
                         " bytes); lower --state-memory or use more ranks", slot_count,
                         counts->options.what, len_bytes);
    counts->mask = slot_count - 1;
    counts->grow_at_count = keys_before_growth(slot_count);
    return AIMSS_OK;
}

aimss_status_t counts_open(struct counts *counts, const struct counts_options *options)
{
    *counts = (struct counts){ .options = *options, .reserved_slots = SLOTS_FIRST };
    if (counts->options.limit_bytes < LIMIT_LEAST_BYTES)
        counts->options.limit_bytes = LIMIT_LEAST_BYTES;
    while (slots_bytes(2 * counts->reserved_slots) <= options->limit_bytes)
        counts->reserved_slots *= 2;
    if (!pages_reserve(&counts->pages, slots_bytes(counts->reserved_slots)))
        return error_set(AIMSS_E_NO_MEMORY, "no address space for %s (%" PRIu64
                         " bytes); lower --state-memory or raise ulimit -v", options->what,
                         slots_bytes(counts->reserved_slots));
    counts->slots = counts->pages.data;
    blocks_open(&counts->blocks, KEYS_BLOCK_BYTES);
    aimss_status_t status = slots_enable(counts, SLOTS_FIRST);
    if (status != AIMSS_OK)
        counts_close(counts);
    return status;
}

void counts_close(struct counts *counts)
{
    if (counts->slots == NULL)
        return;
    pages_close(&counts->pages);
    blocks_close(&counts->blocks);
    counts->slots = NULL;
}

static uint64_t slot_hash(const struct counts_slot *slot)
{
    if (slot->size - 1 > KEY_SHORT_BYTES)
        return slot->far.hash;
    return key_hash_words(slot->words, slot->size - 1);
}

static void slot_move(struct counts *counts, struct counts_slot *slot)
{
    struct counts_slot moved = *slot;
    uint64_t to = moved.tag & counts->mask;
    slot->size = 0;
    while (counts->slots[to].size != 0)
        to = (to + 1) & counts->mask;
    counts->slots[to] = moved;
}

static aimss_status_t slots_double(struct counts *counts)
{
    uint64_t old_count = counts->mask + 1, start = 0;
    aimss_status_t status = slots_enable(counts, 2 * old_count);
    if (status != AIMSS_OK)
        return status;
    while (counts->slots[start].size != 0)
        start++;
    for (uint64_t i = 1; i < old_count; i++) {
        struct counts_slot *slot = &counts->slots[(start + i) & (old_count - 1)];
        if (slot->size != 0)
            slot_move(counts, slot);
    }
    return AIMSS_OK;
}

static bool may_double(const struct counts *counts)
{
    uint64_t slot_count = counts->mask + 1;
    return slot_count < counts->reserved_slots && slot_count <= UINT32_MAX / 2 &&
           counts_bytes(counts) + slots_bytes(slot_count) <= counts->options.limit_bytes;
}

void counts_reserve(struct counts *counts, uint64_t key_count)
{
    while (counts->grow_at_count < key_count && may_double(counts))
        if (slots_double(counts) != AIMSS_OK)
            return; /* later growth will say why */
}

static aimss_status_t limit_reached(struct counts *counts)
{
    const struct counts_options *options = &counts->options;
    return error_set(AIMSS_E_LIMIT, "%s: %" PRIu64 " distinct keys fill their share, %" PRIu64
                     " bytes, of --state-memory, which is %" PRIu64 " bytes on each compute "
                     "rank; raise --state-memory or use more compute ranks", options->what,
                     counts->used_count, options->limit_bytes, options->option_bytes);
}

static bool is_soft_below(const struct counts *counts, uint64_t bytes)
{
    return counts->options.soft_bytes != 0 && bytes > counts->options.soft_bytes;
}

/* Room for one more key with block_bytes more of blocks: grows while that is
 * allowed, then lets the table become fuller, then gives up. */
static aimss_status_t make_room(struct counts *counts, uint64_t block_bytes)
{
    uint64_t slot_count = counts->mask + 1;
    uint64_t bytes = counts_bytes(counts) + block_bytes + counts->options.reserve_per_key_bytes;
    if (bytes > counts->options.limit_bytes)
        return limit_reached(counts);
    if (block_bytes != 0 && is_soft_below(counts, counts->blocks.held_bytes + block_bytes))
        counts->over = true;
    if (counts->used_count < counts->grow_at_count)
        return AIMSS_OK;
    if (is_soft_below(counts, bytes + slots_bytes(slot_count)))
        counts->over = true;
    if (may_double(counts))
        return slots_double(counts);
    if (counts->used_count >= keys_at_most(slot_count))
        return limit_reached(counts);
    counts->grow_at_count = counts->used_count + 1;
    return AIMSS_OK;
}

/* Growth moves the slots, so a key's place is looked for after it. */
static struct counts_slot *free_slot(struct counts *counts, uint32_t tag, uint64_t block_bytes)
{
    counts->status = make_room(counts, block_bytes);
    if (counts->status != AIMSS_OK)
        return NULL;
    uint64_t at = tag & counts->mask;
    while (counts->slots[at].size != 0)
        at = (at + 1) & counts->mask;
    counts->used_count++;
    return &counts->slots[at];
}

static void insert_short(struct counts *counts, const struct counts_waiting *waiting)
{
    struct counts_slot *slot = free_slot(counts, waiting->tag, 0);
    if (slot == NULL)
        return;
    *slot = (struct counts_slot){ .count = waiting->add, .size = waiting->size,
                                  .tag = waiting->tag, .words = waiting->words };
}

void counts_add_waiting(struct counts *counts, const struct counts_waiting *waiting)
{
    uint64_t at = waiting->tag & counts->mask;
    for (;; at = (at + 1) & counts->mask) {
        struct counts_slot *slot = &counts->slots[at];
        uint64_t differs = (slot->words.word[0] ^ waiting->words.word[0]) |
                           (slot->words.word[1] ^ waiting->words.word[1]) |
                           (slot->size ^ waiting->size);
        if (differs == 0) {
            slot->count += waiting->add;
            return;
        }
        if (slot->size == 0)
            break;
    }
    if (counts->status == AIMSS_OK)
        insert_short(counts, waiting);
}

static void insert_far(struct counts *counts, const void *data, size_t len_bytes, uint64_t hash,
                       uint64_t add)
{
    uint64_t growth = blocks_growth(&counts->blocks, len_bytes);
    uint32_t tag = (uint32_t)(hash >> counts->options.hash_shift);
    struct counts_slot *slot = free_slot(counts, tag, growth);
    if (slot == NULL)
        return;
    char *copy = blocks_take(&counts->blocks, len_bytes);
    if (copy == NULL) {
        counts->used_count--;
        counts->status = error_set(AIMSS_E_NO_MEMORY, "no memory for a key of %zu bytes in %s; "
                                   "lower --state-memory or use more ranks", len_bytes,
                                   counts->options.what);
        return;
    }
    memcpy(copy, data, len_bytes);
    *slot = (struct counts_slot){ .count = add, .size = (uint32_t)len_bytes + 1,
                                  .tag = tag, .far = { copy, hash } };
}

void counts_add_far(struct counts *counts, const void *data, size_t len_bytes, uint64_t add)
{
    if (counts->status != AIMSS_OK)
        return;
    if (len_bytes > COUNTS_KEY_MAX) {
        counts->status = error_set(AIMSS_E_LIMIT, "a key of %zu bytes: %u are the most that can "
                                   "be counted; cut the key", len_bytes, COUNTS_KEY_MAX);
        return;
    }
    uint64_t hash = hash_bytes(data, len_bytes, 0);
    uint32_t tag = (uint32_t)(hash >> counts->options.hash_shift);
    for (uint64_t at = tag & counts->mask;; at = (at + 1) & counts->mask) {
        struct counts_slot *slot = &counts->slots[at];
        if (slot->size == 0)
            break;
        if (slot->size == len_bytes + 1 && slot->far.hash == hash &&
            memcmp(slot->far.data, data, len_bytes) == 0) {
            slot->count += add;
            return;
        }
    }
    insert_far(counts, data, len_bytes, hash, add);
}

void counts_settle(struct counts *counts)
{
    for (unsigned i = 0; i < COUNTS_RING; i++) {
        if (counts->ring[i].add != 0)
            counts_add_waiting(counts, &counts->ring[i]);
        counts->ring[i].add = 0;
    }
}

/* Slots beyond the soft limit, which one huge record may have needed, go back. */
static void slots_clear(struct counts *counts)
{
    uint64_t slot_count = counts->mask + 1, keep_count = slot_count;
    while (keep_count > SLOTS_FIRST && is_soft_below(counts, slots_bytes(keep_count)))
        keep_count /= 2;
    memset(counts->slots, 0, slots_bytes(keep_count));
    pages_forget(&counts->pages, slots_bytes(keep_count));
    counts->mask = keep_count - 1;
}

uint64_t counts_key_bytes(const struct counts *counts)
{
    return slots_bytes(counts->used_count) + counts->blocks.held_bytes;
}

void counts_clear(struct counts *counts)
{
    slots_clear(counts);
    memset(counts->ring, 0, sizeof counts->ring);
    blocks_clear(&counts->blocks);
    counts->used_count = 0;
    counts->grow_at_count = keys_before_growth(counts->mask + 1);
    counts->over = false;
}

bool counts_next(const struct counts *counts, uint64_t *cursor, struct aimss_counted *counted,
                 uint64_t *hash)
{
    while (*cursor <= counts->mask) {
        const struct counts_slot *ahead = &counts->slots[(*cursor + LOOK_AHEAD) & counts->mask];
        const struct counts_slot *slot = &counts->slots[(*cursor)++];
        if (ahead->size - 1 > KEY_SHORT_BYTES && ahead->size != 0)
            __builtin_prefetch(ahead->far.data);
        if (slot->size == 0)
            continue;
        *counted = counts_line(slot);
        *hash = slot_hash(slot);
        return true;
    }
    return false;
}
