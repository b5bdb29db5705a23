/* read_files.c: brokers read files, compute ranks take the lines as they come.
 *
 * Records lie where the broker has put them; nothing is copied until the
 * program does. Here each reader counts lines. Run: mpirun -n 4 ./read_files FILE... */
#include <aimss.h>
#include <stdio.h>
#include <stdlib.h>

static void must(aimss_status_t status)
{
    if (status >= 0)
        return;
    fprintf(stderr, "read_files: %s\n", aimss_error_text());
    exit(1); /* mpirun ends the other ranks */
}

static unsigned long count_lines(const char *text, size_t len_bytes)
{
    unsigned long lines = 0;
    for (size_t i = 0; i < len_bytes; i++)
        lines += text[i] == '\n';
    return lines;
}

int main(int argc, char **argv)
{
    struct aimss_runtime *rt;
    struct aimss_stream *stream;
    struct aimss_reader *reader;
    struct aimss_buffer *buffer;
    struct aimss_record record; /* many whole lines */
    unsigned long lines = 0, bytes = 0;
    aimss_status_t status;

    must(aimss_runtime_create(&argc, &argv, NULL, &rt)); /* takes its own options out of argv */
    if (aimss_runtime_role(rt) != AIMSS_ROLE_COMPUTE)
        return aimss_runtime_destroy(rt) != AIMSS_OK; /* coordinator and brokers serve in here */
    struct aimss_stream_options options = { .source = "text",
                                            .inputs = (const char *const *)(argv + 1),
                                            .input_count = (size_t)(argc - 1) };
    must(aimss_stream_create(rt, "files", &options, &stream));
    must(aimss_read_from(stream, NULL, &reader));
    while ((status = aimss_reader_next(reader, AIMSS_FOREVER, &buffer)) == AIMSS_OK) {
        for (uint64_t at = 0; aimss_buffer_record(buffer, &at, &record) == AIMSS_OK;) {
            lines += count_lines(record.value.data, record.value.len_bytes);
            bytes += record.value.len_bytes;
        }
        aimss_buffer_release(buffer); /* the broker may use its room again */
    }
    must(status); /* AIMSS_END is no error */
    must(aimss_reader_close(reader));
    aimss_stream_destroy(stream);
    printf("%lu lines, %lu bytes\n", lines, bytes);
    return aimss_runtime_destroy(rt) != AIMSS_OK;
}
