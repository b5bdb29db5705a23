/* watchdog.c: see watchdog.h. Entering is three stores, so that each flush can
 * afford it; the clock is the watchdog's: it counts how many of its own looks
 * found the same call still waiting. */
#include "net/watchdog.h"

#include "base/error.h"
#include "base/word.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 250 };

struct watchdog {
    uint64_t entered;  /* odd while a call waits; one writer: the MPI thread */
    const char *call;
    int peer;
    unsigned rank;
    uint64_t looks_max, deadline_ns;
    bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
};

static bool wait_for_stop(struct watchdog *dog)
{
    struct timespec until;
    bool stop;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&dog->mutex);
    if (!dog->stop)
        pthread_cond_timedwait(&dog->wake, &dog->mutex, &until);
    stop = dog->stop;
    pthread_mutex_unlock(&dog->mutex);
    return stop;
}

static void *watch(void *arg)
{
    struct watchdog *dog = arg;
    uint64_t seen = 0, looks = 0;

    while (!wait_for_stop(dog)) {
        uint64_t now = word_load(&dog->entered);

        looks = now == seen && now % 2 == 1 ? looks + 1 : 0;
        seen = now;
        if (looks < dog->looks_max)
            continue;
        diag(DIAG_ERROR, "rank %u: %s towards rank %d has not returned for %.0f s (--deadline); "
             "the peer or its network is gone; ending this process", dog->rank, dog->call,
             dog->peer, (double)dog->deadline_ns / 1e9);
        _exit(1);
    }
    return NULL;
}

aimss_status_t watchdog_create(unsigned rank, uint64_t deadline_ns, struct watchdog **dog)
{
    struct watchdog *d = calloc(1, sizeof *d);

    if (d == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the watchdog");
    d->rank = rank;
    d->deadline_ns = deadline_ns;
    d->looks_max = deadline_ns / 1000000 / LOOK_MS + 1;
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->wake, NULL);
    if (pthread_create(&d->thread, NULL, watch, d) != 0) {
        free(d);
        return error_set(AIMSS_E_NO_MEMORY, "cannot start the watchdog thread");
    }
    *dog = d;
    return AIMSS_OK;
}

void watchdog_destroy(struct watchdog *dog)
{
    if (dog == NULL)
        return;
    pthread_mutex_lock(&dog->mutex);
    dog->stop = true;
    pthread_cond_signal(&dog->wake);
    pthread_mutex_unlock(&dog->mutex);
    pthread_join(dog->thread, NULL);
    pthread_mutex_destroy(&dog->mutex);
    pthread_cond_destroy(&dog->wake);
    free(dog);
}

void watchdog_enter(struct watchdog *dog, const char *call, int peer)
{
    if (dog == NULL)
        return;
    dog->call = call;
    dog->peer = peer;
    word_store(&dog->entered, dog->entered + 1);
}

void watchdog_leave(struct watchdog *dog)
{
    if (dog != NULL)
        word_store(&dog->entered, dog->entered + 1);
}
