/*
 * credit.pml: the consumer works in the broker's segments and releases out of order.
 *
 * Modelled: on a node a descriptor lends bytes of a segment. The consumer takes entries in order,
 * its workers finish in any order, and the credit is the contiguous prefix of what was released. A
 * segment is filled again only after the credit has passed the last entry that lends from it. Two
 * entries of the ring are kept for one barrier and one revoke marker on their way at a time,
 * because a consumer may keep all it has until either comes (an operator that waits for the
 * barrier, a batch that is not full). How words travel is lane.pml's part; here they are simply
 * there.
 *
 * Instance: ring of 5 entries (2 reserved), 6 ranges, 3 segments of 2 ranges, 2 barriers, 1 revoke
 * marker; the consumer keeps nothing, or all until a barrier, a revoke marker, or both have come.
 *
 * Promised: bytes stay as they were while they are lent; an entry is written again only after its
 * release; each range is worked on once; markers get through and nobody waits for ever.
 *
 * check: safety
 * check: ltl progress
 * fault: FAULT_CREDIT_COUNTS_RELEASES -> safety: assertion violated (bytes[
 * fault: FAULT_SEGMENT_FREED_ON_PUSH -> safety: assertion violated (bytes[
 * fault: FAULT_SEGMENT_FREED_ON_FIRST -> safety: assertion violated (bytes[
 * fault: FAULT_NO_RESERVE -> safety: invalid end state
 * fault: FAULT_NO_RESERVE -> ltl progress: acceptance cycle
 * fault: FAULT_RESERVE_ONE -> safety: invalid end state
 * fault: FAULT_TWO_BARRIERS_OUT -> safety: invalid end state
 */
#define RING 5
#define RANGES 6
#define SEGMENTS 3
#define BARRIERS 2

#ifdef FAULT_NO_RESERVE
#define RESERVED 0
#elif defined(FAULT_RESERVE_ONE)
#define RESERVED 1
#else
#define RESERVED 2
#endif

#define BARRIER 100
#define REVOKE 101

#define SLOT(entry) ((entry) % RING)
#define PAIR(range) (((range) - 1) / 2)
#define PLACE(range) (2 * segment[PAIR(range)] + (range) % 2)

byte ring[RING];           /* 0 once released */
byte bytes[2 * SEGMENTS];  /* each place of a segment holds its range's number */
byte segment[RANGES / 2];  /* where ranges 1 and 2, 3 and 4, ... lie */
byte tail, credit;         /* entries, cumulative */
byte first_entry[SEGMENTS], last_entry[SEGMENTS];
byte worked;               /* ranges released */

#define in_use (tail - credit)

inline push(what)
{
    assert(ring[SLOT(tail + 1)] == 0);
    ring[SLOT(tail + 1)] = what;
    tail++
}

#if defined(FAULT_SEGMENT_FREED_ON_PUSH)
#define segment_free(s) (tail >= last_entry[s])
#elif defined(FAULT_SEGMENT_FREED_ON_FIRST)
#define segment_free(s) (credit >= first_entry[s])
#else
#define segment_free(s) (credit >= last_entry[s])
#endif

#define data_room (range <= RANGES && in_use < RING - RESERVED)

inline lend(s)
{
    bytes[PLACE(range)] = range;
    last_entry[s] = tail + 1;
    push(range);
    range++
}

/* An odd range is the first of any segment that is free. */
#define FILL(s) \
    :: atomic { \
        range % 2 == 1 && data_room && segment_free(s) -> \
            segment[PAIR(range)] = s; \
            first_entry[s] = tail + 1; \
            lend(s) \
    }

active proctype broker()
{
    byte range = 1, barriers, barrier_entry;
    bool revoke_sent;

    do
    FILL(0) FILL(1) FILL(2)
    :: atomic { range % 2 == 0 && data_room -> lend(segment[PAIR(range)]) }
    :: atomic {
#ifdef FAULT_TWO_BARRIERS_OUT
        barriers < BARRIERS && in_use < RING ->
#else
        barriers < BARRIERS && credit >= barrier_entry && in_use < RING ->
#endif
            push(BARRIER);
            barrier_entry = tail;
            barriers++
    }
    :: atomic { !revoke_sent && in_use < RING -> push(REVOKE); revoke_sent = true }
    :: range > RANGES && barriers == BARRIERS && revoke_sent -> break
    od;
    credit == tail
}

/* A worker is done with the range in slot s: its bytes must still be the ones that were lent. */
#define RELEASE(s) \
    :: atomic { \
        held[s] != 0 && !keep_for_barrier && !keep_for_revoke -> \
            assert(bytes[PLACE(held[s])] == held[s]); \
            held[s] = 0; \
            ring[s] = 0; \
            worked++; \
            released(s) \
    }

#ifdef FAULT_CREDIT_COUNTS_RELEASES
#define released(s) credit++
#else
#define released(s) free[s] = true
#endif

active proctype consumer()
{
    byte head;
    byte held[RING];
    bool free[RING];
    bool keep_for_barrier, keep_for_revoke;

    if
    :: keep_for_barrier = true
    :: keep_for_revoke = true
    :: keep_for_barrier = true; keep_for_revoke = true
    :: skip
    fi;

end:
    do
    :: atomic {
        head < tail ->
            head++;
            if
            :: ring[SLOT(head)] == BARRIER ->
                keep_for_barrier = false;
                ring[SLOT(head)] = 0;
                released(SLOT(head))
            :: ring[SLOT(head)] == REVOKE ->
                keep_for_revoke = false;
                ring[SLOT(head)] = 0;
                released(SLOT(head))
            :: else -> held[SLOT(head)] = ring[SLOT(head)]
            fi
    }
    RELEASE(0) RELEASE(1) RELEASE(2) RELEASE(3) RELEASE(4)
#ifndef FAULT_CREDIT_COUNTS_RELEASES
    :: atomic {
        free[SLOT(credit + 1)] ->
            free[SLOT(credit + 1)] = false;
            credit++
    }
#endif
    od
}

ltl progress { <> (worked == RANGES && credit == RANGES + BARRIERS + 1) }
