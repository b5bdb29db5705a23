/* order.h: the counts of all ranks in one order, each rank with its range.
 *
 * Sample sort (Shi and Schaeffer 1992, regular sampling): each rank sorts its
 * own counts, all see regular samples of all, agree on splitters, and exchange
 * so that rank 0 gets the smallest range; what arrives is merged. Ties of the
 * application's order are broken by the bytes of the key, and a key is on one
 * rank only: no two lines are equal, so any skew of the counts splits.
 * Without an order, or on one rank, nothing is exchanged.
 *
 * The MPI thread steps; sorting runs on the exchange's thread.
 */
#ifndef AIMSS_FLOW_ORDER_H
#define AIMSS_FLOW_ORDER_H

#include "flow/run_stages.h"
#include "state/counts.h"

/* What ordering needs for each key beside the table, at its peak: its line (24
 * bytes) and twice its place (16) while the own keys are sorted; then a line
 * that leaves and one that arrives with its key. */
enum { ORDER_BYTES_PER_KEY = 64 };

struct order;

/* counts is closed as soon as its keys are not needed any more. */
aimss_status_t order_create(struct shuffle *shuffle, struct counts *counts,
                            aimss_order_fn *compare, struct order **order);
void order_destroy(struct order *order);

/* As stages_step(): AIMSS_END when the lines are there. */
aimss_status_t order_step(struct order *order, bool *busy);

/* This rank's lines, in order; theirs until the order is destroyed. */
const struct aimss_counted *order_lines(const struct order *order, size_t *count);

#endif
