/* offsets_image.c: see offsets_image.h. */
#include "store/offsets_image.h"

#include "base/crc32c.h"
#include "base/error.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_HEADER_BYTES = sizeof(struct offsets_file_header),
    RECORD_HEADER_BYTES = sizeof(struct offsets_record),
    UUID_TEXT_BYTES = 2 * OFFSETS_UUID_BYTES + 1
};

static aimss_status_t corrupt(const char *path, uint64_t offset, const char *what)
{
    return error_set(AIMSS_E_CORRUPT, "%s: found damage at byte %llu: %s; restore the file from "
                     "a copy, or run the job anew in another directory", path,
                     (unsigned long long)offset, what);
}

aimss_status_t offsets_image_load(struct env *env, int fd, struct offsets_image *image)
{
    int64_t size = env->ops->size(env, fd);
    size_t read_bytes = 0;
    if (size < 0)
        return error_set(AIMSS_E_IO, "%s: cannot tell its size: %s; check its file system",
                         image->path, strerror((int)-size));
    if (size > OFFSETS_FILE_MAX_BYTES)
        return error_set(AIMSS_E_LIMIT, "%s: found %lld bytes, expected %d at most; run the job "
                         "anew in another directory", image->path, (long long)size,
                         OFFSETS_FILE_MAX_BYTES);
    image->data = malloc((size_t)size + 1);
    if (image->data == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "%s: no memory for its %lld bytes", image->path,
                         (long long)size);
    aimss_status_t status = env_read_all(env, fd, image->path, image->data, (size_t)size, 0,
                                         &read_bytes);
    image->len_bytes = read_bytes;
    return status;
}

static void uuid_text(const uint8_t uuid[OFFSETS_UUID_BYTES], char text[UUID_TEXT_BYTES])
{
    for (unsigned i = 0; i < OFFSETS_UUID_BYTES; i++) {
        text[2 * i] = "0123456789abcdef"[uuid[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[uuid[i] & 15];
    }
    text[UUID_TEXT_BYTES - 1] = '\0';
}

uint32_t offsets_file_header_crc(const struct offsets_file_header *header)
{
    return crc32c(0, header, offsetof(struct offsets_file_header, crc32c));
}

aimss_status_t offsets_image_check(const struct offsets_image *image, const uint8_t *uuid)
{
    const struct offsets_file_header *header = (const void *)image->data;
    char found[UUID_TEXT_BYTES], expected[UUID_TEXT_BYTES];
    if (image->len_bytes < FILE_HEADER_BYTES)
        return corrupt(image->path, 0, "the file ends within its header");
    if (header->magic != OFFSETS_MAGIC || header->crc32c != offsets_file_header_crc(header))
        return corrupt(image->path, 0, "this is no header of an offsets.log");
    if (header->version != OFFSETS_VERSION || header->header_bytes != FILE_HEADER_BYTES)
        return error_set(AIMSS_E_UNSUPPORTED, "%s: found version %u, expected %d; go on with the "
                         "AIMSS that wrote it", image->path, header->version, OFFSETS_VERSION);
    if (uuid == NULL || memcmp(header->job_uuid, uuid, OFFSETS_UUID_BYTES) == 0)
        return AIMSS_OK;
    uuid_text(header->job_uuid, found);
    uuid_text(uuid, expected);
    return error_set(AIMSS_E_INVALID, "%s: found the log of job %s, expected that of %s, which "
                     "job.conf names; put the right one back", image->path, found, expected);
}

uint32_t offsets_record_crc(const struct offsets_record *record)
{
    return crc32c(crc32c(0, record, offsetof(struct offsets_record, crc32c)), record + 1,
                  record->len_bytes - RECORD_HEADER_BYTES);
}

/* The whole record at an offset, or NULL. Trusts no length before it fits. */
static const struct offsets_record *record_at(const struct offsets_image *image, uint64_t at)
{
    const struct offsets_record *record = (const void *)(image->data + at);
    uint64_t room_bytes = image->len_bytes - at;
    if (room_bytes < RECORD_HEADER_BYTES || record->len_bytes > room_bytes ||
        record->len_bytes > OFFSETS_RECORD_MAX_BYTES ||
        record->len_bytes != offsets_align(RECORD_HEADER_BYTES + (uint64_t)record->payload_bytes) ||
        record->durable_bytes > at)
        return NULL;
    return offsets_record_crc(record) == record->crc32c ? record : NULL;
}

/* Whether a later record knows that the bytes at an offset were on disk. */
static bool was_durable(const struct offsets_image *image, uint64_t offset)
{
    for (uint64_t at = offset; at < image->len_bytes; at += OFFSETS_ALIGN_BYTES) {
        const struct offsets_record *record = record_at(image, at);
        if (record != NULL && record->durable_bytes > offset)
            return true;
    }
    return false;
}

static bool run_fits(const struct offsets_run *run, uint64_t text_bytes)
{
    const char *names = (const char *)(run + 1);
    uint32_t count = 0;
    if (run->names_bytes != text_bytes || (text_bytes > 0 && names[text_bytes - 1] != '\0'))
        return false;
    for (uint64_t i = 0; i < text_bytes; i++)
        count += names[i] == '\0';
    return count == run->arena_count;
}

static bool commit_fits(const struct offsets_commit *commit, uint64_t left_bytes)
{
    const struct offsets_commit_file *file = (const void *)(commit + 1);
    for (uint32_t i = 0; i < commit->file_count; i++) {
        if (left_bytes < sizeof *file)
            return false;
        uint64_t file_bytes = sizeof *file + offsets_align(file->name_bytes);
        if (left_bytes < file_bytes)
            return false;
        left_bytes -= file_bytes;
        file = offsets_commit_next(file);
    }
    return left_bytes == 0;
}

/* Whether a payload is as long as its fields say; readers rely on it. */
static bool payload_fits(const struct offsets_record *record)
{
    static const uint32_t fixed_bytes[] = {
        [OFFSETS_RUN] = sizeof(struct offsets_run),
        [OFFSETS_STREAM] = sizeof(struct offsets_stream),
        [OFFSETS_READER_GROUP] = sizeof(struct offsets_reader_group),
        [OFFSETS_PARTITION_DONE] = sizeof(struct offsets_partition_done),
        [OFFSETS_COMMIT] = sizeof(struct offsets_commit),
        [OFFSETS_END] = sizeof(struct offsets_end),
    };
    const void *payload = record + 1;
    if (record->kind == 0 || record->kind > OFFSETS_END)
        return true;
    if (record->payload_bytes < fixed_bytes[record->kind])
        return false;
    uint64_t text_bytes = record->payload_bytes - fixed_bytes[record->kind];
    switch ((enum offsets_kind)record->kind) {
    case OFFSETS_RUN:
        return run_fits(payload, text_bytes);
    case OFFSETS_STREAM:
        return text_bytes == ((const struct offsets_stream *)payload)->name_bytes;
    case OFFSETS_READER_GROUP:
        return text_bytes == ((const struct offsets_reader_group *)payload)->name_bytes;
    case OFFSETS_PARTITION_DONE:
        return text_bytes == 0;
    case OFFSETS_COMMIT:
        return commit_fits(payload, text_bytes);
    case OFFSETS_END:
        return text_bytes == ((const struct offsets_end *)payload)->message_bytes;
    }
    return true;
}

aimss_status_t offsets_image_walk(const struct offsets_image *image, offsets_log_fn *fn, void *arg,
                                  struct offsets_walked *walked)
{
    struct offsets_walked now = { .end = FILE_HEADER_BYTES };
    while (now.end < image->len_bytes) {
        const struct offsets_record *record = record_at(image, now.end);
        if (record == NULL || record->sequence != now.sequence + 1) {
            if (was_durable(image, now.end))
                return corrupt(image->path, now.end, "the record fails its check, and what "
                               "follows shows that it was complete once");
            break;
        }
        if (!payload_fits(record))
            return corrupt(image->path, now.end, "the record's fields contradict its length");
        aimss_status_t status = fn == NULL ? AIMSS_OK : fn(arg, record, record + 1);
        if (status != AIMSS_OK)
            return status;
        now.end += record->len_bytes;
        now.sequence++;
    }
    *walked = now;
    return AIMSS_OK;
}
