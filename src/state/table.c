/* table.c: see table.h. Slots double when three quarters are used; an entry is
 * its header, the state, then the key.
 */
#include "state/table.h"

#include "base/error.h"
#include "state/key.h"
#include <inttypes.h>
#include <stdlib.h>

enum { SLOTS_FIRST = 1024, TABLE_BLOCK_BYTES = 64 * 1024, STATE_ALIGN_BYTES = 16 };

struct table_entry {
    uint64_t key_bytes;
    uint32_t state_bytes;
    uint32_t state_room_bytes; /* rounded up, so that the key behind it can be found */
    /* the state follows, then the key */
};

static char *entry_state(struct table_entry *entry)
{
    return (char *)(entry + 1);
}

static char *entry_key(struct table_entry *entry)
{
    return entry_state(entry) + entry->state_room_bytes;
}

aimss_status_t table_open(struct table *table, uint64_t limit_bytes, uint64_t option_bytes)
{
    *table = (struct table){ .mask = SLOTS_FIRST - 1, .limit_bytes = limit_bytes,
                             .option_bytes = option_bytes };
    blocks_open(&table->blocks, TABLE_BLOCK_BYTES);
    table->slots = calloc(SLOTS_FIRST, sizeof table->slots[0]);
    if (table->slots == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the state of keys");
    return AIMSS_OK;
}

void table_close(struct table *table)
{
    free(table->slots);
    blocks_close(&table->blocks);
    table->slots = NULL;
}

static aimss_status_t limit_check(const struct table *table, uint64_t more_bytes)
{
    uint64_t bytes = (table->mask + 1) * sizeof table->slots[0] + table->blocks.held_bytes;
    if (bytes + more_bytes <= table->limit_bytes)
        return AIMSS_OK;
    return error_set(AIMSS_E_LIMIT, "the state of %" PRIu64 " distinct keys fills its share, %"
                     PRIu64 " bytes, of --state-memory, which is %" PRIu64 " bytes on each "
                     "compute rank; raise --state-memory or use more compute ranks",
                     table->used_count, table->limit_bytes, table->option_bytes);
}

static struct table_slot *find(const struct table *table, struct aimss_bytes key, uint64_t hash)
{
    for (uint64_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        struct table_slot *slot = &table->slots[at];
        if (slot->entry == NULL)
            return slot;
        if (slot->hash == hash && slot->entry->key_bytes == key.len_bytes &&
            (key.len_bytes == 0 ||
             memcmp(entry_key(slot->entry), key.data, key.len_bytes) == 0))
            return slot;
    }
}

static aimss_status_t grow(struct table *table)
{
    uint64_t old_count = table->mask + 1;
    aimss_status_t status = limit_check(table, 2 * old_count * sizeof table->slots[0]);
    if (status != AIMSS_OK)
        return status;
    struct table_slot *old = table->slots;
    struct table_slot *slots = calloc(2 * old_count, sizeof *slots);
    if (slots == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the state of %" PRIu64 " keys; lower "
                         "--state-memory or use more ranks", old_count);
    table->mask = 2 * old_count - 1;
    for (uint64_t i = 0; i < old_count; i++) {
        uint64_t at = old[i].hash & table->mask;
        while (old[i].entry != NULL && slots[at].entry != NULL)
            at = (at + 1) & table->mask;
        if (old[i].entry != NULL)
            slots[at] = old[i];
    }
    table->slots = slots;
    free(old);
    return AIMSS_OK;
}

static aimss_status_t add(struct table *table, struct aimss_bytes key, uint64_t hash,
                          size_t len_bytes)
{
    size_t room = (len_bytes + STATE_ALIGN_BYTES - 1) & ~(size_t)(STATE_ALIGN_BYTES - 1);
    size_t need = sizeof(struct table_entry) + room + key.len_bytes;
    aimss_status_t status = AIMSS_OK;
    if (table->used_count >= (table->mask + 1) / 4 * 3)
        status = grow(table);
    if (status == AIMSS_OK)
        status = limit_check(table, blocks_growth(&table->blocks, need));
    if (status != AIMSS_OK)
        return status;
    struct table_entry *entry = blocks_take(&table->blocks, need);
    if (entry == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the state of one more key after %"
                         PRIu64 "; lower --state-memory or use more ranks", table->used_count);
    *entry = (struct table_entry){ key.len_bytes, (uint32_t)len_bytes, (uint32_t)room };
    memset(entry_state(entry), 0, room);
    if (key.len_bytes != 0)
        memcpy(entry_key(entry), key.data, key.len_bytes);
    *find(table, key, hash) = (struct table_slot){ hash, entry };
    table->used_count++;
    return AIMSS_OK;
}

aimss_status_t table_state(struct table *table, struct aimss_bytes key, size_t len_bytes,
                           void **state)
{
    if (len_bytes == 0 || len_bytes > TABLE_STATE_MAX_BYTES)
        return error_set(AIMSS_E_INVALID, "aimss_task_state: %zu bytes were asked for; expected "
                         "1 to %d", len_bytes, TABLE_STATE_MAX_BYTES);
    uint64_t hash = key_hash(key.data, key.len_bytes);
    if (find(table, key, hash)->entry == NULL) {
        aimss_status_t status = add(table, key, hash, len_bytes);
        if (status != AIMSS_OK)
            return status;
    }
    struct table_entry *entry = find(table, key, hash)->entry;
    if (entry->state_bytes != len_bytes)
        return error_set(AIMSS_E_INVALID, "aimss_task_state: %zu bytes were asked for, but the "
                         "key's state has %u; use one length for a key", len_bytes,
                         entry->state_bytes);
    *state = entry_state(entry);
    return AIMSS_OK;
}
