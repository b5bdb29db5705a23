/* segments.h: which pages of an arena are free: a buddy allocator.
 *
 * Segments are powers of two from one page to 64 MiB and aligned to their own
 * size, counted from the first. The most recently freed one goes out first,
 * because it is still in a cache. Free lists live in process memory and are
 * rebuilt from the group table, not kept in the arena.
 */
#ifndef AIMSS_STORE_SEGMENTS_H
#define AIMSS_STORE_SEGMENTS_H

#include <aimss/types.h>
#include <stdbool.h>

struct segments;

/* Manages len_bytes of an arena from offset at (both multiples of a page). */
aimss_status_t segments_create(uint64_t at, uint64_t len_bytes, struct segments **segments);
void segments_destroy(struct segments *segments);

/* Takes a segment of len_bytes (a power of two, 4 KiB to 64 MiB); its offset
 * in the arena, or false when there is none. */
bool segments_take(struct segments *segments, uint64_t len_bytes, uint64_t *offset);
void segments_give(struct segments *segments, uint64_t offset, uint64_t len_bytes);

uint64_t segments_free_bytes(const struct segments *segments);

#endif
