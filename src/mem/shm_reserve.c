/* shm_reserve.c: see shm.h. What is mapped is in /proc/self/maps. */
#include "mem/shm.h"

#include "base/error.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHM_PREFIX "/dev/shm/"

/* A file that is gone by its name cannot be reserved, nor one of another user. */
static aimss_status_t reserve(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW), failure;
    struct stat info;

    if (fd < 0)
        return AIMSS_OK;
    failure = fstat(fd, &info) == 0 && S_ISREG(info.st_mode)
                  ? posix_fallocate(fd, 0, info.st_size) : 0;
    close(fd);
    if (failure == 0)
        return AIMSS_OK;
    return error_set(AIMSS_E_NO_SPACE, "%s, which MPI uses, needs %llu KiB of shared memory: %s; "
                     "free some of /dev/shm or enlarge it", path,
                     (unsigned long long)info.st_size >> 10, strerror(failure));
}

aimss_status_t shm_reserve_mapped(void)
{
    char line[4096 + 128], last[sizeof line] = "";
    aimss_status_t status = AIMSS_OK;
    FILE *maps = fopen("/proc/self/maps", "re");

    while (maps != NULL && status == AIMSS_OK && fgets(line, sizeof line, maps) != NULL) {
        char *path = strstr(line, SHM_PREFIX);

        if (path == NULL || strncmp(path, SHM_PREFIX "aimss-", sizeof SHM_PREFIX + 5) == 0)
            continue;
        path[strcspn(path, "\n")] = '\0';
        if (strcmp(path, last) != 0) /* the parts of one mapping follow each other */
            status = reserve(path);
        memmove(last, path, strlen(path) + 1);
    }
    if (maps != NULL)
        fclose(maps);
    return status;
}
