/* source_text.c: reads a partition straight into payloads.
 *
 * There is no buffer here. Each fill reads as much as the room holds, looks for
 * the last line end in it, hands over up to there and begins the next read
 * there: at most a part of a line is read twice. The same room serves as
 * scratch memory when a partition begins within another one's line. Runs on an
 * I/O thread; the kernel is told ahead what will be needed.
 *
 * Between fills `at` is a line's first byte, or, while line_bytes is not 0, the
 * next byte of a line that is being handed over in fragments.
 */
#include "connect/source_text.h"

#include "base/error.h"
#include "log/format.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { AHEAD_BYTES = 4 * 1024 * 1024 };

struct source_reader {
    struct env *env;
    int fd;
    bool aligned;              /* `at` has reached a line's first byte */
    uint64_t at;               /* next byte of the file */
    uint64_t end;              /* lines that begin here belong to others */
    uint64_t line_bytes;       /* handed over of the line that `at` is in */
    uint64_t record_max_bytes;
    uint64_t advised;          /* the kernel was told of all before */
    char path[];
};

/* ---- errors */

static aimss_status_t open_failed(const char *path, int error)
{
    if (error == ENOENT || error == ENOTDIR)
        return error_set(AIMSS_E_NOT_FOUND, "%s: the input has vanished since it was listed; "
                         "leave inputs in place until the job has ended", path);
    return error_set(AIMSS_E_IO, "%s: cannot be opened: %s; expected an input that every "
                     "broker can read", path, strerror(error));
}

static aimss_status_t too_short(const char *path, uint64_t found_bytes, uint64_t expected_bytes)
{
    return error_set(AIMSS_E_IO, "%s: the input shrank while the job ran: found %llu bytes, "
                     "expected at least %llu; leave inputs unchanged until the job has ended",
                     path, (unsigned long long)found_bytes, (unsigned long long)expected_bytes);
}

static aimss_status_t shrank(const struct source_reader *reader, uint64_t seen_bytes)
{
    int64_t size = reader->env->ops->size(reader->env, reader->fd);
    uint64_t found_bytes = size < 0 || (uint64_t)size >= reader->end ? seen_bytes : (uint64_t)size;
    return too_short(reader->path, found_bytes, reader->end);
}

static aimss_status_t line_too_long(const struct source_reader *reader)
{
    return error_set(AIMSS_E_LIMIT, "%s: the line at byte %llu is longer than %llu bytes, the "
                     "limit of a record; raise --record-max (64M at most) or break the line",
                     reader->path, (unsigned long long)(reader->at - reader->line_bytes),
                     (unsigned long long)reader->record_max_bytes);
}

/* ---- open and close */

static void text_close(struct source_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->fd >= 0)
        reader->env->ops->close(reader->env, reader->fd);
    free(reader);
}

static aimss_status_t check_size(const struct source_reader *reader)
{
    int64_t size = reader->env->ops->size(reader->env, reader->fd);
    if (size < 0)
        return open_failed(reader->path, (int)-size);
    if ((uint64_t)size < reader->end)
        return too_short(reader->path, (uint64_t)size, reader->end);
    return AIMSS_OK;
}

static aimss_status_t text_open(struct env *env, const char *path,
                                const struct partition *partition, uint64_t record_max_bytes,
                                struct source_reader **reader)
{
    size_t path_bytes = strlen(path) + 1;
    struct source_reader *made = calloc(1, sizeof *made + path_bytes);
    if (made == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "%s: no memory to read the input", path);
    made->env = env;
    made->aligned = partition->begin == 0;
    made->at = made->advised = partition->begin;
    made->end = partition->end;
    made->record_max_bytes = record_max_bytes;
    memcpy(made->path, path, path_bytes);
    /* Were the input a pipe by now, a plain open would wait for ever. */
    made->fd = env->ops->open(env, path, O_RDONLY | O_NONBLOCK, 0);
    aimss_status_t status = made->fd < 0 ? open_failed(path, -made->fd) : check_size(made);
    if (status != AIMSS_OK) {
        text_close(made);
        return status;
    }
    if (env->ops->advise != NULL)
        env->ops->advise(env, made->fd, made->at, made->end - made->at, POSIX_FADV_SEQUENTIAL);
    *reader = made;
    return AIMSS_OK;
}

/* ---- reading */

static void advise_ahead(struct source_reader *reader)
{
    if (reader->env->ops->advise == NULL || reader->advised >= reader->end ||
        reader->at + AHEAD_BYTES / 2 < reader->advised)
        return;
    uint64_t to = reader->at + AHEAD_BYTES < reader->end ? reader->at + AHEAD_BYTES : reader->end;
    if (to > reader->advised)
        reader->env->ops->advise(reader->env, reader->fd, reader->advised,
                                 to - reader->advised, POSIX_FADV_WILLNEED);
    reader->advised = to;
}

/* Reads at `offset`; *len_bytes is less than asked for only at the file's end,
 * which must not lie within the partition. */
static aimss_status_t read_at(struct source_reader *reader, uint64_t offset, void *data,
                              size_t *len_bytes)
{
    size_t wanted = *len_bytes;
    aimss_status_t status = env_read_all(reader->env, reader->fd, reader->path, data, wanted,
                                         offset, len_bytes);
    if (status != AIMSS_OK)
        return status;
    if (*len_bytes < wanted && offset + *len_bytes < reader->end)
        return shrank(reader, offset + *len_bytes);
    return AIMSS_OK;
}

/* Moves to the first line that begins in the partition: behind the first \n
 * from the byte before it on. Scratch is the room of the fill. */
static aimss_status_t align_to_line(struct source_reader *reader, char *scratch,
                                    size_t room_bytes)
{
    uint64_t at = reader->at - 1;
    while (at + 1 < reader->end) {
        uint64_t rest_bytes = reader->end - 1 - at;
        size_t len_bytes = rest_bytes < room_bytes ? (size_t)rest_bytes : room_bytes;
        aimss_status_t status = read_at(reader, at, scratch, &len_bytes);
        if (status != AIMSS_OK)
            return status;
        const char *newline = memchr(scratch, '\n', len_bytes);
        if (newline != NULL) {
            reader->at = at + (uint64_t)(newline - scratch) + 1;
            reader->aligned = true;
            return AIMSS_OK;
        }
        at += len_bytes;
        reader->at = at + 1;
        advise_ahead(reader);
    }
    reader->at = reader->end;
    reader->aligned = true;
    return AIMSS_OK;
}

/* Whether the file ends at offset. */
static aimss_status_t ends_at(struct source_reader *reader, uint64_t offset, bool *ends)
{
    char byte;
    size_t len_bytes = 1;
    aimss_status_t status = read_at(reader, offset, &byte, &len_bytes);
    if (status == AIMSS_OK)
        *ends = len_bytes == 0;
    return status;
}

/* How many of the bytes read are whole lines that belong here; 0 if the first
 * line does not end in them. */
static size_t whole_lines(const struct source_reader *reader, const char *data, size_t len_bytes)
{
    size_t searched = len_bytes;
    if (reader->at + len_bytes >= reader->end) {
        size_t last = (size_t)(reader->end - 1 - reader->at); /* the partition's last byte */
        const char *newline = memchr(data + last, '\n', len_bytes - last);
        if (newline != NULL)
            return (size_t)(newline - data) + 1;
        searched = last;
    }
    const char *newline = memrchr(data, '\n', searched);
    return newline != NULL ? (size_t)(newline - data) + 1 : 0;
}

/* ---- fills */

static void hand_over(struct source_reader *reader, struct source_fill *fill, size_t len_bytes,
                      enum chunk_fragment fragment)
{
    bool line_goes_on = fragment == CHUNK_FIRST || fragment == CHUNK_MIDDLE;
    reader->at += len_bytes;
    reader->line_bytes = line_goes_on ? reader->line_bytes + len_bytes : 0;
    *fill = (struct source_fill){
        .payload_bytes = len_bytes,
        .record_count = fragment == CHUNK_WHOLE || fragment == CHUNK_FIRST ? len_bytes > 0 : 0,
        .input_position = reader->at,
        .fragment = (uint8_t)fragment,
        .end = !line_goes_on && reader->at >= reader->end,
    };
}

/* `at` is a line's first byte. */
static aimss_status_t fill_lines(struct source_reader *reader, char *payload, size_t room_bytes,
                                 struct source_fill *fill)
{
    size_t len_bytes = room_bytes;
    aimss_status_t status = read_at(reader, reader->at, payload, &len_bytes);
    if (status != AIMSS_OK)
        return status;
    bool ends = len_bytes < room_bytes;
    size_t lines_bytes = whole_lines(reader, payload, len_bytes);
    if (lines_bytes == 0 && !ends)
        status = ends_at(reader, reader->at + len_bytes, &ends);
    if (status != AIMSS_OK)
        return status;
    if (ends && reader->at + lines_bytes < reader->end)
        lines_bytes = len_bytes; /* the file's last line lacks its \n */
    if (lines_bytes > 0)
        hand_over(reader, fill, lines_bytes, CHUNK_WHOLE);
    else if (len_bytes >= reader->record_max_bytes)
        return line_too_long(reader);
    else
        hand_over(reader, fill, len_bytes, CHUNK_FIRST);
    return AIMSS_OK;
}

/* `at` is within a line of which fragments were handed over. */
static aimss_status_t fill_fragment(struct source_reader *reader, char *payload,
                                    size_t room_bytes, struct source_fill *fill)
{
    size_t len_bytes = room_bytes;
    aimss_status_t status = read_at(reader, reader->at, payload, &len_bytes);
    if (status != AIMSS_OK)
        return status;
    const char *newline = memchr(payload, '\n', len_bytes);
    bool ends = newline != NULL || len_bytes < room_bytes;
    if (newline != NULL)
        len_bytes = (size_t)(newline - payload) + 1;
    if (!ends)
        status = ends_at(reader, reader->at + len_bytes, &ends);
    if (status != AIMSS_OK)
        return status;
    uint64_t line_bytes = reader->line_bytes + len_bytes;
    if (line_bytes > reader->record_max_bytes ||
        (line_bytes == reader->record_max_bytes && !ends))
        return line_too_long(reader);
    hand_over(reader, fill, len_bytes, ends ? CHUNK_LAST : CHUNK_MIDDLE);
    return AIMSS_OK;
}

static aimss_status_t text_fill(struct source_reader *reader, void *payload, uint64_t room_bytes,
                                struct source_fill *fill)
{
    /* A record of several lines is no longer than a record may be, either. */
    if (room_bytes > reader->record_max_bytes)
        room_bytes = reader->record_max_bytes;
    aimss_status_t status = AIMSS_OK;
    if (!reader->aligned)
        status = align_to_line(reader, payload, room_bytes);
    if (status != AIMSS_OK)
        return status;
    advise_ahead(reader);
    if (reader->line_bytes > 0)
        return fill_fragment(reader, payload, room_bytes, fill);
    if (reader->at < reader->end)
        return fill_lines(reader, payload, room_bytes, fill);
    hand_over(reader, fill, 0, CHUNK_WHOLE);
    return AIMSS_OK;
}

const struct source_ops source_text = {
    .name = "text",
    .format = AIMSS_FORMAT_BYTES,
    .open = text_open,
    .fill = text_fill,
    .close = text_close,
};
