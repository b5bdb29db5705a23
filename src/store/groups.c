/* groups.c: see groups.h.
 *
 * Each change of an entry writes the older of its two copies and completes it
 * with its sequence and CRC, so that whoever finds the arena after a crash
 * sees the one before or the one after. The accepted word is published last,
 * and only here: it is the broker's word for the bytes.
 */
#include "store/groups.h"

#include "base/crc32c.h"
#include "base/error.h"
#include "base/word.h"

#include <stdlib.h>
#include <string.h>

struct groups {
    struct arena *arena;
    struct segments *segments;
    unsigned broker;
    uint32_t group_max, lease_next;
    uint32_t free_count, *free_slots;
    uint32_t open_count;
    struct group *table;          /* [group_max] */
    struct arena_group *entries;  /* [2 * group_max] */
    uint64_t *accepted;           /* [group_max] */
};

aimss_status_t groups_create(struct arena *arena, unsigned broker, struct groups **groups)
{
    const struct arena_header *header = arena->header;
    struct groups *g = calloc(1, sizeof *g);
    aimss_status_t status = AIMSS_E_NO_MEMORY;

    if (g == NULL)
        goto fail;
    g->arena = arena;
    g->broker = broker;
    g->group_max = header->group_max;
    g->entries = arena_groups(arena);
    g->accepted = arena_accepted(arena);
    g->table = calloc(g->group_max, sizeof *g->table);
    g->free_slots = malloc(sizeof *g->free_slots * g->group_max);
    if (g->table == NULL || g->free_slots == NULL)
        goto fail;
    for (uint32_t slot = g->group_max; slot > 0; slot--) {
        g->table[slot - 1].slot = slot - 1;
        g->table[slot - 1].chain = arena_chains(arena) + (size_t)(slot - 1) * ARENA_CHAIN_SEGMENTS;
        g->free_slots[g->free_count++] = slot - 1;
    }
    status = segments_create(header->segments_at, header->len_bytes - header->segments_at,
                             &g->segments);
    if (status != AIMSS_OK)
        goto fail;
    *groups = g;
    return AIMSS_OK;

fail:
    groups_destroy(g);
    return status == AIMSS_E_NO_MEMORY ? error_set(status, "no memory for the group table")
                                       : status;
}

void groups_destroy(struct groups *groups)
{
    if (groups == NULL)
        return;
    segments_destroy(groups->segments);
    free(groups->table);
    free(groups->free_slots);
    free(groups);
}

struct segments *groups_segments(struct groups *groups)
{
    return groups->segments;
}

/* Replaces the older copy; its sequence and CRC go in last. */
static void write_entry(struct groups *groups, const struct group *group)
{
    struct arena_group *copies = &groups->entries[2 * (size_t)group->slot];
    uint32_t sequence = (copies[0].sequence > copies[1].sequence ? copies[0] : copies[1]).sequence;
    struct arena_group *older = copies[0].sequence > copies[1].sequence ? &copies[1] : &copies[0];
    struct arena_group entry = { .sequence = sequence + 1,
                                 .group = group->id,
                                 .lease = group->lease,
                                 .stream = group->stream,
                                 .streamlet = group->streamlet,
                                 .writer = group->writer,
                                 .state = (uint32_t)group->state,
                                 .segment_first = group->segment_first,
                                 .segment_count = group->segment_count,
                                 .previous = UINT32_MAX };

    if (group->previous != NULL) {
        entry.previous = group->previous->id;
        entry.previous_lease = group->previous->lease;
    }
    entry.crc32c = crc32c(0, &entry, sizeof entry - sizeof entry.crc32c);
    older->crc32c = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memcpy(older, &entry, sizeof entry);
}

static void publish_accepted(struct groups *groups, struct group *group, uint64_t position)
{
    group->accepted = position;
    word_store(&groups->accepted[group->slot], position);
}

aimss_status_t groups_open(struct groups *groups, const struct group_request *request,
                           struct group **group)
{
    struct group *g;
    uint32_t slot;

    if (groups->free_count == 0)
        return AIMSS_E_LIMIT;
    slot = groups->free_slots[--groups->free_count];
    g = &groups->table[slot];
    *g = (struct group){ .id = (uint32_t)groups->broker << GROUP_SLOT_BITS | slot,
                         .slot = slot,
                         .lease = ++groups->lease_next,
                         .stream = request->stream,
                         .streamlet = request->streamlet,
                         .writer = request->writer,
                         .writer_rank = request->writer_rank,
                         .state = GROUP_OPEN,
                         .chain = g->chain,
                         .previous = request->previous };
    if (g->previous != NULL)
        g->previous->next = g;
    groups->open_count++;
    publish_accepted(groups, g, 0);
    write_entry(groups, g);
    *group = g;
    return AIMSS_OK;
}

struct group *groups_find(struct groups *groups, uint32_t id, uint32_t lease)
{
    uint32_t slot = id & ((1u << GROUP_SLOT_BITS) - 1);
    struct group *group;

    if (slot >= groups->group_max || id >> GROUP_SLOT_BITS != groups->broker)
        return NULL;
    group = &groups->table[slot];
    return group->state != GROUP_FREE && group->lease == lease ? group : NULL;
}

bool groups_extend(struct groups *groups, struct group *group, uint64_t len_bytes)
{
    struct arena_segment *segment = &group->chain[group->segment_count % ARENA_CHAIN_SEGMENTS];
    uint64_t at;

    if (group->segment_count - group->segment_first == ARENA_CHAIN_SEGMENTS)
        return false;
    if (!segments_take(groups->segments, len_bytes, &at))
        return false;
    *segment = (struct arena_segment){ .at = at, .len_bytes = (uint32_t)len_bytes };
    group->fragment_segments &= ~(1u << group->segment_count % ARENA_CHAIN_SEGMENTS);
    group->segment_count++;
    write_entry(groups, group);
    return true;
}

bool groups_extend_within(struct groups *groups, struct group *group, uint64_t least_bytes,
                          uint64_t most_bytes)
{
    uint64_t share = segments_free_bytes(groups->segments) / (groups->open_count + 1);
    uint64_t len_bytes = most_bytes;

    while (len_bytes > SEGMENT_MIN_BYTES && len_bytes > share && len_bytes / 2 >= least_bytes)
        len_bytes /= 2;
    while (!groups_extend(groups, group, len_bytes)) {
        if (len_bytes == SEGMENT_MIN_BYTES || len_bytes / 2 < least_bytes)
            return false;
        len_bytes /= 2;
    }
    return true;
}

static struct arena_segment *segment_of(const struct group *group, uint32_t ordinal)
{
    return &group->chain[ordinal % ARENA_CHAIN_SEGMENTS];
}

aimss_status_t groups_accept(struct groups *groups, struct group *group, uint64_t from,
                             uint64_t to)
{
    uint32_t ordinal = position_segment(to), now = position_segment(group->accepted);
    /* A writer may leave a segment that is too small for its next record. */
    bool follows = from == group->accepted ||
                   (position_segment(from) > now && position_offset(from) == 0);

    if (group->state != GROUP_OPEN)
        return AIMSS_E_REVOKED;
    if (!follows || position_segment(from) != ordinal || to <= from ||
        ordinal >= group->segment_count ||
        position_offset(to) > segment_of(group, ordinal)->len_bytes ||
        position_offset(to) % CHUNK_ALIGN_BYTES != 0)
        return AIMSS_E_INVALID;
    segment_of(group, ordinal)->end = position_offset(to);
    publish_accepted(groups, group, to);
    return AIMSS_OK;
}

void groups_close_lease(struct groups *groups, struct group *group)
{
    groups->open_count -= group->state == GROUP_OPEN;
    group->state = GROUP_CLOSED;
    write_entry(groups, group);
}

void groups_revoke(struct groups *groups, struct group *group)
{
    groups->open_count -= group->state == GROUP_OPEN;
    group->state = GROUP_REVOKED;
    write_entry(groups, group);
}

uint64_t group_run(const struct group *group, uint64_t *from, uint64_t *place)
{
    uint32_t ordinal = position_segment(*from), offset = position_offset(*from);
    uint32_t last = position_segment(group->accepted);
    const struct arena_segment *segment;

    if (*from >= group->accepted)
        return 0;
    if (ordinal < group->segment_first) { /* at the end of one that is gone, its place reused */
        ordinal = group->segment_first;
        offset = 0;
    }
    segment = segment_of(group, ordinal);
    while (offset == segment->end && ordinal < last) {
        ordinal++;
        offset = 0;
        segment = segment_of(group, ordinal);
    }
    *from = position_make(ordinal, offset);
    *place = segment->at + offset;
    return segment->end - offset;
}

static void give_segments(struct groups *groups, struct group *group, uint32_t until)
{
    for (; group->segment_first < until; group->segment_first++) {
        struct arena_segment *segment = segment_of(group, group->segment_first);

        segments_give(groups->segments, segment->at, segment->len_bytes);
    }
}

static void free_group(struct groups *groups, struct group *group)
{
    give_segments(groups, group, group->segment_count);
    if (group->next != NULL)
        group->next->previous = NULL;
    if (group->previous != NULL)
        group->previous->next = NULL;
    group->state = GROUP_FREE;
    write_entry(groups, group);
    groups->free_slots[groups->free_count++] = group->slot;
}

bool groups_trim(struct groups *groups, struct group *group, uint64_t floor)
{
    uint32_t until = position_segment(floor);

    if (group->state == GROUP_CLOSED && floor >= group->accepted) {
        free_group(groups, group);
        return true;
    }
    /* A full segment that the writer has left is free as soon as its end is passed. */
    if (until < position_segment(group->accepted) &&
        position_offset(floor) == segment_of(group, until)->end)
        until++;
    if (until > group->segment_first && group->state != GROUP_REVOKED) {
        give_segments(groups, group, until);
        write_entry(groups, group);
    }
    return false;
}

void groups_writer_dead(struct groups *groups, struct group *group)
{
    groups_close_lease(groups, group);
}
