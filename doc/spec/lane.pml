/*
 * lane.pml: a producer fills a ring in the consumer's memory; descriptors and payload, then the
 * tail.
 *
 * Modelled: the RMA lane of src/net. The payload lies in the arena's window and the descriptor in
 * the lane's; a batch of either is Put, both windows are flushed, then the 64-bit tail is Put. The
 * consumer reads the tail, then the slots, and Puts a cumulative credit back. The node lane is the
 * same protocol with a release store of the tail and of the credit (put.pml).
 *
 * Instance: ring of 3 slots, 7 descriptors, batches of 1 to 3 as the producer likes.
 *
 * Promised: what the tail covers is whole and is of this lap; the tail seen never goes back; no
 * word has two Puts on their way; everything arrives and every credit comes back.
 *
 * check: safety
 * check: ltl progress
 * fault: FAULT_TAIL_BEFORE_FLUSH -> safety: assertion violated ((mem[
 * fault: FAULT_FLUSH_ONE_WINDOW -> safety: assertion violated ((mem[
 * fault: FAULT_READ_BEFORE_TAIL -> safety: assertion violated (peek
 * fault: FAULT_NO_ROOM_CHECK -> safety: assertion violated ((mem[
 * fault: FAULT_CREDIT_BEFORE_READ -> safety: assertion violated ((mem[
 * fault: FAULT_CREDIT_PUT_TWICE -> safety: invalid end state
 * fault: FAULT_CREDIT_PUT_TWICE -> ltl progress: acceptance cycle
 */
#define RING 3
#define LAST 7

#define PAYLOAD(n) ((n) % RING)
#define DESCRIPTOR(n) (RING + (n) % RING)
#define TAIL 6
#define CREDIT 7
#define WORDS 8

#if defined(FAULT_CREDIT_PUT_TWICE) || defined(FAULT_NO_ROOM_CHECK)
#define TWO_IN_FLIGHT
#endif
#include "put.pml"

#define arena_flushed (landed(0) && landed(1) && landed(2))
#define lane_flushed (landed(3) && landed(4) && landed(5) && landed(TAIL))

bool done;

active proctype nic()
{
end:
    do
    LAND(0) LAND(1) LAND(2) LAND(3) LAND(4) LAND(5) LAND(TAIL) LAND(CREDIT)
    od
}

active proctype producer()
{
    byte staged, published;

    do
#ifdef FAULT_NO_ROOM_CHECK
    :: staged < LAST ->
#else
    :: staged < LAST && staged - mem[CREDIT] < RING ->
#endif
        staged++;
        put(PAYLOAD(staged), staged);
        put(DESCRIPTOR(staged), staged)
    :: staged > published ->
        /* This flush also lands the last tail, so that the tail needs none of its own. */
#ifdef FAULT_TAIL_BEFORE_FLUSH
        landed(TAIL);
#elif defined(FAULT_FLUSH_ONE_WINDOW)
        lane_flushed;
#else
        arena_flushed && lane_flushed;
#endif
        put(TAIL, staged);
        published = staged
    :: published == LAST -> break
    od;
    mem[CREDIT] == LAST;
    done = true
}

active proctype consumer()
{
    byte tail, got, told;
#ifdef FAULT_READ_BEFORE_TAIL
    byte peek;
#endif

    do
#ifdef FAULT_READ_BEFORE_TAIL
    :: got == tail ->
        peek = mem[PAYLOAD(got + 1)]; /* the load that a missing acquire lets run ahead */
        if
        :: mem[TAIL] > tail -> tail = mem[TAIL]; assert(peek == got + 1)
        :: else
        fi
#else
    :: got == tail && mem[TAIL] != tail ->
        assert(mem[TAIL] > tail);
        tail = mem[TAIL]
#endif
    :: got < tail ->
        got++;
        assert(mem[PAYLOAD(got)] == got && mem[DESCRIPTOR(got)] == got)
#ifdef FAULT_CREDIT_BEFORE_READ
    :: tail > told -> landed(CREDIT); told = tail; put(CREDIT, told)
#elif defined(FAULT_CREDIT_PUT_TWICE)
    :: got > told -> told = got; put(CREDIT, told)
#else
    /* Nothing else flushes towards the producer: a credit must have landed before the next. */
    :: got > told -> landed(CREDIT); told = got; put(CREDIT, told)
#endif
    :: got == LAST && told == LAST -> break
    od
}

ltl progress { <> done }
