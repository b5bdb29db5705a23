/*
 * lease.pml: leases are granted, revoked under suspicion, and their segments used again.
 *
 * Modelled: a broker leases segments to writer W, which may stop anywhere, be suspected rightly or
 * wrongly, be killed, and return as a second incarnation, and to writer X, which is well. Any
 * suspicion revokes W's lease: the group is sealed, and its segment is set aside. A W that was
 * only stopped still stores and commits; it is refused, gives the lease back, and routes the chunk
 * again under a new lease. A dead W's leases are sealed, then its second incarnation reads back
 * the last accepted chunk and goes on after it.
 * A segment that was set aside is used again when W has given the lease back (it has flushed, and
 * will store there no more), or when W is dead for certain and no Put of its is still on the way:
 * a Put can land after its process is gone.
 * What a dead writer left in its commit lane is judged by the lease like everything else; its
 * OPEN_GROUP is not granted.
 * Lanes are channels here; lane.pml and accept.pml show that they may be taken so.
 *
 * Instance: 2 segments of one chunk each, W has 2 chunks and X has 1, 2 suspicions and no death,
 * or 1 suspicion after which W may be killed.
 *
 * Promised: a segment holds what was committed, when accepted and when consumed; each writer's
 * chunks are accepted once, in order, all of them; no segment stays set aside or leased in the
 * end.
 *
 * check: safety
 * check: ltl progress
 * fault: FAULT_NO_LEASE_CHECK -> safety: assertion violated (chunk
 * fault: FAULT_LEASE_NUMBER_REUSED -> safety: assertion violated (chunk
 * fault: FAULT_REUSE_ON_REVOKE -> safety: assertion violated (mem[
 * fault: FAULT_REUSE_BEFORE_LANDED -> safety: assertion violated (mem[
 * fault: FAULT_READ_BACK_BEFORE_SEAL -> safety: assertion violated (chunk
 * fault: FAULT_GRANT_TO_THE_DEAD -> safety: assertion violated ( !((finished
 * fault: FAULT_NOTHING_GIVEN_BACK -> safety: invalid end state
 * fault: FAULT_NOTHING_GIVEN_BACK -> ltl progress: acceptance cycle
 * fault: FAULT_REFUSED_CHUNK_DROPPED -> safety: assertion violated ( !((finished
 */
#define W_CHUNKS 2
#define X_CHUNKS 1
#define CHUNKS(lane) ((lane) == X -> X_CHUNKS : W_CHUNKS)

/* Lanes; W is one writer with a lane for each incarnation. */
#define W 0
#define X 1
#define W_AGAIN 2

/* What chunk k of a writer looks like; both incarnations of W store the same. */
#define IMAGE(lane, k) ((lane) == X -> 10 + (k) : (k))
#define WRITER(lane) ((lane) == X -> 1 : 0)

#define WORDS 2 /* one for each segment */
#if defined(FAULT_REUSE_ON_REVOKE) || defined(FAULT_REUSE_BEFORE_LANDED) || \
    defined(FAULT_NO_LEASE_CHECK)
#define TWO_IN_FLIGHT
#endif
#include "put.pml"

mtype = { OPEN, COMMIT, GRANTED, ACCEPTED, REFUSED };
mtype = { FREE, LEASED, ASIDE, FULL };

chan commits[3] = [1] of { mtype, byte, byte, byte }; /* lease, segment, chunk */
chan grants[3] = [1] of { mtype, byte, byte };        /* lease, segment */

mtype state[2] = FREE;
byte lease[2];      /* number of the segment's last lease; never used twice for a segment */
byte holder[2];     /* the lane it was granted to */
byte image[2];      /* what was accepted */
byte accepted[2];   /* chunks accepted of each writer */
byte suspicions;
#define all_accepted (accepted[0] == W_CHUNKS && accepted[1] == X_CHUNKS)

bool deadly; /* whether a suspicion leads to a kill */
bool killed, death_known, finished[2];

active proctype nic()
{
end:
    do
    LAND(0) LAND(1)
    od
}

inline write_chunk()
{
    commits[lane]!OPEN(number, segment, 0); /* gives back the refused lease, if any */
    grants[lane]?GRANTED(number, segment);
    put(segment, IMAGE(lane, chunk));
    landed(segment);
    commits[lane]!COMMIT(number, segment, chunk);
    if
    :: grants[lane]?ACCEPTED(_, _) -> number = 0; segment = 0; chunk++
#if defined(FAULT_REFUSED_CHUNK_DROPPED)
    :: grants[lane]?REFUSED(_, _) -> chunk++
#elif defined(FAULT_NOTHING_GIVEN_BACK)
    :: grants[lane]?REFUSED(_, _) -> number = 0; segment = 0
#else
    :: grants[lane]?REFUSED(_, _)
#endif
    fi
}

proctype writer(byte lane; byte chunk)
{
    byte number, segment;

    {
        do
        :: chunk <= CHUNKS(lane) -> write_chunk()
        :: else -> break
        od;
        finished[WRITER(lane)] = true
    } unless { killed && lane == W }
}

/* A neighbour that may kill W once it is suspected, through its pidfd, and then starts it again. */
active proctype neighbour()
{
    byte next;

    atomic {
        if
        :: skip
        :: deadly = true
        fi;
        run writer(W, 1);
        run writer(X, 1)
    };
    if
    :: atomic { deadly && suspicions > 0 && !finished[0] -> killed = true };
#ifndef FAULT_READ_BACK_BEFORE_SEAL
        death_known;
#endif
        next = accepted[0] + 1;
        run writer(W_AGAIN, next)
    :: finished[0]
    :: atomic { !deadly -> skip }
    fi
}

#ifdef FAULT_LEASE_NUMBER_REUSED
#define new_number(s) 1
#else
#define new_number(s) (lease[s] + 1)
#endif

inline take_back()
{
    if
    :: state[segment] == ASIDE && lease[segment] == number -> state[segment] = FREE
    :: else
    fi
}

#ifdef FAULT_NO_LEASE_CHECK
#define lease_current(s, number) (state[s] == LEASED || state[s] == ASIDE)
#else
#define lease_current(s, number) (state[s] == LEASED && lease[s] == number)
#endif

#define dead(lane) (lane == W && death_known)

inline answer(what, number, s)
{
    if
    :: dead(lane)
    :: else -> grants[lane]!what(number, s)
    fi
}

inline judge_commit()
{
    if
    :: lease_current(segment, number) ->
        assert(mem[segment] == IMAGE(lane, chunk));
        assert(chunk == accepted[WRITER(lane)] + 1);
        accepted[WRITER(lane)]++;
        image[segment] = mem[segment];
        state[segment] = FULL;
        answer(ACCEPTED, number, segment)
    :: else -> answer(REFUSED, number, segment)
    fi
}

#ifdef FAULT_GRANT_TO_THE_DEAD
#define may_have_lease(lane) true
#else
#define may_have_lease(lane) (!dead(lane))
#endif

inline take()
{
    if
    :: commits[lane]?OPEN(number, segment, _) ->
        take_back();
        waits[lane] = may_have_lease(lane)
    :: commits[lane]?COMMIT(number, segment, chunk) ->
        judge_commit()
    fi;
    lane = 0;
    number = 0;
    segment = 0;
    chunk = 0
}

#define may_take(l) (!waits[l] && nempty(commits[l]))

#define LEASE(l, s) \
    :: atomic { waits[l] && state[s] == FREE -> \
        waits[l] = false; state[s] = LEASED; lease[s] = new_number(s); holder[s] = l; \
        grants[l]!GRANTED(lease[s], s) }

/* Suspected and alive, or not; what was accepted of the group stays, the rest is set aside. */
#ifdef FAULT_REUSE_ON_REVOKE
#define revoked FREE
#else
#define revoked ASIDE
#endif
#define SUSPECT(s) \
    :: atomic { \
        suspicions < (deadly -> 1 : 2) && !death_known && state[s] == LEASED && holder[s] == W -> \
            suspicions++; \
            state[s] = revoked \
    }

#ifdef FAULT_REUSE_BEFORE_LANDED
#define no_more_puts(s) true
#else
#define no_more_puts(s) landed(s)
#endif
#define SEGMENT_OF_THE_DEAD(s) \
    :: atomic { death_known && state[s] == ASIDE && holder[s] == W && no_more_puts(s) -> \
        state[s] = FREE }

#define CONSUME(s) \
    :: atomic { state[s] == FULL -> assert(mem[s] == image[s]); image[s] = 0; state[s] = FREE }

inline seal_if_dead(s)
{
    if
    :: state[s] == LEASED && holder[s] == W -> state[s] = ASIDE
    :: else
    fi
}

active proctype broker()
{
    byte lane, number, segment, chunk;
    bool waits[3]; /* an OPEN_GROUP waits for a free segment */

end:
    do
    :: atomic {
        if
        :: may_take(W) -> lane = W
        :: may_take(X) -> lane = X
        :: may_take(W_AGAIN) -> lane = W_AGAIN
        fi;
        take()
    }
    LEASE(W, 0) LEASE(W, 1) LEASE(X, 0) LEASE(X, 1) LEASE(W_AGAIN, 0) LEASE(W_AGAIN, 1)
    SUSPECT(0) SUSPECT(1)
    :: atomic {
        killed && !death_known ->
            seal_if_dead(0);
            seal_if_dead(1);
            waits[W] = false;
            death_known = true
    }
    SEGMENT_OF_THE_DEAD(0) SEGMENT_OF_THE_DEAD(1)
    CONSUME(0) CONSUME(1)
    od
}

/* Looks when nothing can move any more. */
active proctype auditor()
{
    timeout;
    assert(!(finished[0] && finished[1]) ||
           (all_accepted && state[0] == FREE && state[1] == FREE))
}

ltl progress { <> all_accepted }
