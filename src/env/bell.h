/* bell.h: the doorbell of a rank, a futex word in memory that its node shares.
 *
 * A waiter arms the bell (0), fences, looks at all its inputs again and only
 * then waits. A waker publishes its word, fences, exchanges the bell to 1 and
 * wakes if it was 0. Release stores alone lose wake-ups.
 */
#ifndef AIMSS_ENV_BELL_H
#define AIMSS_ENV_BELL_H

#include <stdint.h>

struct bell {
    uint32_t value; /* 0: somebody waits or is about to */
    uint32_t pad[15];
};

void bell_arm(struct bell *bell);                         /* waiter, before the last look */
void bell_wait(struct bell *bell, uint64_t timeout_ns);   /* waiter, after it */
void bell_disarm(struct bell *bell);                      /* waiter, if the last look found work */
void bell_ring(struct bell *bell);                        /* waker, after publishing */

#endif
