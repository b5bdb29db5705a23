/* env.h: clock, random, files and threads behind one table.
 *
 * The seam for the simulator: code above this layer reaches the machine only
 * through a struct env. env_system() is the real one; the simulator brings its
 * own with a virtual clock, disk faults and tasks that finish when it says so.
 */
#ifndef AIMSS_ENV_ENV_H
#define AIMSS_ENV_ENV_H

#include "env/bell.h"
#include <aimss/types.h>
#include <stdbool.h>
#include <sys/types.h>

struct env;
struct env_pool;

/* Work for another thread. The owner fills run and bell, submits, and sees the
 * end with env_task_done(); the bell (may be NULL) is rung then. A task must
 * not be submitted again before it is done. */
struct env_task {
    void (*run)(struct env_task *task);
    struct bell *bell;
    struct env_task *next; /* the pool's */
    uint32_t done;         /* the pool's */
};

/* Files return a negative errno on failure. rename also syncs the directory. */
struct env_ops {
    uint64_t (*now_ns)(struct env *env); /* monotonic */
    uint64_t (*random)(struct env *env);
    int (*open)(struct env *env, const char *path, int flags, mode_t mode);
    int64_t (*pread)(struct env *env, int fd, void *data, size_t len_bytes, uint64_t offset);
    int64_t (*pwrite)(struct env *env, int fd, const void *data, size_t len_bytes,
                      uint64_t offset);
    int (*sync)(struct env *env, int fd);
    int (*close)(struct env *env, int fd);
    int (*rename)(struct env *env, const char *from, const char *to);
    int (*unlink)(struct env *env, const char *path);
    int64_t (*size)(struct env *env, int fd);
    /* A hint about how a range will be read: POSIX_FADV_*. May be NULL. */
    void (*advise)(struct env *env, int fd, uint64_t offset, uint64_t len_bytes, int advice);
    aimss_status_t (*pool_create)(struct env *env, const char *name, unsigned thread_count,
                                  struct env_pool **pool);
    void (*pool_submit)(struct env_pool *pool, struct env_task *task);
    /* Waits for the tasks in progress; those not yet begun never run. NULL is fine. */
    void (*pool_destroy)(struct env_pool *pool);
};

struct env {
    const struct env_ops *ops;
    void *self;
};

/* The machine itself. One per process is enough; it holds no state. */
struct env *env_system(void);

static inline uint64_t env_now_ns(struct env *env)
{
    return env->ops->now_ns(env);
}

static inline bool env_task_done(const struct env_task *task)
{
    return __atomic_load_n(&task->done, __ATOMIC_ACQUIRE) != 0;
}

/* Whole transfers over the partial ones of the table; a short read at the end
 * of the file returns what there is, anything else an error that names path. */
aimss_status_t env_read_all(struct env *env, int fd, const char *path, void *data,
                            size_t len_bytes, uint64_t offset, size_t *read_bytes);
aimss_status_t env_write_all(struct env *env, int fd, const char *path, const void *data,
                             size_t len_bytes, uint64_t offset);

#endif
