/* bell.c: the doorbell on a futex.
 *
 * The word lies in memory that several processes map, so the futex is not a
 * private one. Waiter and wakers meet as in Dekker's algorithm: each writes
 * its own word, fences fully, and reads the other's. Either the waiter's last
 * look sees what the waker published, or the waker sees the bell armed.
 */
#include "env/bell.h"

#include "base/word.h"
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BELL_ARMED = 0, BELL_RUNG = 1, NS_PER_S = 1000000000 };

void bell_arm(struct bell *bell)
{
    __atomic_store_n(&bell->value, BELL_ARMED, __ATOMIC_RELAXED);
    word_fence();
}

void bell_wait(struct bell *bell, uint64_t timeout_ns)
{
    if (__atomic_load_n(&bell->value, __ATOMIC_ACQUIRE) != BELL_ARMED)
        return;
    struct timespec timeout = { .tv_sec = (time_t)(timeout_ns / NS_PER_S),
                                .tv_nsec = (long)(timeout_ns % NS_PER_S) };
    /* Every outcome (woken, timed out, rung meanwhile, a signal) means the
     * same to the caller: look again. */
    syscall(SYS_futex, &bell->value, FUTEX_WAIT, BELL_ARMED, &timeout, NULL, 0);
}

void bell_disarm(struct bell *bell)
{
    __atomic_store_n(&bell->value, BELL_RUNG, __ATOMIC_RELAXED);
}

void bell_ring(struct bell *bell)
{
    word_fence();
    /* A busy waiter's bell is already rung: reading it first keeps the line
     * shared. A stale 1 does no harm: its reader fenced before, so the look
     * after the waiter's next arming sees what this waker published. */
    if (__atomic_load_n(&bell->value, __ATOMIC_RELAXED) != BELL_ARMED)
        return;
    if (__atomic_exchange_n(&bell->value, BELL_RUNG, __ATOMIC_SEQ_CST) == BELL_ARMED)
        syscall(SYS_futex, &bell->value, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
