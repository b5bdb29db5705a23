/* line_lengths.c: a job. How many lines of each length do the input files have?
 *
 * The brokers read the files and push whole lines into the compute ranks, where
 * lengths() emits one record a line with the length as its key. The shuffle
 * brings equal lengths together, and count and sink write DIR/out/lengths.tsv.
 *
 *     aimss launch -n 4 ./line_lengths --input FILE... --job DIR
 */
#include <aimss.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A record of a text source holds many lines, each with its \n. Only the last
 * line of a file may lack it. */
static aimss_status_t lengths(struct aimss_task *task, const struct aimss_record *lines)
{
    const char *line = lines->value.data, *end = line + lines->value.len_bytes;
    aimss_status_t status = AIMSS_OK;

    while (line < end && status == AIMSS_OK) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline != NULL ? newline : end;
        char key[24];
        int len = snprintf(key, sizeof key, "%td", stop - line);

        status = aimss_task_emit(task, (struct aimss_bytes){ key, (size_t)len }, AIMSS_NO_BYTES);
        line = stop + 1;
    }
    return status;
}

/* Keys are bytes and end with no 0. */
static long number(struct aimss_bytes key)
{
    char text[24] = "";

    memcpy(text, key.data, key.len_bytes < sizeof text ? key.len_bytes : sizeof text - 1);
    return strtol(text, NULL, 10);
}

static int by_length(const struct aimss_counted *a, const struct aimss_counted *b)
{
    return (number(a->key) > number(b->key)) - (number(a->key) < number(b->key));
}

int main(int argc, char **argv)
{
    struct aimss_job *job = aimss_job_create("line_lengths", argc, argv);
    struct aimss_sink_options sink = { .order = by_length, .show_count = 10 };
    struct aimss_flow *flow = aimss_flow_source(job, "text");
    flow = aimss_flow_apply(flow, lengths);
    flow = aimss_flow_shuffle(flow, AIMSS_BY_HASH);
    flow = aimss_flow_count(flow);
    aimss_flow_sink(flow, "lengths.tsv", &sink);
    return aimss_job_main(job);
}
