/* counts.h: how often each key came: the combiner of a worker and the counts
 * that a rank owns.
 *
 * Open addressing with linear probing over 32-byte slots. A key of up to 16
 * bytes lies in its slot; a longer one in blocks, with its hash in the slot.
 * Short keys wait in a ring while the cache line of their slot is fetched, so
 * that the misses of many words overlap; counts_settle() empties the ring.
 *
 * The slots lie in address space that is reserved once, for as many as the
 * limit allows: growing doubles them in place, without a second table and
 * without a copy. Nothing is allocated per key.
 *
 * One owner at a time. An error (no memory, the limit) stays: counts.status.
 */
#ifndef AIMSS_STATE_COUNTS_H
#define AIMSS_STATE_COUNTS_H

#include "state/blocks.h"
#include "state/key.h"
#include "state/pages.h"
#include <aimss.h>
#include <stdbool.h>

enum { COUNTS_RING = 16 };
#define COUNTS_KEY_MAX (UINT32_MAX - 1)

struct counts_slot {
    uint64_t count;
    uint32_t size; /* of the key, plus 1; 0: the slot is free */
    uint32_t tag;  /* 32 bits of the hash, from hash_shift on; their lower ones: the home */
    union {
        struct key_words words;   /* a short key */
        struct {
            const char *data;
            uint64_t hash;
        } far;                    /* a long one */
    };
};

struct counts_waiting {
    struct key_words words;
    uint64_t add;   /* 0: nothing waits here */
    uint32_t size, tag;
};

struct counts_options {
    const char *what;               /* for messages: "the counts of this rank" */
    uint64_t limit_bytes;           /* of slots, blocks and the reserve */
    uint64_t soft_bytes;            /* growing above sets over; 0: never */
    uint64_t reserve_per_key_bytes; /* counted for each key, and a second copy of long keys:
                                       what ordering them will need; 0: neither */
    uint64_t option_bytes;          /* the value of --state-memory, for messages */
    unsigned hash_shift;            /* differs between a table and one that it is drained into:
                                       else keys would come in the order of their homes, and
                                       a part of the table would fill up before it grows */
};

struct counts {
    struct counts_slot *slots;
    uint64_t mask;          /* slots in use, minus 1 */
    uint64_t used_count;    /* distinct keys */
    uint64_t grow_at_count;
    unsigned ring_at;
    bool over;              /* the keys have outgrown soft_bytes */
    aimss_status_t status;
    struct counts_waiting ring[COUNTS_RING];
    struct counts_options options;
    uint64_t reserved_slots; /* address space */
    struct pages pages;      /* of the slots */
    struct blocks blocks;
};

aimss_status_t counts_open(struct counts *counts, const struct counts_options *options);
void counts_close(struct counts *counts);

/* Memory in use: slots, blocks and the reserve. */
uint64_t counts_bytes(const struct counts *counts);

/* Counts what waits in the ring; before any look at the table. */
void counts_settle(struct counts *counts);

/* The part of that which keys fill. */
uint64_t counts_key_bytes(const struct counts *counts);

/* Forgets all keys; slots within the soft limit stay in use. */
void counts_clear(struct counts *counts);

/* Makes slots for so many keys now, as far as the limit allows. */
void counts_reserve(struct counts *counts, uint64_t key_count);

/* The next key at *cursor (0 first) of a settled table, false at the end. The
 * key is borrowed until the next add. */
bool counts_next(const struct counts *counts, uint64_t *cursor, struct aimss_counted *counted,
                 uint64_t *hash);

/* What a slot in use holds. */
static inline struct aimss_counted counts_line(const struct counts_slot *slot)
{
    size_t len_bytes = slot->size - 1;
    const void *data = len_bytes > KEY_SHORT_BYTES ? slot->far.data : (const void *)&slot->words;
    return (struct aimss_counted){ { data, len_bytes }, slot->count };
}

/* Adds to a long key. */
void counts_add_far(struct counts *counts, const void *data, size_t len_bytes, uint64_t add);
void counts_add_waiting(struct counts *counts, const struct counts_waiting *waiting);

/* Adds to the count of a key; the bytes are copied. */
static inline aimss_status_t counts_add(struct counts *counts, const void *data,
                                        size_t len_bytes, uint64_t add)
{
    if (__builtin_expect(len_bytes > KEY_SHORT_BYTES, 0)) {
        counts_add_far(counts, data, len_bytes, add);
        return counts->status;
    }
    struct key_words words = key_load(data, len_bytes);
    uint64_t hash = key_hash_words(words, len_bytes);
    uint32_t tag = (uint32_t)(hash >> counts->options.hash_shift);
    __builtin_prefetch(&counts->slots[tag & counts->mask], 1);
    struct counts_waiting *at = &counts->ring[counts->ring_at];
    counts->ring_at = (counts->ring_at + 1) % COUNTS_RING;
    if (at->add != 0)
        counts_add_waiting(counts, at);
    *at = (struct counts_waiting){ words, add, (uint32_t)len_bytes + 1, tag };
    return counts->status;
}

#endif
