/* pacer.h: how a rank waits: a short spin, a few yields, then the doorbell.
 *
 * The event loop calls pacer_turn() after each pass. Before it sleeps the
 * pacer arms the bell and asks for one more pass, because what came between
 * the last look and the arming has rung nobody.
 */
#ifndef AIMSS_ROLE_PACER_H
#define AIMSS_ROLE_PACER_H

#include "net/net.h"

struct pacer {
    unsigned idle;   /* passes in a row that found nothing */
    bool armed;
    unsigned passes; /* for what need not be looked at in each pass */
};

/* busy: the pass found something. timeout_ns: the longest sleep. */
void pacer_turn(struct pacer *pacer, struct net *net, bool busy, uint64_t timeout_ns);

/* Whether this pass should look at control messages: always when idle, every
 * few passes while data moves, since a look costs more than a pass. */
bool pacer_control_due(struct pacer *pacer);

#endif
