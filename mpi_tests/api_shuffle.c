/* api_shuffle: child streams of a parent are exchanged by key: each record comes
 * once, all of a key to one rank, from every child, again and again.
 */
#include "api_check.h"

enum { KEYS = 500, RANKS_MAX = 64 };

struct seen {
    uint64_t records, sum;
    uint64_t of_key[KEYS];
    int stop;
};

static int deliver(void *arg, const struct aimss_record *record)
{
    struct seen *seen = arg;
    uint64_t number = 0;
    uint32_t key = KEYS;

    if (record->key.len_bytes == sizeof key)
        memcpy(&key, record->key.data, sizeof key);
    if (record->value.len_bytes >= sizeof number)
        memcpy(&number, record->value.data, sizeof number);
    EXPECT(key < KEYS);
    seen->records++;
    seen->sum += number;
    if (key < KEYS)
        seen->of_key[key]++;
    return seen->stop;
}

static struct aimss_stream *create(struct aimss_runtime *rt, const char *name, const char *parent)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED, .parent = parent };
    struct aimss_stream *stream = NULL;

    EXPECT_OK(aimss_stream_create(rt, name, &options, &stream));
    return stream;
}

/* So many records of so many bytes, keys in turn. */
static void put_part(struct aimss_stream *child, unsigned index, uint32_t records, size_t bytes)
{
    struct aimss_writer *writer = NULL;
    char *value = calloc(1, bytes);

    EXPECT_OK(aimss_writer_open(child, NULL, &writer));
    for (uint32_t i = 0; i < records; i++) {
        uint32_t key = (i + index) % KEYS;
        uint64_t number = index * UINT64_C(1000000) + i;

        memcpy(value, &number, sizeof number);
        EXPECT_OK(aimss_writer_put(writer, api_bytes(&key, sizeof key), api_bytes(value, bytes)));
    }
    EXPECT_OK(aimss_writer_close(writer));
    free(value);
}

static uint64_t sum_of(unsigned index, uint64_t records)
{
    return index * UINT64_C(1000000) * records + records * (records - 1) / 2;
}

static void check_keys(struct aimss_runtime *rt, const struct seen *seen)
{
    uint64_t ranks_of[KEYS];
    MPI_Comm comm = MPI_COMM_NULL;

    for (unsigned k = 0; k < KEYS; k++)
        ranks_of[k] = seen->of_key[k] > 0;
    api_meet(rt);
    EXPECT_OK(aimss_runtime_comm(rt, &comm));
    MPI_Allreduce(MPI_IN_PLACE, ranks_of, KEYS, MPI_UINT64_T, MPI_SUM, comm);
    for (unsigned k = 0; k < KEYS; k++)
        EXPECT(ranks_of[k] <= 1);
}

/* Two children of uneven size; rank 0 puts nothing into the second. */
static void exchange(struct aimss_runtime *rt, struct aimss_stream *parent,
                     struct aimss_stream *first, struct aimss_stream *second, uint32_t records,
                     size_t bytes)
{
    struct aimss_shuffle_options options = { .deliver = deliver };
    struct seen seen = { 0 };
    uint64_t put, sum;
    unsigned index;

    aimss_runtime_compute_rank(rt, &index, NULL);
    put = records + (index > 0 ? records / 2 : 0);
    sum = sum_of(index, records) + (index > 0 ? sum_of(index, records / 2) : 0);
    put_part(first, index, records, bytes);
    if (index > 0)
        put_part(second, index, records / 2, bytes);
    EXPECT_OK(aimss_shuffle_stream(first));
    options.arg = &seen;
    EXPECT_STATUS(aimss_shuffle_streams(parent, &options), AIMSS_E_STATE);
    EXPECT_OK(aimss_shuffle_stream(second));
    EXPECT_OK(aimss_shuffle_streams(parent, &options));
    EXPECT(api_sum(rt, seen.records) == api_sum(rt, put));
    EXPECT(api_sum(rt, seen.sum) == api_sum(rt, sum));
    check_keys(rt, &seen);
}

static void wrong_calls(struct aimss_runtime *rt, struct aimss_stream *parent,
                        struct aimss_stream *child)
{
    struct aimss_shuffle_options nothing = { 0 }, options = { .deliver = deliver };
    struct aimss_stream *childless = create(rt, "childless", NULL);
    struct aimss_reader *reader = NULL;
    struct aimss_writer *writer = NULL;
    struct seen seen = { 0 };

    options.arg = &seen;
    EXPECT_STATUS(aimss_shuffle_streams(parent, &nothing), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_shuffle_streams(parent, NULL), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_shuffle_streams(childless, &options), AIMSS_E_NOT_FOUND);
    EXPECT_SAYS("childless");
    EXPECT_STATUS(aimss_shuffle_stream(parent), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_read_from(child, NULL, &reader), AIMSS_E_INVALID);
    EXPECT_SAYS("aimss_shuffle_streams");
    EXPECT_OK(aimss_shuffle_stream(child));
    EXPECT_STATUS(aimss_writer_open(child, NULL, &writer), AIMSS_E_STATE);
    EXPECT(writer == NULL && reader == NULL);
    EXPECT_OK(aimss_shuffle_streams(parent, &options)); /* an exchange of nothing */
    EXPECT(seen.records == 0);
    aimss_stream_destroy(childless);
}

/* A part that was handed over is complete, whoever still has a writer open. */
static void open_writer(struct aimss_stream *parent, struct aimss_stream *child,
                        struct aimss_stream *other)
{
    struct aimss_shuffle_options options = { .deliver = deliver };
    struct aimss_writer *writer = NULL;
    struct seen seen = { 0 };
    uint32_t key = 1;

    options.arg = &seen;
    EXPECT_OK(aimss_writer_open(child, NULL, &writer));
    EXPECT_OK(aimss_shuffle_stream(child));
    EXPECT_OK(aimss_shuffle_stream(other));
    EXPECT_STATUS(aimss_writer_put(writer, api_bytes(&key, sizeof key), AIMSS_NO_BYTES),
                  AIMSS_E_STATE);
    EXPECT_OK(aimss_shuffle_streams(parent, &options));
    EXPECT(seen.records == 0);
    aimss_writer_put(writer, api_bytes(&key, sizeof key), AIMSS_NO_BYTES); /* must not crash */
    EXPECT_OK(aimss_writer_close(writer));
}

static void refused_records(struct aimss_stream *child)
{
    struct aimss_writer *writer = NULL;
    char *large = calloc(1, 70000);

    EXPECT_OK(aimss_writer_open(child, NULL, &writer));
    EXPECT_STATUS(aimss_writer_put(writer, api_bytes(large, 65536), AIMSS_NO_BYTES),
                  AIMSS_E_LIMIT);
    EXPECT_OK(aimss_writer_close(writer));
    free(large);
}

static void compute(struct aimss_runtime *rt)
{
    struct aimss_stream *parent = create(rt, "parent", NULL);
    struct aimss_stream *first = create(rt, "first", "parent");

    wrong_calls(rt, parent, first);
    struct aimss_stream *second = create(rt, "second", "parent");
    exchange(rt, parent, first, second, 20000, 8);
    exchange(rt, parent, first, second, 20, 700000); /* records above a round's half */
    exchange(rt, parent, first, second, 3, 3000000); /* and above a round */
    exchange(rt, parent, first, second, 1, 8);
    refused_records(first);
    open_writer(parent, first, second);
    aimss_stream_destroy(second);
    aimss_stream_destroy(first);
    aimss_stream_destroy(parent);
}

int main(int argc, char **argv)
{
    return api_main(argc, argv, api_layouts, API_LAYOUT_COUNT, compute, NULL);
}
