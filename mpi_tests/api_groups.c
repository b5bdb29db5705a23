/* api_groups: consumer groups share a stream without loss or repetition, when
 * members come late, leave early, leave and come again, or read nothing.
 *
 * Every record carries a number; each group's numbers are summed over its
 * members, so that one that is lost or comes twice shows.
 */
#include "api_check.h"

#include <unistd.h>

enum { RECORDS = 20000 };

struct got {
    uint64_t records, sum;
};

static void take(struct aimss_buffer *buffer, struct got *got)
{
    struct aimss_record record;
    uint64_t cursor = 0, number;

    while (aimss_buffer_record(buffer, &cursor, &record) == AIMSS_OK) {
        EXPECT(record.value.len_bytes == sizeof number);
        memcpy(&number, record.value.data, sizeof number);
        got->sum += number;
        got->records++;
    }
    aimss_buffer_release(buffer);
}

/* Reads until the end or until it has so many records. */
static int read_some(struct aimss_reader *reader, uint64_t records, struct got *got)
{
    struct aimss_buffer *buffer = NULL;
    uint64_t until = got->records + records;
    aimss_status_t status = AIMSS_OK;

    while (got->records < until) {
        status = aimss_reader_next(reader, AIMSS_FOREVER, &buffer);
        if (status != AIMSS_OK)
            break;
        take(buffer, got);
    }
    EXPECT(status == AIMSS_OK || status == AIMSS_END);
    return status == AIMSS_END;
}

static struct aimss_stream *create(struct aimss_runtime *rt, const char *name)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED };
    struct aimss_stream *stream = NULL;

    aimss_runtime_compute_rank(rt, NULL, &options.writer_count);
    options.streamlet_count = 2 * options.writer_count + 1;
    EXPECT_OK(aimss_stream_create(rt, name, &options, &stream));
    return stream;
}

static struct aimss_reader *join(struct aimss_stream *stream, const char *group)
{
    struct aimss_reader_options options = { .group = group };
    struct aimss_reader *reader = NULL;

    EXPECT_OK(aimss_read_from(stream, &options, &reader));
    return reader;
}

static void write_all(struct aimss_runtime *rt, struct aimss_stream *stream)
{
    struct aimss_writer *writer = NULL;
    unsigned index;

    aimss_runtime_compute_rank(rt, &index, NULL);
    EXPECT_OK(aimss_writer_open(stream, NULL, &writer));
    for (uint64_t i = 0; i < RECORDS; i++) {
        uint64_t number = index * (uint64_t)RECORDS + i, key = number % 1009;

        EXPECT_OK(aimss_writer_put(writer, api_bytes(&key, sizeof key),
                                   api_bytes(&number, sizeof number)));
    }
    EXPECT_OK(aimss_writer_close(writer));
}

static void check_all(struct aimss_runtime *rt, const char *what, const struct got *got)
{
    unsigned count;
    uint64_t records, sum, all;

    aimss_runtime_compute_rank(rt, NULL, &count);
    records = api_sum(rt, got->records);
    sum = api_sum(rt, got->sum);
    all = (uint64_t)count * RECORDS;
    if (records != all || sum != all * (all - 1) / 2)
        fprintf(stderr, "%s: %s: %llu of %llu records, sum %llu, expected %llu\n", api_layout,
                what, (unsigned long long)records, (unsigned long long)all,
                (unsigned long long)sum, (unsigned long long)(all * (all - 1) / 2));
    EXPECT(records == all && sum == all * (all - 1) / 2);
}

/* One look; a rank with several readers looks at each of them, since what one
 * leaves in the inbox may hold up what comes for another. Returns whether the
 * reader has come to its end. */
static int poll(struct aimss_reader *reader, struct got *got)
{
    struct aimss_buffer *buffer = NULL;
    aimss_status_t status = aimss_reader_next(reader, 0, &buffer);

    if (status == AIMSS_OK)
        take(buffer, got);
    EXPECT(status == AIMSS_OK || status == AIMSS_TIMEOUT || status == AIMSS_END);
    return status == AIMSS_END || status < 0;
}

/* Two groups of all ranks, looked at in turn, and a third one of a single rank. */
static void several_groups(struct aimss_runtime *rt, unsigned index)
{
    struct aimss_stream *stream = create(rt, "several");
    struct aimss_reader *a = join(stream, "a"), *b = join(stream, "b"), *again = NULL;
    struct aimss_reader *alone = index == 0 ? join(stream, "alone") : NULL;
    struct aimss_reader_options options = { .group = "a" };
    struct got got_a = { 0 }, got_b = { 0 }, got_alone = { 0 };
    int end_a = 0, end_b = 0, end_alone = alone == NULL;

    EXPECT_STATUS(aimss_read_from(stream, &options, &again), AIMSS_E_EXISTS);
    write_all(rt, stream);
    while (!end_a || !end_b || !end_alone) {
        end_a = end_a || poll(a, &got_a);
        end_b = end_b || poll(b, &got_b);
        end_alone = end_alone || poll(alone, &got_alone);
    }
    EXPECT_OK(aimss_reader_close(alone));
    EXPECT_OK(aimss_reader_close(b));
    EXPECT_OK(aimss_reader_close(a));
    check_all(rt, "group a", &got_a);
    check_all(rt, "group b", &got_b);
    check_all(rt, "a group of one", &got_alone);
    aimss_stream_destroy(stream);
}

/* Odd ranks leave after some records, the first of them with buffers unread,
 * and one comes again. */
static void early_leavers(struct aimss_runtime *rt, unsigned index)
{
    struct aimss_stream *stream = create(rt, "early");
    struct aimss_reader *reader = join(stream, NULL);
    struct got got = { 0 };
    int end = 0;

    write_all(rt, stream);
    if (index % 2 == 1) {
        end = read_some(reader, index == 1 ? 1 : 50 * index, &got);
        EXPECT_OK(aimss_reader_close(reader));
        reader = index == 3 ? join(stream, NULL) : NULL;
    }
    if (reader != NULL)
        EXPECT(read_some(reader, UINT64_MAX / 2, &got) || end);
    EXPECT_OK(aimss_reader_close(reader));
    check_all(rt, "early leavers", &got);
    aimss_stream_destroy(stream);
}

/* Ranks join one after the other while records move; nobody waits for them. */
static void late_members(struct aimss_runtime *rt, unsigned index)
{
    struct aimss_stream *stream = create(rt, "late");
    struct aimss_reader *reader = NULL;
    struct got got = { 0 };

    if (index % 3 == 0)
        reader = join(stream, NULL);
    write_all(rt, stream);
    usleep(1000 * index);
    if (reader == NULL)
        reader = join(stream, NULL);
    EXPECT(read_some(reader, UINT64_MAX / 2, &got));
    EXPECT_OK(aimss_reader_close(reader));
    check_all(rt, "late members", &got);
    aimss_stream_destroy(stream);
}

/* A group that begins after all was written finds what nobody has read. */
static void late_group(struct aimss_runtime *rt, unsigned index)
{
    struct aimss_stream *stream = create(rt, "afterwards");
    struct aimss_reader *reader;
    struct got got = { 0 };

    write_all(rt, stream);
    api_meet(rt);
    reader = join(stream, "afterwards");
    EXPECT(read_some(reader, UINT64_MAX / 2, &got));
    EXPECT_OK(aimss_reader_close(reader));
    check_all(rt, "a late group", &got);
    if (index == 0) { /* the group has read all: one that comes after it gets the end */
        reader = join(stream, "afterwards");
        EXPECT(read_some(reader, 1, &got));
        EXPECT_OK(aimss_reader_close(reader));
    }
    aimss_stream_destroy(stream);
}

/* What members that leave have not read, pushed to them though it is, others get. */
static void idle_member(struct aimss_runtime *rt, unsigned index)
{
    struct aimss_stream *stream = create(rt, "idle");
    struct aimss_reader *reader = join(stream, NULL);
    struct got got = { 0 };

    write_all(rt, stream);
    api_meet(rt);
    if (index == 0)
        EXPECT(read_some(reader, UINT64_MAX / 2, &got));
    EXPECT_OK(aimss_reader_close(reader));
    check_all(rt, "idle members", &got);
    aimss_stream_destroy(stream);
}

static void compute(struct aimss_runtime *rt)
{
    unsigned index;

    aimss_runtime_compute_rank(rt, &index, NULL);
    several_groups(rt, index);
    early_leavers(rt, index);
    late_members(rt, index);
    late_group(rt, index);
    idle_member(rt, index);
}

int main(int argc, char **argv)
{
    return api_main(argc, argv, api_layouts, API_LAYOUT_COUNT, compute, NULL);
}
