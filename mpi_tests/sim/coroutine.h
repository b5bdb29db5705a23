/* coroutine.h: a function on a stack of its own, entered and left like a room.
 *
 * Only the one that entered it goes on when it leaves; there is no scheduler in
 * here.
 */
#ifndef AIMSS_SIM_COROUTINE_H
#define AIMSS_SIM_COROUTINE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

struct coroutine {
    void (*run)(void *arg);
    void *arg;
    bool entered;
    ucontext_t inside, outside; /* for the first entry */
    jmp_buf go_on, come_back;   /* for all others */
};

/* The function must not return; it leaves for good. */
void coroutine_start(struct coroutine *coroutine, void (*run)(void *arg), void *arg);
void coroutine_set_stack(struct coroutine *coroutine, void *stack, size_t len_bytes);

void coroutine_enter(struct coroutine *coroutine);
void coroutine_leave(struct coroutine *coroutine);

#endif
