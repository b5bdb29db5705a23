/* join.c: see join.h. A list of the records that are under way: as many as
 * writers that are in the middle of one, which is few. */
#include "flow/join.h"

#include "base/error.h"
#include "log/chunk.h"

#include <stdlib.h>
#include <string.h>

enum { JOIN_FIRST_BYTES = 1 << 20 };

struct partial {
    struct partial *next;
    uint32_t stream, group, lease, consumer_group;
    uint64_t ordinal, len_bytes, room_bytes;
    char *data;
};

struct joiner {
    uint64_t record_max_bytes;
    struct partial *partials;
};

aimss_status_t joiner_create(uint64_t record_max_bytes, struct joiner **joiner)
{
    struct joiner *j = calloc(1, sizeof *j);

    if (j == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for joining records");
    j->record_max_bytes = record_max_bytes;
    *joiner = j;
    return AIMSS_OK;
}

static void drop(struct joiner *joiner, struct partial *partial)
{
    struct partial **link = &joiner->partials;

    while (*link != partial)
        link = &(*link)->next;
    *link = partial->next;
    free(partial->data);
    free(partial);
}

void joiner_destroy(struct joiner *joiner)
{
    if (joiner == NULL)
        return;
    while (joiner->partials != NULL)
        drop(joiner, joiner->partials);
    free(joiner);
}

static struct partial *find(struct joiner *joiner, const struct lane_entry *entry)
{
    struct partial *partial = joiner->partials;

    while (partial != NULL && (partial->group != entry->group || partial->lease != entry->lease ||
                               partial->consumer_group != entry->consumer_group))
        partial = partial->next;
    return partial;
}

static struct partial *begin(struct joiner *joiner, const struct lane_entry *entry,
                             uint64_t ordinal)
{
    struct partial *partial = find(joiner, entry);

    if (partial != NULL) /* the writer gave the record up and began another */
        drop(joiner, partial);
    partial = calloc(1, sizeof *partial);
    if (partial == NULL)
        return NULL;
    partial->stream = entry->stream;
    partial->group = entry->group;
    partial->lease = entry->lease;
    partial->consumer_group = entry->consumer_group;
    partial->ordinal = ordinal;
    partial->next = joiner->partials;
    joiner->partials = partial;
    return partial;
}

static aimss_status_t grow(struct partial *partial, uint64_t len_bytes)
{
    uint64_t room = partial->room_bytes == 0 ? JOIN_FIRST_BYTES : partial->room_bytes;
    char *data;

    while (room < len_bytes)
        room *= 2;
    if (room == partial->room_bytes)
        return AIMSS_OK;
    data = realloc(partial->data, room);
    if (data == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory to join a record of %llu bytes",
                         (unsigned long long)len_bytes);
    partial->data = data;
    partial->room_bytes = room;
    return AIMSS_OK;
}

static aimss_status_t corrupt(const struct lane_entry *entry, const char *what)
{
    return error_set(AIMSS_E_CORRUPT,
                     "stream %u, streamlet %u, group %u, segment %u, offset %u: %s",
                     entry->stream, entry->streamlet, entry->group, position_segment(entry->from),
                     position_offset(entry->from), what);
}

static aimss_status_t append(struct joiner *joiner, struct partial *partial,
                             const struct chunk_header *chunk)
{
    uint64_t len = partial->len_bytes + chunk->payload_bytes;
    aimss_status_t status;

    if (len > joiner->record_max_bytes + sizeof(struct record_header) + RECORD_KEY_MAX_BYTES)
        return error_set(AIMSS_E_LIMIT, "a record of stream %u has more than %llu bytes; "
                         "--record-max raises the limit, to 64M at most", partial->stream,
                         (unsigned long long)joiner->record_max_bytes);
    status = grow(partial, len);
    if (status != AIMSS_OK)
        return status;
    memcpy(partial->data + partial->len_bytes, chunk + 1, chunk->payload_bytes);
    partial->len_bytes = len;
    return AIMSS_OK;
}

aimss_status_t joiner_add(struct joiner *joiner, const struct lane_entry *entry,
                          const struct chunk_header *chunk, struct join_result *result)
{
    struct partial *partial;
    aimss_status_t status;

    if (chunk_check(chunk, chunk->len_bytes) != AIMSS_OK)
        return corrupt(entry, "a fragment fails its CRC32C check; its memory was damaged");
    *result = (struct join_result){ 0 };
    partial = chunk->fragment == CHUNK_FIRST ? begin(joiner, entry, chunk->first_ordinal)
                                             : find(joiner, entry);
    if (partial == NULL)
        return corrupt(entry, "a fragment has no beginning");
    status = append(joiner, partial, chunk);
    if (status != AIMSS_OK || chunk->fragment != CHUNK_LAST)
        return status;
    *result = (struct join_result){ .data = partial->data, .len_bytes = partial->len_bytes,
                                    .ordinal = partial->ordinal };
    partial->data = NULL;
    drop(joiner, partial);
    return AIMSS_OK;
}
