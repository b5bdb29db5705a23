/* test_run.c: counted and ordered words on several ranks in one process,
 * against a naive program of the test.
 */
#include "test_run_words.h"

static void words_are_counted_and_ordered(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    struct graph graph = word_graph(split, NULL, by_count);
    for (int i = 0; i < 18; i++) {
        struct world *world = world_create(&(struct world_options){
            .ranks = rank_counts[i % 3], .workers = i % 2 ? 1 : 3, .seed = check_random(&seed),
            .state_memory_bytes = 64 << 20, .graph = &graph,
            .round_bytes = i < 6 ? 100 : i < 12 ? 4096 : 1 << 20 });
        struct text all = { 0 };
        for (unsigned rank = 0; rank < world->count; rank++)
            give_words(world, rank, &all, check_below(&seed, 20000), 1 + check_below(&seed, 9000));
        assert_words(world, &all, false, by_count_then_bytes);
        world_destroy(world);
        free(all.data);
    }
}

/* An order that is not the likely one, and ties that only bytes break. */
static void any_order_holds_for_the_whole_file(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    struct graph graph = word_graph(split, NULL, by_length);
    for (int i = 0; i < 6; i++) {
        struct world *world = world_create(&(struct world_options){
            .ranks = rank_counts[i % 3], .workers = 2, .seed = check_random(&seed),
            .state_memory_bytes = 64 << 20, .round_bytes = 3000, .graph = &graph });
        struct text all = { 0 };
        for (unsigned rank = 0; rank < world->count; rank++)
            give_words(world, rank, &all, 8000, 20000);
        assert_words(world, &all, false, by_length_then_bytes);
        world_destroy(world);
        free(all.data);
    }
}

/* Every word once: no count tells one from another. */
static void equal_counts_are_split_between_ranks(void **state)
{
    (void)state;
    struct graph graph = word_graph(split, NULL, by_count);
    struct world *world = world_create(&(struct world_options){
        .ranks = 5, .workers = 2, .seed = check_seed(), .state_memory_bytes = 64 << 20,
        .round_bytes = 4096, .graph = &graph });
    struct text all = { 0 }, buffer = { 0 };
    for (unsigned i = 0; i < 50000; i++) {
        char word[16];
        int len = snprintf(word, sizeof word, "w%07u ", i);
        text_add(&buffer, word, (size_t)len);
        if (i % 500 == 499) {
            world_give(world, (unsigned)check_below(&world->seed, 2), buffer.data,
                       buffer.len_bytes);
            text_add(&all, buffer.data, buffer.len_bytes);
            buffer.len_bytes = 0;
        }
    }
    assert_words(world, &all, false, by_count_then_bytes);
    for (unsigned i = 0; i < 5; i++) /* sample sort: within an eighth of equal parts */
        assert_in_range(world->rank[i].result.line_count, 8750, 11250);
    world_destroy(world);
    free(all.data);
    free(buffer.data);
}

/* Full workers ask for rounds long before the end, while other ranks feed on,
 * hold still, or are through already. */
static void full_workers_are_drained_in_rounds(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    struct graph graph = word_graph(split, NULL, by_count);
    for (int i = 0; i < 4; i++) {
        struct world *world = world_create(&(struct world_options){
            .ranks = 5, .workers = i % 2 ? 1 : 2, .seed = check_random(&seed),
            .state_memory_bytes = 12 << 20, .round_bytes = 2000, .graph = &graph });
        struct text all = { 0 };
        give_words(world, 0, &all, 60000, 40000);
        give_words(world, 2, &all, 60000, 40000);
        give_words(world, 3, &all, 100, 40000);
        give_words(world, 4, &all, 20000, 40000);
        world->rank[1].hold_until_pass = 300;
        world->rank[2].hold_until_pass = i < 2 ? 0 : 2000;
        assert_words(world, &all, false, by_count_then_bytes);
        assert_true(world->told_count >= 4);
        world_destroy(world);
        free(all.data);
    }
}

static void words_may_be_larger_than_a_round(void **state)
{
    (void)state;
    struct graph graph = word_graph(split, NULL, by_count);
    struct world *world = world_create(&(struct world_options){
        .ranks = 2, .workers = 1, .seed = check_seed(), .state_memory_bytes = 64 << 20,
        .round_bytes = 1000, .graph = &graph });
    struct text all = { 0 };
    size_t long_bytes = 65536;
    char *word = malloc(long_bytes + 1);
    for (unsigned i = 0; i < 24; i++) {
        memset(word, 'a' + (int)(i % 8), long_bytes);
        word[long_bytes - i % 8] = '\n';
        world_give(world, i % 2, word, long_bytes - i % 8 + 1);
        text_add(&all, word, long_bytes - i % 8 + 1);
    }
    assert_int_equal(world_run(world), AIMSS_OK);
    struct text file = read_file("out/words.tsv.tmp-1");
    struct text expected = expected_lines(&all, false, by_count_then_bytes);
    assert_same_text(&file, &expected);
    world_destroy(world);
    free(word);
    free(all.data);
    free(file.data);
    free(expected.data);
}

static void few_words_on_many_ranks(void **state)
{
    (void)state;
    struct graph graph = word_graph(split, NULL, by_count);
    for (unsigned words = 0; words < 14; words++) {
        struct world *world = world_create(&(struct world_options){
            .ranks = 5, .workers = 1, .seed = words, .state_memory_bytes = 64 << 20,
            .round_bytes = 100, .graph = &graph });
        struct text all = { 0 };
        for (unsigned i = 0; i < words; i++) {
            char word[16];
            int len = snprintf(word, sizeof word, "w%u\n", i);
            world_give(world, i % 5, word, (size_t)len);
            text_add(&all, word, (size_t)len);
        }
        assert_words(world, &all, false, by_count_then_bytes);
        world_destroy(world);
        free(all.data);
    }
}

static void without_an_order_all_lines_are_there(void **state)
{
    (void)state;
    struct graph graph = word_graph(split, NULL, NULL);
    struct world *world = world_create(&(struct world_options){
        .ranks = 5, .workers = 2, .seed = check_seed(), .state_memory_bytes = 64 << 20,
        .round_bytes = 4096, .graph = &graph });
    struct text all = { 0 };
    for (unsigned i = 0; i < 3000; i++) {
        char word[16];
        int len = snprintf(word, sizeof word, "w%u\n", i * i % 1000);
        world_give(world, i % 5, word, (size_t)len);
        text_add(&all, word, (size_t)len);
    }
    assert_int_equal(world_run(world), AIMSS_OK);
    struct text file = read_file("out/words.tsv.tmp-1");
    assert_parts(world, &file);
    struct text expected = expected_lines(&all, false, by_count_then_bytes);
    /* Lines have no spaces: as words they can be sorted and compared. */
    struct text found_lines = expected_lines(&file, false, by_bytes);
    struct text expected_sorted = expected_lines(&expected, false, by_bytes);
    assert_same_text(&found_lines, &expected_sorted);
    world_destroy(world);
    free(all.data);
    free(file.data);
    free(expected.data);
    free(found_lines.data);
    free(expected_sorted.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_counted_and_ordered),
        cmocka_unit_test(any_order_holds_for_the_whole_file),
        cmocka_unit_test(equal_counts_are_split_between_ranks),
        cmocka_unit_test(full_workers_are_drained_in_rounds),
        cmocka_unit_test(words_may_be_larger_than_a_round),
        cmocka_unit_test(few_words_on_many_ranks),
        cmocka_unit_test(without_an_order_all_lines_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
