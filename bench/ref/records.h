/* records.h: keyed records, chunks and segments as AIMSS lays them out, written down once more.
 *
 * Used by ref_ingest and ref_push. It includes nothing of AIMSS: sizes and work are the same
 * (8-byte record header, 8-byte key, value, padded to 8; 64-byte chunk header; CRC32C over the
 * chunk; 8 MiB segments in a 32 MiB working set), the code is a bare loop.
 *
 * All records of a run have one size, so all chunks have one length, and a chunk's number tells
 * where it lies. Record sizes are run-time values, as they are for a store.
 */
#ifndef BENCH_REF_RECORDS_H
#define BENCH_REF_RECORDS_H

#include <isa-l.h>

#include "measure.h"

enum {
    KEY_BYTES = 8,
    RECORD_HEADER_BYTES = 8,
    CHUNK_BYTES = 16 << 10,
    SEGMENT_BYTES = 8 << 20,
    SEGMENT_COUNT = 4,
    POOL_BYTES = 4096,                   /* values are cut from a pool that stays in L1 */
    PREFETCH_BYTES = 4096,               /* how far a consumer fetches ahead of its CRC */
};

struct record_header {
    uint32_t value_len;
    uint16_t key_len;
    uint8_t flags, zero;
};

struct chunk_header {
    uint32_t crc;                        /* CRC32C of all that follows in the chunk */
    uint32_t len_bytes;                  /* header included */
    uint32_t record_count;
    uint32_t group, generation;
    uint32_t writer_id, incarnation, zero;
    uint64_t first_ordinal;
    uint64_t input_position;
    uint64_t reserved[2];
};

_Static_assert(sizeof(struct record_header) == RECORD_HEADER_BYTES, "record header");
_Static_assert(sizeof(struct chunk_header) == 64, "chunk header");

/* The geometry of one run. */
struct shape {
    uint32_t value_bytes, record_bytes;  /* record_bytes as laid out */
    uint32_t chunk_records, chunk_bytes; /* of every chunk */
    uint32_t segment_chunks, chunk_count; /* of one segment, of the working set */
};

static inline struct shape shape_of(uint32_t payload_bytes)
{
    struct shape shape = { .value_bytes = payload_bytes - KEY_BYTES };

    if (payload_bytes < 16 || payload_bytes > CHUNK_BYTES / 2)
        die("--record %u: give 16 to %d bytes of key and value", payload_bytes, CHUNK_BYTES / 2);
    shape.record_bytes = (RECORD_HEADER_BYTES + payload_bytes + 7) & ~7u;
    shape.chunk_records = (CHUNK_BYTES - (uint32_t)sizeof(struct chunk_header)) /
                          shape.record_bytes;
    shape.chunk_bytes = (uint32_t)sizeof(struct chunk_header) +
                        shape.chunk_records * shape.record_bytes;
    shape.segment_chunks = SEGMENT_BYTES / shape.chunk_bytes;
    shape.chunk_count = SEGMENT_COUNT * shape.segment_chunks;
    return shape;
}

/* Chunks are packed within a segment and never straddle two. */
static inline uint8_t *chunk_at(uint8_t *base, const struct shape *shape, uint64_t number)
{
    uint64_t place = number % shape->chunk_count;

    return base + place / shape->segment_chunks * SEGMENT_BYTES +
           place % shape->segment_chunks * shape->chunk_bytes;
}

static inline uint8_t *pool_create(void)
{
    uint8_t *pool = aligned_alloc(64, POOL_BYTES + CHUNK_BYTES);
    uint64_t x = 88172645463325252u;

    if (!pool)
        die("out of memory");
    for (size_t i = 0; i < POOL_BYTES + CHUNK_BYTES; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        pool[i] = (uint8_t)x;
    }
    return pool;
}

static inline void record_build(uint8_t *at, uint64_t key, const uint8_t *value, uint32_t len)
{
    struct record_header header = { .value_len = len, .key_len = KEY_BYTES };
    uint32_t whole = (RECORD_HEADER_BYTES + KEY_BYTES + len + 7) & ~7u;

    memset(at + whole - 8, 0, 8);        /* the padding; the value overwrites its part */
    memcpy(at, &header, sizeof header);
    memcpy(at + RECORD_HEADER_BYTES, &key, KEY_BYTES);
    memcpy(at + RECORD_HEADER_BYTES + KEY_BYTES, value, len);
}

/* Appends one chunk: its records built in place, then the header, then the CRC while all is hot. */
static inline void chunk_build(uint8_t *chunk, const struct shape *shape, const uint8_t *pool,
                               uint64_t number)
{
    struct chunk_header header = {
        .len_bytes = shape->chunk_bytes, .record_count = shape->chunk_records,
        .group = 1, .generation = 1, .writer_id = 1, .incarnation = 1,
        .first_ordinal = number * shape->chunk_records, .input_position = number,
    };
    uint8_t *at = chunk + sizeof header;
    uint64_t ordinal = header.first_ordinal;

    for (uint32_t i = 0; i < shape->chunk_records; i++, ordinal++, at += shape->record_bytes)
        record_build(at, ordinal * 0x9E3779B97F4A7C15u, pool + (ordinal * 8) % POOL_BYTES,
                     shape->value_bytes);
    memcpy(chunk, &header, sizeof header);
    header.crc = crc32_iscsi(chunk + 4, (int)shape->chunk_bytes - 4, 0);
    memcpy(chunk, &header.crc, sizeof header.crc);
}

static inline uint64_t load_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

/* Reads every record where it lies: lengths, the key, the first and the last bytes of the value. */
static inline uint64_t chunk_read(const uint8_t *chunk, const struct chunk_header *header)
{
    const uint8_t *at = chunk + sizeof *header;
    struct record_header record;
    uint64_t seen = 0;

    for (uint32_t i = 0; i < header->record_count; i++) {
        memcpy(&record, at, sizeof record);
        const uint8_t *key = at + sizeof record, *value = key + record.key_len;

        seen ^= load_u64(key) ^ load_u64(value) ^ load_u64(value + record.value_len - 8);
        seen += record.key_len + record.value_len;
        at += (sizeof record + record.key_len + record.value_len + 7) & ~(size_t)7;
    }
    return seen;
}

/* Checks a chunk's CRC, then reads it; prefetch asks for the bytes PREFETCH_BYTES further on. */
static inline uint64_t chunk_consume(const uint8_t *chunk, uint64_t number, bool prefetch)
{
    struct chunk_header header;
    uint32_t crc;

    memcpy(&header, chunk, sizeof header);
    if (header.len_bytes < sizeof header || header.len_bytes > CHUNK_BYTES)
        die("chunk %llu: length %u", (unsigned long long)number, header.len_bytes);
    if (!prefetch) {
        crc = crc32_iscsi((unsigned char *)chunk + 4, (int)header.len_bytes - 4, 0);
    } else {
        crc = 0;
        for (uint32_t from = 4, to; from < header.len_bytes; from = to) {
            to = from + PREFETCH_BYTES < header.len_bytes ? from + PREFETCH_BYTES
                                                          : header.len_bytes;
            for (uint32_t line = 0; line < PREFETCH_BYTES; line += 64)
                __builtin_prefetch(chunk + from + PREFETCH_BYTES + line);
            crc = crc32_iscsi((unsigned char *)chunk + from, (int)(to - from), crc);
        }
    }
    if (crc != header.crc || header.first_ordinal != number * header.record_count)
        die("chunk %llu: CRC %08x where %08x is stored, first ordinal %llu",
            (unsigned long long)number, crc, header.crc,
            (unsigned long long)header.first_ordinal);
    return chunk_read(chunk, &header);
}

/* The yardstick: memcpy of chunk-sized pieces, hot source, through the working set; GB/s. */
static inline double memcpy_gb_per_s(uint8_t *base, const uint8_t *chunk, double seconds)
{
    struct steady steady = steady_start(seconds);
    uint64_t bytes = 0;

    while (steady_tick(&steady, bytes))
        for (int i = 0; i < 64; i++, bytes += CHUNK_BYTES)
            memcpy(base + bytes % ((uint64_t)SEGMENT_COUNT * SEGMENT_BYTES), chunk, CHUNK_BYTES);
    return steady_rate_per_s(&steady) / 1e9;
}

#endif
