/* table.h: the state of keys: for each key a run of bytes that a callback owns.
 *
 * Open addressing over pairs of hash and entry; entries lie in blocks and never
 * move, so that a callback may hold a pointer while others are added. One owner
 * at a time.
 */
#ifndef AIMSS_STATE_TABLE_H
#define AIMSS_STATE_TABLE_H

#include "state/blocks.h"
#include <aimss/types.h>

enum { TABLE_STATE_MAX_BYTES = 4096 };

struct table_entry;

struct table_slot {
    uint64_t hash;
    struct table_entry *entry; /* NULL: free */
};

struct table {
    struct table_slot *slots;
    uint64_t mask, used_count;
    uint64_t limit_bytes;  /* of slots and blocks */
    uint64_t option_bytes; /* the value of --state-memory, for messages */
    struct blocks blocks;
};

aimss_status_t table_open(struct table *table, uint64_t limit_bytes, uint64_t option_bytes);
void table_close(struct table *table);

/* The state of a key: len_bytes of memory aligned to 16, zeros the first time.
 * Errors: AIMSS_E_INVALID (too long, or another length than at first),
 * AIMSS_E_LIMIT, AIMSS_E_NO_MEMORY. */
aimss_status_t table_state(struct table *table, struct aimss_bytes key, size_t len_bytes,
                           void **state);

#endif
