/* jobdir_file.c: small files that appear as a whole or not at all. */
#include "role/jobdir_file.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

aimss_status_t jobdir_failed(const char *path, const char *name)
{
    int error = errno;
    aimss_status_t status = AIMSS_E_IO;

    if (error == ENOSPC || error == EDQUOT)
        status = AIMSS_E_NO_SPACE;
    return error_set(status, "cannot write %s in job directory %s: %s; expected a directory that "
                     "this user can write; give another --job DIR or make room", name, path,
                     strerror(error));
}

char *jobdir_join(const char *path, const char *name)
{
    char *joined;

    return asprintf(&joined, "%s/%s", path, name) < 0 ? NULL : joined;
}

static bool write_whole(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t done = write(fd, text, left);
        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0) {
            text += done;
            left -= (size_t)done;
        }
    }
    return true;
}

aimss_status_t jobdir_replace(const struct jobdir *dir, const char *name, const char *text,
                              bool durable)
{
    char temporary[64];
    aimss_status_t status;
    int fd;

    snprintf(temporary, sizeof temporary, "%s.tmp", name);
    fd = openat(dir->dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return jobdir_failed(dir->path, name);
    if (!write_whole(fd, text) || (durable && fsync(fd) != 0))
        goto fail;
    if (close(fd) != 0) {
        fd = -1;
        goto fail;
    }
    fd = -1;
    if (renameat(dir->dir_fd, temporary, dir->dir_fd, name) != 0 ||
        (durable && fsync(dir->dir_fd) != 0))
        goto fail;
    return AIMSS_OK;
fail:
    status = jobdir_failed(dir->path, name);
    if (fd >= 0)
        close(fd);
    unlinkat(dir->dir_fd, temporary, 0);
    return status;
}
