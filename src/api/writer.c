/* writer.c: the public writer: records to brokers, or, into a child stream, to
 * this rank's part of the coming shuffle. */
#include "api/stream.h"

#include "api/children.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static aimss_status_t open_part(struct aimss_stream *stream, struct aimss_writer *writer)
{
    aimss_status_t status = AIMSS_OK;

    if (stream->ready)
        return error_set(AIMSS_E_STATE, "stream %s is ready for its shuffle; writers open before "
                         "aimss_shuffle_stream(), or after aimss_shuffle_streams()",
                         stream->info.name);
    if (stream->part == NULL)
        status = children_part_create(stream->rt, &stream->part);
    writer->part = stream->part;
    return status;
}

/* The coordinator knows whether the stream still takes writers. */
static aimss_status_t open_writer(struct aimss_stream *stream, uint64_t timeout_ns,
                                  struct writer **writer)
{
    struct wire_message message = { .kind = WIRE_WRITER_OPEN, .a = stream->info.id };
    struct compute *compute = stream->rt->compute;
    aimss_status_t status = compute_request(compute, &message);

    if (status == AIMSS_OK)
        status = writer_open(compute_writers(compute), &stream->info, timeout_ns, writer);
    if (status != AIMSS_OK && message.status == AIMSS_OK) {
        message = (struct wire_message){ .kind = WIRE_WRITER_CLOSED, .a = stream->info.id };
        compute_tell(compute, &message);
    }
    return status;
}

aimss_status_t aimss_writer_open(struct aimss_stream *stream,
                                 const struct aimss_writer_options *options,
                                 struct aimss_writer **writer)
{
    uint64_t timeout = options != NULL ? options->timeout_ns : 0;
    struct aimss_writer *w;
    aimss_status_t status;

    if (stream == NULL || writer == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_writer_open: stream or writer is NULL");
    if (stream->info.source[0] != '\0')
        return error_set(AIMSS_E_INVALID, "stream %s is filled by its source \"%s\"; no writer can "
                         "open it", stream->info.name, stream->info.source);
    w = calloc(1, sizeof *w);
    if (w == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a writer");
    w->stream = stream;
    if (stream->info.parent != 0)
        status = open_part(stream, w);
    else
        status = open_writer(stream, timeout, &w->writer);
    if (status != AIMSS_OK) {
        free(w);
        return status;
    }
    *writer = w;
    return AIMSS_OK;
}

aimss_status_t aimss_writer_put(struct aimss_writer *writer, struct aimss_bytes key,
                                struct aimss_bytes value)
{
    if (__builtin_expect(writer->part != NULL, 0))
        return children_part_put(writer->stream, key, value);
    return writer_put(writer->writer, key, value);
}

aimss_status_t aimss_writer_flush(struct aimss_writer *writer, enum aimss_level level,
                                  uint64_t *position)
{
    aimss_status_t status = AIMSS_OK;

    if (writer == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_writer_flush: writer is NULL");
    if (writer->part != NULL)
        return error_set(AIMSS_E_STATE, "stream %s is a child: its records move with "
                         "aimss_shuffle_streams()", writer->stream->info.name);
    status = writer_flush(writer->writer, level == AIMSS_ACCEPTED);
    if (status == AIMSS_OK && position != NULL)
        *position = writer_record_count(writer->writer);
    return status;
}

aimss_status_t aimss_writer_close(struct aimss_writer *writer)
{
    struct wire_message message = { .kind = WIRE_WRITER_CLOSED };
    aimss_status_t status = AIMSS_OK;

    if (writer == NULL)
        return AIMSS_OK;
    if (writer->writer != NULL) {
        message.a = writer->stream->info.id;
        message.b = writer_id(writer->writer);
        status = writer_close(writer->writer);
        if (status == AIMSS_OK)
            status = compute_tell(writer->stream->rt->compute, &message);
    }
    free(writer);
    return status;
}

/* A fixed stream's buffer is records one after the other, a bytes stream's is
 * one record. After an error the buffer holds what was not put. */
static aimss_status_t put_buffer(struct aimss_writer *writer, struct aimss_buffer *buffer)
{
    const struct wire_stream *info = &writer->stream->info;
    uint64_t step = info->format == AIMSS_FORMAT_FIXED ? info->record_bytes : buffer->filled_bytes;
    aimss_status_t status = AIMSS_OK;
    uint64_t at = 0;

    if (step == 0 || buffer->filled_bytes % step != 0)
        return error_set(AIMSS_E_INVALID, "stream %s: a buffer of %llu bytes is no whole number of "
                         "records of %llu", info->name,
                         (unsigned long long)buffer->filled_bytes, (unsigned long long)step);
    while (at < buffer->filled_bytes && status == AIMSS_OK) {
        status = aimss_writer_put(writer, AIMSS_NO_BYTES,
                                  (struct aimss_bytes){ buffer->data + at, step });
        at += status == AIMSS_OK ? step : 0;
    }
    buffer->filled_bytes -= at;
    memmove(buffer->owned, buffer->data + at, buffer->filled_bytes);
    return status;
}

aimss_status_t aimss_write_to(struct aimss_stream *stream, struct aimss_buffer *buffer)
{
    aimss_status_t status = AIMSS_OK;

    if (stream == NULL || buffer == NULL || buffer->inbox != NULL ||
        buffer->stream != stream->info.id)
        return error_set(AIMSS_E_INVALID, "aimss_write_to takes a buffer of aimss_buffer_lease() "
                         "on the same stream");
    if (stream->own_writer == NULL)
        status = aimss_writer_open(stream, NULL, &stream->own_writer);
    if (status == AIMSS_OK)
        status = put_buffer(stream->own_writer, buffer);
    if (status == AIMSS_OK)
        buffer_release(buffer);
    return status;
}
