/* api_memory: a stream that nobody reads fills its broker's memory; its writers
 * wait as long as they said, lose nothing, and go on when a reader makes room.
 */
#include "api_check.h"

enum { ARENA = 16 << 20, PUTS_MAX = 1 << 20 };
static const uint64_t TIMEOUT_NS = 200 * 1000 * 1000;

struct load {
    size_t value_bytes;
    char *value;
    uint64_t put, got;   /* numbers of the next record */
};

static aimss_status_t put(struct aimss_writer *writer, struct load *load)
{
    aimss_status_t status;

    memcpy(load->value, &load->put, sizeof load->put);
    status = aimss_writer_put(writer, AIMSS_NO_BYTES, api_bytes(load->value, load->value_bytes));
    load->put += status == AIMSS_OK;
    return status;
}

/* One writer and one streamlet: the records come in the order of their numbers. */
static int check(void *arg, const struct aimss_record *record)
{
    struct load *load = arg;
    uint64_t number = UINT64_MAX;

    if (record->value.len_bytes == load->value_bytes)
        memcpy(&number, record->value.data, sizeof number);
    if (number != load->got && api_errors < API_COMPLAINTS_MAX)
        fprintf(stderr, "%s: values of %zu bytes: record %llu came as number %llu\n", api_layout,
                load->value_bytes, (unsigned long long)number, (unsigned long long)load->got);
    EXPECT(number == load->got);
    EXPECT(memcmp((const char *)record->value.data + sizeof number, load->value + sizeof number,
                  load->value_bytes - sizeof number) == 0);
    load->got++;
    return 0;
}

static void take(struct aimss_reader *reader, struct load *load, uint64_t timeout_ns,
                 aimss_status_t *status)
{
    struct aimss_buffer *buffer = NULL;
    struct aimss_record record;
    uint64_t cursor = 0;

    *status = aimss_reader_next(reader, timeout_ns, &buffer);
    if (*status != AIMSS_OK)
        return;
    while (aimss_buffer_record(buffer, &cursor, &record) == AIMSS_OK)
        check(load, &record);
    aimss_buffer_release(buffer);
}

/* Takes what there is. */
static void drain(struct aimss_reader *reader, struct load *load)
{
    aimss_status_t status;

    do {
        take(reader, load, TIMEOUT_NS / 4, &status);
    } while (status == AIMSS_OK);
    EXPECT_STATUS(status, AIMSS_TIMEOUT);
}

static void fill_up(struct aimss_writer *writer, struct load *load)
{
    aimss_status_t status = AIMSS_OK;
    uint64_t full_at;

    while (load->put < PUTS_MAX && (status = put(writer, load)) == AIMSS_OK)
        ;
    EXPECT_STATUS(status, AIMSS_TIMEOUT);
    full_at = load->put;
    EXPECT(full_at * load->value_bytes < 2 * (uint64_t)ARENA);
    EXPECT(full_at > 0);
    EXPECT_STATUS(put(writer, load), AIMSS_TIMEOUT); /* again, and nothing was put */
    EXPECT(load->put == full_at);
}

/* Fills the memory, then reads and writes as much again three times. */
static void fill_and_drain(struct aimss_runtime *rt, const char *name, size_t value_bytes)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED, .streamlet_count = 1,
                                            .writer_count = 1 };
    struct aimss_writer_options patience = { .timeout_ns = TIMEOUT_NS };
    struct load load = { .value_bytes = value_bytes, .value = malloc(value_bytes) };
    struct aimss_stream *stream = NULL;
    struct aimss_writer *writer = NULL;
    struct aimss_reader *reader = NULL;
    aimss_status_t status = AIMSS_OK;
    uint64_t until, spins = 0;

    for (size_t i = 0; i < value_bytes; i++)
        load.value[i] = (char)(i * 7 >> 3);
    EXPECT_OK(aimss_stream_create(rt, name, &options, &stream));
    EXPECT_OK(aimss_writer_open(stream, &patience, &writer));
    fill_up(writer, &load);
    until = 4 * load.put;
    EXPECT_OK(aimss_read_from(stream, NULL, &reader));
    while (load.put < until && spins++ < PUTS_MAX) {
        status = put(writer, &load);
        EXPECT(status == AIMSS_OK || status == AIMSS_TIMEOUT);
        if (status < 0)
            break;
        if (status == AIMSS_TIMEOUT)
            drain(reader, &load);
    }
    EXPECT(load.put == until);
    drain(reader, &load); /* a writer that closes needs room, too */
    EXPECT_OK(aimss_writer_close(writer));
    do {
        take(reader, &load, AIMSS_FOREVER, &status);
    } while (status == AIMSS_OK);
    EXPECT_STATUS(status, AIMSS_END);
    EXPECT(load.got == load.put);
    EXPECT_OK(aimss_reader_close(reader));
    aimss_stream_destroy(stream);
    free(load.value);
}

/* Closing into full memory: what was put is there, and the stream ends. */
static void close_when_full(struct aimss_runtime *rt, const char *name)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED, .streamlet_count = 1,
                                            .writer_count = 1 };
    struct aimss_writer_options patience = { .timeout_ns = TIMEOUT_NS };
    struct load load = { .value_bytes = 3000, .value = calloc(1, 3000) };
    struct aimss_stream *stream = NULL;
    struct aimss_writer *writer = NULL;
    struct aimss_reader *reader = NULL;
    aimss_status_t status;

    EXPECT_OK(aimss_stream_create(rt, name, &options, &stream));
    EXPECT_OK(aimss_writer_open(stream, &patience, &writer));
    fill_up(writer, &load);
    EXPECT_OK(aimss_writer_close(writer));
    EXPECT_OK(aimss_read_from(stream, NULL, &reader));
    do {
        take(reader, &load, 20 * TIMEOUT_NS, &status);
    } while (status == AIMSS_OK);
    EXPECT_STATUS(status, AIMSS_END);
    EXPECT(load.got == load.put);
    EXPECT_OK(aimss_reader_close(reader));
    aimss_stream_destroy(stream);
    free(load.value);
}

/* One rank after the other has the memory for itself. */
static void compute(struct aimss_runtime *rt)
{
    static const size_t sizes[] = { 100, 10000, 200000, 1000000 };
    unsigned index, count;
    char name[64];

    aimss_runtime_compute_rank(rt, &index, &count);
    for (unsigned turn = 0; turn < count; turn++) {
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0] && turn == index; i++) {
            snprintf(name, sizeof name, "rank %u, %zu bytes", index, sizes[i]);
            fill_and_drain(rt, name, sizes[i]);
        }
        snprintf(name, sizeof name, "rank %u closes", index);
        if (turn == index)
            close_when_full(rt, name);
        api_meet(rt);
    }
}

int main(int argc, char **argv)
{
    struct api_layout layouts[API_LAYOUT_COUNT];

    memcpy(layouts, api_layouts, sizeof layouts);
    for (size_t i = 0; i < API_LAYOUT_COUNT; i++)
        layouts[i].options.arena_bytes = ARENA;
    return api_main(argc, argv, layouts, API_LAYOUT_COUNT, compute, NULL);
}
