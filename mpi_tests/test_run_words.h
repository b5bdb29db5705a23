/* test_run_words.h: texts, graphs over their words, and what these must give:
 * all words in a list, sorted, joined, sorted again.
 */
#ifndef AIMSS_MPI_TESTS_TEST_RUN_WORDS_H
#define AIMSS_MPI_TESTS_TEST_RUN_WORDS_H

#include "test_run_world.h"

static const unsigned rank_counts[] = { 1, 2, 5 };

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

static inline void text_add(struct text *text, const void *data, size_t len_bytes)
{
    if (text->len_bytes + len_bytes > text->room_bytes) {
        text->room_bytes = 2 * (text->len_bytes + len_bytes);
        text->data = realloc(text->data, text->room_bytes);
    }
    memcpy(text->data + text->len_bytes, data, len_bytes);
    text->len_bytes += len_bytes;
}

static inline int by_bytes(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    size_t shorter = x->len_bytes < y->len_bytes ? x->len_bytes : y->len_bytes;
    int order = memcmp(x->data, y->data, shorter);
    return order != 0 ? order : (x->len_bytes > y->len_bytes) - (x->len_bytes < y->len_bytes);
}

static inline int by_count_then_bytes(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return by_bytes(a, b);
}

static inline int by_length_then_bytes(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    if (x->len_bytes != y->len_bytes)
        return x->len_bytes < y->len_bytes ? -1 : 1;
    return by_bytes(a, b);
}

/* Words end with a space or a newline here; all else belongs to them. */
static inline size_t word_end(const char *data, size_t at, size_t len_bytes)
{
    while (at < len_bytes && data[at] != ' ' && data[at] != '\n')
        at++;
    return at;
}

/* The lines that the words of a text make: all words sorted, equal ones joined,
 * sorted again by compare. once: each word counts once. */
static inline struct text expected_lines(const struct text *text, bool once,
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

static inline struct text read_file(const char *path)
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

static inline void assert_same_text(const struct text *found, const struct text *expected)
{
    assert_int_equal(found->len_bytes, expected->len_bytes);
    if (found->len_bytes != 0)
        assert_memory_equal(found->data, expected->data, found->len_bytes);
}

/* ---- graphs ------------------------------------------------------------------ */

static inline aimss_status_t split(struct aimss_task *task, const struct aimss_record *record)
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

static inline int by_count(const struct aimss_counted *a, const struct aimss_counted *b)
{
    return a->count == b->count ? 0 : a->count > b->count ? -1 : 1; /* ties are the run's */
}

static inline int by_length(const struct aimss_counted *a, const struct aimss_counted *b)
{
    return (a->key.len_bytes > b->key.len_bytes) - (a->key.len_bytes < b->key.len_bytes);
}

static inline struct graph word_graph(aimss_apply_fn *before, aimss_apply_fn *after,
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
static inline size_t make_word(uint64_t number, char *word)
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
static inline void give_words(struct world *world, unsigned to, struct text *all, size_t word_count,
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
static inline void assert_parts(const struct world *world, const struct text *file)
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

static inline void assert_words(struct world *world, const struct text *all, bool once,
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
    free(file.data);
    free(expected.data);
}

#endif
