/* offsets_log.c: see offsets_log.h.
 *
 * Opening, appending, syncing; what the bytes mean is in offsets_image.c. The
 * file only ever comes to be by a rename of a synced one, whether it is new or
 * was cut: a bad file header is damage, never an unfinished start.
 */
#include "store/offsets_log.h"

#include "base/error.h"
#include "base/word.h"
#include "store/offsets_image.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_HEADER_BYTES = sizeof(struct offsets_record) };

struct offsets_log {
    struct env *env;
    char *path, *temporary;
    int fd;
    uint64_t written_bytes; /* the owner's word: length of the whole records */
    uint64_t durable_bytes; /* the syncing thread's word */
    uint64_t sync_error;    /* the syncing thread's word: errno of a failed sync */
    uint64_t sequence;      /* of the last record */
    uint64_t used_bytes;    /* of the record being built; what doesn't fit counts too */
    char *record;           /* [OFFSETS_RECORD_MAX_BYTES] */
};

static aimss_status_t open_failed(const char *path, int error)
{
    return error_set(error == ENOSPC || error == EDQUOT ? AIMSS_E_NO_SPACE : AIMSS_E_IO,
                     "%s: cannot be opened: %s; expected a job directory that this user can use",
                     path, strerror(error));
}

aimss_status_t offsets_log_read(struct env *env, const char *path, offsets_log_fn *fn, void *arg)
{
    struct offsets_image image = { .path = path };
    struct offsets_walked walked;
    int fd = env->ops->open(env, path, O_RDONLY, 0);
    if (fd == -ENOENT)
        return error_set(AIMSS_E_NOT_FOUND, "%s: found no such file, expected the log of a job "
                         "that was started; give the DIR of its --job", path);
    if (fd < 0)
        return open_failed(path, -fd);
    aimss_status_t status = offsets_image_load(env, fd, &image);
    if (status == AIMSS_OK)
        status = offsets_image_check(&image, NULL);
    if (status == AIMSS_OK)
        status = offsets_image_walk(&image, fn, arg, &walked);
    free(image.data);
    env->ops->close(env, fd);
    return status;
}

/* ---- opening */

static aimss_status_t sync_failed(const char *path, int error)
{
    return error_set(error == ENOSPC || error == EDQUOT ? AIMSS_E_NO_SPACE : AIMSS_E_IO,
                     "%s: cannot be made durable: %s; check its file system, then start the job "
                     "again", path, strerror(error));
}

/* Puts a file with exactly these bytes, synced, in the log's place. */
static aimss_status_t replace_file(struct offsets_log *log, const void *data, uint64_t len_bytes)
{
    struct env *env = log->env;
    aimss_status_t status;
    int error;
    int fd = env->ops->open(env, log->temporary, O_RDWR | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        return open_failed(log->temporary, -fd);
    status = env_write_all(env, fd, log->temporary, data, len_bytes, 0);
    if (status != AIMSS_OK)
        goto fail;
    error = env->ops->sync(env, fd);
    if (error == 0)
        error = env->ops->rename(env, log->temporary, log->path);
    if (error < 0) {
        status = sync_failed(log->path, -error);
        goto fail;
    }
    if (log->fd >= 0)
        env->ops->close(env, log->fd);
    log->fd = fd;
    return AIMSS_OK;

fail:
    env->ops->close(env, fd);
    env->ops->unlink(env, log->temporary);
    return status;
}

static aimss_status_t create_file(struct offsets_log *log, const uint8_t *uuid)
{
    struct offsets_file_header header = { .magic = OFFSETS_MAGIC,
                                          .version = OFFSETS_VERSION,
                                          .header_bytes = sizeof header };
    memcpy(header.job_uuid, uuid, OFFSETS_UUID_BYTES);
    header.crc32c = offsets_file_header_crc(&header);
    log->written_bytes = log->durable_bytes = sizeof header;
    return replace_file(log, &header, sizeof header);
}

/* A crash of the process alone leaves records in the page cache only, and who
 * opens the log acts on them: hence the sync of what is sound already. */
static aimss_status_t keep_records(struct offsets_log *log, const struct offsets_image *image,
                                   const struct offsets_walked *walked)
{
    aimss_status_t status = AIMSS_OK;
    int error;
    if (walked->end < image->len_bytes) {
        status = replace_file(log, image->data, walked->end);
        if (status == AIMSS_OK)
            diag(DIAG_WARNING, "%s: cut from %llu to %llu bytes, behind record %llu: the last "
                 "write before a crash was unfinished", log->path,
                 (unsigned long long)image->len_bytes, (unsigned long long)walked->end,
                 (unsigned long long)walked->sequence);
    } else if ((error = log->env->ops->sync(log->env, log->fd)) < 0) {
        status = sync_failed(log->path, -error);
    }
    log->written_bytes = log->durable_bytes = walked->end;
    log->sequence = walked->sequence;
    return status;
}

static aimss_status_t verify_file(struct offsets_log *log, const uint8_t *uuid)
{
    struct offsets_image image = { .path = log->path };
    struct offsets_walked walked;
    aimss_status_t status = offsets_image_load(log->env, log->fd, &image);
    if (status == AIMSS_OK)
        status = offsets_image_check(&image, uuid);
    if (status == AIMSS_OK)
        status = offsets_image_walk(&image, NULL, NULL, &walked);
    if (status == AIMSS_OK)
        status = keep_records(log, &image, &walked);
    free(image.data);
    return status;
}

static aimss_status_t make_log(struct env *env, const char *path, struct offsets_log **log)
{
    struct offsets_log *made = calloc(1, sizeof *made);
    if (made == NULL)
        goto fail;
    made->env = env;
    made->fd = -1;
    made->path = strdup(path);
    made->record = malloc(OFFSETS_RECORD_MAX_BYTES);
    if (asprintf(&made->temporary, "%s.tmp", path) < 0)
        made->temporary = NULL;
    if (made->path == NULL || made->record == NULL || made->temporary == NULL)
        goto fail;
    *log = made;
    return AIMSS_OK;

fail:
    offsets_log_close(made);
    return error_set(AIMSS_E_NO_MEMORY, "%s: no memory for the log's buffer", path);
}

aimss_status_t offsets_log_open(struct env *env, const char *path,
                                const uint8_t uuid[OFFSETS_UUID_BYTES],
                                struct offsets_log **log)
{
    struct offsets_log *made = NULL;
    aimss_status_t status = make_log(env, path, &made);
    if (status != AIMSS_OK)
        return status;
    made->fd = env->ops->open(env, path, O_RDWR, 0);
    if (made->fd == -ENOENT)
        status = create_file(made, uuid);
    else if (made->fd < 0)
        status = open_failed(path, -made->fd);
    else
        status = verify_file(made, uuid);
    if (status != AIMSS_OK) {
        offsets_log_close(made);
        return status;
    }
    *log = made;
    return AIMSS_OK;
}

void offsets_log_close(struct offsets_log *log)
{
    if (log == NULL)
        return;
    if (log->fd >= 0)
        log->env->ops->close(log->env, log->fd);
    free(log->path);
    free(log->temporary);
    free(log->record);
    free(log);
}

/* ---- appending: a record is built in the buffer and written whole */

static void begin_record(struct offsets_log *log)
{
    log->used_bytes = RECORD_HEADER_BYTES;
}

static void add(struct offsets_log *log, const void *data, uint64_t len_bytes)
{
    if (log->used_bytes + len_bytes <= OFFSETS_RECORD_MAX_BYTES && len_bytes > 0)
        memcpy(log->record + log->used_bytes, data, len_bytes);
    log->used_bytes += len_bytes;
}

static void add_padding(struct offsets_log *log)
{
    add(log, (char[OFFSETS_ALIGN_BYTES]){ 0 }, offsets_align(log->used_bytes) - log->used_bytes);
}

static aimss_status_t check_room(const struct offsets_log *log, uint64_t record_bytes)
{
    int error = (int)word_load(&log->sync_error);
    if (error != 0)
        return sync_failed(log->path, error);
    if (record_bytes > OFFSETS_RECORD_MAX_BYTES)
        return error_set(AIMSS_E_LIMIT, "%s: found a record of %llu bytes, expected %d at most; "
                         "use fewer or shorter names of files", log->path,
                         (unsigned long long)record_bytes, OFFSETS_RECORD_MAX_BYTES);
    if (log->written_bytes + record_bytes > OFFSETS_FILE_MAX_BYTES)
        return error_set(AIMSS_E_LIMIT, "%s: the log has its full %d bytes; run the job anew in "
                         "another directory", log->path, OFFSETS_FILE_MAX_BYTES);
    return AIMSS_OK;
}

static aimss_status_t end_record(struct offsets_log *log, enum offsets_kind kind)
{
    struct offsets_record *record = (struct offsets_record *)log->record;
    uint64_t payload_bytes = log->used_bytes - RECORD_HEADER_BYTES;
    add_padding(log);
    aimss_status_t status = check_room(log, log->used_bytes);
    if (status != AIMSS_OK)
        return status;
    *record = (struct offsets_record){ .len_bytes = (uint32_t)log->used_bytes,
                                       .payload_bytes = (uint32_t)payload_bytes,
                                       .sequence = log->sequence + 1,
                                       .durable_bytes = word_load(&log->durable_bytes),
                                       .kind = (uint32_t)kind };
    record->crc32c = offsets_record_crc(record);
    status = env_write_all(log->env, log->fd, log->path, record, record->len_bytes,
                           log->written_bytes);
    if (status != AIMSS_OK)
        return status;
    log->sequence++;
    word_store(&log->written_bytes, log->written_bytes + record->len_bytes);
    return AIMSS_OK;
}

aimss_status_t offsets_log_append(struct offsets_log *log, enum offsets_kind kind,
                                  const void *payload, size_t payload_bytes)
{
    begin_record(log);
    add(log, payload, payload_bytes);
    return end_record(log, kind);
}

aimss_status_t offsets_log_run(struct offsets_log *log, const struct offsets_run *run,
                               const char *const *arenas)
{
    struct offsets_run fixed = *run;
    fixed.names_bytes = 0;
    for (uint32_t i = 0; i < run->arena_count; i++)
        fixed.names_bytes += (uint32_t)strlen(arenas[i]) + 1;
    begin_record(log);
    add(log, &fixed, sizeof fixed);
    for (uint32_t i = 0; i < run->arena_count; i++)
        add(log, arenas[i], strlen(arenas[i]) + 1);
    return end_record(log, OFFSETS_RUN);
}

aimss_status_t offsets_log_stream(struct offsets_log *log, const struct offsets_stream *stream,
                                  const char *name)
{
    struct offsets_stream fixed = *stream;
    fixed.name_bytes = (uint32_t)strlen(name);
    begin_record(log);
    add(log, &fixed, sizeof fixed);
    add(log, name, fixed.name_bytes);
    return end_record(log, OFFSETS_STREAM);
}

aimss_status_t offsets_log_reader_group(struct offsets_log *log, uint32_t stream, uint32_t number,
                                        const char *name)
{
    struct offsets_reader_group fixed = { .stream = stream,
                                          .number = number,
                                          .name_bytes = (uint32_t)strlen(name) };
    begin_record(log);
    add(log, &fixed, sizeof fixed);
    add(log, name, fixed.name_bytes);
    return end_record(log, OFFSETS_READER_GROUP);
}

aimss_status_t offsets_log_partition_done(struct offsets_log *log,
                                          const struct offsets_partition_done *done)
{
    return offsets_log_append(log, OFFSETS_PARTITION_DONE, done, sizeof *done);
}

aimss_status_t offsets_log_commit(struct offsets_log *log, uint64_t epoch,
                                  const struct offsets_sink *sinks, uint32_t sink_count)
{
    struct offsets_commit fixed = { .epoch = epoch, .file_count = sink_count };
    begin_record(log);
    add(log, &fixed, sizeof fixed);
    for (uint32_t i = 0; i < sink_count; i++) {
        struct offsets_commit_file file = { .offset = sinks[i].offset,
                                            .len_bytes = sinks[i].len_bytes,
                                            .line_count = sinks[i].line_count,
                                            .crc32c = sinks[i].crc32c,
                                            .name_bytes = (uint32_t)strlen(sinks[i].name) };
        add(log, &file, sizeof file);
        add(log, sinks[i].name, file.name_bytes);
        add_padding(log);
    }
    return end_record(log, OFFSETS_COMMIT);
}

aimss_status_t offsets_log_end(struct offsets_log *log, aimss_status_t ended, const char *message)
{
    struct offsets_end fixed = { .status = ended, .message_bytes = (uint32_t)strlen(message) };
    begin_record(log);
    add(log, &fixed, sizeof fixed);
    add(log, message, fixed.message_bytes);
    return end_record(log, OFFSETS_END);
}

aimss_status_t offsets_log_sync(struct offsets_log *log)
{
    uint64_t written_bytes = word_load(&log->written_bytes);
    int error = (int)word_load(&log->sync_error);
    if (error == 0 && written_bytes > word_load(&log->durable_bytes)) {
        error = -log->env->ops->sync(log->env, log->fd);
        word_store(&log->sync_error, (uint64_t)error);
    }
    if (error != 0)
        return sync_failed(log->path, error);
    word_store(&log->durable_bytes, written_bytes);
    return AIMSS_OK;
}
