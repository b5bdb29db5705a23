/* order_guess.h: sorting lines by count down, then bytes, without comparing them.
 *
 * That is the likeliest order of an application, and where it is, its own
 * comparison only has to confirm it. The result is a guess: very large counts
 * and long common beginnings of keys are not told apart.
 *
 * Method: a key is read as numbers of eight bytes, the first of which begins
 * with the count; radix sort from the lowest digit up by one number, then the
 * runs of equal ones by the next. Any thread; nothing is allocated.
 */
#ifndef AIMSS_FLOW_ORDER_GUESS_H
#define AIMSS_FLOW_ORDER_GUESS_H

#include "state/counts.h"

struct order_guess {
    uint64_t number; /* what it is sorted by now */
    uint64_t slot;   /* of the counts */
};

/* Fills order [out] struct order_guess[counts->used_count] with all keys of
 * settled counts in the guessed order; scratch has as much room. */
void order_guess(const struct counts *counts, struct order_guess *order,
                 struct order_guess *scratch);

#endif
