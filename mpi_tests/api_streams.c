/* api_streams: what was put comes out, each record once and whole, in each
 * format, of each size up to record_max, by writers and by leased buffers.
 */
#include "api_check.h"

enum { RECORD_MAX = 1 << 20, FIXED_BYTES = 24 };

/* Order does not matter: sums over the records. */
struct tally {
    uint64_t records, bytes, hash;
};

static uint64_t fnv(uint64_t hash, struct aimss_bytes bytes)
{
    for (size_t i = 0; i < bytes.len_bytes; i++)
        hash = (hash ^ ((const unsigned char *)bytes.data)[i]) * UINT64_C(1099511628211);
    return hash ^ bytes.len_bytes;
}

static void add(struct tally *tally, struct aimss_bytes key, struct aimss_bytes value)
{
    tally->records++;
    tally->bytes += key.len_bytes + value.len_bytes;
    tally->hash += fnv(fnv(UINT64_C(14695981039346656037), key), value);
}

static int add_record(void *arg, const struct aimss_record *record)
{
    add(arg, record->key, record->value);
    return 0;
}

static void check_sums(struct aimss_runtime *rt, const struct tally *put, const struct tally *got)
{
    uint64_t put_records = api_sum(rt, put->records), got_records = api_sum(rt, got->records);

    if (put_records != got_records)
        fprintf(stderr, "%s: %llu records were put, %llu came\n", api_layout,
                (unsigned long long)put_records, (unsigned long long)got_records);
    EXPECT(put_records == got_records);
    EXPECT(api_sum(rt, put->bytes) == api_sum(rt, got->bytes));
    EXPECT(api_sum(rt, put->hash) == api_sum(rt, got->hash));
}

static struct aimss_stream *create(struct aimss_runtime *rt, const char *name,
                                   struct aimss_stream_options options)
{
    struct aimss_stream *stream = NULL;

    aimss_runtime_compute_rank(rt, NULL, &options.writer_count);
    EXPECT_OK(aimss_stream_create(rt, name, &options, &stream));
    return stream;
}

static void read_all(struct aimss_runtime *rt, struct aimss_stream *stream,
                     const struct tally *put)
{
    struct tally got = { 0 };
    struct aimss_reader *reader = NULL;

    EXPECT_OK(aimss_read_from(stream, NULL, &reader));
    EXPECT_OK(aimss_reader_apply(reader, add_record, &got));
    EXPECT_OK(aimss_reader_close(reader));
    check_sums(rt, put, &got);
    aimss_stream_destroy(stream);
}

/* Sizes around those at which chunks, segments and slots end. */
static const size_t sizes[] = { 1, 7, 8, 100, 4000, 4096, 16300, 16384, 65535, 65536, 262144,
                                262145, 700001, RECORD_MAX - 16, 0 };

static void fill(char *data, size_t len_bytes, unsigned seed)
{
    for (size_t i = 0; i < len_bytes; i++)
        data[i] = (char)((i * 31 + seed * 7 + i / 251) & 0xff);
}

static void all_sizes(struct aimss_runtime *rt, const char *name, enum aimss_format format)
{
    struct aimss_stream *stream = create(rt, name, (struct aimss_stream_options){
        .format = format, .streamlet_count = 3 });
    struct tally put = { 0 };
    struct aimss_writer *writer = NULL;
    char *data = malloc(RECORD_MAX + 1);
    int keyed = format == AIMSS_FORMAT_KEYED;

    EXPECT_OK(aimss_writer_open(stream, NULL, &writer));
    for (unsigned i = 0; i < 3 * sizeof sizes / sizeof sizes[0]; i++) {
        size_t len = sizes[i % (sizeof sizes / sizeof sizes[0])];
        struct aimss_bytes key = api_bytes(&i, keyed ? i % 3 * 2 : 0);

        fill(data, len, i);
        EXPECT_OK(aimss_writer_put(writer, key, api_bytes(data, len)));
        add(&put, key, api_bytes(data, len));
    }
    EXPECT_STATUS(aimss_writer_put(writer, AIMSS_NO_BYTES, api_bytes(data, RECORD_MAX + 1)),
                  AIMSS_E_LIMIT);
    EXPECT_SAYS("record-max");
    EXPECT_OK(aimss_writer_put(writer, AIMSS_NO_BYTES, api_bytes(data, RECORD_MAX)));
    add(&put, AIMSS_NO_BYTES, api_bytes(data, RECORD_MAX));
    EXPECT_OK(aimss_writer_close(writer));
    free(data);
    read_all(rt, stream, &put);
}

/* Buffers filled in place: one record each in a bytes stream, several in a
 * fixed one; the last is not filled to its end. */
static void leased(struct aimss_runtime *rt, const char *name, enum aimss_format format)
{
    struct aimss_stream *stream = create(rt, name, (struct aimss_stream_options){
        .format = format, .record_bytes = format == AIMSS_FORMAT_FIXED ? FIXED_BYTES : 0 });
    struct tally put = { 0 };

    for (unsigned i = 1; i <= 40; i++) {
        size_t len = i == 40 ? 262128 : i * FIXED_BYTES, room = 0, used = len;
        size_t step = format == AIMSS_FORMAT_FIXED ? FIXED_BYTES : len;
        struct aimss_buffer *buffer = NULL;
        char *data;

        EXPECT_OK(aimss_buffer_lease(stream, len, &buffer));
        data = aimss_buffer_data(buffer, &room);
        EXPECT(room >= len);
        fill(data, len, i);
        if (i == 39) {
            used = step = FIXED_BYTES;
            EXPECT_OK(aimss_buffer_resize(buffer, used));
        }
        for (size_t at = 0; at < used; at += step)
            add(&put, AIMSS_NO_BYTES, api_bytes(data + at, step));
        EXPECT_OK(aimss_write_to(stream, buffer));
    }
    /* The stream's own writer, which aimss_write_to() has opened, closes here. */
    aimss_stream_destroy(stream);
    EXPECT_OK(aimss_stream_open(rt, name, &stream));
    read_all(rt, stream, &put);
}

/* Small records from many writers, one after the other and at once. */
static void many_writers(struct aimss_runtime *rt)
{
    enum { WRITERS = 300, AT_ONCE = 8 };
    struct aimss_stream *stream = NULL;
    struct aimss_writer *writers[AT_ONCE];
    struct tally put = { 0 };
    unsigned count;

    aimss_runtime_compute_rank(rt, NULL, &count);
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED,
                                            .writer_count = count * WRITERS };
    EXPECT_OK(aimss_stream_create(rt, "writers", &options, &stream));
    for (unsigned w = 0; w < WRITERS + AT_ONCE; w++) {
        struct aimss_writer **writer = &writers[w % AT_ONCE];

        if (w >= AT_ONCE)
            EXPECT_OK(aimss_writer_close(*writer));
        if (w >= WRITERS)
            continue;
        EXPECT_OK(aimss_writer_open(stream, NULL, writer));
        for (unsigned i = 0; i < 5; i++) {
            EXPECT_OK(aimss_writer_put(*writer, api_bytes(&i, sizeof i), api_bytes(&w, sizeof w)));
            add(&put, api_bytes(&i, sizeof i), api_bytes(&w, sizeof w));
        }
    }
    read_all(rt, stream, &put);
}

/* A name stands for one stream: with its options, on whichever rank. */
static void names(struct aimss_runtime *rt)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED, .streamlet_count = 5 };
    struct aimss_stream *first = NULL, *second = NULL, *other = NULL;
    struct aimss_writer *writer = NULL;
    uint64_t position = 0;

    EXPECT_OK(aimss_stream_create(rt, "name", &options, &first));
    EXPECT_OK(aimss_stream_create(rt, "name", &options, &second));
    options.streamlet_count = 6;
    EXPECT_STATUS(aimss_stream_create(rt, "name", &options, &other), AIMSS_E_EXISTS);
    EXPECT_SAYS("name");
    EXPECT_STATUS(aimss_stream_create(rt, "name", NULL, &other), AIMSS_E_EXISTS);
    EXPECT(other == NULL);
    EXPECT_OK(aimss_writer_open(second, NULL, &writer));
    for (unsigned i = 0; i < 10; i++)
        EXPECT_OK(aimss_writer_put(writer, AIMSS_NO_BYTES, AIMSS_NO_BYTES));
    EXPECT_OK(aimss_writer_flush(writer, AIMSS_PUBLISHED, &position));
    EXPECT(position == 10);
    EXPECT_OK(aimss_writer_flush(writer, AIMSS_ACCEPTED, NULL));
    EXPECT_OK(aimss_writer_close(writer));
    aimss_stream_destroy(second);
    aimss_stream_destroy(first);
    EXPECT_OK(aimss_stream_open(rt, "name", &first));
    api_meet(rt);
    EXPECT_OK(aimss_stream_seal(first));
    EXPECT_OK(aimss_stream_seal(first)); /* other ranks have, too */
    read_all(rt, first, &(struct tally){ .records = 10, .hash = 10 * fnv(fnv(
        UINT64_C(14695981039346656037), AIMSS_NO_BYTES), AIMSS_NO_BYTES) });
}

static void compute(struct aimss_runtime *rt)
{
    all_sizes(rt, "keyed sizes", AIMSS_FORMAT_KEYED);
    all_sizes(rt, "bytes sizes", AIMSS_FORMAT_BYTES);
    leased(rt, "leased bytes", AIMSS_FORMAT_BYTES);
    leased(rt, "leased fixed", AIMSS_FORMAT_FIXED);
    many_writers(rt);
    names(rt);
}

int main(int argc, char **argv)
{
    struct api_layout layouts[API_LAYOUT_COUNT];

    memcpy(layouts, api_layouts, sizeof layouts);
    for (size_t i = 0; i < API_LAYOUT_COUNT; i++)
        layouts[i].options.record_max_bytes = RECORD_MAX;
    return api_main(argc, argv, layouts, API_LAYOUT_COUNT, compute, NULL);
}
