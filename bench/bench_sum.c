/* bench_sum: all compute ranks sum the decimal lines of one file that the brokers read and push.
 *
 * The loops are those of ref/sum.h, which ref/ref_sum.c runs over a page-cached mmap. The file is
 * named --repeat times, so that the run lasts; each compute rank drops the first quarter of its
 * share and prints the bytes it summed after that, when that was, and its sum of all: bench/run
 * adds them up, because the rate of all is what the last of them leaves.
 *
 * usage: aimss launch -n 4 bench_sum --file PATH [--loop plain|wide] [--repeat N]
 */
#include "bench.h"
#include "ref/sum.h"

#include <sys/stat.h>

enum { REPEAT_MAX = 1024 };

typedef uint64_t sum_fn(const uint8_t *at, size_t len_bytes);

/* What one rank has done; mark: where the first quarter of its share ends. */
struct part {
    uint64_t bytes, sum;
    uint64_t mark_at_bytes, mark_bytes, mark_ns, last_ns;
};

static struct aimss_stream *text_stream(struct aimss_runtime *rt, const char *path, size_t repeat)
{
    const char *inputs[REPEAT_MAX];
    struct aimss_stream *stream;

    for (size_t i = 0; i < repeat; i++)
        inputs[i] = path;
    need(aimss_stream_create(rt, "numbers",
                             &(struct aimss_stream_options){
                                 .source = "text", .inputs = inputs, .input_count = repeat },
                             &stream),
         "aimss_stream_create");
    return stream;
}

static void sum_buffer(const struct aimss_buffer *buffer, sum_fn *loop, struct part *part)
{
    struct aimss_record record;
    uint64_t cursor = 0;

    while (need(aimss_buffer_record(buffer, &cursor, &record), "aimss_buffer_record") ==
           AIMSS_OK) {
        if (record.value.len_bytes % LINE_BYTES != 0)
            die("a record of %zu bytes, expected whole lines of %d", record.value.len_bytes,
                LINE_BYTES);
        part->sum += loop(record.value.data, record.value.len_bytes);
        part->bytes += record.value.len_bytes;
    }
}

static void sum_stream(struct aimss_stream *stream, sum_fn *loop, uint64_t share_bytes)
{
    struct part part = { .mark_at_bytes = share_bytes / 4 };
    struct aimss_reader *reader;
    struct aimss_buffer *buffer;

    need(aimss_read_from(stream, NULL, &reader), "aimss_read_from");
    while (need(aimss_reader_next(reader, AIMSS_FOREVER, &buffer), "aimss_reader_next") !=
           AIMSS_END) {
        sum_buffer(buffer, loop, &part);
        aimss_buffer_release(buffer);
        part.last_ns = now_ns();
        if (part.mark_ns == 0 && part.bytes >= part.mark_at_bytes) {
            part.mark_ns = part.last_ns;
            part.mark_bytes = part.bytes;
        }
    }
    need(aimss_reader_close(reader), "aimss_reader_close");
    printf("{\"bench\": \"sum\", \"bytes\": %llu, \"steady_bytes\": %llu, \"mark_ns\": %llu, "
           "\"last_ns\": %llu, \"sum\": %llu}\n", (unsigned long long)part.bytes,
           (unsigned long long)(part.bytes - part.mark_bytes), (unsigned long long)part.mark_ns,
           (unsigned long long)part.last_ns, (unsigned long long)part.sum);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *path = option_take(&argc, argv, "file", NULL);
    const char *loop = option_take(&argc, argv, "loop", "wide");
    size_t repeat = (size_t)atoi(option_take(&argc, argv, "repeat", "8"));
    struct aimss_runtime *rt;
    struct stat info;
    unsigned count;

    if (!path || stat(path, &info) != 0)
        die("--file %s: %s", path ? path : "is missing", path ? strerror(errno) : "name one");
    if (repeat < 1 || repeat > REPEAT_MAX)
        die("--repeat %zu: give 1 to %d", repeat, REPEAT_MAX);
    if (strcmp(loop, "plain") != 0 && strcmp(loop, "wide") != 0)
        die("--loop %s: give plain or wide", loop);
    need(aimss_runtime_create(&argc, &argv, NULL, &rt), "aimss_runtime_create");
    options_end(argc, argv);
    if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE) {
        struct aimss_stream *stream = text_stream(rt, path, repeat);

        aimss_runtime_compute_rank(rt, NULL, &count);
        sum_stream(stream, strcmp(loop, "plain") == 0 ? text_sum_plain : text_sum_wide,
                   (uint64_t)info.st_size * repeat / count);
        aimss_stream_destroy(stream);
    }
    return need(aimss_runtime_destroy(rt), "aimss_runtime_destroy") == AIMSS_OK ? 0 : 1;
}
