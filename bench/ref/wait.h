/* wait.h: how a bare process waits for a word of another one: spin, yield, doorbell.
 *
 * Waiter: WAIT_SPINS looks with a pause, WAIT_YIELDS looks with sched_yield, then the bell: set
 * it to 0, full fence, look once more, futex wait of at most 20 ms. Waker: publish the word, full
 * fence, exchange the bell to 1, wake if it was 0. Each process has one bell and waits on it
 * alone; any number may ring it.
 */
#ifndef BENCH_REF_WAIT_H
#define BENCH_REF_WAIT_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "measure.h"

enum { WAIT_SPINS = 64, WAIT_YIELDS = 16, WAIT_NS = 20000000 };

struct bell {
    _Alignas(64) _Atomic uint32_t value; /* 0: its owner sleeps or is about to */
};

static inline void bell_ring(struct bell *bell)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_exchange(&bell->value, 1) == 0)
        syscall(SYS_futex, &bell->value, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Returns once *word differs from known, or the bell rang, or 20 ms passed. */
static inline void bell_wait(struct bell *bell, _Atomic uint64_t *word, uint64_t known)
{
    static const struct timespec most = { .tv_nsec = WAIT_NS };

    for (int look = 0; look < WAIT_SPINS + WAIT_YIELDS; look++) {
        if (atomic_load_explicit(word, memory_order_acquire) != known)
            return;
        if (look < WAIT_SPINS)
            spin_pause();
        else
            sched_yield();
    }
    atomic_store(&bell->value, 0);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(word) == known)
        syscall(SYS_futex, &bell->value, FUTEX_WAIT, 0, &most, NULL, 0);
    atomic_store(&bell->value, 1);
}

#endif
