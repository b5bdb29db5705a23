/* segments.c: buddy allocator with doubly linked LIFO free lists by order.
 *
 * Buddies are joined when a segment cannot be had otherwise, not when they are
 * freed: a joined block would wait in another list while colder ones go out.
 *
 * Blocks are named by their first page. order_of[page] is the order of the
 * free block that begins there, or BUSY. Called by the broker's MPI thread.
 */
#include "store/segments.h"

#include "base/error.h"
#include "log/format.h"

#include <stdlib.h>
#include <string.h>

enum { ORDERS = 15, BUSY = 255 }; /* 4 KiB << 14 is 64 MiB */
#define NONE UINT32_MAX

static_assert(((uint64_t)SEGMENT_MIN_BYTES << (ORDERS - 1)) == SEGMENT_MAX_BYTES, "orders");

struct segments {
    uint64_t at;
    uint32_t page_count;
    uint64_t free_pages;
    bool given;          /* something came back since buddies were joined last */
    uint32_t head[ORDERS];
    uint32_t *next, *prev;
    uint8_t *order_of;
};

static void push(struct segments *s, uint32_t page, unsigned order)
{
    uint32_t head = s->head[order];

    s->next[page] = head;
    s->prev[page] = NONE;
    if (head != NONE)
        s->prev[head] = page;
    s->head[order] = page;
    s->order_of[page] = (uint8_t)order;
}

static void unlink_block(struct segments *s, uint32_t page, unsigned order)
{
    uint32_t next = s->next[page], prev = s->prev[page];

    if (prev != NONE)
        s->next[prev] = next;
    else
        s->head[order] = next;
    if (next != NONE)
        s->prev[next] = prev;
    s->order_of[page] = BUSY;
}

/* Covers the pages with the largest aligned blocks, lowest address on top. */
static void fill(struct segments *s)
{
    uint32_t page = s->page_count;

    while (page > 0) {
        unsigned order = 0;

        while (order + 1 < ORDERS && page % (2u << order) == 0 && (2u << order) <= page)
            order++;
        page -= 1u << order;
        push(s, page, order);
    }
    s->free_pages = s->page_count;
}

aimss_status_t segments_create(uint64_t at, uint64_t len_bytes, struct segments **segments)
{
    uint32_t pages = (uint32_t)(len_bytes / SEGMENT_MIN_BYTES);
    struct segments *s = calloc(1, sizeof *s);

    if (s == NULL)
        goto fail;
    s->at = at;
    s->page_count = pages;
    s->next = malloc(sizeof *s->next * (pages + 1));
    s->prev = malloc(sizeof *s->prev * (pages + 1));
    s->order_of = malloc(pages + 1);
    if (s->next == NULL || s->prev == NULL || s->order_of == NULL)
        goto fail;
    memset(s->order_of, BUSY, pages + 1);
    for (unsigned order = 0; order < ORDERS; order++)
        s->head[order] = NONE;
    fill(s);
    *segments = s;
    return AIMSS_OK;

fail:
    segments_destroy(s);
    return error_set(AIMSS_E_NO_MEMORY, "no memory for the page table of %u pages", pages);
}

void segments_destroy(struct segments *segments)
{
    if (segments == NULL)
        return;
    free(segments->next);
    free(segments->prev);
    free(segments->order_of);
    free(segments);
}

static unsigned order_for(uint64_t len_bytes)
{
    unsigned order = 0;

    while (((uint64_t)SEGMENT_MIN_BYTES << order) < len_bytes)
        order++;
    assert(order < ORDERS && ((uint64_t)SEGMENT_MIN_BYTES << order) == len_bytes);
    return order;
}

/* The lowest order from wanted on that has a free block; ORDERS: none has. */
static unsigned find_order(const struct segments *s, unsigned wanted)
{
    unsigned order = wanted;

    while (order < ORDERS && s->head[order] == NONE)
        order++;
    return order;
}

/* Joins all free buddies, from the smallest up. */
static void coalesce(struct segments *s)
{
    for (unsigned order = 0; order + 1 < ORDERS; order++) {
        uint32_t page = s->head[order];

        while (page != NONE) {
            uint32_t next = s->next[page], buddy = page ^ (1u << order);
            bool joins = buddy + (1u << order) <= s->page_count && s->order_of[buddy] == order;

            if (joins) {
                if (next == buddy)
                    next = s->next[buddy];
                unlink_block(s, page, order);
                unlink_block(s, buddy, order);
                push(s, page < buddy ? page : buddy, order + 1);
            }
            page = next;
        }
    }
}

bool segments_take(struct segments *segments, uint64_t len_bytes, uint64_t *offset)
{
    unsigned wanted = order_for(len_bytes), order = find_order(segments, wanted);
    uint32_t page;

    if (order == ORDERS && segments->given) {
        coalesce(segments);
        segments->given = false;
        order = find_order(segments, wanted);
    }
    if (order == ORDERS)
        return false;
    page = segments->head[order];
    unlink_block(segments, page, order);
    while (order > wanted) {
        order--;
        push(segments, page + (1u << order), order);
    }
    segments->free_pages -= UINT64_C(1) << wanted;
    *offset = segments->at + (uint64_t)page * SEGMENT_MIN_BYTES;
    return true;
}

void segments_give(struct segments *segments, uint64_t offset, uint64_t len_bytes)
{
    uint32_t page = (uint32_t)((offset - segments->at) / SEGMENT_MIN_BYTES);
    unsigned order = order_for(len_bytes);

    assert(segments->order_of[page] == BUSY);
    segments->free_pages += UINT64_C(1) << order;
    segments->given = true;
    push(segments, page, order);
}

uint64_t segments_free_bytes(const struct segments *segments)
{
    return segments->free_pages * SEGMENT_MIN_BYTES;
}
