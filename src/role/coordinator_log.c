/* coordinator_log.c: what of the metadata goes into offsets.log.
 *
 * Appended as it happens, synced with the run's start and its commit: recovery
 * trusts what lies before a COMMIT. Without a job directory there is no log.
 */
#include "role/coordinator_internal.h"

void coordinator_set_log(struct coordinator *coordinator, struct offsets_log *log)
{
    coordinator->log = log;
}

aimss_status_t coordinator_log_stream(struct coordinator *c, const struct wire_stream *info)
{
    struct offsets_stream stream = { .id = info->id, .parent = info->parent,
                                     .streamlet_count = info->streamlet_count,
                                     .format = info->format,
                                     .record_bytes = info->record_bytes };

    return c->log != NULL ? offsets_log_stream(c->log, &stream, info->name) : AIMSS_OK;
}

aimss_status_t coordinator_log_group(struct coordinator *c, const struct catalog_stream *stream,
                                     unsigned number)
{
    if (c->log == NULL)
        return AIMSS_OK;
    return offsets_log_reader_group(c->log, stream->info.id, number, stream->groups[number].name);
}

/* a: stream, b: number, c: bytes, d: records, e: file, f and g: range of the file. */
aimss_status_t coordinator_on_partition_done(struct coordinator *c)
{
    struct offsets_partition_done done = { .stream = (uint32_t)c->in.a,
                                           .number = (uint32_t)c->in.b,
                                           .file = (uint32_t)c->in.e,
                                           .begin = c->in.f,
                                           .end = c->in.g,
                                           .records = c->in.d,
                                           .bytes = c->in.c };

    c->bytes_read += c->in.c;
    return c->log != NULL ? offsets_log_partition_done(c->log, &done) : AIMSS_OK;
}
