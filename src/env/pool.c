/* pool.c: threads that run tasks in the order of their submission.
 *
 * One mutex and one condition guard one queue; tasks are chunk-sized or larger,
 * so the lock is never busy. The queue is made of the tasks themselves, and
 * nothing is allocated after creation. Any thread may submit; the owner sees
 * the end by env_task_done() and by its bell.
 */
#include "env/pool.h"

#include "base/error.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_NAME_BYTES = 16 }; /* what the kernel keeps of a thread's name */

struct env_pool {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct env_task *first, **last; /* last: where the next one is linked */
    bool ending;
    unsigned thread_count;
    char name[POOL_NAME_BYTES];
    pthread_t threads[];
};

/* The next task, or NULL at the end of the pool. */
static struct env_task *pool_take(struct env_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (pool->first == NULL && !pool->ending)
        pthread_cond_wait(&pool->changed, &pool->mutex);
    struct env_task *task = pool->ending ? NULL : pool->first;
    if (task != NULL && (pool->first = task->next) == NULL)
        pool->last = &pool->first;
    pthread_mutex_unlock(&pool->mutex);
    return task;
}

static void *pool_thread(void *arg)
{
    struct env_pool *pool = arg;
    pthread_setname_np(pthread_self(), pool->name);
    struct env_task *task;
    while ((task = pool_take(pool)) != NULL) {
        /* Once done is set the owner may use the task anew. */
        struct bell *bell = task->bell;
        task->run(task);
        __atomic_store_n(&task->done, 1, __ATOMIC_RELEASE);
        if (bell != NULL)
            bell_ring(bell);
    }
    return NULL;
}

/* Signals go to the thread that started the process's work, never to these. */
static int start_thread(struct env_pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&pool->threads[pool->thread_count], NULL, pool_thread, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        pool->thread_count++;
    return error;
}

aimss_status_t pool_create(struct env *env, const char *name, unsigned thread_count,
                           struct env_pool **pool)
{
    (void)env;
    struct env_pool *made = calloc(1, sizeof *made + thread_count * sizeof made->threads[0]);
    if (made == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the %u threads of pool %s",
                         thread_count, name);
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->changed, NULL);
    made->last = &made->first;
    snprintf(made->name, sizeof made->name, "%s", name);
    while (made->thread_count < thread_count) {
        int error = start_thread(made);
        if (error != 0) {
            error_set(AIMSS_E_NO_MEMORY, "pool %s: %u of %u threads could be started: %s; "
                      "raise the limit of processes (ulimit -u)", name, made->thread_count,
                      thread_count, strerror(error));
            pool_destroy(made);
            return AIMSS_E_NO_MEMORY;
        }
    }
    *pool = made;
    return AIMSS_OK;
}

void pool_submit(struct env_pool *pool, struct env_task *task)
{
    task->next = NULL;
    __atomic_store_n(&task->done, 0, __ATOMIC_RELAXED);
    pthread_mutex_lock(&pool->mutex);
    *pool->last = task;
    pool->last = &task->next;
    pthread_cond_signal(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
}

void pool_destroy(struct env_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->ending = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}
