/* blocks.c: see blocks.h. A run is rounded to 16 bytes; the rest of a block
 * that is too short for the next run is left unused.
 */
#include "state/blocks.h"

#include <stdlib.h>

static size_t header_bytes(void)
{
    return blocks_run_bytes(sizeof(struct block));
}

void blocks_open(struct blocks *blocks, size_t block_bytes)
{
    *blocks = (struct blocks){ .block_bytes = block_bytes };
}

static void free_list(struct block *block)
{
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

void blocks_close(struct blocks *blocks)
{
    free_list(blocks->first);
    free_list(blocks->spare);
    *blocks = (struct blocks){ .block_bytes = blocks->block_bytes };
}

static struct block *block_create(struct blocks *blocks, size_t len_bytes)
{
    struct block *block = blocks->spare;
    if (block != NULL && len_bytes <= blocks->block_bytes) {
        blocks->spare = block->next;
    } else {
        size_t room = len_bytes > blocks->block_bytes ? len_bytes : blocks->block_bytes;
        block = malloc(header_bytes() + room);
        if (block == NULL)
            return NULL;
        block->room_bytes = room;
    }
    block->next = NULL;
    block->used_bytes = 0;
    return block;
}

void *blocks_take(struct blocks *blocks, size_t len_bytes)
{
    size_t need = blocks_run_bytes(len_bytes);
    struct block *block = blocks->last;
    if (block == NULL || block->room_bytes - block->used_bytes < need) {
        block = block_create(blocks, need);
        if (block == NULL)
            return NULL;
        if (blocks->last != NULL)
            blocks->last->next = block;
        else
            blocks->first = block;
        blocks->last = block;
        blocks->held_bytes += header_bytes() + block->room_bytes;
    }
    void *run = block_data(block) + block->used_bytes;
    block->used_bytes += need;
    return run;
}

size_t blocks_growth(const struct blocks *blocks, size_t len_bytes)
{
    size_t need = blocks_run_bytes(len_bytes);
    const struct block *block = blocks->last;
    if (block != NULL && block->room_bytes - block->used_bytes >= need)
        return 0;
    return header_bytes() + (need > blocks->block_bytes ? need : blocks->block_bytes);
}

void blocks_clear(struct blocks *blocks)
{
    struct block *block = blocks->first;
    while (block != NULL) {
        struct block *next = block->next;
        if (block->room_bytes == blocks->block_bytes) {
            block->next = blocks->spare;
            blocks->spare = block;
        } else {
            free(block);
        }
        block = next;
    }
    blocks->first = blocks->last = NULL;
    blocks->held_bytes = 0;
}
