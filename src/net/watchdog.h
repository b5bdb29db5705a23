/* watchdog.h: a thread that sees a blocked MPI call and ends the process.
 *
 * Never calls MPI. The MPI thread notes (call, rank, since) before a call that
 * may block and clears it after; when the deadline has passed the watchdog
 * says which call waits for which rank, and ends the process at once: the
 * launcher then ends the others.
 */
#ifndef AIMSS_NET_WATCHDOG_H
#define AIMSS_NET_WATCHDOG_H

#include <aimss/types.h>

struct watchdog;

aimss_status_t watchdog_create(unsigned rank, uint64_t deadline_ns, struct watchdog **dog);
void watchdog_destroy(struct watchdog *dog);

/* call: a string constant; peer: a rank, or -1 for all. */
void watchdog_enter(struct watchdog *dog, const char *call, int peer);
void watchdog_leave(struct watchdog *dog);

#endif
