/* write_read.c: streams without a job. One compute rank writes, the others read.
 *
 * The readers form a consumer group: each record comes to one of them. The
 * stream ends when its one writer has closed. Run: mpirun -n 6 ./write_read */
#include <aimss.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(aimss_status_t status)
{
    if (status >= 0)
        return;
    fprintf(stderr, "write_read: %s\n", aimss_error_text());
    exit(1); /* mpirun ends the other ranks */
}

static int add(void *sum, const struct aimss_record *record)
{
    uint64_t number;
    memcpy(&number, record->value.data, sizeof number);
    *(uint64_t *)sum += number;
    return 0;
}

int main(int argc, char **argv)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED, .writer_count = 1 };
    struct aimss_runtime *rt;
    struct aimss_stream *stream;
    struct aimss_writer *writer;
    struct aimss_reader *reader;
    unsigned index;
    uint64_t sum = 0;

    must(aimss_runtime_create(&argc, &argv, NULL, &rt));
    if (aimss_runtime_role(rt) != AIMSS_ROLE_COMPUTE)
        return aimss_runtime_destroy(rt) != AIMSS_OK; /* coordinator and brokers serve in here */
    aimss_runtime_compute_rank(rt, &index, NULL);
    must(aimss_stream_create(rt, "numbers", &options, &stream));
    if (index == 0) {
        must(aimss_writer_open(stream, NULL, &writer));
        for (uint64_t i = 0; i < 100000; i++)
            must(aimss_writer_put(writer, (struct aimss_bytes){ &i, sizeof i },
                                  (struct aimss_bytes){ &i, sizeof i }));
        must(aimss_writer_close(writer));
    } else {
        must(aimss_read_from(stream, NULL, &reader));
        must(aimss_reader_apply(reader, add, &sum)); /* until the stream ends */
        must(aimss_reader_close(reader));
        printf("reader %u: sum %llu\n", index, (unsigned long long)sum);
    }
    aimss_stream_destroy(stream);
    return aimss_runtime_destroy(rt) != AIMSS_OK;
}
