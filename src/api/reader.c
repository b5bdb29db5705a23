/* reader.c: consumer groups from the application's side, and read buffers. */
#include "api/stream.h"

#include "base/error.h"
#include "log/format.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS UINT64_C(10000000000)

struct aimss_reader {
    struct aimss_stream *stream;
    struct inbox_reader *inbox;
    unsigned number;   /* of the consumer group */
    bool ended;
};

static aimss_status_t join(struct aimss_stream *stream, const char *group, uint64_t members,
                           struct wire_message *message)
{
    struct compute *compute = stream->rt->compute;
    size_t len = strlen(group);
    unsigned most = stream->rt->net->compute_count;
    aimss_status_t status;

    if (members > most)
        return error_set(AIMSS_E_INVALID, "stream %s: member_count is %llu, but the run has %u "
                         "compute ranks, each of which can join a group once", stream->info.name,
                         (unsigned long long)members, most);
    if (len == 0 || len >= WIRE_NAME_BYTES)
        return error_set(AIMSS_E_INVALID, "stream %s: the name of a consumer group has %zu bytes; "
                         "expected 1 to %d", stream->info.name, len, WIRE_NAME_BYTES - 1);
    *message = (struct wire_message){ .kind = WIRE_READER_JOIN, .a = stream->info.id,
                                      .b = members };
    memcpy(message->text, group, len + 1);
    message->text_bytes = (uint32_t)len + 1;
    inbox_set_joining(compute_inbox(compute), true);
    status = compute_request(compute, message);
    if (status != AIMSS_OK)
        inbox_set_joining(compute_inbox(compute), false);
    return status;
}

aimss_status_t aimss_read_from(struct aimss_stream *stream,
                               const struct aimss_reader_options *options,
                               struct aimss_reader **reader)
{
    const char *group = options != NULL && options->group != NULL ? options->group : "default";
    struct aimss_reader *r;
    struct wire_message message;
    aimss_status_t status;

    if (stream == NULL || reader == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_read_from: stream or reader is NULL");
    if (stream->info.parent != 0)
        return error_set(AIMSS_E_INVALID, "stream %s is a child of another: its records come with "
                         "aimss_shuffle_streams(), not through readers", stream->info.name);
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a reader");
    status = join(stream, group, options != NULL ? options->member_count : 0, &message);
    if (status == AIMSS_OK) {
        struct inbox *inbox = compute_inbox(stream->rt->compute);

        status = inbox_reader_open(inbox, &stream->info, (unsigned)message.b,
                                   (uint32_t)message.c, &r->inbox);
        inbox_set_joining(inbox, false);
    }
    if (status != AIMSS_OK) {
        free(r);
        return status;
    }
    r->stream = stream;
    r->number = (unsigned)message.b;
    *reader = r;
    return AIMSS_OK;
}

aimss_status_t reader_poll(struct aimss_reader *reader, struct aimss_buffer **buffer)
{
    aimss_status_t status =
        inbox_next(compute_inbox(reader->stream->rt->compute), reader->inbox, buffer);

    reader->ended |= status == AIMSS_END;
    return status;
}

/* Nobody should wait in silence behind a reader of its own rank. */
static void say_blocked(const struct aimss_reader *reader, uint64_t *since_ns)
{
    struct aimss_runtime *rt = reader->stream->rt;
    uint64_t now = env_now_ns(rt->env);

    if (*since_ns == 0)
        *since_ns = now;
    if (*since_ns == UINT64_MAX || now - *since_ns < PATIENCE_NS)
        return;
    *since_ns = UINT64_MAX; /* said once */
    if (inbox_unread_elsewhere(compute_inbox(rt->compute), reader->inbox))
        diag(DIAG_WARNING, "stream %s: a reader has waited 10 s, and another reader of this rank "
             "holds buffers that nobody takes; a rank with several readers must take from each of "
             "them", reader->stream->info.name);
}

aimss_status_t aimss_reader_next(struct aimss_reader *reader, uint64_t timeout_ns,
                                 struct aimss_buffer **buffer)
{
    struct aimss_runtime *rt;
    uint64_t deadline = 0, since = 0;
    aimss_status_t status;

    if (reader == NULL || buffer == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_reader_next: reader or buffer is NULL");
    rt = reader->stream->rt;
    for (;;) {
        status = reader_poll(reader, buffer);
        if (status != AIMSS_TIMEOUT)
            return status;
        if (deadline == 0)
            deadline = runtime_deadline(rt, timeout_ns);
        say_blocked(reader, &since);
        status = compute_wait(rt->compute, deadline);
        if (status != AIMSS_OK)
            return status;
        if (deadline != UINT64_MAX && env_now_ns(rt->env) >= deadline)
            return reader_poll(reader, buffer);
    }
}

static aimss_status_t apply_buffer(const struct aimss_buffer *buffer, aimss_record_fn *fn,
                                   void *arg)
{
    struct aimss_record record;
    uint64_t cursor = 0;
    aimss_status_t status;

    while ((status = buffer_record(buffer, &cursor, &record)) == AIMSS_OK) {
        int result = fn(arg, &record);

        if (result != 0)
            return error_set(AIMSS_E_CALLBACK, "the callback returned %d at stream %u, streamlet "
                             "%u, group %u, segment %u, record %llu", result, buffer->stream,
                             buffer->streamlet, buffer->group, buffer->segment,
                             (unsigned long long)record.ordinal);
    }
    return status == AIMSS_END ? AIMSS_OK : status;
}

aimss_status_t aimss_reader_apply(struct aimss_reader *reader, aimss_record_fn *fn, void *arg)
{
    struct aimss_buffer *buffer;
    aimss_status_t status;

    if (fn == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_reader_apply: fn is NULL");
    for (;;) {
        status = aimss_reader_next(reader, AIMSS_FOREVER, &buffer);
        if (status != AIMSS_OK)
            return status == AIMSS_END ? AIMSS_OK : status;
        status = apply_buffer(buffer, fn, arg);
        buffer_release(buffer);
        if (status != AIMSS_OK)
            return status;
    }
}

/* Leaving before the end: the coordinator gives the streamlets to others, and
 * the brokers take back what was pushed but not read. */
static aimss_status_t leave(struct aimss_reader *reader)
{
    struct compute *compute = reader->stream->rt->compute;
    struct wire_message message = { .kind = WIRE_READER_LEAVE, .a = reader->stream->info.id,
                                    .b = reader->number };
    aimss_status_t status = AIMSS_OK;

    if (!reader->ended) {
        status = inbox_reader_stop(compute_inbox(compute), reader->inbox);
        while (status == AIMSS_OK && !inbox_reader_stopped(reader->inbox))
            status = compute_wait(compute, UINT64_MAX);
    }
    if (status == AIMSS_OK)
        status = compute_request(compute, &message);
    return status;
}

aimss_status_t aimss_reader_close(struct aimss_reader *reader)
{
    aimss_status_t status;

    if (reader == NULL)
        return AIMSS_OK;
    status = leave(reader);
    inbox_reader_close(compute_inbox(reader->stream->rt->compute), reader->inbox);
    free(reader);
    return status;
}

/* ---- buffers */

void *aimss_buffer_data(struct aimss_buffer *buffer, size_t *len_bytes)
{
    if (len_bytes != NULL)
        *len_bytes = buffer->len_bytes;
    return buffer->inbox == NULL ? buffer->owned : (void *)(uintptr_t)buffer->data;
}

void aimss_buffer_release(struct aimss_buffer *buffer)
{
    buffer_release(buffer);
}

aimss_status_t aimss_buffer_lease(struct aimss_stream *stream, size_t len_bytes,
                                  struct aimss_buffer **buffer)
{
    struct aimss_buffer *b;

    if (stream == NULL || buffer == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_buffer_lease: stream or buffer is NULL");
    if (len_bytes == 0 || len_bytes > CHUNK_MAX_BYTES)
        return error_set(AIMSS_E_LIMIT, "stream %s: a buffer of %zu bytes; expected 1 to %d",
                         stream->info.name, len_bytes, CHUNK_MAX_BYTES);
    if (stream->info.format == AIMSS_FORMAT_KEYED)
        return error_set(AIMSS_E_INVALID, "stream %s is keyed; buffers are for bytes and fixed "
                         "streams, aimss_writer_put() is for keyed ones", stream->info.name);
    b = calloc(1, sizeof *b);
    if (b != NULL)
        b->owned = malloc(len_bytes);
    if (b == NULL || b->owned == NULL) {
        free(b);
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a buffer of %zu bytes", len_bytes);
    }
    b->data = b->owned;
    b->stream = stream->info.id;
    b->filled_bytes = b->len_bytes = len_bytes;
    *buffer = b;
    return AIMSS_OK;
}

aimss_status_t aimss_buffer_resize(struct aimss_buffer *buffer, size_t len_bytes)
{
    if (buffer == NULL || buffer->inbox != NULL || len_bytes > buffer->len_bytes)
        return error_set(AIMSS_E_INVALID, "aimss_buffer_resize: %zu bytes; expected a leased "
                         "buffer and no more than it has", len_bytes);
    buffer->filled_bytes = len_bytes;
    return AIMSS_OK;
}
