/* buffer.c: walking the records of a buffer. See buffer.h.
 *
 * A cursor packs the offsets of the next record and of its chunk, and the
 * number of the record in the chunk. Where both offsets are equal a chunk
 * begins, and its CRC is checked before the first of its records is handed out.
 */
#include "flow/buffer.h"

#include "base/error.h"
#include "flow/inbox.h"
#include "log/chunk.h"

#include <aimss.h>

#include <stdlib.h>
#include <string.h>

static aimss_status_t corrupt(const struct aimss_buffer *buffer, uint32_t at)
{
    return error_set(AIMSS_E_CORRUPT, "stream %u, streamlet %u, group %u, segment %u, offset %llu: "
                     "a chunk fails its CRC32C check; its memory was damaged",
                     buffer->stream, buffer->streamlet, buffer->group, buffer->segment,
                     (unsigned long long)(buffer->offset + at));
}

static void take_keyed(const char *data, struct aimss_record *record, uint32_t *len_bytes)
{
    const struct record_header *header = (const struct record_header *)data;
    uint32_t head = sizeof *header;

    record->event_time_ns = 0;
    if (header->flags & RECORD_EVENT_TIME) {
        memcpy(&record->event_time_ns, data + head, sizeof record->event_time_ns);
        head += sizeof record->event_time_ns;
    }
    record->key = (struct aimss_bytes){ data + head, header->key_bytes };
    record->value = (struct aimss_bytes){ data + head + header->key_bytes, header->value_bytes };
    *len_bytes = head + header->key_bytes + header->value_bytes;
}

/* A record that was joined from fragments is a buffer of its own. */
static aimss_status_t joined_record(const struct aimss_buffer *buffer, uint64_t *cursor,
                                    struct aimss_record *record)
{
    uint32_t len;

    if (*cursor != 0)
        return AIMSS_END;
    *cursor = 1;
    if (buffer->format == AIMSS_FORMAT_KEYED) {
        take_keyed(buffer->data, record, &len);
    } else {
        record->key = (struct aimss_bytes){ NULL, 0 };
        record->value = (struct aimss_bytes){ buffer->data, buffer->len_bytes };
        record->event_time_ns = 0;
    }
    record->ordinal = buffer->offset;
    return AIMSS_OK;
}

/* A cursor between calls: where the next record begins, in which chunk, and
 * how many of the chunk's records were handed out. */
struct place {
    uint32_t at, chunk, index;
};

enum { PLACE_BITS = 23, INDEX_BITS = 18 };
static_assert(SEGMENT_MAX_BYTES / CHUNK_ALIGN_BYTES <= 1 << PLACE_BITS, "places fit a cursor");
static_assert(CHUNK_MAX_BYTES <= 1 << INDEX_BITS, "records of one byte each fit a cursor");

static struct place place_take(uint64_t cursor)
{
    uint64_t mask = (UINT64_C(1) << PLACE_BITS) - 1;

    return (struct place){ .at = (uint32_t)(cursor & mask) * CHUNK_ALIGN_BYTES,
                           .chunk = (uint32_t)(cursor >> PLACE_BITS & mask) * CHUNK_ALIGN_BYTES,
                           .index = (uint32_t)(cursor >> (2 * PLACE_BITS)) };
}

static uint64_t place_keep(struct place place)
{
    return place.at / CHUNK_ALIGN_BYTES |
           (uint64_t)(place.chunk / CHUNK_ALIGN_BYTES) << PLACE_BITS |
           (uint64_t)place.index << (2 * PLACE_BITS);
}

static const struct chunk_header *chunk_at(const struct aimss_buffer *buffer, uint32_t at)
{
    return (const struct chunk_header *)(buffer->data + at);
}

/* Enters the chunk at place->chunk, or the next that has records. */
static aimss_status_t enter_chunk(const struct aimss_buffer *buffer, struct place *place)
{
    for (;;) {
        const struct chunk_header *chunk = chunk_at(buffer, place->chunk);
        uint64_t room = buffer->len_bytes - place->chunk;

        if (room == 0)
            return AIMSS_END;
        if (room < sizeof *chunk || chunk_check(chunk, room) != AIMSS_OK)
            return corrupt(buffer, place->chunk);
        place->at = place->chunk + (uint32_t)sizeof *chunk;
        place->index = 0;
        if (chunk->record_count > 0)
            return AIMSS_OK;
        place->chunk += chunk->len_bytes;
    }
}

static void take_unframed(const struct aimss_buffer *buffer, const struct chunk_header *chunk,
                          uint32_t index, struct aimss_record *record)
{
    const char *payload = (const char *)(chunk + 1);
    bool fixed = buffer->format == AIMSS_FORMAT_FIXED;
    size_t len = fixed ? buffer->record_bytes : chunk->payload_bytes;

    record->key = (struct aimss_bytes){ NULL, 0 };
    record->value = (struct aimss_bytes){ payload + (size_t)index * len, len };
    record->event_time_ns = 0;
}

/* A chunk of an unframed stream that is no fixed one is one record, whatever
 * its writer counted in it (lines, for a text source). */
static bool chunk_is_done(const struct aimss_buffer *buffer, const struct chunk_header *chunk,
                          uint32_t index)
{
    return index >= (buffer->format == AIMSS_FORMAT_BYTES ? 1 : chunk->record_count);
}

aimss_status_t buffer_record(const struct aimss_buffer *buffer, uint64_t *cursor,
                             struct aimss_record *record)
{
    struct place place = place_take(*cursor);
    const struct chunk_header *chunk = chunk_at(buffer, place.chunk);
    uint32_t len;

    if (buffer->owned != NULL)
        return joined_record(buffer, cursor, record);
    if (place.at != place.chunk && chunk_is_done(buffer, chunk, place.index))
        place.at = place.chunk += chunk->len_bytes;
    if (place.at == place.chunk) {
        aimss_status_t status = enter_chunk(buffer, &place);

        if (status != AIMSS_OK)
            return status;
        chunk = chunk_at(buffer, place.chunk);
    }
    if (buffer->format == AIMSS_FORMAT_KEYED) {
        take_keyed(buffer->data + place.at, record, &len);
        place.at += format_align(len);
    } else {
        take_unframed(buffer, chunk, place.index, record);
    }
    record->ordinal = chunk->first_ordinal + place.index;
    place.index++;
    *cursor = place_keep(place);
    return AIMSS_OK;
}

/* The public name of the same function: one call a record is enough. */
aimss_status_t aimss_buffer_record(const struct aimss_buffer *buffer, uint64_t *cursor,
                                   struct aimss_record *record)
    __attribute__((alias("buffer_record")));

void buffer_release(struct aimss_buffer *buffer)
{
    if (buffer == NULL)
        return;
    if (buffer->inbox != NULL)
        inbox_return(buffer->inbox, buffer);
    else {
        free(buffer->owned);
        free(buffer);
    }
}
