/*
 * accept.pml: a writer stores chunks in its leased group, commits them, and learns which were
 * accepted.
 *
 * Modelled: the writer Puts a chunk into the arena's window and a COMMIT (group, old length; the
 * new one is old + 1) into the commit lane's, flushes both, Puts the tail. Several commits may be
 * on their way. The broker accepts if the group's lease is current and the old length is the
 * accepted one, else it answers REFUSED (group, accepted length) through the grant lane; either
 * way the cumulative credit then passes the descriptor. So the credit alone does not say
 * "accepted". It does by this order:
 *   broker: REFUSED, flush, grant tail, flush, only then the credit;
 *   writer: read the credit, then empty the grant lane, only then take the rest as accepted.
 * After a refusal the writer asks OPEN_GROUP and routes again what was not accepted; OPEN_GROUP
 * seals the group before. Later refusals of a group that it has left are ignored. The broker takes
 * a descriptor only if the grant lane has room for an answer; the writer empties that lane while
 * it waits.
 *
 * Instance: 4 chunks, commit lane of 2 slots, grant lane of 1, 2 groups; once, at any time, the
 * broker revokes group 1 or refuses one commit for a reason of its own without sealing the group.
 *
 * Promised: accepted bytes are whole; chunks are accepted once and in order; what the writer drops
 * as accepted was; no word has two Puts on their way; all chunks are accepted.
 *
 * check: safety
 * check: ltl progress
 * fault: FAULT_TAIL_BEFORE_FLUSH -> safety: assertion violated (mem[
 * fault: FAULT_FLUSH_LANE_ONLY -> safety: assertion violated (mem[
 * fault: FAULT_NO_LEASE_CHECK -> safety: assertion violated current[
 * fault: FAULT_NO_POSITION_CHECK -> safety: assertion violated (mem[
 * fault: FAULT_CREDIT_BEFORE_REFUSED -> safety: assertion violated (acked
 * fault: FAULT_GRANTS_BEFORE_CREDIT -> safety: assertion violated (acked
 * fault: FAULT_EACH_REFUSAL_REROUTES -> safety: assertion violated (mem[
 * fault: FAULT_WRITER_WAITS_DEAF -> safety: invalid end state
 * fault: FAULT_WRITER_WAITS_DEAF -> ltl progress: acceptance cycle
 */
#define CHUNKS 4
#define RING 2
#define GRANTS 1

#define BYTES(g, position) (((g) - 1) * CHUNKS + (position))
#define DESCRIPTOR(n) (8 + (n) % RING)
#define TAIL 10
#define CREDIT 11
#define GRANT_TAIL 12
#define GRANT_CREDIT 13
#define GRANT(n) (14 + (n) % GRANTS)
#define WORDS (14 + GRANTS)
#ifdef FAULT_TAIL_BEFORE_FLUSH
#define TWO_IN_FLIGHT
#endif
#include "put.pml"

#define arena_flushed \
    (landed(0) && landed(1) && landed(2) && landed(3) && \
     landed(4) && landed(5) && landed(6) && landed(7))
#define lane_flushed (landed(8) && landed(9) && landed(TAIL) && landed(GRANT_CREDIT))
#define grants_flushed (landed(14) && landed(GRANT_TAIL) && landed(CREDIT))

/* COMMIT and REFUSED name a group and a length; OPEN and GRANTED stand alone. */
#define PAIR(g, length) (8 * (g) + (length))
#define GROUP(pair) ((pair) / 8)
#define LENGTH(pair) ((pair) % 8)
#define OPEN 100
#define GRANTED 101

byte total;      /* chunks accepted, over both groups */
bool current[3]; /* the lease of group 1, 2 */
bool done;

active proctype nic()
{
end:
    do
    LAND(0) LAND(1) LAND(2) LAND(3) LAND(4) LAND(5)
    LAND(6) LAND(7) LAND(8) LAND(9) LAND(TAIL) LAND(CREDIT)
    LAND(14) LAND(GRANT_TAIL) LAND(GRANT_CREDIT)
    od
}

inline send(what)
{
    put(DESCRIPTOR(sent + 1), what);
#ifdef FAULT_TAIL_BEFORE_FLUSH
    landed(TAIL);
#elif defined(FAULT_FLUSH_LANE_ONLY)
    lane_flushed;
#else
    arena_flushed && lane_flushed;
#endif
    sent++;
    put(TAIL, sent)
}

#define lane_room (sent - mem[CREDIT] < RING)

/* Chunk k of the open group lies at position k - base - 1; its COMMIT is descriptor k + shift. */
active proctype writer()
{
    byte group = 1, base, shift;
    byte next = 1, acked, sent;
    byte credit, answers, answer;
    bool must_open;

    do
#ifdef FAULT_WRITER_WAITS_DEAF
    :: group != 0 && next <= CHUNKS ->
        lane_room;
#else
    :: group != 0 && next <= CHUNKS && lane_room ->
#endif
        put(BYTES(group, next - base - 1), next);
        send(PAIR(group, next - base - 1));
        next++
    :: must_open && lane_room ->
        must_open = false;
        send(OPEN)
    :: mem[CREDIT] != credit || mem[GRANT_TAIL] != answers ->
#ifndef FAULT_GRANTS_BEFORE_CREDIT
        credit = mem[CREDIT];
#endif
        if
        :: mem[GRANT_TAIL] != answers ->
            answers++;
            answer = mem[GRANT(answers)];
            landed(GRANT_CREDIT);
            put(GRANT_CREDIT, answers);
            if
            :: answer == GRANTED ->
                group = 2;
                base = next - 1;
                shift = sent - base
#ifdef FAULT_EACH_REFUSAL_REROUTES
            :: answer != GRANTED ->
#else
            :: answer != GRANTED && GROUP(answer) == group ->
#endif
                acked = base + LENGTH(answer);
                next = acked + 1;
                group = 0;
                must_open = true
#ifndef FAULT_EACH_REFUSAL_REROUTES
            :: answer != GRANTED && GROUP(answer) != group
#endif
            fi;
            answer = 0
        :: else ->
#ifdef FAULT_GRANTS_BEFORE_CREDIT
            credit = mem[CREDIT];
#endif
            if
            :: group != 0 && credit > shift + acked ->
                acked = credit - shift;
                assert(acked <= total)
            :: else
            fi
        fi
    :: acked == CHUNKS -> break
    od;
    assert(total == CHUNKS);
    done = true
}

inline reply(what)
{
    put(GRANT(answers + 1), what);
    grants_flushed;
    answers++;
    put(GRANT_TAIL, answers);
#ifndef FAULT_CREDIT_BEFORE_REFUSED
    grants_flushed
#endif
}

active proctype broker()
{
    byte accepted[3];
    byte taken, answers, got;
    bool troubled;

    current[1] = true;
end:
    do
    :: !troubled -> current[1] = false; troubled = true
    :: mem[TAIL] > taken && answers - mem[GRANT_CREDIT] < GRANTS ->
        got = mem[DESCRIPTOR(taken + 1)];
        if
        :: got == OPEN ->
            current[1] = false;
            current[2] = true;
            reply(GRANTED)
#if defined(FAULT_NO_LEASE_CHECK)
        :: got != OPEN && LENGTH(got) == accepted[GROUP(got)] ->
#elif defined(FAULT_NO_POSITION_CHECK)
        :: got != OPEN && current[GROUP(got)] ->
#else
        :: got != OPEN && current[GROUP(got)] && LENGTH(got) == accepted[GROUP(got)] ->
#endif
            assert(mem[BYTES(GROUP(got), LENGTH(got))] == total + 1);
            /* A group that was sealed has a final length, which others may have acted on. */
            assert(current[GROUP(got)]);
            atomic { accepted[GROUP(got)]++; total++ }
        :: got != OPEN && !troubled ->
            troubled = true;
            reply(PAIR(GROUP(got), accepted[GROUP(got)]))
        :: got != OPEN && (!current[GROUP(got)] || LENGTH(got) != accepted[GROUP(got)]) ->
            reply(PAIR(GROUP(got), accepted[GROUP(got)]))
        fi;
        got = 0;
        taken++;
        landed(CREDIT);
        put(CREDIT, taken)
    od
}

ltl progress { <> done }
