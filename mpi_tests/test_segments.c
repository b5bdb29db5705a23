/* test_segments.c: the page allocator against a map of pages.
 *
 * The map is the whole truth: a byte for each page. A segment must lie in free
 * pages, aligned to its own size; none is refused while an aligned run of free
 * pages of that size exists, which is also how lost or uncoalesced pages show.
 */
#include "check.h"

#include "log/format.h"
#include "store/segments.h"
#include <string.h>

enum {
    PAGES_MAX = 40000, /* more than two of the largest segments */
    ORDERS = 15,
    HELD_MAX = 4000
};

struct held {
    uint32_t page;
    unsigned order;
};

struct world {
    struct segments *segments;
    uint64_t at;
    uint32_t page_count, free_count;
    unsigned held_count;
    struct held held[HELD_MAX];
    char used[PAGES_MAX];
};

static struct world *world_create(uint64_t *seed, uint32_t page_count)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->at = (1 + check_below(seed, 50)) * SEGMENT_MIN_BYTES;
    w->page_count = w->free_count = page_count;
    assert_int_equal(segments_create(w->at, (uint64_t)page_count * SEGMENT_MIN_BYTES,
                                     &w->segments), AIMSS_OK);
    return w;
}

static void world_destroy(struct world *w)
{
    segments_destroy(w->segments);
    free(w);
}

static bool is_free_run(const struct world *w, uint32_t page, uint32_t count)
{
    return page + count <= w->page_count && memchr(w->used + page, 1, count) == NULL;
}

static bool has_free_run(const struct world *w, unsigned order)
{
    for (uint32_t page = 0; page < w->page_count; page += 1u << order)
        if (is_free_run(w, page, 1u << order))
            return true;
    return false;
}

/* Takes one segment and checks all that is promised of it; false when refused. */
static bool take(struct world *w, unsigned order, struct held *taken)
{
    uint64_t offset = 0;
    uint32_t count = 1u << order;
    if (!segments_take(w->segments, (uint64_t)SEGMENT_MIN_BYTES << order, &offset)) {
        assert_false(has_free_run(w, order));
        return false;
    }
    assert_true(offset >= w->at && offset % SEGMENT_MIN_BYTES == 0);
    *taken = (struct held){ (uint32_t)((offset - w->at) / SEGMENT_MIN_BYTES), order };
    assert_int_equal(taken->page % count, 0);
    assert_true(is_free_run(w, taken->page, count));
    memset(w->used + taken->page, 1, count);
    w->free_count -= count;
    assert_true(segments_free_bytes(w->segments) == (uint64_t)w->free_count * SEGMENT_MIN_BYTES);
    return true;
}

static void give(struct world *w, const struct held *held)
{
    uint32_t count = 1u << held->order;
    segments_give(w->segments, w->at + (uint64_t)held->page * SEGMENT_MIN_BYTES,
                  (uint64_t)count * SEGMENT_MIN_BYTES);
    memset(w->used + held->page, 0, count);
    w->free_count += count;
    assert_true(segments_free_bytes(w->segments) == (uint64_t)w->free_count * SEGMENT_MIN_BYTES);
}

static struct held drop_random(struct world *w, uint64_t *seed)
{
    unsigned i = (unsigned)check_below(seed, w->held_count);
    struct held held = w->held[i];
    w->held[i] = w->held[--w->held_count];
    give(w, &held);
    return held;
}

/* Whether the twin of a segment, which it would merge with, is free or absent. */
static bool twin_is_busy(const struct world *w, const struct held *held)
{
    uint32_t count = 1u << held->order, twin = held->page ^ count;
    return !is_free_run(w, twin, count);
}

/* What has just been freed is in a cache, so it goes out first. */
static void expect_the_same_again(struct world *w, const struct held *freed)
{
    struct held taken;
    if (!twin_is_busy(w, freed) && freed->order + 1 < ORDERS)
        return; /* it is a part of something larger now */
    assert_true(take(w, freed->order, &taken));
    assert_int_equal(taken.page, freed->page);
    w->held[w->held_count++] = taken;
}

/* Small ones are frequent, all sizes occur. */
static unsigned random_order(uint64_t *seed)
{
    unsigned below = 1 + (unsigned)check_below(seed, ORDERS);
    return (unsigned)check_below(seed, below);
}

static void give_all(struct world *w, uint64_t *seed)
{
    while (w->held_count > 0)
        drop_random(w, seed);
    assert_int_equal(w->free_count, w->page_count);
}

/* All is one again: the largest segments go out as often as they fit, then the
 * rest in ever smaller ones, to the last page. */
static void expect_coalesced(struct world *w)
{
    uint32_t left = w->page_count;
    struct held taken;
    for (unsigned order = ORDERS; order-- > 0;) {
        uint32_t fits = left >> order;
        for (uint32_t i = 0; i < fits; i++) {
            assert_true(take(w, order, &taken));
            w->held[w->held_count++] = taken;
        }
        assert_false(take(w, order, &taken));
        left -= fits << order;
    }
    assert_int_equal(w->free_count, 0);
}

static void play(struct world *w, uint64_t *seed, unsigned steps)
{
    /* Phases of filling and of emptying, so that both ends are reached. */
    unsigned take_percent = 50;
    for (unsigned step = 0; step < steps; step++) {
        if (step % 500 == 0)
            take_percent = 20 + (unsigned)check_below(seed, 70);
        bool wants = check_below(seed, 100) < take_percent && w->held_count < HELD_MAX - 1;
        if (wants) {
            if (take(w, random_order(seed), &w->held[w->held_count]))
                w->held_count++;
        } else if (w->held_count > 0) {
            struct held freed = drop_random(w, seed);
            if (check_below(seed, 4) == 0)
                expect_the_same_again(w, &freed);
        }
    }
}

static void against_a_map_of_pages(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    for (unsigned round = 0; round < 600; round++) {
        uint32_t pages = 1 + (uint32_t)check_below(&seed, round % 10 ? 3000 : PAGES_MAX);
        struct world *w = world_create(&seed, pages);
        play(w, &seed, 4000);
        give_all(w, &seed);
        expect_coalesced(w);
        give_all(w, &seed);
        world_destroy(w);
    }
}

/* Every size of a small memory, where off-by-one of the last page would show. */
static void every_small_size(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    for (uint32_t pages = 0; pages <= 300; pages++) {
        struct world *w = world_create(&seed, pages);
        expect_coalesced(w);
        give_all(w, &seed);
        expect_coalesced(w);
        world_destroy(w);
    }
}

static void freed_last_goes_out_first(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    struct world *w = world_create(&seed, 64);
    struct held pages[64], again;
    for (unsigned i = 0; i < 64; i++)
        assert_true(take(w, 0, &pages[i]));
    /* Every second page: none can merge. */
    for (unsigned i = 0; i < 64; i += 2)
        give(w, &pages[i]);
    for (unsigned i = 64; i >= 2; i -= 2) {
        assert_true(take(w, 0, &again));
        assert_int_equal(again.page, pages[i - 2].page);
    }
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_map_of_pages),
        cmocka_unit_test(every_small_size),
        cmocka_unit_test(freed_last_goes_out_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
