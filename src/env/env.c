/* env.c: the machine itself: monotonic clock, kernel randomness, POSIX files.
 *
 * Also the whole transfers, which work over any table. The functions of the
 * table only translate: a negative errno for every failure, no text, because
 * callers know what the file is to them. Threads are in env/pool.c.
 */
#include "env/env.h"

#include "base/error.h"
#include "env/pool.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint64_t system_now_ns(struct env *env)
{
    (void)env;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Rare: job UUIDs and the like, so a system call each is no cost. */
static uint64_t system_random(struct env *env)
{
    uint64_t value;
    while (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value) {
        if (errno != EINTR) /* a kernel or a filter without the call */
            return system_now_ns(env) * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid();
    }
    return value;
}

static int system_open(struct env *env, const char *path, int flags, mode_t mode)
{
    (void)env;
    int fd = open(path, flags | O_CLOEXEC, mode);
    return fd < 0 ? -errno : fd;
}

static int64_t system_pread(struct env *env, int fd, void *data, size_t len_bytes,
                            uint64_t offset)
{
    (void)env;
    ssize_t got = pread(fd, data, len_bytes, (off_t)offset);
    return got < 0 ? -errno : got;
}

static int64_t system_pwrite(struct env *env, int fd, const void *data, size_t len_bytes,
                             uint64_t offset)
{
    (void)env;
    ssize_t put = pwrite(fd, data, len_bytes, (off_t)offset);
    return put < 0 ? -errno : put;
}

static int system_sync(struct env *env, int fd)
{
    (void)env;
    return fsync(fd) ? -errno : 0;
}

static int system_close(struct env *env, int fd)
{
    (void)env;
    return close(fd) ? -errno : 0;
}

/* Without this a renamed file may be back under its old name after a crash. */
static int sync_directory_of(struct env *env, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL  ? strdup(".")
                    : slash == path ? strdup("/")
                                    : strndup(path, (size_t)(slash - path));
    if (directory == NULL)
        return -ENOMEM;
    int fd = system_open(env, directory, O_RDONLY | O_DIRECTORY, 0);
    free(directory);
    if (fd < 0)
        return fd;
    int status = system_sync(env, fd);
    system_close(env, fd);
    return status;
}

static int system_rename(struct env *env, const char *from, const char *to)
{
    return rename(from, to) ? -errno : sync_directory_of(env, to);
}

static int system_unlink(struct env *env, const char *path)
{
    (void)env;
    return unlink(path) ? -errno : 0;
}

static int64_t system_size(struct env *env, int fd)
{
    (void)env;
    struct stat status;
    return fstat(fd, &status) ? -errno : (int64_t)status.st_size;
}

static void system_advise(struct env *env, int fd, uint64_t offset, uint64_t len_bytes,
                          int advice)
{
    (void)env;
    posix_fadvise(fd, (off_t)offset, (off_t)len_bytes, advice);
}

static const struct env_ops system_ops = {
    .now_ns = system_now_ns,
    .random = system_random,
    .open = system_open,
    .pread = system_pread,
    .pwrite = system_pwrite,
    .sync = system_sync,
    .close = system_close,
    .rename = system_rename,
    .unlink = system_unlink,
    .size = system_size,
    .advise = system_advise,
    .pool_create = pool_create,
    .pool_submit = pool_submit,
    .pool_destroy = pool_destroy,
};

struct env *env_system(void)
{
    static struct env env = { .ops = &system_ops }; /* never written to */
    return &env;
}

aimss_status_t env_read_all(struct env *env, int fd, const char *path, void *data,
                            size_t len_bytes, uint64_t offset, size_t *read_bytes)
{
    size_t done = 0;
    while (done < len_bytes) {
        int64_t got = env->ops->pread(env, fd, (char *)data + done, len_bytes - done,
                                      offset + done);
        if (got == 0)
            break;
        if (got == -EINTR)
            continue;
        if (got < 0)
            return error_set(AIMSS_E_IO, "%s: cannot read %zu bytes at byte %llu: %s; "
                             "check the file and its file system", path, len_bytes - done,
                             (unsigned long long)(offset + done), strerror((int)-got));
        done += (size_t)got;
    }
    *read_bytes = done;
    return AIMSS_OK;
}

static aimss_status_t write_failed(const char *path, size_t left_bytes, uint64_t offset,
                                   int error)
{
    bool full = error == ENOSPC || error == EDQUOT;
    return error_set(full ? AIMSS_E_NO_SPACE : AIMSS_E_IO,
                     "%s: cannot write %zu bytes at byte %llu: %s; %s", path, left_bytes,
                     (unsigned long long)offset, strerror(error),
                     full ? "free space there or choose another directory"
                          : "check the file and its file system");
}

aimss_status_t env_write_all(struct env *env, int fd, const char *path, const void *data,
                             size_t len_bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < len_bytes) {
        int64_t put = env->ops->pwrite(env, fd, (const char *)data + done, len_bytes - done,
                                       offset + done);
        if (put == -EINTR)
            continue;
        if (put <= 0)
            return write_failed(path, len_bytes - done, offset + done, put ? (int)-put : EIO);
        done += (size_t)put;
    }
    return AIMSS_OK;
}
