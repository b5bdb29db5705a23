/* test_groups.c: leases, accepted positions and segments against a naive model,
 * in a real arena, read as a recovery would read it after each operation.
 */
#include "groups_model.h"

static void against_a_model(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    struct world *w = malloc(sizeof *w);
    for (unsigned round = 0; round < 10; round++) {
        world_create(w, seed + round);
        uint64_t all_bytes = w->free_bytes;
        for (unsigned step = 0; step < 10000; step++) {
            operate(w, &w->models[check_below(&w->seed, GROUPS)]);
            expect_all(w);
        }
        for (unsigned i = 0; i < GROUPS; i++) {
            struct model *m = &w->models[i];
            while (m->group != NULL && m->state != GROUP_CLOSED)
                end_lease(w, m);
            if (m->group != NULL)
                trim(w, m, accepted_of(m));
        }
        assert_true(w->free_bytes == all_bytes);
        expect_all(w);
        world_destroy(w);
    }
    free(w);
}

static void revoked_memory_rests(void **state)
{
    (void)state;
    struct world *w = malloc(sizeof *w);
    world_create(w, 1);
    struct model *m = &w->models[0];
    open_group(w, m, NULL);
    uint64_t all_bytes = segments_free_bytes(groups_segments(w->groups));
    for (unsigned i = 0; i < 3; i++)
        assert_true(groups_extend(w->groups, m->group, SEGMENT_MIN_BYTES));
    uint64_t end = position_make(1, 64);
    assert_int_equal(groups_accept(w->groups, m->group, 0, 64), AIMSS_OK);
    assert_int_equal(groups_accept(w->groups, m->group, position_make(1, 0), end), AIMSS_OK);
    groups_revoke(w->groups, m->group);
    assert_int_equal(groups_accept(w->groups, m->group, end, end + 8), AIMSS_E_REVOKED);
    assert_false(groups_trim(w->groups, m->group, end)); /* its writer may still store */
    assert_true(segments_free_bytes(groups_segments(w->groups)) ==
                all_bytes - 3 * SEGMENT_MIN_BYTES);
    groups_writer_dead(w->groups, m->group);
    assert_int_equal(groups_accept(w->groups, m->group, end, end + 8), AIMSS_E_REVOKED);
    assert_true(groups_trim(w->groups, m->group, end));
    assert_true(segments_free_bytes(groups_segments(w->groups)) == all_bytes);
    world_destroy(w);
    free(w);
}

/* A cursor may rest at the end of a segment that is gone, while the group goes on. */
static void run_after_reuse(void **state)
{
    (void)state;
    struct world *w = malloc(sizeof *w);
    world_create(w, 1);
    struct model *m = &w->models[0];
    open_group(w, m, NULL);
    uint32_t last = ARENA_CHAIN_SEGMENTS;
    for (uint32_t i = 0; i <= last; i++) {
        uint64_t from = position_make(i, 0);
        assert_true(groups_extend(w->groups, m->group, SEGMENT_MIN_BYTES));
        assert_int_equal(groups_accept(w->groups, m->group, from, from + 64), AIMSS_OK);
        if (i == 1)
            assert_false(groups_trim(w->groups, m->group, position_make(0, 64)));
    }
    uint64_t from = position_make(0, 64), place;
    assert_int_equal(groups_accept(w->groups, m->group, position_make(last, 64),
                                   position_make(last, 128)), AIMSS_OK);
    assert_int_equal(group_run(m->group, &from, &place), 64);
    assert_true(from == position_make(1, 0));
    assert_true(place == m->group->chain[1].at);
    groups_close_lease(w->groups, m->group);
    assert_true(groups_trim(w->groups, m->group, position_make(last, 128)));
    world_destroy(w);
    free(w);
}

static void table_has_a_limit(void **state)
{
    (void)state;
    struct world *w = malloc(sizeof *w);
    const struct group_request request = { .stream = 1 };
    struct group *group = NULL, *first = NULL;
    world_create(w, 1);
    for (uint32_t i = 0; i < w->arena.header->group_max; i++) {
        assert_int_equal(groups_open(w->groups, &request, &group), AIMSS_OK);
        first = first == NULL ? group : first;
    }
    struct group *last = group;
    assert_int_equal(groups_open(w->groups, &request, &group), AIMSS_E_LIMIT);
    assert_ptr_equal(group, last);
    groups_close_lease(w->groups, first);
    assert_true(groups_trim(w->groups, first, 0));
    assert_int_equal(groups_open(w->groups, &request, &group), AIMSS_OK);
    assert_ptr_equal(group, first);
    world_destroy(w);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_model),
        cmocka_unit_test(revoked_memory_rests),
        cmocka_unit_test(run_after_reuse),
        cmocka_unit_test(table_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
