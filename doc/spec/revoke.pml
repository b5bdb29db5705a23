/*
 * revoke.pml: a streamlet moves from one consumer to another while it is written.
 *
 * Modelled: the broker puts a revoke marker into the old consumer's lane and pushes nothing of the
 * streamlet to anyone until the old consumer's credit has passed the marker. As the credit is a
 * contiguous prefix, everything before the marker has then been worked on: the final position is
 * what the broker had pushed, and the new consumer goes on there. The streamlet may come back.
 * Consumers start ranges in order and finish them in any order. How words travel is lane.pml's
 * part, room for the marker is credit.pml's.
 *
 * Instance: 2 consumers with a ring of 4 entries each (2 reserved), 5 ranges, up to 2 moves (there
 * and back).
 *
 * Promised: each range is worked on exactly once; none starts at one consumer before all earlier
 * ones are finished at the other; the marker always finds room; all ranges are worked on.
 *
 * check: safety
 * check: ltl progress
 * fault: FAULT_RESUME_BEFORE_CREDIT -> safety: assertion violated (((finished
 * fault: FAULT_RESUME_AT_OLD_CREDIT -> safety: assertion violated (((finished
 * fault: FAULT_MARKER_JUMPS_QUEUE -> safety: assertion violated (((finished
 * fault: FAULT_PUSH_BEHIND_MARKER -> safety: assertion violated (((finished
 * fault: FAULT_NO_RESERVE -> safety: assertion violated ((
 * fault: FAULT_MARKER_NOT_RELEASED -> safety: invalid end state
 * fault: FAULT_MARKER_NOT_RELEASED -> ltl progress: acceptance cycle
 */
#define RING 4
#define RANGES 5
#define MOVES 2
#define MARKER 100

#ifdef FAULT_NO_RESERVE
#define RESERVED 0
#else
#define RESERVED 2
#endif

#define SLOT(entry) ((entry) % RING)

typedef lane {
    byte ring[RING];
    byte tail, credit;
    byte begun; /* ranges taken and not finished */
};

lane lanes[2];
byte accepted;  /* ranges the writers have committed */
byte finished;  /* ranges worked on, by anyone */
bool worked[RANGES + 1];

#define in_use(c) (lanes[c].tail - lanes[c].credit)

inline push(c, what)
{
    assert(in_use(c) < RING);
    lanes[c].ring[SLOT(lanes[c].tail + 1)] = what;
    lanes[c].tail++
}

active proctype writers()
{
    do
    :: accepted < RANGES -> accepted++
    :: else -> break
    od
}

active proctype broker()
{
    byte owner, pushed, moves, marker;
    bool revoking;
#ifdef FAULT_RESUME_AT_OLD_CREDIT
    byte position;
#endif

    do
#ifdef FAULT_PUSH_BEHIND_MARKER
    :: atomic { pushed < accepted && in_use(owner) < RING - RESERVED ->
#else
    :: atomic { pushed < accepted && !revoking && in_use(owner) < RING - RESERVED ->
#endif
        pushed++;
        push(owner, pushed)
    }
    :: atomic { moves < MOVES && !revoking ->
#ifdef FAULT_RESUME_AT_OLD_CREDIT
        position = finished;
#endif
        push(owner, MARKER);
        marker = lanes[owner].tail;
        revoking = true;
        moves++
    }
#ifdef FAULT_RESUME_BEFORE_CREDIT
    :: atomic { revoking ->
#else
    :: atomic { revoking && lanes[owner].credit >= marker ->
#endif
#ifdef FAULT_RESUME_AT_OLD_CREDIT
        pushed = position;
#endif
        owner = 1 - owner;
        revoking = false
    }
    :: pushed == RANGES && !revoking -> break
    od
}

#define FINISH(s) \
    :: atomic { \
        held[s] != 0 -> \
            assert(!worked[held[s]]); \
            worked[held[s]] = true; \
            held[s] = 0; \
            finished++; \
            lanes[c].begun--; \
            free[s] = true \
    }

proctype consumer(byte c)
{
    byte head;
    byte held[RING];
    bool free[RING];

end:
    do
    :: atomic {
        head < lanes[c].tail ->
            head++;
            if
            :: lanes[c].ring[SLOT(head)] == MARKER ->
#if defined(FAULT_MARKER_JUMPS_QUEUE)
                lanes[c].credit = head
#elif defined(FAULT_MARKER_NOT_RELEASED)
                skip
#else
                free[SLOT(head)] = true
#endif
            :: else ->
                held[SLOT(head)] = lanes[c].ring[SLOT(head)];
                /* All earlier ranges are finished, or were begun here before this one. */
                assert(finished + lanes[c].begun + 1 == held[SLOT(head)]);
                lanes[c].begun++
            fi
    }
    FINISH(0) FINISH(1) FINISH(2) FINISH(3)
    :: atomic {
        free[SLOT(lanes[c].credit + 1)] ->
            free[SLOT(lanes[c].credit + 1)] = false;
            lanes[c].credit++
    }
    od
}

init
{
    atomic { run consumer(0); run consumer(1) }
}

ltl progress { <> (finished == RANGES) }
