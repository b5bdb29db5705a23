/* blocks.h: runs of bytes that stay where they are, in a list of blocks.
 *
 * Keys of tables and collected records live here: taken one after the other,
 * given back all at once. One owner at a time.
 */
#ifndef AIMSS_STATE_BLOCKS_H
#define AIMSS_STATE_BLOCKS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct block {
    struct block *next;
    size_t used_bytes, room_bytes;
    /* the bytes follow, aligned to 16 */
};

struct blocks {
    struct block *first, *last; /* in the order in which they were filled */
    struct block *spare;        /* kept for reuse */
    size_t block_bytes;         /* of a usual block; larger runs get one of their own */
    uint64_t held_bytes;        /* of all blocks but the spare ones */
};

void blocks_open(struct blocks *blocks, size_t block_bytes);
void blocks_close(struct blocks *blocks);

/* len_bytes of memory aligned to 16, or NULL when the machine has no more. */
void *blocks_take(struct blocks *blocks, size_t len_bytes);

/* What taking len_bytes more would add to held_bytes. */
size_t blocks_growth(const struct blocks *blocks, size_t len_bytes);

/* Takes all back; usual blocks are kept for the next round. */
void blocks_clear(struct blocks *blocks);

/* What a run of len_bytes takes in its block; the next run begins behind it. */
static inline size_t blocks_run_bytes(size_t len_bytes)
{
    return (len_bytes + 15) & ~(size_t)15;
}

/* Copies len_bytes by steps of 16: most keys take one. Both sides have room up
 * to the next multiple of 16, as runs of blocks and slots of counts do. */
static inline void blocks_copy(void *to, const void *from, size_t len_bytes)
{
    for (size_t at = 0; at < len_bytes; at += 16)
        memcpy((char *)to + at, (const char *)from + at, 16);
}

static inline char *block_data(struct block *block)
{
    return (char *)block + blocks_run_bytes(sizeof *block);
}

#endif
