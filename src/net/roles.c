/* roles.c: see roles.h. */
#include "net/roles.h"

#include "base/error.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS_MIN = 3, COMPUTE_PER_BROKER = 3 };

static unsigned default_brokers(unsigned rank_count)
{
    unsigned brokers = (rank_count - 1) / (COMPUTE_PER_BROKER + 1);

    return brokers > 0 ? brokers : 1;
}

/* How many ranks before this one share its node; rank 0 does not count. */
static unsigned place_on_node(const unsigned *node_of, unsigned rank)
{
    unsigned place = 0;

    for (unsigned r = 1; r < rank; r++)
        place += node_of[r] == node_of[rank];
    return place;
}

static void divide(struct roles *roles, unsigned rank_count, const unsigned *node_of,
                   unsigned broker_count, unsigned per_node)
{
    for (unsigned rank = 1; rank < rank_count; rank++) {
        bool broker = per_node > 0 ? place_on_node(node_of, rank) < per_node
                                   : rank <= broker_count;

        if (broker)
            roles->broker_ranks[roles->broker_count++] = rank;
        else
            roles->compute_ranks[roles->compute_count++] = rank;
    }
}

aimss_status_t roles_create(unsigned rank_count, const unsigned *node_of, unsigned broker_count,
                            unsigned per_node, struct roles *roles)
{
    struct roles made = { 0 };

    if (rank_count < RANKS_MIN)
        return error_set(AIMSS_E_USAGE, "this job has %u rank%s, but needs %d or more: one that "
                         "coordinates, a broker, a compute rank; start it with "
                         "`aimss launch -n 4 PROGRAM ...` or `mpirun -n 4 PROGRAM ...`%s",
                         rank_count, rank_count == 1 ? "" : "s", RANKS_MIN,
                         rank_count > 1 ? "" : " (a launcher that did start several ranks "
                                               "belongs to another MPI than the program)");
    made.broker_ranks = calloc(rank_count, sizeof *made.broker_ranks);
    made.compute_ranks = calloc(rank_count, sizeof *made.compute_ranks);
    if (made.broker_ranks == NULL || made.compute_ranks == NULL) {
        roles_clear(&made);
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the roles of %u ranks", rank_count);
    }
    if (broker_count == 0)
        broker_count = default_brokers(rank_count);
    divide(&made, rank_count, node_of, broker_count, per_node);
    if (made.broker_count == 0 || made.compute_count == 0) {
        aimss_status_t status = error_set(
            AIMSS_E_USAGE, "%u ranks make %u brokers and %u compute ranks; at least one of each "
            "is needed: start more ranks, or ask for %s brokers (--brokers, --brokers-per-node)",
            rank_count, made.broker_count, made.compute_count,
            made.broker_count == 0 ? "more" : "fewer");
        roles_clear(&made);
        return status;
    }
    *roles = made;
    return AIMSS_OK;
}

void roles_clear(struct roles *roles)
{
    free(roles->broker_ranks);
    free(roles->compute_ranks);
    memset(roles, 0, sizeof *roles);
}
