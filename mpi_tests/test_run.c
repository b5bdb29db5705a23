/* test_run.c: graphs on several ranks in one process, results against naive
 * programs of the test: a list of all words, sorted.
 */
#include "test_run_world.h"

/* ---- words, and what is expected of them ------------------------------------- */

struct word {
    const char *data;
    size_t len_bytes;
    uint64_t count;
};

struct text {
    char *data;
    size_t len_bytes, room_bytes;
};

static void text_add(struct text *text, const void *data, size_t len_bytes)
{
    if (text->len_bytes + len_bytes > text->room_bytes) {
        text->room_bytes = 2 * (text->len_bytes + len_bytes);
        text->data = realloc(text->data, text->room_bytes);
    }
    memcpy(text->data + text->len_bytes, data, len_bytes);
    text->len_bytes += len_bytes;
}

static int by_bytes(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    size_t shorter = x->len_bytes < y->len_bytes ? x->len_bytes : y->len_bytes;
    int order = memcmp(x->data, y->data, shorter);
    return order != 0 ? order : (x->len_bytes > y->len_bytes) - (x->len_bytes < y->len_bytes);
}

static int by_count_then_bytes(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return by_bytes(a, b);
}

static int by_length_then_bytes(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    if (x->len_bytes != y->len_bytes)
        return x->len_bytes < y->len_bytes ? -1 : 1;
    return by_bytes(a, b);
}

/* Words end with a space or a newline here; all else belongs to them. */
static size_t word_end(const char *data, size_t at, size_t len_bytes)
{
    while (at < len_bytes && data[at] != ' ' && data[at] != '\n')
        at++;
    return at;
}

/* The lines that the words of a text make: all words sorted, equal ones joined,
 * sorted again by compare. once: each word counts once. */
static struct text expected_lines(const struct text *text, bool once,
                                  int (*compare)(const void *, const void *))
{
    struct word *words = malloc((text->len_bytes + 1) * sizeof *words);
    struct text lines = { 0 };
    size_t count = 0, distinct = 0;
    for (size_t at = 0, end; at < text->len_bytes; at = end + 1) {
        end = word_end(text->data, at, text->len_bytes);
        if (end > at)
            words[count++] = (struct word){ text->data + at, end - at, 1 };
    }
    qsort(words, count, sizeof *words, by_bytes);
    for (size_t i = 0; i < count; i++) {
        if (distinct > 0 && by_bytes(&words[distinct - 1], &words[i]) == 0)
            words[distinct - 1].count += !once;
        else
            words[distinct++] = words[i];
    }
    qsort(words, distinct, sizeof *words, compare);
    for (size_t i = 0; i < distinct; i++) {
        char tail[32];
        int len = snprintf(tail, sizeof tail, "\t%llu\n", (unsigned long long)words[i].count);
        text_add(&lines, words[i].data, words[i].len_bytes);
        text_add(&lines, tail, (size_t)len);
    }
    free(words);
    return lines;
}

static struct text read_file(const char *path)
{
    struct text text = { 0 };
    char block[4096];
    FILE *file = fopen(path, "r");
    size_t len_bytes;
    assert_non_null(file);
    while ((len_bytes = fread(block, 1, sizeof block, file)) > 0)
        text_add(&text, block, len_bytes);
    fclose(file);
    return text;
}

static void assert_same_text(const struct text *found, const struct text *expected)
{
    assert_int_equal(found->len_bytes, expected->len_bytes);
    if (found->len_bytes != 0)
        assert_memory_equal(found->data, expected->data, found->len_bytes);
}

/* ---- graphs ------------------------------------------------------------------ */

static aimss_status_t split(struct aimss_task *task, const struct aimss_record *record)
{
    const char *data = record->value.data;
    aimss_status_t status = AIMSS_OK;
    for (size_t at = 0, end; at < record->value.len_bytes && status == AIMSS_OK; at = end + 1) {
        end = word_end(data, at, record->value.len_bytes);
        if (end > at)
            status = aimss_task_emit(task, (struct aimss_bytes){ data + at, end - at },
                                     (struct aimss_bytes){ &end, sizeof end });
    }
    return status;
}

static int by_count(const struct aimss_counted *a, const struct aimss_counted *b)
{
    return a->count == b->count ? 0 : a->count > b->count ? -1 : 1; /* ties are the run's */
}

static int by_length(const struct aimss_counted *a, const struct aimss_counted *b)
{
    return (a->key.len_bytes > b->key.len_bytes) - (a->key.len_bytes < b->key.len_bytes);
}

static struct graph word_graph(aimss_apply_fn *before, aimss_apply_fn *after,
                               aimss_order_fn *order)
{
    struct graph graph = { 0 };
    const struct graph_node nodes[] = {
        { .kind = GRAPH_SOURCE, .name = "text" },
        { .kind = GRAPH_APPLY, .apply = before },
        { .kind = GRAPH_SHUFFLE },
        { .kind = GRAPH_APPLY, .apply = after },
        { .kind = GRAPH_COUNT },
        { .kind = GRAPH_SINK, .name = "words.tsv", .sink = { .order = order, .show_count = 10 } },
    };
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        if (nodes[i].kind != GRAPH_APPLY || nodes[i].apply != NULL)
            assert_int_equal(graph_add(&graph, &nodes[i]), AIMSS_OK);
    return graph;
}

/* ---- texts -------------------------------------------------------------------- */

/* A word that depends on its number alone: any bytes but space and newline. */
static size_t make_word(uint64_t number, char *word)
{
    uint64_t state = number;
    size_t len_bytes = 1 + check_below(&state, number % 7 == 0 ? 60 : 9);
    for (size_t i = 0; i < len_bytes; i++) {
        unsigned char byte = (unsigned char)check_below(&state, number % 3 ? 256 : 2);
        word[i] = byte == ' ' || byte == '\n' ? 'x' : (char)byte;
    }
    return len_bytes;
}

/* Gives a rank word_count words, in buffers of random size, and notes them. */
static void give_words(struct world *world, unsigned to, struct text *all, size_t word_count,
                       uint64_t vocabulary)
{
    struct text buffer = { 0 };
    for (size_t i = 0; i < word_count; i++) {
        char word[64];
        /* The product of two draws: small numbers, and so some words, are frequent. */
        uint64_t number = check_below(&world->seed, 1 + check_below(&world->seed, vocabulary));
        text_add(&buffer, word, make_word(number, word));
        text_add(&buffer, check_below(&world->seed, 9) ? " " : "\n", 1);
        if (i + 1 == word_count || buffer.len_bytes > check_below(&world->seed, 30000)) {
            world_give(world, to, buffer.data, buffer.len_bytes);
            text_add(all, buffer.data, buffer.len_bytes);
            buffer.len_bytes = 0;
        }
    }
    free(buffer.data);
}

/* Parts are behind one another in rank order and their checksums are right. */
static void assert_parts(const struct world *world, const struct text *file)
{
    uint64_t at = 0;
    for (unsigned i = 0; i < world->count; i++) {
        const struct run_result *result = &world->rank[i].result;
        assert_string_equal(result->file, "words.tsv");
        assert_int_equal(result->offset, at);
        assert_true(at + result->len_bytes <= file->len_bytes);
        assert_int_equal(result->crc32c, crc32c(0, file->data + at, result->len_bytes));
        at += result->len_bytes;
    }
    assert_int_equal(at, file->len_bytes);
}

/* Rank 0 shows as many of the first lines as were asked for; make_word's are
 * short, but a terminal does not get their control characters. */
static void assert_shown(const struct world *world, const struct text *file)
{
    const char *shown = world->rank[0].result.shown, *data = file->data;
    size_t at = 0, lines = 0;
    assert_non_null(shown);
    for (; at < file->len_bytes && lines < 10; at++) {
        char byte = data[at];
        bool is_end = byte == '\n', is_tab = byte == '\t' && shown[at] == '\t';
        bool control = ((unsigned char)byte < ' ' || byte == 0x7f) && !is_end && !is_tab;
        assert_int_equal(shown[at], control ? '?' : byte);
        lines += is_end;
    }
    assert_int_equal(shown[at], '\0');
}

static void assert_words(struct world *world, const struct text *all, bool once,
                         int (*compare)(const void *, const void *))
{
    aimss_status_t status = world_run(world);
    if (status != AIMSS_OK)
        print_error("%s\n", world->error);
    assert_int_equal(status, AIMSS_OK);
    struct text file = read_file("out/words.tsv.tmp-1");
    struct text expected = expected_lines(all, once, compare);
    assert_same_text(&file, &expected);
    assert_parts(world, &file);
    assert_shown(world, &file);
    free(file.data);
    free(expected.data);
}

/* ---- tests ---------------------------------------------------------------------- */

static const unsigned rank_counts[] = { 1, 2, 5 };

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
    assert_non_null(strstr(world->rank[0].result.shown, "aaa...\t3\n"));
    assert_true(strlen(world->rank[0].result.shown) < 1000);
    world_destroy(world);
    free(word);
    free(all.data);
    free(file.data);
    free(expected.data);
}

static void few_lines_are_shown_from_all_ranks(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_counted_and_ordered),
        cmocka_unit_test(any_order_holds_for_the_whole_file),
        cmocka_unit_test(equal_counts_are_split_between_ranks),
        cmocka_unit_test(full_workers_are_drained_in_rounds),
        cmocka_unit_test(words_may_be_larger_than_a_round),
        cmocka_unit_test(few_lines_are_shown_from_all_ranks),
        cmocka_unit_test(functions_after_the_shuffle_have_state),
        cmocka_unit_test(keys_may_change_after_the_shuffle),
        cmocka_unit_test(without_an_order_all_lines_are_there),
        cmocka_unit_test(a_failing_callback_is_named_with_its_place),
        cmocka_unit_test(too_many_words_are_refused_with_the_option),
        cmocka_unit_test(damaged_chunks_are_refused),
        cmocka_unit_test(a_graph_may_end_with_a_function),
        cmocka_unit_test(graphs_that_cannot_run_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
