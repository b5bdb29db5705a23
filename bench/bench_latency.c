/* bench_latency: from a paced writer's stamp to the consumer's reading, one record at a time.
 *
 * Four ranks: coordinator, broker, writer, consumer. The writer puts a 100-byte record at each
 * tick and nothing else: no flush and no option of the library makes it publish sooner. While it
 * waits for the next tick it lets the runtime work, spins and yields, as ref/ref_latency.c does.
 * The first quarter of the records is not counted.
 *
 * usage: aimss launch -n 4 bench_latency [--rate RECORDS_PER_S] [--seconds S]
 */
#include "bench.h"

enum { PAYLOAD_BYTES = 100 };

struct latency {
    double rate;
    uint64_t count;
};

static void wait_for_tick(struct aimss_runtime *rt, uint64_t tick_ns)
{
    for (unsigned looks = 0; now_ns() < tick_ns; looks++) {
        need(aimss_runtime_progress(rt, 0), "aimss_runtime_progress");
        if (looks < 64)
            spin_pause();
        else
            sched_yield();
    }
}

static void write_records(struct aimss_runtime *rt, struct aimss_stream *stream,
                          const struct latency *latency)
{
    uint64_t value[(PAYLOAD_BYTES + 7) / 8] = { 0 }, start_ns, i;
    struct aimss_bytes key_bytes = { &i, sizeof i };
    struct aimss_bytes value_bytes = { value, PAYLOAD_BYTES - sizeof i };
    struct aimss_writer *writer;

    need(aimss_writer_open(stream, NULL, &writer), "aimss_writer_open");
    start_ns = now_ns();
    for (i = 0; i < latency->count; i++) {
        wait_for_tick(rt, start_ns + (uint64_t)((double)i * 1e9 / latency->rate));
        memset(value + 1, (int)i, sizeof value - sizeof value[0]);
        value[0] = now_ns();
        need(aimss_writer_put(writer, key_bytes, value_bytes), "aimss_writer_put");
    }
    need(aimss_writer_close(writer), "aimss_writer_close");
}

static void read_buffer(const struct aimss_buffer *buffer, const struct latency *latency,
                        uint64_t *done, struct histogram *histogram)
{
    struct aimss_record record;
    uint64_t cursor = 0;

    while (need(aimss_buffer_record(buffer, &cursor, &record), "aimss_buffer_record") ==
           AIMSS_OK) {
        uint64_t stamp_ns = load_u64(record.value.data), now = now_ns();

        if (load_u64(record.key.data) != *done)
            die("record %llu where %llu was expected",
                (unsigned long long)load_u64(record.key.data), (unsigned long long)*done);
        if (++*done > latency->count / 4)
            histogram_add(histogram, now - stamp_ns);
    }
}

static void read_records(struct aimss_stream *stream, const struct latency *latency)
{
    struct histogram *histogram = calloc(1, sizeof *histogram);
    struct aimss_reader *reader;
    struct aimss_buffer *buffer;
    uint64_t done = 0;

    if (!histogram)
        die("out of memory");
    need(aimss_read_from(stream, NULL, &reader), "aimss_read_from");
    while (need(aimss_reader_next(reader, AIMSS_FOREVER, &buffer), "aimss_reader_next") !=
           AIMSS_END) {
        read_buffer(buffer, latency, &done, histogram);
        aimss_buffer_release(buffer);
    }
    need(aimss_reader_close(reader), "aimss_reader_close");
    if (done != latency->count)
        die("%llu records came, expected %llu", (unsigned long long)done,
            (unsigned long long)latency->count);
    printf("{\"bench\": \"latency\", \"case\": \"%.0fk\", \"unit\": \"us\", \"p50_us\": %.4g, "
           "\"p99_us\": %.4g, \"samples\": %llu}\n", latency->rate / 1e3,
           (double)histogram_quantile(histogram, 0.5) / 1e3,
           (double)histogram_quantile(histogram, 0.99) / 1e3,
           (unsigned long long)histogram->total);
    fflush(stdout);
    free(histogram);
}

int main(int argc, char **argv)
{
    struct latency latency = { .rate = atof(option_take(&argc, argv, "rate", "10000")) };
    double seconds = atof(option_take(&argc, argv, "seconds", "3"));
    struct aimss_runtime *rt;
    unsigned index, count;

    if (latency.rate < 1 || latency.rate * seconds < 100)
        die("--rate %g for %g s: give at least 100 records", latency.rate, seconds);
    latency.count = (uint64_t)(latency.rate * seconds);
    need(aimss_runtime_create(&argc, &argv, &(struct aimss_runtime_options){ .broker_count = 1 },
                              &rt),
         "aimss_runtime_create");
    options_end(argc, argv);
    if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE) {
        struct aimss_stream *stream = keyed_stream(rt, "records");

        aimss_runtime_compute_rank(rt, &index, &count);
        if (count != 2)
            die("%s needs 4 ranks: coordinator, broker, writer, consumer", argv[0]);
        if (index == 0)
            write_records(rt, stream, &latency);
        else
            read_records(stream, &latency);
        aimss_stream_destroy(stream);
    }
    return need(aimss_runtime_destroy(rt), "aimss_runtime_destroy") == AIMSS_OK ? 0 : 1;
}
