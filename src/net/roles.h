/* roles.h: which rank does what. One policy, the same answer on every rank. */
#ifndef AIMSS_NET_ROLES_H
#define AIMSS_NET_ROLES_H

#include <aimss/types.h>

struct roles {
    unsigned broker_count, compute_count;
    unsigned *broker_ranks, *compute_ranks; /* ascending */
};

/* Rank 0 coordinates. broker_count 0 means one for every three compute ranks,
 * at least one; they are the ranks after 0. per_node > 0 instead takes the
 * first per_node ranks of each node (other than rank 0). AIMSS_E_USAGE when
 * no compute rank or no broker is left, with the numbers. */
aimss_status_t roles_create(unsigned rank_count, const unsigned *node_of, unsigned broker_count,
                            unsigned per_node, struct roles *roles);
void roles_clear(struct roles *roles);

#endif
