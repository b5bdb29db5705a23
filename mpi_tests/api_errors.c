/* api_errors: wrong calls are refused with the right status and a sentence, and
 * leave a runtime that works.
 */
#include "api_check.h"

static void wrong_role(struct aimss_runtime *rt)
{
    unsigned index = 0, count = 0;
    struct aimss_stream *stream = NULL;
    MPI_Comm comm = MPI_COMM_WORLD;

    aimss_runtime_compute_rank(rt, &index, &count);
    EXPECT(index == (unsigned)-1);
    EXPECT(count > 0);
    EXPECT_STATUS(aimss_stream_create(rt, "a", NULL, &stream), AIMSS_E_ROLE);
    EXPECT_SAYS(aimss_runtime_role(rt) == AIMSS_ROLE_BROKER ? "broker" : "coordinat");
    EXPECT_STATUS(aimss_stream_open(rt, "a", &stream), AIMSS_E_ROLE);
    EXPECT_STATUS(aimss_runtime_progress(rt, 0), AIMSS_E_ROLE);
    EXPECT(stream == NULL);
    EXPECT_OK(aimss_runtime_comm(rt, &comm));
    EXPECT(comm == MPI_COMM_NULL);
}

static void null_arguments(struct aimss_runtime *rt)
{
    struct aimss_stream *stream = NULL;
    struct aimss_reader *reader = NULL;
    struct aimss_writer *writer = NULL;
    struct aimss_buffer *buffer = NULL;

    EXPECT_STATUS(aimss_runtime_attach(MPI_COMM_WORLD, NULL, NULL), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_runtime_create(NULL, NULL, NULL, NULL), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_runtime_comm(rt, NULL), AIMSS_E_INVALID);
    EXPECT(aimss_stream_create(NULL, "a", NULL, &stream) < 0);
    EXPECT_STATUS(aimss_stream_create(rt, NULL, NULL, &stream), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_stream_create(rt, "a", NULL, NULL), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_stream_open(rt, "a", NULL), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_stream_seal(NULL), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_read_from(NULL, NULL, &reader), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_reader_next(NULL, 0, &buffer), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_reader_apply(NULL, NULL, NULL), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_writer_open(NULL, NULL, &writer), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_writer_flush(NULL, AIMSS_PUBLISHED, NULL), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_buffer_lease(NULL, 1, &buffer), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_buffer_resize(NULL, 1), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_write_to(NULL, NULL), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_shuffle_stream(NULL), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_shuffle_streams(NULL, NULL), AIMSS_E_INVALID);
    EXPECT(stream == NULL && reader == NULL && writer == NULL && buffer == NULL);
    aimss_stream_destroy(NULL);
    aimss_buffer_release(NULL);
    EXPECT_OK(aimss_reader_close(NULL));
    EXPECT_OK(aimss_writer_close(NULL));
    EXPECT_OK(aimss_runtime_destroy(NULL));
}

static void refuse(struct aimss_runtime *rt, struct aimss_stream_options options,
                   aimss_status_t expected, const char *says)
{
    struct aimss_stream *stream = NULL;

    EXPECT_STATUS(aimss_stream_create(rt, "refused", &options, &stream), expected);
    EXPECT_SAYS(says);
    EXPECT(stream == NULL);
}

static void wrong_streams(struct aimss_runtime *rt)
{
    static const char *const missing[] = { "no/such/file" };
    struct aimss_stream *stream = NULL;
    char name[5000];

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    EXPECT_STATUS(aimss_stream_create(rt, "", NULL, &stream), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_stream_create(rt, name, NULL, &stream), AIMSS_E_INVALID);
    EXPECT_SAYS("4999 bytes");
    EXPECT_STATUS(aimss_stream_open(rt, "nobody made this", &stream), AIMSS_E_NOT_FOUND);
    EXPECT_SAYS("nobody made this");
    refuse(rt, (struct aimss_stream_options){ .format = 7 }, AIMSS_E_INVALID, "format");
    refuse(rt, (struct aimss_stream_options){ .format = AIMSS_FORMAT_FIXED }, AIMSS_E_INVALID,
           "0 bytes");
    refuse(rt, (struct aimss_stream_options){ .format = AIMSS_FORMAT_FIXED,
                                              .record_bytes = 65537 }, AIMSS_E_INVALID, "65536");
    refuse(rt, (struct aimss_stream_options){ .segment_bytes = 5000 }, AIMSS_E_INVALID, "5000");
    refuse(rt, (struct aimss_stream_options){ .segment_first_bytes = 5000 }, AIMSS_E_INVALID,
           "5000");
    refuse(rt, (struct aimss_stream_options){ .chunk_bytes = 1 << 20 }, AIMSS_E_INVALID,
           "1048576");
    refuse(rt, (struct aimss_stream_options){ .parent = "nobody" }, AIMSS_E_NOT_FOUND, "nobody");
    refuse(rt, (struct aimss_stream_options){ .source = "text", .inputs = missing,
                                              .input_count = 1 }, AIMSS_E_NOT_FOUND,
           "no/such/file");
}

static void wrong_records(struct aimss_runtime *rt, struct aimss_stream *keyed)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_FIXED, .record_bytes = 24 };
    struct aimss_reader_options unnamed = { .group = "" };
    struct aimss_stream *fixed = NULL;
    struct aimss_writer *writer = NULL;
    struct aimss_reader *reader = NULL;
    struct aimss_buffer *buffer = NULL;
    char *large = calloc(1, 70000);

    EXPECT_STATUS(aimss_buffer_lease(keyed, 100, &buffer), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_read_from(keyed, &unnamed, &reader), AIMSS_E_INVALID);
    EXPECT_STATUS(aimss_shuffle_stream(keyed), AIMSS_E_INVALID);
    EXPECT_OK(aimss_writer_open(keyed, NULL, &writer));
    EXPECT_STATUS(aimss_writer_put(writer, api_bytes(large, 65536), AIMSS_NO_BYTES),
                  AIMSS_E_LIMIT);
    EXPECT_SAYS("65535");
    EXPECT_OK(aimss_writer_put(writer, api_bytes(large, 65535), AIMSS_NO_BYTES));
    EXPECT_OK(aimss_writer_close(writer));

    EXPECT_OK(aimss_stream_create(rt, "fixed", &options, &fixed));
    EXPECT_OK(aimss_writer_open(fixed, NULL, &writer));
    EXPECT_STATUS(aimss_writer_put(writer, AIMSS_NO_BYTES, api_bytes(large, 23)),
                  AIMSS_E_INVALID);
    EXPECT_SAYS("23");
    EXPECT_STATUS(aimss_writer_put(writer, api_bytes("k", 1), api_bytes(large, 24)),
                  AIMSS_E_INVALID);
    EXPECT_OK(aimss_writer_put(writer, AIMSS_NO_BYTES, api_bytes(large, 24)));
    EXPECT_OK(aimss_writer_close(writer));
    EXPECT_STATUS(aimss_buffer_lease(fixed, 0, &buffer), AIMSS_E_LIMIT);
    EXPECT_STATUS(aimss_buffer_lease(fixed, (256 << 10) + 1, &buffer), AIMSS_E_LIMIT);
    EXPECT_OK(aimss_buffer_lease(fixed, 48, &buffer));
    EXPECT_STATUS(aimss_buffer_resize(buffer, 49), AIMSS_E_INVALID);
    EXPECT_OK(aimss_buffer_resize(buffer, 47));
    EXPECT_STATUS(aimss_write_to(fixed, buffer), AIMSS_E_INVALID);
    EXPECT_SAYS("47");
    EXPECT_STATUS(aimss_write_to(keyed, buffer), AIMSS_E_INVALID);
    aimss_buffer_release(buffer);
    aimss_stream_destroy(fixed);
    free(large);
}

/* What only rank 0 or a broker can refuse is refused there, and ends nothing. */
static void refused_elsewhere(struct aimss_runtime *rt)
{
    struct aimss_stream *stream = NULL;

    EXPECT(aimss_stream_create(rt, "csv", &(struct aimss_stream_options){
        .source = "csv" }, &stream) < 0);
    EXPECT_SAYS("csv");
    EXPECT_STATUS(aimss_stream_create(rt, "wide", &(struct aimss_stream_options){
        .streamlet_count = 1u << 30 }, &stream), AIMSS_E_LIMIT);
    EXPECT_SAYS("1073741824");
    EXPECT(stream == NULL);
    api_meet(rt);
    EXPECT_OK(aimss_stream_create(rt, "after that", NULL, &stream));
    aimss_stream_destroy(stream);
}

static int stop(void *arg, const struct aimss_record *record)
{
    (void)arg;
    (void)record;
    return 42;
}

/* The runtime works after all of that, and a callback stops its own call only. */
static void goes_on(struct aimss_runtime *rt, struct aimss_stream *keyed)
{
    struct aimss_reader *reader = NULL;
    struct aimss_writer *writer = NULL;
    struct aimss_buffer *buffer = NULL;
    aimss_status_t status;

    EXPECT_OK(aimss_read_from(keyed, NULL, &reader));
    api_meet(rt);
    EXPECT_OK(aimss_stream_seal(keyed));
    EXPECT_STATUS(aimss_writer_open(keyed, NULL, &writer), AIMSS_E_STATE);
    EXPECT_SAYS("sealed");
    status = aimss_reader_apply(reader, stop, NULL);
    EXPECT(status == AIMSS_OK || status == AIMSS_E_CALLBACK); /* another rank may have them all */
    if (status == AIMSS_E_CALLBACK)
        EXPECT_SAYS("42");
    while ((status = aimss_reader_next(reader, AIMSS_FOREVER, &buffer)) == AIMSS_OK)
        aimss_buffer_release(buffer);
    EXPECT_STATUS(status, AIMSS_END);
    EXPECT_STATUS(aimss_reader_next(reader, AIMSS_FOREVER, &buffer), AIMSS_END);
    EXPECT_OK(aimss_reader_close(reader));
}

static void compute(struct aimss_runtime *rt)
{
    struct aimss_stream *keyed = NULL;

    null_arguments(rt);
    wrong_streams(rt);
    EXPECT_OK(aimss_stream_create(rt, "keyed", NULL, &keyed));
    wrong_records(rt, keyed);
    api_meet(rt);
    goes_on(rt, keyed);
    aimss_stream_destroy(keyed);
    refused_elsewhere(rt);
}

int main(int argc, char **argv)
{
    EXPECT(strcmp(aimss_status_string(AIMSS_E_ROLE), aimss_status_string(AIMSS_OK)) != 0);
    EXPECT(strcmp(aimss_status_string((aimss_status_t)-1000), "unknown status") == 0);
    EXPECT(aimss_version()[0] == '0');
    return api_main(argc, argv, api_layouts, API_LAYOUT_COUNT, compute, wrong_role);
}
