/* shm.h: files under /dev/shm that ranks of one node share.
 *
 * Names are aimss-UID-JOB-rRANK.KIND, so that a person sees whose they are and
 * `aimss clean` finds them. Whoever maps one holds a shared flock on it for as
 * long as the process lives; a file that nobody locks belongs to no running
 * job. Memory is allocated at creation: no write into it can raise SIGBUS.
 */
#ifndef AIMSS_MEM_SHM_H
#define AIMSS_MEM_SHM_H

#include <aimss/types.h>
#include <pthread.h>
#include <stdbool.h>

enum { SHM_NAME_BYTES = 96 };

/* A thread that maps pages ahead of their use, so that no fault is on a data
 * path. Reading faults suffice: tmpfs maps them writable where that is allowed. */
struct shm_touch {
    pthread_t thread;
    bool running;
    uint32_t stop;
    char *base;
    uint64_t len_bytes;
};

struct shm {
    int fd;
    char *base;
    uint64_t len_bytes;
    char name[SHM_NAME_BYTES];
};

/* "/dev/shm/aimss-0-3f2a77c1-r1.arena" for job 3f2a77c1. */
void shm_name(char name[SHM_NAME_BYTES], const char *job, unsigned rank, const char *kind);

/* Creates and maps a file; AIMSS_E_NO_SPACE names size, what is free, and the
 * option that asks for less; AIMSS_E_EXISTS if the name is taken; AIMSS_E_IO. */
aimss_status_t shm_create(const char *name, uint64_t len_bytes, const char *option,
                          struct shm *shm);

/* Maps a file that another rank created. */
aimss_status_t shm_attach(const char *name, bool writable, struct shm *shm);

/* Maps the same file once more, writable. */
aimss_status_t shm_map_writable(struct shm *shm, char **base);
void shm_unmap_writable(struct shm *shm, char *base);

/* Touches a mapping in the background. A failure to do so costs speed only.
 * touch stays where it is until shm_touch_stop(), which comes before unmapping. */
void shm_touch_start(struct shm_touch *touch, char *base, uint64_t len_bytes);
void shm_touch_stop(struct shm_touch *touch);

/* Allocates what this process has mapped of /dev/shm under other names than
 * ours. MPI maps files there that it only sized: were /dev/shm full later, a
 * store would end the rank by SIGBUS. Now it is AIMSS_E_NO_SPACE. */
aimss_status_t shm_reserve_mapped(void);

/* Free bytes under /dev/shm, also bounded by the memory that the machine and
 * the cgroup have left; 0 if unknown. */
uint64_t shm_free_bytes(void);

void shm_remove(const char *name);
void shm_close(struct shm *shm);

#endif
