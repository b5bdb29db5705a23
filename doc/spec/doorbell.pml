/*
 * doorbell.pml: one process sleeps until a lane has work; the others wake it.
 *
 * Modelled: src/env/bell.c. The waiter sets bell 0, fences, looks at all lanes again, and waits on
 * the futex while the bell is 0; after that it sets bell 1 without a fence. A waker stores its
 * tail, fences, and if it reads bell 0, exchanges it to 1 and wakes the futex if it was still 0.
 * Each process has a store buffer of one entry, which may reach memory as late as it likes (TSO);
 * a fence waits until it is empty. The exchange acts on memory at once and drains nothing: weaker
 * than x86, as on other machines. The futex compares and sleeps in one step, in memory, after the
 * waiter's own stores. The wait has no time limit here: the 20 ms of the code must not be what
 * makes it correct.
 *
 * Instance: 1 waiter, 2 wakers with a lane each, 2 descriptors each.
 *
 * Promised: nobody sleeps while a lane has work; all work is done.
 *
 * check: safety
 * check: ltl no_lost_wakeup
 * fault: FAULT_NO_WAITER_FENCE -> safety: invalid end state
 * fault: FAULT_NO_WAITER_FENCE -> ltl no_lost_wakeup: acceptance cycle
 * fault: FAULT_NO_WAKER_FENCE -> safety: invalid end state
 * fault: FAULT_NO_RECHECK -> safety: invalid end state
 * fault: FAULT_RECHECK_ONE_LANE -> safety: invalid end state
 * fault: FAULT_RECHECK_BEFORE_BELL -> safety: invalid end state
 * fault: FAULT_RING_BEFORE_TAIL -> safety: invalid end state
 * fault: FAULT_SLEEP_UNCOMPARED -> safety: invalid end state
 */
#define LANES 2
#define WORK 2

#define ARM 1    /* bell = 0 */
#define DISARM 2 /* bell = 1: no work for the wakers while the waiter is busy */

byte tail[LANES];        /* as memory has it */
byte tail_buffer[LANES]; /* the wakers' store buffers; 0 when empty */
byte seen[LANES];
bool bell = 1;
byte bell_buffer;        /* the waiter's: ARM or DISARM on its way to memory; 0 when empty */
bool asleep;

#define has_work(lane) (tail[lane] != seen[lane])
#define all_done (seen[0] == WORK && seen[1] == WORK)

/* Store buffers reach memory. */
active proctype memory()
{
end:
    do
    :: d_step { tail_buffer[0] != 0 -> tail[0] = tail_buffer[0]; tail_buffer[0] = 0 }
    :: d_step { tail_buffer[1] != 0 -> tail[1] = tail_buffer[1]; tail_buffer[1] = 0 }
    :: d_step { bell_buffer != 0 -> bell = (bell_buffer == DISARM); bell_buffer = 0 }
    od
}

inline ring_bell(lane)
{
    /* A look before the exchange, which a busy waiter's bell spares. */
    if
    :: bell == 0 ->
        d_step { was = bell; bell = 1 };
        if
        :: was == 0 -> asleep = false
        :: else
        fi
    :: else
    fi
}

inline store_tail(lane)
{
    tail_buffer[lane] == 0;
    tail_buffer[lane] = n
}

proctype waker(byte lane)
{
    byte n = 1;
    bool was;

    do
    :: n <= WORK ->
#ifdef FAULT_RING_BEFORE_TAIL
        ring_bell(lane);
        store_tail(lane);
#else
        store_tail(lane);
#ifndef FAULT_NO_WAKER_FENCE
        tail_buffer[lane] == 0;
#endif
        ring_bell(lane);
#endif
        n++
    :: else -> break
    od
}

inline arm()
{
    bell_buffer == 0;
    bell_buffer = ARM;
#ifndef FAULT_NO_WAITER_FENCE
    bell_buffer == 0
#endif
}

active proctype waiter()
{
busy:
    do
    :: all_done -> break
    :: has_work(0) -> seen[0]++
    :: !all_done && !has_work(0) ->
        if
        :: has_work(1) -> seen[1]++; goto busy
        :: else
        fi;
#ifdef FAULT_RECHECK_BEFORE_BELL
        if
        :: has_work(0) || has_work(1) -> goto disarm
        :: else
        fi;
        arm();
#else
        arm();
#endif
#if !defined(FAULT_NO_RECHECK) && !defined(FAULT_RECHECK_BEFORE_BELL)
        if
        :: has_work(0) -> goto disarm
        :: else
        fi;
#ifndef FAULT_RECHECK_ONE_LANE
        if
        :: has_work(1) -> goto disarm
        :: else
        fi;
#endif
#endif
        bell_buffer == 0;
#ifdef FAULT_SLEEP_UNCOMPARED
        asleep = true;
#else
        d_step { asleep = (bell == 0) };
#endif
        !asleep;
disarm:
        bell_buffer == 0;
        bell_buffer = DISARM
    od
}

init
{
    atomic { run waker(0); run waker(1) }
}

ltl no_lost_wakeup { <> all_done }
