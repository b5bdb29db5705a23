/* topology.h: the cores of this machine, and which of them a rank keeps to.
 *
 * Only topology.c knows hwloc. A handle is made at start, used by the rank's
 * main thread, and not needed afterwards.
 */
#ifndef AIMSS_MEM_TOPOLOGY_H
#define AIMSS_MEM_TOPOLOGY_H

#include <aimss/types.h>
#include <stdbool.h>

struct topology;

/* Looks at the machine, as far as this process's cpuset lets it. Errors:
 * AIMSS_E_UNSUPPORTED (hwloc cannot), AIMSS_E_NO_MEMORY. */
aimss_status_t topology_create(struct topology **topology);
void topology_destroy(struct topology *topology); /* NULL is fine */

unsigned topology_core_count(const struct topology *topology);     /* allowed by the cpuset */
unsigned topology_own_core_count(const struct topology *topology); /* within its binding, too */
unsigned topology_numa_count(const struct topology *topology);

/* Whether a launcher (mpirun, srun, taskset) has bound this process already, to
 * fewer cores than the cpuset allows. */
bool topology_is_bound(const struct topology *topology);

/* The ranks of this machine. */
struct topology_ranks {
    const enum aimss_role *roles;
    unsigned count;
    unsigned self; /* index of this one */
};

/* Decides where this rank runs, the same way on each: every broker gets a core
 * of its own, spread over the machine; the compute ranks share out the others,
 * neighbours to each; the coordinator sits with the brokers, or on a core of
 * its own where there are none. False if the machine has fewer cores than that
 * takes: then nobody is bound. Text gets the cpus, as in "0-3,8". */
bool topology_choose(const struct topology *topology, const struct topology_ranks *ranks,
                     char *text, size_t text_bytes);

/* Binds the calling thread, and so those that it starts later, to what
 * topology_choose says. False if it stays as it is: no choice, bound already,
 * or refused by the system. */
bool topology_bind(const struct topology *topology, const struct topology_ranks *ranks);

/* One line for a person. */
void topology_describe(const struct topology *topology, char *text, size_t text_bytes);

#endif
