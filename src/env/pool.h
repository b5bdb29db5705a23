/* pool.h: the thread pools of env_system(). Only env.c includes this. */
#ifndef AIMSS_ENV_POOL_H
#define AIMSS_ENV_POOL_H

#include "env/env.h"

aimss_status_t pool_create(struct env *env, const char *name, unsigned thread_count,
                           struct env_pool **pool);
void pool_submit(struct env_pool *pool, struct env_task *task);
void pool_destroy(struct env_pool *pool);

#endif
