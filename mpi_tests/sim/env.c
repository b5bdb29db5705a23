/* env.c: the simulator's table of env.
 *
 * The clock is the schedule's own and moves a little with each look. Files are
 * bytes in memory; a read may come short, be interrupted or fail. A task runs at
 * one moment and is seen to be done at a later one; nothing of it runs on
 * another thread.
 */
#include "sim/sim_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_FD = 1000, LOOK_NS = 40 };

static struct sim *sim_self(struct env *env)
{
    return ((struct sim_rank *)env->self)->sim;
}

static uint64_t env_now(struct env *env)
{
    struct sim_rank *rank = env->self;

    sim_yield(rank);
    return rank->sim->now_ns += LOOK_NS;
}

static uint64_t env_random(struct env *env)
{
    return sim_random(&sim_self(env)->random);
}

/* ---- files */

static const struct sim_file *file_of(struct env *env, int fd)
{
    return &sim_self(env)->config.files[fd - FIRST_FD];
}

static int env_open(struct env *env, const char *path, int flags, mode_t mode)
{
    struct sim *sim = sim_self(env);

    (void)flags;
    (void)mode;
    for (unsigned f = 0; f < sim->config.file_count; f++)
        if (strcmp(sim->config.files[f].path, path) == 0)
            return FIRST_FD + (int)f;
    return -ENOENT;
}

static int64_t env_pread(struct env *env, int fd, void *data, size_t len_bytes, uint64_t offset)
{
    struct sim *sim = sim_self(env);
    const struct sim_file *file = file_of(env, fd);

    if (++sim->reads == sim->config.fail_read) {
        sim->read_failed = true;
        return -EIO;
    }
    if (offset >= file->len_bytes || len_bytes == 0)
        return 0;
    if (len_bytes > file->len_bytes - offset)
        len_bytes = file->len_bytes - offset;
    if (sim->config.short_reads) {
        if (sim_one_in(&sim->random, 16))
            return -EINTR;
        if (sim_one_in(&sim->random, 2))
            len_bytes = 1 + sim_below(&sim->random, len_bytes);
    }
    memcpy(data, file->data + offset, len_bytes);
    return (int64_t)len_bytes;
}

static int64_t env_pwrite(struct env *env, int fd, const void *data, size_t len_bytes,
                          uint64_t offset)
{
    (void)env, (void)fd, (void)data, (void)len_bytes, (void)offset;
    return -EROFS;
}

static int env_sync(struct env *env, int fd)
{
    (void)env, (void)fd;
    return 0;
}

static int env_close(struct env *env, int fd)
{
    (void)env, (void)fd;
    return 0;
}

static int env_rename(struct env *env, const char *from, const char *to)
{
    (void)env, (void)from, (void)to;
    return -EROFS;
}

static int env_unlink(struct env *env, const char *path)
{
    (void)env, (void)path;
    return -EROFS;
}

static int64_t env_size(struct env *env, int fd)
{
    return (int64_t)file_of(env, fd)->len_bytes;
}

/* ---- tasks */

static aimss_status_t env_pool_create(struct env *env, const char *name, unsigned thread_count,
                                      struct env_pool **pool)
{
    struct env_pool *made = calloc(1, sizeof *made);

    (void)name, (void)thread_count;
    if (made == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a pool");
    made->rank = env->self;
    *pool = made;
    return AIMSS_OK;
}

static void env_pool_submit(struct env_pool *pool, struct env_task *task)
{
    struct sim *sim = pool->rank->sim;

    if (sim->task_count == SIM_TASKS_MAX)
        sim_fail(sim, "more than %d tasks at once", SIM_TASKS_MAX);
    task->done = 0;
    sim->tasks[sim->task_count++] = (struct sim_task){
        .pool = pool, .task = task,
        .due_ns = sim->now_ns + sim_below(&sim->random, sim->manner.task_delay_ns)
    };
}

static void forget_task(struct sim *sim, unsigned at)
{
    sim->tasks[at] = sim->tasks[--sim->task_count];
}

static void env_pool_destroy(struct env_pool *pool)
{
    if (pool == NULL)
        return;
    for (unsigned t = pool->rank->sim->task_count; t > 0; t--)
        if (pool->rank->sim->tasks[t - 1].pool == pool)
            forget_task(pool->rank->sim, t - 1);
    free(pool);
}

/* First its work, another time the news of it. */
void sim_task_advance(struct sim *sim, unsigned at)
{
    struct sim_task *task = &sim->tasks[at];
    struct env_task *done = task->task;
    struct sim_rank *rank = task->pool->rank;

    sim_note(sim, task->ran ? "task done" : "task runs", rank->net.rank, 0);
    if (!task->ran) {
        done->run(done);
        task->ran = true;
        task->due_ns = sim->now_ns + sim_below(&sim->random, sim->manner.task_delay_ns);
        return;
    }
    forget_task(sim, at);
    done->done = 1;
    if (done->bell != NULL)
        sim_bell_ring(sim, rank->net.rank);
}

const struct env_ops sim_env_ops = {
    .now_ns = env_now,
    .random = env_random,
    .open = env_open,
    .pread = env_pread,
    .pwrite = env_pwrite,
    .sync = env_sync,
    .close = env_close,
    .rename = env_rename,
    .unlink = env_unlink,
    .size = env_size,
    .pool_create = env_pool_create,
    .pool_submit = env_pool_submit,
    .pool_destroy = env_pool_destroy,
};
