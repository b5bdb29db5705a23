/* test_run_graphs.c: graphs with functions after the shuffle, graphs without a
 * sink, and errors, on several ranks in one process.
 */
#include "test_run_words.h"

#include "api/job.h"

/* The bytes of a line that a shuffled record carries are its word's place. */
static aimss_status_t first_of_key(struct aimss_task *task, const struct aimss_record *record)
{
    void *seen;
    size_t end;
    aimss_status_t status = aimss_task_state(task, record->key, 1, &seen);
    if (status != AIMSS_OK || *(char *)seen != 0)
        return status;
    *(char *)seen = 1;
    if (record->value.len_bytes != sizeof end)
        return AIMSS_E_CORRUPT;
    memcpy(&end, record->value.data, sizeof end);
    return end >= record->key.len_bytes ? aimss_task_emit(task, record->key, AIMSS_NO_BYTES)
                                        : AIMSS_E_CORRUPT;
}

/* Emits under another key than it got: other ranks own most of them. */
static aimss_status_t under_the_first_byte(struct aimss_task *task,
                                           const struct aimss_record *record)
{
    return aimss_task_emit(task, (struct aimss_bytes){ record->key.data, 1 }, AIMSS_NO_BYTES);
}

static void functions_after_the_shuffle_have_state(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    struct graph graph = word_graph(split, first_of_key, by_count);
    for (int i = 0; i < 6; i++) {
        struct world *world = world_create(&(struct world_options){
            .ranks = rank_counts[i % 3], .workers = 2, .seed = check_random(&seed),
            .state_memory_bytes = 8 << 20, .round_bytes = i < 3 ? 500 : 1 << 16,
            .graph = &graph });
        struct text all = { 0 };
        for (unsigned rank = 0; rank < world->count; rank++)
            give_words(world, rank, &all, 10000, 3000);
        assert_words(world, &all, true, by_count_then_bytes);
        world_destroy(world);
        free(all.data);
    }
}

static void keys_may_change_after_the_shuffle(void **state)
{
    (void)state;
    struct graph graph = word_graph(split, under_the_first_byte, by_count);
    struct world *world = world_create(&(struct world_options){
        .ranks = 5, .workers = 2, .seed = check_seed(), .state_memory_bytes = 16 << 20,
        .round_bytes = 500, .graph = &graph });
    struct text all = { 0 }, firsts = { 0 };
    for (unsigned rank = 0; rank < world->count; rank++)
        give_words(world, rank, &all, 5000, 3000);
    for (size_t at = 0, end; at < all.len_bytes; at = end + 1) {
        end = word_end(all.data, at, all.len_bytes);
        text_add(&firsts, all.data + at, 1);
        text_add(&firsts, " ", 1);
    }
    assert_words(world, &firsts, false, by_count_then_bytes);
    world_destroy(world);
    free(all.data);
    free(firsts.data);
}

/* ---- errors ---------------------------------------------------------------------- */

static aimss_status_t fail_at_bad(struct aimss_task *task, const struct aimss_record *record)
{
    if (record->value.len_bytes == 3 && memcmp(record->value.data, "bad", 3) == 0)
        return AIMSS_E_CORRUPT;
    return split(task, record);
}

static aimss_status_t fail_after(struct aimss_task *task, const struct aimss_record *record)
{
    (void)task;
    return record->key.len_bytes == 3 ? (aimss_status_t)42 : AIMSS_OK;
}

static aimss_status_t swallow(struct aimss_task *task, const struct aimss_record *record)
{
    void *state;
    (void)record;
    aimss_task_state(task, AIMSS_NO_BYTES, 8, &state);
    return AIMSS_OK;
}

static struct world *failing_world(const struct graph *graph, aimss_status_t expected)
{
    struct world *world = world_create(&(struct world_options){
        .ranks = 2, .workers = 2, .seed = 1, .state_memory_bytes = 4 << 20,
        .round_bytes = 4096, .graph = graph });
    for (unsigned i = 0; i < 40; i++)
        world_give(world, i % 2, i == 23 ? "bad" : "some words", i == 23 ? 3 : 10);
    assert_int_equal(world_run(world), expected);
    return world;
}

static void a_failing_callback_is_named_with_its_place(void **state)
{
    (void)state;
    struct graph graph = word_graph(fail_at_bad, NULL, by_count);
    struct world *world = failing_world(&graph, AIMSS_E_CALLBACK);
    assert_non_null(strstr(world->error, "record 11 of stream 7, streamlet 1, group 41, in "
                                         "segment 2 from offset 4096 on"));
    assert_non_null(strstr(world->error, "failed its integrity check"));
    world_destroy(world);

    graph = word_graph(split, fail_after, by_count);
    world = failing_world(&graph, AIMSS_E_CALLBACK);
    assert_non_null(strstr(world->error, "arrived by the shuffle"));
    assert_non_null(strstr(world->error, "returned 42"));
    world_destroy(world);

    graph = word_graph(swallow, NULL, by_count);
    world = failing_world(&graph, AIMSS_E_STATE);
    assert_non_null(strstr(world->error, "only in a function after a shuffle"));
    world_destroy(world);
}

static void too_many_words_are_refused_with_the_option(void **state)
{
    (void)state;
    struct graph graph = word_graph(split, NULL, by_count);
    struct world *world = world_create(&(struct world_options){
        .ranks = 2, .workers = 1, .seed = check_seed(), .state_memory_bytes = 2 << 20,
        .round_bytes = 4096, .graph = &graph });
    struct text all = { 0 };
    give_words(world, 0, &all, 100000, 90000);
    assert_int_equal(world_run(world), AIMSS_E_LIMIT);
    assert_non_null(strstr(world->error, "--state-memory"));
    assert_non_null(strstr(world->error, "2097152 bytes"));
    assert_non_null(strstr(world->error, "distinct keys"));
    world_destroy(world);
    free(all.data);
}

static void damaged_chunks_are_refused(void **state)
{
    (void)state;
    struct graph graph = word_graph(split, NULL, by_count);
    struct world *world = world_create(&(struct world_options){
        .ranks = 1, .workers = 1, .seed = 1, .state_memory_bytes = 4 << 20,
        .round_bytes = 4096, .graph = &graph });
    world_give(world, 0, "some words", 10);
    ((char *)world->rank[0].chunks[0])[70] ^= 1;
    assert_int_equal(world_run(world), AIMSS_E_CORRUPT);
    world_destroy(world);
}

/* ---- graphs without a sink ---------------------------------------------------------- */

static uint64_t seen_count;

static aimss_status_t see(struct aimss_task *task, const struct aimss_record *record)
{
    (void)task;
    __atomic_fetch_add(&seen_count, record->value.len_bytes, __ATOMIC_RELAXED);
    return AIMSS_OK;
}

static void a_graph_may_end_with_a_function(void **state)
{
    (void)state;
    struct graph graph = { 0 };
    graph_add(&graph, &(struct graph_node){ .kind = GRAPH_SOURCE, .name = "text" });
    graph_add(&graph, &(struct graph_node){ .kind = GRAPH_APPLY, .apply = see });
    for (int shuffles = 0; shuffles < 2; shuffles++) {
        struct world *world = world_create(&(struct world_options){
            .ranks = 5, .workers = 2, .seed = 1, .state_memory_bytes = 4 << 20,
            .round_bytes = 64, .graph = &graph });
        uint64_t records, bytes, sum = 0;
        for (unsigned i = 0; i < 1000; i++)
            world_give(world, i % 4, "some words", 10);
        seen_count = 0;
        assert_int_equal(world_run(world), AIMSS_OK);
        assert_int_equal(seen_count, 10000);
        for (unsigned i = 0; i < world->count; i++) {
            run_progress(world->rank[i].run, &records, &bytes);
            sum += records;
            assert_null(world->rank[i].result.file);
        }
        assert_int_equal(sum, 1000);
        world_destroy(world);
        /* The same behind a shuffle of the records as they are. */
        graph.node_count = 1;
        graph_add(&graph, &(struct graph_node){ .kind = GRAPH_SHUFFLE });
        graph_add(&graph, &(struct graph_node){ .kind = GRAPH_APPLY, .apply = see });
    }
}

/* ---- arguments of functions ---------------------------------------------------------- */

/* Adds the record's bytes to the sum that is its argument. */
static aimss_status_t sum_up(struct aimss_task *task, const struct aimss_record *record)
{
    uint64_t *sum = aimss_task_arg(task);
    if (sum == NULL)
        return AIMSS_E_INVALID;
    __atomic_fetch_add(sum, record->value.len_bytes, __ATOMIC_RELAXED);
    return AIMSS_OK;
}

static aimss_status_t sum_up_and_double(struct aimss_task *task, const struct aimss_record *record)
{
    aimss_status_t status = sum_up(task, record);
    for (int i = 0; i < 2 && status == AIMSS_OK; i++)
        status = aimss_task_emit(task, record->value, record->value);
    return status;
}

static aimss_status_t expect_no_argument(struct aimss_task *task,
                                         const struct aimss_record *record)
{
    return aimss_task_arg(task) == NULL ? aimss_task_emit(task, record->key, record->value)
                                        : AIMSS_E_INVALID;
}

/* Each function of a chain gets its own, on either side of the shuffle. */
static void a_function_gets_its_argument(void **state)
{
    (void)state;
    uint64_t before = 0, after = 0;
    struct aimss_job *job = aimss_job_create("a test", 0, NULL);
    struct aimss_flow *flow = aimss_flow_source(job, "text");
    flow = aimss_flow_arg(aimss_flow_apply(flow, sum_up_and_double), &before);
    flow = aimss_flow_apply(flow, expect_no_argument);
    flow = aimss_flow_shuffle(flow, AIMSS_BY_HASH);
    flow = aimss_flow_arg(aimss_flow_apply(flow, sum_up), &after);
    assert_non_null(flow);
    struct world *world = world_create(&(struct world_options){
        .ranks = 2, .workers = 2, .seed = 1, .state_memory_bytes = 4 << 20,
        .round_bytes = 64, .graph = &job->graph });
    for (unsigned i = 0; i < 100; i++)
        world_give(world, i % 2, "some words", 10);
    assert_int_equal(world_run(world), AIMSS_OK);
    assert_int_equal(before, 1000);
    assert_int_equal(after, 2000);
    world_destroy(world);
    job_destroy(job);
}

static void graphs_that_cannot_run_are_refused(void **state)
{
    (void)state;
    struct graph graph = { 0 };
    struct graph_node source = { .kind = GRAPH_SOURCE, .name = "text" };
    struct graph_node apply = { .kind = GRAPH_APPLY, .apply = see };
    struct graph_node shuffle = { .kind = GRAPH_SHUFFLE };
    struct graph_node count = { .kind = GRAPH_COUNT };
    struct graph_node sink = { .kind = GRAPH_SINK, .name = "../x" };
    assert_int_equal(graph_check(&graph), AIMSS_E_INVALID);
    assert_int_equal(graph_add(&graph, &apply), AIMSS_E_INVALID);
    assert_int_equal(graph_add(&graph, &source), AIMSS_OK);
    assert_int_equal(graph_add(&graph, &source), AIMSS_E_INVALID);
    assert_int_equal(graph_add(&graph, &apply), AIMSS_OK);
    assert_int_equal(graph_check(&graph), AIMSS_OK);
    assert_int_equal(graph_add(&graph, &count), AIMSS_E_INVALID);
    assert_int_equal(graph_add(&graph, &shuffle), AIMSS_OK);
    assert_int_equal(graph_check(&graph), AIMSS_E_INVALID);
    assert_int_equal(graph_add(&graph, &count), AIMSS_OK);
    assert_int_equal(graph_add(&graph, &sink), AIMSS_E_INVALID);
    assert_non_null(strstr(error_text(), "../x"));
    assert_int_equal(graph_check(&graph), AIMSS_E_INVALID);
    assert_int_equal(graph.node_count, 4);
    graph.node_count = 1;
    while (graph.node_count < GRAPH_NODES_MAX)
        assert_int_equal(graph_add(&graph, &apply), AIMSS_OK);
    assert_int_equal(graph_add(&graph, &apply), AIMSS_E_LIMIT);
}

/* ---- declarations ------------------------------------------------------------------- */

static void declarations_keep_their_first_error(void **state)
{
    (void)state;
    struct aimss_job *job = aimss_job_create("a test", 0, NULL);
    assert_non_null(job);
    struct aimss_flow *source = aimss_flow_source(job, "text");
    struct aimss_flow *once = aimss_flow_apply(source, see);
    assert_non_null(once);
    assert_null(aimss_flow_apply(source, see)); /* a second branch */
    assert_int_equal(job->status, AIMSS_E_INVALID);
    assert_non_null(strstr(job->error, "continued twice"));
    assert_null(aimss_flow_count(once));
    assert_non_null(strstr(job->error, "continued twice"));
    assert_null(aimss_flow_sink(NULL, "file", NULL));
    assert_null(aimss_flow_shuffle(NULL, AIMSS_BY_HASH));
    assert_null(aimss_flow_source(NULL, "text"));
    assert_null(aimss_job_option(NULL, "name", "value", "help"));
    job_destroy(job);
    job = aimss_job_create("a test", 0, NULL);
    assert_null(aimss_flow_arg(aimss_flow_source(job, "text"), &state)); /* no function */
    assert_int_equal(job->status, AIMSS_E_INVALID);
    assert_null(aimss_flow_arg(NULL, &state));
    job_destroy(job);
    job_destroy(NULL);
}

static void programs_have_options_of_their_own(void **state)
{
    (void)state;
    char *words[] = { "program", "--letters", "7", "--workers", "3", "rest", NULL };
    struct aimss_job *job = aimss_job_create("a test", 6, words);
    assert_int_equal(job->status, AIMSS_OK);
    assert_string_equal(aimss_job_option(job, "letters", "4", "how many"), "7");
    assert_string_equal(aimss_job_option(job, "colour", "red", "which"), "red");
    assert_int_equal(options_number(job->options, "workers"), 3);
    assert_int_equal(job->argc, 2);
    assert_string_equal(job->argv[1], "rest");
    assert_string_equal(words[1], "--letters"); /* main()'s array is left alone */
    assert_null(aimss_job_option(job, "workers", "1", "taken"));
    assert_int_equal(job->status, AIMSS_E_EXISTS);
    job_destroy(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_after_the_shuffle_have_state),
        cmocka_unit_test(keys_may_change_after_the_shuffle),
        cmocka_unit_test(a_failing_callback_is_named_with_its_place),
        cmocka_unit_test(too_many_words_are_refused_with_the_option),
        cmocka_unit_test(damaged_chunks_are_refused),
        cmocka_unit_test(a_graph_may_end_with_a_function),
        cmocka_unit_test(a_function_gets_its_argument),
        cmocka_unit_test(graphs_that_cannot_run_are_refused),
        cmocka_unit_test(declarations_keep_their_first_error),
        cmocka_unit_test(programs_have_options_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
