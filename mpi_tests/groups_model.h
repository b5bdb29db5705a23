/* groups_model.h: a naive model of a broker's groups beside the real ones, and a
 * recovery that reads their arena.
 *
 * For test_groups.c and test_groups_death.c. An operation is done on both and
 * checked at once. The recovery knows only the layout in mem/arena.h.
 */
#ifndef AIMSS_MPI_TESTS_GROUPS_MODEL_H
#define AIMSS_MPI_TESTS_GROUPS_MODEL_H

#include "check.h"

#include "base/crc32c.h"
#include "base/word.h"
#include "mem/arena.h"
#include "store/groups.h"
#include <string.h>
#include <unistd.h>

enum {
    ARENA_BYTES = ARENA_MIN_BYTES,
    GROUPS = 12,        /* alive at once */
    ORDINALS_MAX = 300, /* segments that a group may use in its life */
    BROKER = 5
};

/* ---- what a recovery finds */

struct found {
    uint32_t state, id, lease, stream, streamlet, writer;
    uint32_t segment_first, segment_count, previous, previous_lease;
    uint64_t accepted;
    uint64_t at[ARENA_CHAIN_SEGMENTS];
    uint32_t len_bytes[ARENA_CHAIN_SEGMENTS], end[ARENA_CHAIN_SEGMENTS]; /* from the first held */
};

static inline bool is_valid(const struct arena_group *copy)
{
    return copy->crc32c == crc32c(0, copy, offsetof(struct arena_group, crc32c));
}

static inline const struct arena_group *newest_valid(struct arena *arena, uint32_t slot)
{
    const struct arena_group *copies = &arena_groups(arena)[2 * slot];
    bool first = is_valid(&copies[0]), second = is_valid(&copies[1]);
    if (first && second)
        return copies[0].sequence > copies[1].sequence ? &copies[0] : &copies[1];
    return first ? &copies[0] : second ? &copies[1] : NULL;
}

/* The last segment's end is the accepted position: only that is published. */
static inline void find_segments(struct arena *arena, uint32_t slot, struct found *found)
{
    const struct arena_segment *chain = arena_chains(arena) + slot * ARENA_CHAIN_SEGMENTS;
    uint32_t last = position_segment(found->accepted);
    for (uint32_t o = found->segment_first; o < found->segment_count; o++) {
        const struct arena_segment *segment = &chain[o % ARENA_CHAIN_SEGMENTS];
        uint32_t i = o - found->segment_first;
        found->at[i] = segment->at;
        found->len_bytes[i] = segment->len_bytes;
        found->end[i] = o < last    ? segment->end
                        : o == last ? position_offset(found->accepted)
                                    : 0;
    }
}

/* False: no group was ever completed in this slot. A free slot is all zero. */
static inline bool find_group(struct arena *arena, uint32_t slot, struct found *found)
{
    const struct arena_group *entry = newest_valid(arena, slot);
    memset(found, 0, sizeof *found);
    if (entry == NULL)
        return false;
    if (entry->state == GROUP_FREE)
        return true;
    found->state = entry->state;
    found->id = entry->group;
    found->lease = entry->lease;
    found->stream = entry->stream;
    found->streamlet = entry->streamlet;
    found->writer = entry->writer;
    found->segment_first = entry->segment_first;
    found->segment_count = entry->segment_count;
    found->previous = entry->previous;
    found->previous_lease = entry->previous_lease;
    found->accepted = word_load(&arena_accepted(arena)[slot]);
    find_segments(arena, slot, found);
    return true;
}

/* ---- the model: what one group is, in plain words */

struct model {
    struct group *group; /* NULL: none here */
    uint32_t lease, stream, streamlet, writer, previous, previous_lease;
    enum group_state state;
    uint32_t first, count, accepted_segment, accepted_offset;
    uint64_t at[ORDINALS_MAX];
    uint32_t len_bytes[ORDINALS_MAX], end[ORDINALS_MAX];
    bool gone; /* previous: it was freed */
};

struct world {
    struct arena arena;
    struct groups *groups;
    uint64_t seed, free_bytes;
    uint32_t lease_last;
    struct model models[GROUPS];
};

static inline void world_create(struct world *w, uint64_t seed)
{
    char name[SHM_NAME_BYTES], job[16];
    const struct arena_identity identity = { .run = 1, .rank = 1 };
    memset(w, 0, sizeof *w);
    snprintf(job, sizeof job, "t%d", (int)getpid());
    shm_name(name, job, 1, "arena");
    assert_int_equal(arena_create(name, ARENA_BYTES, &identity, &w->arena), AIMSS_OK);
    assert_int_equal(groups_create(&w->arena, BROKER, &w->groups), AIMSS_OK);
    w->seed = seed;
    w->free_bytes = segments_free_bytes(groups_segments(w->groups));
    assert_true(w->free_bytes == ARENA_BYTES - w->arena.header->segments_at);
}

static inline void world_destroy(struct world *w)
{
    groups_destroy(w->groups);
    arena_close(&w->arena, true);
}

static uint64_t accepted_of(const struct model *m)
{
    return position_make(m->accepted_segment, m->accepted_offset);
}

static inline void expect_found(struct world *w, const struct model *m)
{
    struct found found;
    assert_true(find_group(&w->arena, m->group->slot, &found));
    assert_int_equal(found.state, m->state);
    assert_int_equal(found.id, m->group->id);
    assert_int_equal(found.id >> GROUP_SLOT_BITS, BROKER);
    assert_int_equal(found.lease, m->lease);
    assert_true(found.stream == m->stream && found.streamlet == m->streamlet);
    assert_true(found.writer == m->writer && found.accepted == accepted_of(m));
    assert_int_equal(found.segment_first, m->first);
    assert_int_equal(found.segment_count, m->count);
    if (!m->gone) /* the link is as of the last change of the entry */
        assert_true(found.previous == m->previous && found.previous_lease == m->previous_lease);
    for (uint32_t o = m->first; o < m->count; o++) {
        assert_true(found.at[o - m->first] == m->at[o]);
        assert_int_equal(found.len_bytes[o - m->first], m->len_bytes[o]);
        assert_int_equal(found.end[o - m->first], m->end[o]);
    }
}

static inline void expect_all(struct world *w)
{
    assert_true(segments_free_bytes(groups_segments(w->groups)) == w->free_bytes);
    for (unsigned i = 0; i < GROUPS; i++) {
        const struct model *m = &w->models[i];
        if (m->group == NULL)
            continue;
        expect_found(w, m);
        assert_ptr_equal(groups_find(w->groups, m->group->id, m->lease), m->group);
        assert_null(groups_find(w->groups, m->group->id, m->lease + 1));
        assert_null(groups_find(w->groups, m->group->id ^ 1u << GROUP_SLOT_BITS, m->lease));
        assert_null(groups_find(w->groups, m->group->id | ((1u << GROUP_SLOT_BITS) - 1), m->lease));
    }
}

/* ---- operations, each on the groups and on the model */

static inline void open_group(struct world *w, struct model *m, const struct model *previous)
{
    struct group_request request = { .stream = (uint32_t)check_random(&w->seed),
                                     .streamlet = (uint32_t)check_random(&w->seed),
                                     .writer = (uint32_t)check_random(&w->seed),
                                     .previous = previous == NULL ? NULL : previous->group };
    memset(m, 0, sizeof *m);
    m->stream = request.stream;
    m->streamlet = request.streamlet;
    m->writer = request.writer;
    m->previous = previous == NULL ? UINT32_MAX : previous->group->id;
    m->previous_lease = previous == NULL ? 0 : previous->lease;
    m->state = GROUP_OPEN;
    assert_int_equal(groups_open(w->groups, &request, &m->group), AIMSS_OK);
    m->lease = m->group->lease;
    assert_true(m->lease > w->lease_last); /* never one from before */
    w->lease_last = m->lease;
}

/* Only what has no successor yet can be a previous group. */
static inline const struct model *pick_previous(struct world *w)
{
    const struct model *m = &w->models[check_below(&w->seed, GROUPS)];
    return m->group != NULL && m->group->next == NULL ? m : NULL;
}

static inline void extend(struct world *w, struct model *m)
{
    uint64_t len_bytes = (uint64_t)SEGMENT_MIN_BYTES << check_below(&w->seed, 6), probe;
    if (m->count == ORDINALS_MAX)
        return;
    if (!groups_extend(w->groups, m->group, len_bytes)) {
        bool full = m->count - m->first == ARENA_CHAIN_SEGMENTS;
        assert_true(full || !segments_take(groups_segments(w->groups), len_bytes, &probe));
        return;
    }
    const struct arena_segment *made = &m->group->chain[m->count % ARENA_CHAIN_SEGMENTS];
    assert_true(made->at >= w->arena.header->segments_at && made->at + len_bytes <= ARENA_BYTES);
    assert_true(made->len_bytes == len_bytes && made->end == 0);
    m->at[m->count] = made->at;
    m->len_bytes[m->count++] = (uint32_t)len_bytes;
    w->free_bytes -= len_bytes;
}

/* What the contract says of a range, word by word. */
static inline aimss_status_t verdict(const struct model *m, uint64_t from, uint64_t to)
{
    uint32_t segment = position_segment(from);
    bool goes_on = from == accepted_of(m);
    bool begins_later = segment > m->accepted_segment && position_offset(from) == 0;
    if (m->state != GROUP_OPEN)
        return AIMSS_E_REVOKED;
    if (!goes_on && !begins_later)
        return AIMSS_E_INVALID;
    if (segment >= m->count || position_segment(to) != segment)
        return AIMSS_E_INVALID;
    if (position_offset(to) <= position_offset(from) || position_offset(to) % 8 != 0)
        return AIMSS_E_INVALID;
    return position_offset(to) <= m->len_bytes[segment] ? AIMSS_OK : AIMSS_E_INVALID;
}

static uint64_t nearby(uint64_t *seed, uint64_t value)
{
    static const int64_t steps[] = { -8, 8, 1, -1, 64, INT64_C(1) << 32, -(INT64_C(1) << 32) };
    return value + (uint64_t)steps[check_below(seed, sizeof steps / sizeof *steps)];
}

static inline void accept_range(struct world *w, struct model *m)
{
    uint64_t from = accepted_of(m), to;
    if (check_below(&w->seed, 4) == 0)
        from = position_make(m->accepted_segment + 1 + (uint32_t)check_below(&w->seed, 2), 0);
    uint32_t segment = position_segment(from);
    uint32_t len_bytes = segment < m->count ? m->len_bytes[segment] : SEGMENT_MIN_BYTES;
    uint32_t left = len_bytes - position_offset(from);
    to = from + (check_below(&w->seed, 3) == 0 ? left : check_below(&w->seed, left + 8) / 8 * 8);
    if (check_below(&w->seed, 5) == 0)
        from = nearby(&w->seed, from);
    if (check_below(&w->seed, 5) == 0)
        to = nearby(&w->seed, to);
    aimss_status_t expected = verdict(m, from, to);
    assert_int_equal(groups_accept(w->groups, m->group, from, to), expected);
    if (expected != AIMSS_OK)
        return;
    m->accepted_segment = position_segment(to);
    m->accepted_offset = m->end[m->accepted_segment] = position_offset(to);
}

static uint64_t random_floor(struct world *w, const struct model *m)
{
    uint32_t span = m->accepted_segment - m->first + 1;
    uint32_t segment = m->first + (uint32_t)check_below(&w->seed, span);
    uint32_t end = m->end[segment];
    if (check_below(&w->seed, 3) == 0)
        return accepted_of(m);
    if (check_below(&w->seed, 2) == 0)
        return position_make(segment, end);
    return position_make(segment, (uint32_t)check_below(&w->seed, end + 1));
}

/* A segment goes when the writer has left it and floor has passed its end; all of
 * them, when nothing is to come and floor has passed everything. */
static inline void trim(struct world *w, struct model *m, uint64_t floor)
{
    bool all = m->state == GROUP_CLOSED && floor >= accepted_of(m);
    uint32_t first = m->first;
    while (m->state != GROUP_REVOKED && first < m->accepted_segment &&
           position_make(first, m->end[first]) <= floor)
        first++;
    for (uint32_t o = m->first; o < (all ? m->count : first); o++)
        w->free_bytes += m->len_bytes[o];
    m->first = first;
    uint32_t id = m->group->id, slot = m->group->slot;
    assert_int_equal(groups_trim(w->groups, m->group, floor), all);
    if (!all)
        return;
    struct found found;
    assert_null(groups_find(w->groups, id, m->lease));
    assert_true(find_group(&w->arena, slot, &found) && found.state == GROUP_FREE);
    for (unsigned i = 0; i < GROUPS; i++)
        if (w->models[i].previous == id && w->models[i].previous_lease == m->lease)
            w->models[i].gone = true;
    m->group = NULL;
}

/* Everything from a position to the accepted one, run by run, gaps skipped. */
static inline void walk_runs(struct world *w, const struct model *m)
{
    uint64_t from = random_floor(w, m), place = 0, run;
    uint32_t segment = position_segment(from), offset = position_offset(from);
    while (segment <= m->accepted_segment) {
        uint32_t left = m->end[segment] - offset;
        if (left > 0) {
            run = group_run(m->group, &from, &place);
            assert_int_equal(run, left);
            assert_true(from == position_make(segment, offset));
            assert_true(place == m->at[segment] + offset);
            from += run;
        }
        segment++;
        offset = 0;
    }
    assert_true(group_drained(m->group, from));
    assert_int_equal(group_run(m->group, &from, &place), 0);
}

static inline void end_lease(struct world *w, struct model *m)
{
    if (m->state == GROUP_REVOKED) {
        groups_writer_dead(w->groups, m->group);
        m->state = GROUP_CLOSED;
    } else if (m->state == GROUP_OPEN && check_below(&w->seed, 2)) {
        groups_revoke(w->groups, m->group);
        m->state = GROUP_REVOKED;
    } else if (m->state == GROUP_OPEN) {
        groups_close_lease(w->groups, m->group);
        m->state = GROUP_CLOSED;
    }
}

static inline void operate(struct world *w, struct model *m)
{
    unsigned dice = (unsigned)check_below(&w->seed, 100);
    if (m->group == NULL)
        open_group(w, m, pick_previous(w));
    else if (dice < 25)
        extend(w, m);
    else if (dice < 65)
        accept_range(w, m);
    else if (dice < 80)
        trim(w, m, random_floor(w, m));
    else if (dice < 97)
        walk_runs(w, m);
    else
        end_lease(w, m);
}

#endif
