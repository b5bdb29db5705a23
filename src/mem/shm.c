/* shm.c: see shm.h. Plain files, so that ls, du and rm work on them. */
#include "mem/shm.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SHM_DIR "/dev/shm"

enum { ALLOCATE_BYTES = 4 * 1024 * 1024 };

void shm_name(char name[SHM_NAME_BYTES], const char *job, unsigned rank, const char *kind)
{
    snprintf(name, SHM_NAME_BYTES, SHM_DIR "/aimss-%u-%s-r%u.%s", (unsigned)geteuid(), job, rank,
             kind);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A number from a one-line file; UINT64_MAX if there is none ("max"). */
static uint64_t read_number(const char *path)
{
    unsigned long long value;
    FILE *file = fopen(path, "r");
    bool found = file != NULL && fscanf(file, "%llu", &value) == 1;

    if (file != NULL)
        fclose(file);
    return found ? value : UINT64_MAX;
}

static uint64_t cgroup_free_bytes(void)
{
    uint64_t limit = read_number("/sys/fs/cgroup/memory.max");
    uint64_t used = read_number("/sys/fs/cgroup/memory.current");

    if (limit == UINT64_MAX || used == UINT64_MAX)
        return UINT64_MAX;
    return limit > used ? limit - used : 0;
}

static uint64_t machine_free_bytes(void)
{
    unsigned long long kib = 0;
    char line[128];
    bool found = false;
    FILE *file = fopen("/proc/meminfo", "r");

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "MemAvailable: %llu kB", &kib) == 1;
    if (file != NULL)
        fclose(file);
    return found ? kib * 1024 : UINT64_MAX;
}

uint64_t shm_free_bytes(void)
{
    struct statvfs fs;

    if (statvfs(SHM_DIR, &fs) != 0)
        return 0;
    return min_u64((uint64_t)fs.f_bavail * fs.f_frsize,
                   min_u64(machine_free_bytes(), cgroup_free_bytes()));
}

/* In pieces: a signal undoes the call that it interrupts, and only that. */
static int allocate(int fd, uint64_t len_bytes)
{
    uint64_t done = 0;

    while (done < len_bytes) {
        uint64_t piece_bytes = min_u64(len_bytes - done, ALLOCATE_BYTES);
        int failure = posix_fallocate(fd, (off_t)done, (off_t)piece_bytes);

        if (failure == 0)
            done += piece_bytes;
        else if (failure != EINTR)
            return failure;
    }
    return 0;
}

static aimss_status_t allocate_failed(const char *name, uint64_t len_bytes, const char *option,
                                      int failure)
{
    if (failure != ENOSPC)
        return error_set(AIMSS_E_IO, "%s: cannot allocate %llu MiB: %s; ask for less with %s, or "
                         "lift what limits it", name, (unsigned long long)(len_bytes >> 20),
                         strerror(failure), option);
    return error_set(AIMSS_E_NO_SPACE,
                     "%s needs %llu MiB, but %llu MiB of shared memory are free; "
                     "ask for less with %s, or enlarge /dev/shm",
                     name, (unsigned long long)(len_bytes >> 20),
                     (unsigned long long)(shm_free_bytes() >> 20), option);
}

static aimss_status_t map_file(struct shm *shm, bool writable)
{
    int protection = PROT_READ | (writable ? PROT_WRITE : 0);
    void *base = mmap(NULL, shm->len_bytes, protection, MAP_SHARED, shm->fd, 0);

    if (base == MAP_FAILED)
        return error_set(AIMSS_E_NO_MEMORY, "cannot map %s (%llu bytes): %s", shm->name,
                         (unsigned long long)shm->len_bytes, strerror(errno));
    madvise(base, shm->len_bytes, MADV_DONTDUMP); /* a core of a rank is not a core of the data */
    shm->base = base;
    return AIMSS_OK;
}

/* A file gets its name when it is complete and locked: whoever is killed before
 * leaves nothing, and nobody takes an unlocked one for a dead job's. */
static aimss_status_t give_name(const struct shm *shm)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", shm->fd);
    if (linkat(AT_FDCWD, path, AT_FDCWD, shm->name, AT_SYMLINK_FOLLOW) == 0)
        return AIMSS_OK;
    return error_set(errno == EEXIST ? AIMSS_E_EXISTS : AIMSS_E_IO, "cannot create %s: %s",
                     shm->name, strerror(errno));
}

aimss_status_t shm_create(const char *name, uint64_t len_bytes, const char *option,
                          struct shm *shm)
{
    struct shm made = { .len_bytes = len_bytes };
    aimss_status_t status;
    int failure;

    snprintf(made.name, sizeof made.name, "%s", name);
    made.fd = open(SHM_DIR, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (made.fd < 0)
        return error_set(AIMSS_E_IO, "cannot create a file in %s: %s", SHM_DIR, strerror(errno));
    flock(made.fd, LOCK_SH);
    /* Checked first, so that a size beyond the machine does not fill it up. */
    failure = len_bytes > shm_free_bytes() ? ENOSPC : allocate(made.fd, len_bytes);
    status = failure != 0 ? allocate_failed(name, len_bytes, option, failure)
                          : map_file(&made, true);
    if (status == AIMSS_OK)
        status = give_name(&made);
    if (status != AIMSS_OK) {
        if (made.base != NULL)
            munmap(made.base, made.len_bytes);
        close(made.fd);
        return status;
    }
    *shm = made;
    return AIMSS_OK;
}

aimss_status_t shm_attach(const char *name, bool writable, struct shm *shm)
{
    struct shm made = { 0 };
    struct stat info;
    aimss_status_t status;

    snprintf(made.name, sizeof made.name, "%s", name);
    made.fd = open(name, O_RDWR | O_CLOEXEC);
    if (made.fd < 0 || fstat(made.fd, &info) != 0) {
        status = error_set(AIMSS_E_IO, "cannot open %s of a rank on this node: %s", name,
                           strerror(errno));
        if (made.fd >= 0)
            close(made.fd);
        return status;
    }
    flock(made.fd, LOCK_SH);
    made.len_bytes = (uint64_t)info.st_size;
    status = map_file(&made, writable);
    if (status != AIMSS_OK) {
        close(made.fd);
        return status;
    }
    *shm = made;
    return AIMSS_OK;
}

aimss_status_t shm_map_writable(struct shm *shm, char **base)
{
    struct shm again = *shm;
    aimss_status_t status = map_file(&again, true);

    if (status == AIMSS_OK)
        *base = again.base;
    return status;
}

void shm_unmap_writable(struct shm *shm, char *base)
{
    munmap(base, shm->len_bytes);
}

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14; older kernels refuse it, and faults do the work */
#endif

enum { TOUCH_STEP_BYTES = 16 * 1024 * 1024 };

static void *touch_pages(void *arg)
{
    struct shm_touch *touch = arg;

    for (uint64_t at = 0; at < touch->len_bytes; at += TOUCH_STEP_BYTES) {
        uint64_t left = touch->len_bytes - at;

        if (__atomic_load_n(&touch->stop, __ATOMIC_RELAXED) != 0 ||
            madvise(touch->base + at, left < TOUCH_STEP_BYTES ? left : TOUCH_STEP_BYTES,
                    MADV_POPULATE_READ) != 0)
            break;
    }
    return NULL;
}

void shm_touch_start(struct shm_touch *touch, char *base, uint64_t len_bytes)
{
    *touch = (struct shm_touch){ .base = base, .len_bytes = len_bytes };
    touch->running = pthread_create(&touch->thread, NULL, touch_pages, touch) == 0;
}

void shm_touch_stop(struct shm_touch *touch)
{
    if (!touch->running)
        return;
    __atomic_store_n(&touch->stop, 1, __ATOMIC_RELAXED);
    pthread_join(touch->thread, NULL);
    touch->running = false;
}

void shm_remove(const char *name)
{
    unlink(name);
}

void shm_close(struct shm *shm)
{
    if (shm->base == NULL)
        return;
    munmap(shm->base, shm->len_bytes);
    close(shm->fd);
    shm->base = NULL;
}
