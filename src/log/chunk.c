/* chunk.c: the one place that computes and compares a chunk's CRC.
 *
 * The CRC covers the header up to itself and the payload; the padding is zero
 * and not covered. A check trusts nothing of the header before its lengths fit
 * into the room that the caller vouches for.
 */
#include "log/chunk.h"

#include "base/crc32c.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { CHUNK_COVERED_BYTES = offsetof(struct chunk_header, crc32c), AHEAD_BYTES = 4096 };
static_assert(CHUNK_COVERED_BYTES == 60, "the CRC is the header's last word");

static uint32_t chunk_crc(const struct chunk_header *chunk)
{
    return crc32c(crc32c(0, chunk, CHUNK_COVERED_BYTES), chunk + 1, chunk->payload_bytes);
}

/* A consumer's bytes lie in another core's cache: those that come next are
 * fetched while the CRC of these is computed. Prefetching behind the chunk is
 * harmless, and mostly the next one. */
static uint32_t chunk_crc_ahead(const struct chunk_header *chunk)
{
    const char *at = (const char *)(chunk + 1);
    uint32_t crc = crc32c(0, chunk, CHUNK_COVERED_BYTES), left = chunk->payload_bytes;

    while (left > 0) {
        uint32_t run = left < AHEAD_BYTES ? left : AHEAD_BYTES;

        for (uint32_t line = 0; line < AHEAD_BYTES; line += 64)
            __builtin_prefetch(at + AHEAD_BYTES + line);
        crc = crc32c(crc, at, run);
        at += run;
        left -= run;
    }
    return crc;
}

void chunk_seal(struct chunk_header *chunk)
{
    uint32_t used_bytes = (uint32_t)sizeof *chunk + chunk->payload_bytes;
    chunk->version = FORMAT_VERSION;
    chunk->reserved = 0;
    chunk->len_bytes = format_align(used_bytes);
    assert(chunk->len_bytes <= CHUNK_MAX_BYTES);
    memset((char *)chunk + used_bytes, 0, chunk->len_bytes - used_bytes);
    chunk->crc32c = chunk_crc(chunk);
}

static bool lengths_fit(const struct chunk_header *chunk, uint64_t room_bytes)
{
    return chunk->len_bytes <= room_bytes && chunk->len_bytes <= CHUNK_MAX_BYTES &&
           chunk->payload_bytes <= CHUNK_MAX_BYTES - sizeof *chunk &&
           chunk->len_bytes == format_align((uint32_t)sizeof *chunk + chunk->payload_bytes);
}

aimss_status_t chunk_check(const struct chunk_header *chunk, uint64_t room_bytes)
{
    if (room_bytes < sizeof *chunk || chunk->version != FORMAT_VERSION)
        return AIMSS_E_CORRUPT;
    if (!lengths_fit(chunk, room_bytes) || chunk->fragment > CHUNK_LAST)
        return AIMSS_E_CORRUPT;
    return chunk_crc_ahead(chunk) == chunk->crc32c ? AIMSS_OK : AIMSS_E_CORRUPT;
}
