/* pacer.c: see pacer.h. */
#include "role/pacer.h"

#include <sched.h>

enum { SPIN_PASSES = 40, YIELD_PASSES = 12, CONTROL_EVERY = 32 };

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void sleep_turn(struct pacer *pacer, struct net *net, uint64_t timeout_ns)
{
    if (!pacer->armed) {
        bell_arm(net->bell);
        pacer->armed = true;
        return;
    }
    net->ops->wait(net, timeout_ns);
    bell_disarm(net->bell);
    pacer->armed = false;
    pacer->idle = SPIN_PASSES + YIELD_PASSES; /* one pass, then back to sleep */
}

void pacer_turn(struct pacer *pacer, struct net *net, bool busy, uint64_t timeout_ns)
{
    if (busy) {
        if (pacer->armed)
            bell_disarm(net->bell);
        if (pacer->idle >= SPIN_PASSES)
            net->ops->woken(net);
        pacer->armed = false;
        pacer->idle = 0;
        return;
    }
    pacer->idle++;
    if (pacer->idle <= SPIN_PASSES)
        relax();
    else if (pacer->idle <= SPIN_PASSES + YIELD_PASSES)
        sched_yield();
    else
        sleep_turn(pacer, net, timeout_ns);
}

bool pacer_control_due(struct pacer *pacer)
{
    return pacer->idle > 0 || ++pacer->passes % CONTROL_EVERY == 0;
}
