/* sink_tsv.c: formats into one buffer, writes it whole, and keeps the CRC of
 * what was written. A key that the buffer cannot hold goes to the file from
 * where it lies.
 */
#include "connect/sink_tsv.h"

#include "base/crc32c.h"
#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum {
    SINK_BUFFER_BYTES = 1024 * 1024,
    SINK_DIGITS_MAX = 20,
    SINK_TAIL_MAX_BYTES = 1 + SINK_DIGITS_MAX + 1, /* TAB, count, LF */
    SINK_LINES_BYTES = SINK_BUFFER_BYTES - SINK_TAIL_MAX_BYTES /* a key may end here at most */
};

struct sink_tsv {
    struct env *env;
    int fd;
    uint64_t begin, at; /* of the part; where the next write goes */
    uint64_t line_count;
    uint32_t crc32c;
    size_t used_bytes;  /* of the buffer */
    char *path;
    char buffer[SINK_BUFFER_BYTES];
};

static unsigned count_digits(uint64_t value)
{
    unsigned digits = 1;
    while (value >= 10) {
        value /= 10;
        digits++;
    }
    return digits;
}

uint64_t sink_tsv_bytes(const struct aimss_counted *lines, size_t line_count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < line_count; i++)
        bytes += lines[i].key.len_bytes + 1 + count_digits(lines[i].count) + 1;
    return bytes;
}

static aimss_status_t open_failed(const char *path, int error)
{
    bool full = error == ENOSPC || error == EDQUOT;
    return error_set(full ? AIMSS_E_NO_SPACE : AIMSS_E_IO,
                     "%s: the output cannot be opened: %s; expected a directory that every "
                     "compute rank can write to", path, strerror(error));
}

aimss_status_t sink_tsv_open(struct env *env, const char *path, uint64_t offset,
                             struct sink_tsv **sink)
{
    struct sink_tsv *made = malloc(sizeof *made);
    char *copy = strdup(path);
    if (made == NULL || copy == NULL) {
        free(made);
        free(copy);
        return error_set(AIMSS_E_NO_MEMORY, "%s: no memory for the output's buffer", path);
    }
    made->env = env;
    made->path = copy;
    made->begin = made->at = offset;
    made->line_count = 0;
    made->crc32c = 0;
    made->used_bytes = 0;
    made->fd = env->ops->open(env, path, O_WRONLY | O_CREAT, 0666);
    if (made->fd < 0) {
        int error = -made->fd;
        sink_tsv_close(made);
        return open_failed(path, error);
    }
    *sink = made;
    return AIMSS_OK;
}

void sink_tsv_close(struct sink_tsv *sink)
{
    if (sink == NULL)
        return;
    if (sink->fd >= 0)
        sink->env->ops->close(sink->env, sink->fd);
    free(sink->path);
    free(sink);
}

/* The CRC counts what the file was given, no more. */
static aimss_status_t write_through(struct sink_tsv *sink, const void *data, size_t len_bytes)
{
    aimss_status_t status = env_write_all(sink->env, sink->fd, sink->path, data, len_bytes,
                                          sink->at);
    if (status != AIMSS_OK)
        return status;
    sink->crc32c = crc32c(sink->crc32c, data, len_bytes);
    sink->at += len_bytes;
    return AIMSS_OK;
}

static aimss_status_t empty_buffer(struct sink_tsv *sink)
{
    aimss_status_t status = write_through(sink, sink->buffer, sink->used_bytes);
    if (status == AIMSS_OK)
        sink->used_bytes = 0;
    return status;
}

static aimss_status_t put_key(struct sink_tsv *sink, struct aimss_bytes key)
{
    if (sink->used_bytes + key.len_bytes > SINK_LINES_BYTES) {
        aimss_status_t status = empty_buffer(sink);
        if (status != AIMSS_OK)
            return status;
        if (key.len_bytes > SINK_LINES_BYTES)
            return write_through(sink, key.data, key.len_bytes);
    }
    if (key.len_bytes > 0)
        memcpy(sink->buffer + sink->used_bytes, key.data, key.len_bytes);
    sink->used_bytes += key.len_bytes;
    return AIMSS_OK;
}

/* There is room: put_key leaves it. */
static void put_count(struct sink_tsv *sink, uint64_t count)
{
    unsigned digits = count_digits(count);
    char *at = sink->buffer + sink->used_bytes;
    sink->used_bytes += 1 + digits + 1;
    at[0] = '\t';
    at[1 + digits] = '\n';
    for (; digits > 0; digits--) {
        at[digits] = (char)('0' + count % 10);
        count /= 10;
    }
}

aimss_status_t sink_tsv_write(struct sink_tsv *sink, const struct aimss_counted *lines,
                              size_t line_count)
{
    for (size_t i = 0; i < line_count; i++) {
        aimss_status_t status = put_key(sink, lines[i].key);
        if (status != AIMSS_OK)
            return status;
        put_count(sink, lines[i].count);
    }
    aimss_status_t status = empty_buffer(sink);
    if (status == AIMSS_OK)
        sink->line_count += line_count;
    return status;
}

aimss_status_t sink_tsv_finish(struct sink_tsv *sink, struct sink_part *part)
{
    int error = sink->env->ops->sync(sink->env, sink->fd);
    if (error < 0)
        return error_set(error == -ENOSPC || error == -EDQUOT ? AIMSS_E_NO_SPACE : AIMSS_E_IO,
                         "%s: the output cannot be synced to disk: %s; check its file system",
                         sink->path, strerror(-error));
    *part = (struct sink_part){
        .offset = sink->begin,
        .len_bytes = sink->at - sink->begin,
        .line_count = sink->line_count,
        .crc32c = sink->crc32c,
    };
    return AIMSS_OK;
}
