/* bench_idle: what ranks cost that have worked and now wait; bench/run reads their CPU time.
 *
 * Each compute rank writes records that all read, so that every lane has been used; then each
 * waits for a record of a second stream, which nobody writes, for --seconds. Compute rank 0 says
 * {"idle": true} when its wait begins.
 *
 * usage: aimss launch -n 8 bench_idle [--seconds S] [--nodes-as K]
 */
#include "bench.h"

enum { WARM_RECORDS = 100000 };

static void write_warm(struct aimss_stream *stream)
{
    struct aimss_writer *writer;
    uint8_t value[92] = { 0 };
    uint64_t key;

    need(aimss_writer_open(stream, NULL, &writer), "aimss_writer_open");
    for (uint64_t i = 0; i < WARM_RECORDS; i++) {
        key = i * KEY_STEP;
        need(aimss_writer_put(writer, (struct aimss_bytes){ &key, sizeof key },
                              (struct aimss_bytes){ value, sizeof value }),
             "aimss_writer_put");
    }
    need(aimss_writer_close(writer), "aimss_writer_close");
}

static int count_record(void *arg, const struct aimss_record *record)
{
    *(uint64_t *)arg += record->value.len_bytes;
    return 0;
}

static void warm_up(struct aimss_runtime *rt, unsigned writer_count)
{
    struct aimss_stream *stream;
    struct aimss_reader *reader;
    uint64_t bytes = 0;

    need(aimss_stream_create(rt, "warm",
                             &(struct aimss_stream_options){
                                 .format = AIMSS_FORMAT_KEYED, .writer_count = writer_count },
                             &stream),
         "aimss_stream_create");
    need(aimss_read_from(stream, NULL, &reader), "aimss_read_from");
    write_warm(stream);
    need(aimss_reader_apply(reader, count_record, &bytes), "aimss_reader_apply");
    need(aimss_reader_close(reader), "aimss_reader_close");
    aimss_stream_destroy(stream);
}

static void wait_idle(struct aimss_runtime *rt, unsigned index, double seconds)
{
    struct aimss_stream *stream;
    struct aimss_reader *reader;
    struct aimss_buffer *buffer;

    need(aimss_stream_create(rt, "never",
                             &(struct aimss_stream_options){ .format = AIMSS_FORMAT_KEYED },
                             &stream),
         "aimss_stream_create");
    need(aimss_read_from(stream, NULL, &reader), "aimss_read_from");
    if (index == 0)
        puts("{\"bench\": \"idle\", \"idle\": true}"), fflush(stdout);
    if (need(aimss_reader_next(reader, (uint64_t)(seconds * 1e9), &buffer),
             "aimss_reader_next") != AIMSS_TIMEOUT)
        die("a record came from a stream that nobody writes");
    need(aimss_stream_seal(stream), "aimss_stream_seal");
    need(aimss_reader_close(reader), "aimss_reader_close");
    aimss_stream_destroy(stream);
}

int main(int argc, char **argv)
{
    double seconds = atof(option_take(&argc, argv, "seconds", "70"));
    struct aimss_runtime *rt;
    unsigned index, count;

    need(aimss_runtime_create(&argc, &argv, NULL, &rt), "aimss_runtime_create");
    options_end(argc, argv);
    if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE) {
        aimss_runtime_compute_rank(rt, &index, &count);
        warm_up(rt, count);
        wait_idle(rt, index, seconds);
    }
    return need(aimss_runtime_destroy(rt), "aimss_runtime_destroy") == AIMSS_OK ? 0 : 1;
}
