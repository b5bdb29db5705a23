/* stream.c: creating and opening streams: the checks, then a request to rank 0. */
#include "api/stream.h"

#include "base/error.h"
#include "log/format.h"

#include <stdlib.h>
#include <string.h>

enum {
    SOURCE_SEGMENT_BYTES = 1024 * 1024,
    SOURCE_CHUNK_BYTES = 64 * 1024,
    CHUNK_HEAD_BYTES = 256 /* room for header and padding, generously */
};

static bool is_power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static aimss_status_t copy_name(char to[WIRE_NAME_BYTES], const char *name, const char *what)
{
    size_t len = name != NULL ? strlen(name) : 0;

    if (len == 0 || len >= WIRE_NAME_BYTES)
        return error_set(AIMSS_E_INVALID, "the name of a %s has %zu bytes; expected 1 to %d", what,
                         len, WIRE_NAME_BYTES - 1);
    memcpy(to, name, len + 1);
    return AIMSS_OK;
}

static aimss_status_t check_sizes(const struct wire_stream *info)
{
    if (!is_power_of_two(info->segment_bytes) || info->segment_bytes < SEGMENT_MIN_BYTES ||
        info->segment_bytes > SEGMENT_MAX_BYTES)
        return error_set(AIMSS_E_INVALID, "stream %s: segment_bytes is %llu; expected a power of "
                         "two from %d to %d", info->name,
                         (unsigned long long)info->segment_bytes, SEGMENT_MIN_BYTES,
                         SEGMENT_MAX_BYTES);
    if (!is_power_of_two(info->segment_first_bytes) ||
        info->segment_first_bytes < SEGMENT_MIN_BYTES ||
        info->segment_first_bytes > info->segment_bytes)
        return error_set(AIMSS_E_INVALID, "stream %s: segment_first_bytes is %llu; expected a "
                         "power of two from %d to segment_bytes", info->name,
                         (unsigned long long)info->segment_first_bytes, SEGMENT_MIN_BYTES);
    if (info->chunk_bytes < SEGMENT_MIN_BYTES || info->chunk_bytes > CHUNK_MAX_BYTES ||
        info->chunk_bytes > info->segment_bytes)
        return error_set(AIMSS_E_INVALID, "stream %s: chunk_bytes is %llu; expected %d to %d, and "
                         "no more than segment_bytes", info->name,
                         (unsigned long long)info->chunk_bytes, SEGMENT_MIN_BYTES,
                         CHUNK_MAX_BYTES);
    if (info->format > AIMSS_FORMAT_FIXED ||
        (info->format == AIMSS_FORMAT_FIXED &&
         (info->record_bytes == 0 || info->record_bytes > 65536 ||
          info->record_bytes + CHUNK_HEAD_BYTES > info->chunk_bytes)))
        return error_set(AIMSS_E_INVALID, "stream %s: format %u with records of %u bytes; fixed "
                         "records have 1 to 65536 bytes, and chunk_bytes (%llu) holds one and %d "
                         "bytes more", info->name, info->format, info->record_bytes,
                         (unsigned long long)info->chunk_bytes, CHUNK_HEAD_BYTES);
    return AIMSS_OK;
}

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static uint64_t size_option(const struct aimss_runtime *rt, const char *name, bool source,
                            uint64_t source_bytes)
{
    bool ours = source && !options_is_set(rt->options, name);

    return ours ? source_bytes : options_number(rt->options, name);
}

/* A source's brokers know how much they read, so their segments start large and
 * their chunks are larger, if nobody asks for a size. */
static void fill_sizes(const struct aimss_runtime *rt, const struct aimss_stream_options *o,
                       struct wire_stream *info)
{
    bool source = o->source != NULL;
    uint64_t segment = size_option(rt, "segment", source, SOURCE_SEGMENT_BYTES);
    uint64_t chunk = size_option(rt, "chunk", source, SOURCE_CHUNK_BYTES);

    info->segment_bytes = or_default(o->segment_bytes, segment);
    info->segment_first_bytes = or_default(o->segment_first_bytes,
                                           source ? info->segment_bytes : SEGMENT_MIN_BYTES);
    info->chunk_bytes = or_default(o->chunk_bytes, chunk);
    if (o->chunk_bytes == 0 && info->record_bytes + CHUNK_HEAD_BYTES > info->chunk_bytes)
        info->chunk_bytes = CHUNK_MAX_BYTES; /* fixed records are not cut */
    if (info->chunk_bytes > info->segment_bytes)
        info->chunk_bytes = info->segment_bytes;
}

static aimss_status_t describe(const struct aimss_runtime *rt, const char *name,
                               const struct aimss_stream_options *o, struct wire_stream *info)
{
    aimss_status_t status = copy_name(info->name, name, "stream");

    if (status == AIMSS_OK && o->parent != NULL)
        status = copy_name(info->parent_name, o->parent, "parent stream");
    if (status == AIMSS_OK && o->source != NULL)
        status = copy_name(info->source, o->source, "source");
    if (status != AIMSS_OK)
        return status;
    info->streamlet_count = o->streamlet_count;
    info->writer_count = o->writer_count;
    info->format = o->source != NULL ? AIMSS_FORMAT_BYTES : (uint32_t)o->format;
    info->record_bytes = o->record_bytes;
    fill_sizes(rt, o, info);
    return check_sizes(info);
}

aimss_status_t stream_open_named(struct aimss_runtime *rt, struct wire_message *request,
                                 struct aimss_stream **stream)
{
    struct aimss_stream *s = calloc(1, sizeof *s);
    aimss_status_t status;

    if (s == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a stream's handle");
    status = compute_request(rt->compute, request);
    if (status != AIMSS_OK) {
        free(s);
        return status;
    }
    s->rt = rt;
    s->info = request->stream;
    s->next = rt->streams;
    rt->streams = s;
    *stream = s;
    return AIMSS_OK;
}

/* Inputs go ahead of the creation, one message each: their number has no limit. */
static aimss_status_t send_inputs(struct aimss_runtime *rt, const struct aimss_stream_options *o,
                                  struct wire_message *message)
{
    aimss_status_t status = AIMSS_OK;

    for (size_t i = 0; i < o->input_count && status == AIMSS_OK; i++) {
        size_t len = strlen(o->inputs[i]) + 1;

        if (len > WIRE_TEXT_BYTES - 1)
            return error_set(AIMSS_E_LIMIT, "input %.64s... has a path of %zu bytes; the limit is "
                             "%d", o->inputs[i], len - 1, WIRE_TEXT_BYTES - 2);
        memset(message, 0, offsetof(struct wire_message, text));
        message->kind = WIRE_STREAM_INPUT;
        memcpy(message->text, o->inputs[i], len);
        message->text_bytes = (uint32_t)len;
        status = compute_request(rt->compute, message);
    }
    memset(message, 0, offsetof(struct wire_message, text));
    return status;
}

aimss_status_t aimss_stream_create(struct aimss_runtime *rt, const char *name,
                                   const struct aimss_stream_options *options,
                                   struct aimss_stream **stream)
{
    static const struct aimss_stream_options plain = { 0 };
    const struct aimss_stream_options *o = options != NULL ? options : &plain;
    aimss_status_t status = runtime_check_compute(rt, "aimss_stream_create");
    struct wire_message message = { 0 };

    if (status == AIMSS_OK && stream == NULL)
        status = error_set(AIMSS_E_INVALID, "aimss_stream_create: stream is NULL");
    if (status == AIMSS_OK && o->source != NULL)
        status = send_inputs(rt, o, &message);
    if (status == AIMSS_OK)
        status = describe(rt, name, o, &message.stream);
    if (status != AIMSS_OK)
        return status;
    message.kind = WIRE_STREAM_CREATE;
    message.a = o->source != NULL && o->inputs == NULL; /* the job's own inputs */
    return stream_open_named(rt, &message, stream);
}

aimss_status_t aimss_stream_open(struct aimss_runtime *rt, const char *name,
                                 struct aimss_stream **stream)
{
    aimss_status_t status = runtime_check_compute(rt, "aimss_stream_open");
    struct wire_message message = { .kind = WIRE_STREAM_OPEN };

    if (status == AIMSS_OK && stream == NULL)
        status = error_set(AIMSS_E_INVALID, "aimss_stream_open: stream is NULL");
    if (status == AIMSS_OK)
        status = copy_name(message.stream.name, name, "stream");
    return status == AIMSS_OK ? stream_open_named(rt, &message, stream) : status;
}

aimss_status_t aimss_stream_seal(struct aimss_stream *stream)
{
    struct wire_message message = { .kind = WIRE_STREAM_SEAL };

    if (stream == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_stream_seal: stream is NULL");
    message.a = stream->info.id;
    return compute_request(stream->rt->compute, &message);
}

aimss_status_t aimss_stream_destroy(struct aimss_stream *stream)
{
    struct aimss_stream **link;
    aimss_status_t status;

    if (stream == NULL)
        return AIMSS_OK;
    status = aimss_writer_close(stream->own_writer);
    for (link = &stream->rt->streams; *link != stream; link = &(*link)->next)
        ;
    *link = stream->next;
    children_part_destroy(stream->part);
    free(stream);
    return status;
}
