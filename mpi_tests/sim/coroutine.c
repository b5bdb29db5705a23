/* coroutine.c: see coroutine.h.
 *
 * swapcontext() asks the kernel for the signal mask each time, which would be
 * half of a simulation's time. So it makes only the first entry; from then on
 * _setjmp() and _longjmp() switch between the two stacks. AddressSanitizer knows
 * swapcontext() alone and gets it always. The fortified longjmp() takes another
 * stack for an error and is not used.
 */
#undef _FORTIFY_SOURCE
#include "sim/coroutine.h"

#include <stdint.h>

#ifdef __SANITIZE_ADDRESS__
enum { ALWAYS_SWAP = 1 };
#else
enum { ALWAYS_SWAP = 0 };
#endif

static void begin(unsigned low, unsigned high)
{
    struct coroutine *coroutine = (struct coroutine *)((uintptr_t)high << 32 | low);

    coroutine->run(coroutine->arg);
}

void coroutine_start(struct coroutine *coroutine, void (*run)(void *arg), void *arg)
{
    coroutine->run = run;
    coroutine->arg = arg;
    coroutine->entered = false;
}

void coroutine_set_stack(struct coroutine *coroutine, void *stack, size_t len_bytes)
{
    uintptr_t self = (uintptr_t)coroutine;

    getcontext(&coroutine->inside);
    coroutine->inside.uc_stack.ss_sp = stack;
    coroutine->inside.uc_stack.ss_size = len_bytes;
    coroutine->inside.uc_link = NULL;
    makecontext(&coroutine->inside, (void (*)(void))begin, 2, (unsigned)self,
                (unsigned)(self >> 32));
}

void coroutine_enter(struct coroutine *coroutine)
{
    if (ALWAYS_SWAP) {
        swapcontext(&coroutine->outside, &coroutine->inside);
        return;
    }
    if (_setjmp(coroutine->come_back) != 0)
        return;
    if (coroutine->entered)
        _longjmp(coroutine->go_on, 1);
    coroutine->entered = true;
    swapcontext(&coroutine->outside, &coroutine->inside);
}

void coroutine_leave(struct coroutine *coroutine)
{
    if (ALWAYS_SWAP) {
        swapcontext(&coroutine->inside, &coroutine->outside);
        return;
    }
    if (_setjmp(coroutine->go_on) == 0)
        _longjmp(coroutine->come_back, 1);
}
