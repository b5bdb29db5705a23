/* format.h: bytes in arenas and on disk. Little endian, fixed width, versioned.
 *
 * A segment is a run of chunks; a chunk is a header and records; a record is
 * framed by the stream's format. A position in a group is one word: the
 * segment's ordinal in its upper half, the offset in the segment in its lower
 * half, so that positions of a group compare like numbers.
 */
#ifndef AIMSS_LOG_FORMAT_H
#define AIMSS_LOG_FORMAT_H

#include <assert.h>
#include <stdint.h>

enum {
    FORMAT_VERSION = 1,
    CHUNK_ALIGN_BYTES = 8,
    CHUNK_MAX_BYTES = 256 * 1024,      /* with its header */
    CHUNK_DEFAULT_BYTES = 16 * 1024,
    SEGMENT_MIN_BYTES = 4096,
    SEGMENT_DEFAULT_BYTES = 8 * 1024 * 1024,
    SEGMENT_MAX_BYTES = 64 * 1024 * 1024,
    RECORD_KEY_MAX_BYTES = 65535
};

/* What one chunk holds of a record that is larger than a chunk. */
enum chunk_fragment {
    CHUNK_WHOLE = 0,   /* whole records only */
    CHUNK_FIRST = 1,
    CHUNK_MIDDLE = 2,
    CHUNK_LAST = 3
};

struct chunk_header {
    uint32_t len_bytes;      /* of the chunk with header and padding; a multiple of 8 */
    uint32_t payload_bytes;  /* behind the header, without padding */
    uint32_t record_count;
    uint32_t group;          /* id, unique in the run */
    uint32_t lease;          /* number of the lease that wrote it */
    uint32_t writer;         /* id of the writer, unique in the run */
    uint32_t incarnation;    /* of the writer */
    uint8_t fragment;        /* enum chunk_fragment */
    uint8_t format;          /* enum aimss_format */
    uint16_t version;        /* FORMAT_VERSION */
    uint64_t first_ordinal;  /* number of the first record within the group */
    uint64_t input_position; /* of the writer after this chunk; its own unit */
    uint64_t input_source;   /* which input that is in, e.g. the file's number */
    uint32_t reserved;
    uint32_t crc32c;         /* of the 60 bytes before and of the payload */
};
static_assert(sizeof(struct chunk_header) == 64, "a chunk header is one cache line");

/* In front of each record of a keyed stream; the record ends at the next
 * multiple of 8. With RECORD_EVENT_TIME eight bytes of event time follow the
 * header, then key, then value. A keyed record that is larger than a chunk is
 * cut as bytes: the fragments' payloads joined are header, key and value. */
struct record_header {
    uint32_t value_bytes;
    uint16_t key_bytes;
    uint8_t flags;
    uint8_t zero;
};
static_assert(sizeof(struct record_header) == 8, "record header");
enum { RECORD_EVENT_TIME = 1 };

static inline uint64_t position_make(uint32_t segment_ordinal, uint32_t offset)
{
    return ((uint64_t)segment_ordinal << 32) | offset;
}

static inline uint32_t position_segment(uint64_t position)
{
    return (uint32_t)(position >> 32);
}

static inline uint32_t position_offset(uint64_t position)
{
    return (uint32_t)position;
}

static inline uint32_t format_align(uint32_t len_bytes)
{
    return (len_bytes + (CHUNK_ALIGN_BYTES - 1)) & ~(uint32_t)(CHUNK_ALIGN_BYTES - 1);
}

#endif
