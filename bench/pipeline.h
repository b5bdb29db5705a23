/* pipeline.h: one writer, one broker, one consumer at full speed; bench_ingest and bench_push.
 *
 * Four ranks: coordinator, broker, two compute ranks, of which one writes keyed records for
 * --seconds and the other reads every record in place (key, both ends of the value, lengths) and
 * measures. Per buffer it checks that the last record is the one that must come: one lost,
 * doubled or reordered record ends the bench. Options: --record BYTES (key and value), --seconds.
 */
#ifndef BENCH_PIPELINE_H
#define BENCH_PIPELINE_H

#include "bench.h"

enum { TICK_RECORDS = 4096 };

struct pipeline {
    const char *bench;
    unsigned nodes_as;                   /* 0: as they are */
    unsigned writer;                     /* compute rank that writes; the other one consumes */
    uint32_t payload_bytes;
    double seconds;
};

static uint64_t pipeline_write(const struct pipeline *pipeline, struct aimss_stream *stream)
{
    struct steady steady = steady_start(pipeline->seconds);
    struct aimss_writer *writer;
    uint8_t *pool = pool_create();
    uint64_t key, count = 0;
    struct aimss_bytes key_bytes = { &key, sizeof key };
    struct aimss_bytes value = { pool, pipeline->payload_bytes - sizeof key };

    need(aimss_writer_open(stream, NULL, &writer), "aimss_writer_open");
    while (steady_tick(&steady, count)) {
        for (int i = 0; i < TICK_RECORDS; i++, count++) {
            key = count * KEY_STEP;
            value.data = pool + count * 8 % POOL_BYTES;
            need(aimss_writer_put(writer, key_bytes, value), "aimss_writer_put");
        }
    }
    need(aimss_writer_close(writer), "aimss_writer_close");
    free(pool);
    return count;
}

/* Reads all records of a buffer; count is of those before and grows. */
static uint64_t pipeline_read_buffer(const struct aimss_buffer *buffer, uint64_t *count)
{
    struct aimss_record record = { 0 };
    uint64_t cursor = 0, seen = 0, key = 0;

    while (need(aimss_buffer_record(buffer, &cursor, &record), "aimss_buffer_record") ==
           AIMSS_OK) {
        const uint8_t *value = record.value.data;

        key = load_u64(record.key.data);
        seen ^= key ^ load_u64(value) ^ load_u64(value + record.value.len_bytes - 8);
        seen += record.key.len_bytes + record.value.len_bytes;
        ++*count;
    }
    if (*count > 0 && key != (*count - 1) * KEY_STEP)
        die("record %llu is not the one that was put as such", (unsigned long long)*count - 1);
    return seen;
}

static void pipeline_consume(const struct pipeline *pipeline, struct aimss_stream *stream)
{
    struct aimss_reader *reader;
    struct aimss_buffer *buffer;
    struct steady steady = { 0 };
    uint64_t count = 0, seen = 0;
    double rate;

    need(aimss_read_from(stream, NULL, &reader), "aimss_read_from");
    while (need(aimss_reader_next(reader, AIMSS_FOREVER, &buffer), "aimss_reader_next") !=
           AIMSS_END) {
        if (count == 0)
            steady = steady_start(pipeline->seconds);
        seen ^= pipeline_read_buffer(buffer, &count);
        aimss_buffer_release(buffer);
        steady_tick(&steady, count);
    }
    need(aimss_reader_close(reader), "aimss_reader_close");
    rate = steady_rate_per_s(&steady);
    printf("{\"bench\": \"%s\", \"case\": \"%u\", \"value\": %.6g, \"unit\": \"M records/s\", "
           "\"records\": %llu, \"seen\": %u}\n", pipeline->bench, pipeline->payload_bytes,
           rate / 1e6, (unsigned long long)count, (unsigned)seen & 255);
    fflush(stdout);
}

static int pipeline_main(int argc, char **argv, struct pipeline pipeline)
{
    struct aimss_runtime *rt;
    unsigned index, count;

    pipeline.payload_bytes = (uint32_t)atoi(option_take(&argc, argv, "record", "100"));
    pipeline.seconds = atof(option_take(&argc, argv, "seconds", "1.8"));
    if (pipeline.payload_bytes < 16 || pipeline.payload_bytes > VALUE_MAX_BYTES)
        die("--record %u: give 16 to %d bytes", pipeline.payload_bytes, VALUE_MAX_BYTES);
    need(aimss_runtime_create(&argc, &argv,
                              &(struct aimss_runtime_options){
                                  .broker_count = 1, .nodes_as = pipeline.nodes_as },
                              &rt),
         "aimss_runtime_create");
    options_end(argc, argv);
    if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE) {
        struct aimss_stream *stream = keyed_stream(rt, "records");

        aimss_runtime_compute_rank(rt, &index, &count);
        if (count != 2)
            die("%s needs 4 ranks: coordinator, broker, writer, consumer", argv[0]);
        if (index == pipeline.writer)
            pipeline_write(&pipeline, stream);
        else
            pipeline_consume(&pipeline, stream);
        aimss_stream_destroy(stream);
    }
    return need(aimss_runtime_destroy(rt), "aimss_runtime_destroy") == AIMSS_OK ? 0 : 1;
}

#endif
