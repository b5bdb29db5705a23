/* topology.c: see topology.h. The only user of hwloc.
 *
 * A unit is what a rank can have for itself: a core with its hardware threads,
 * or a hardware thread where the system does not tell cores. Units are counted
 * in hwloc's logical order, in which neighbours share caches and memory.
 */
#include "mem/topology.h"

#include "base/error.h"
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>

struct topology {
    hwloc_topology_t machine;
    hwloc_bitmap_t binding; /* of this process */
    hwloc_obj_type_t unit;
    unsigned unit_count;
};

static hwloc_const_bitmap_t unit_cpus(const struct topology *topology, unsigned index)
{
    return hwloc_get_obj_by_type(topology->machine, topology->unit, index)->cpuset;
}

static unsigned count_of(const struct topology *topology, hwloc_obj_type_t type)
{
    int count = hwloc_get_nbobjs_by_type(topology->machine, type);
    return count > 0 ? (unsigned)count : 0;
}

/* ---- life */

/* Caches, groups and devices are not asked for: finding them takes long. */
static bool machine_load(hwloc_topology_t *machine)
{
    static const hwloc_obj_type_t kept[] = { HWLOC_OBJ_PACKAGE, HWLOC_OBJ_CORE };
    if (hwloc_topology_init(machine) != 0)
        return false;
    hwloc_topology_set_all_types_filter(*machine, HWLOC_TYPE_FILTER_KEEP_NONE);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        hwloc_topology_set_type_filter(*machine, kept[i], HWLOC_TYPE_FILTER_KEEP_ALL);
    if (hwloc_topology_load(*machine) == 0)
        return true;
    hwloc_topology_destroy(*machine);
    return false;
}

/* A system that does not tell counts as one that does not bind. */
static void find_binding(struct topology *topology)
{
    hwloc_const_bitmap_t all = hwloc_topology_get_topology_cpuset(topology->machine);
    if (hwloc_get_cpubind(topology->machine, topology->binding, HWLOC_CPUBIND_PROCESS) != 0)
        hwloc_bitmap_copy(topology->binding, all);
    hwloc_bitmap_and(topology->binding, topology->binding, all);
}

aimss_status_t topology_create(struct topology **topology)
{
    struct topology *made = calloc(1, sizeof *made);
    if (made == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the machine's topology");
    if (!machine_load(&made->machine)) {
        free(made);
        return error_set(AIMSS_E_UNSUPPORTED, "hwloc cannot tell this machine's topology; check "
                         "HWLOC_* in the environment and the output of lstopo");
    }
    made->binding = hwloc_bitmap_alloc();
    if (made->binding == NULL) {
        topology_destroy(made);
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the machine's topology");
    }
    made->unit = count_of(made, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
    made->unit_count = count_of(made, made->unit);
    find_binding(made);
    *topology = made;
    return AIMSS_OK;
}

void topology_destroy(struct topology *topology)
{
    if (topology == NULL)
        return;
    hwloc_bitmap_free(topology->binding);
    hwloc_topology_destroy(topology->machine);
    free(topology);
}

/* ---- what there is */

unsigned topology_core_count(const struct topology *topology)
{
    return topology->unit_count;
}

unsigned topology_own_core_count(const struct topology *topology)
{
    unsigned count = 0;
    for (unsigned i = 0; i < topology->unit_count; i++)
        count += hwloc_bitmap_intersects(unit_cpus(topology, i), topology->binding) ? 1 : 0;
    return count;
}

unsigned topology_numa_count(const struct topology *topology)
{
    return count_of(topology, HWLOC_OBJ_NUMANODE);
}

bool topology_is_bound(const struct topology *topology)
{
    return !hwloc_bitmap_isequal(topology->binding,
                                 hwloc_topology_get_topology_cpuset(topology->machine));
}

static const char *plural(unsigned count)
{
    return count == 1 ? "" : "s";
}

void topology_describe(const struct topology *topology, char *text, size_t text_bytes)
{
    unsigned packages = count_of(topology, HWLOC_OBJ_PACKAGE);
    unsigned nodes = topology_numa_count(topology), cores = topology->unit_count;
    unsigned threads = count_of(topology, HWLOC_OBJ_PU);
    int used = snprintf(text, text_bytes,
                        "%u package%s, %u NUMA node%s, %u core%s, %u hardware thread%s", packages,
                        plural(packages), nodes, plural(nodes), cores, plural(cores), threads,
                        plural(threads));
    if (topology_is_bound(topology) && used > 0 && (size_t)used < text_bytes) {
        unsigned own = topology_own_core_count(topology);
        snprintf(text + used, text_bytes - (size_t)used,
                 "; this process is bound to %u core%s by its launcher", own, plural(own));
    }
}

/* ---- who runs where */

/* Counts of roles, on the whole machine or before this rank. */
struct census {
    unsigned coordinators, brokers, computes;
};

static struct census take_census(const enum aimss_role *roles, unsigned count)
{
    struct census census = { 0 };
    for (unsigned i = 0; i < count; i++) {
        census.coordinators += roles[i] == AIMSS_ROLE_COORDINATOR;
        census.brokers += roles[i] == AIMSS_ROLE_BROKER;
        census.computes += roles[i] == AIMSS_ROLE_COMPUTE;
    }
    return census;
}

/* Of `count` units that serve storage, the unit of the one numbered `index`:
 * the last one of its equal share of the machine. */
static unsigned storage_unit(const struct topology *topology, unsigned index, unsigned count)
{
    return (unsigned)((uint64_t)topology->unit_count * (index + 1) / count) - 1;
}

static void add_unit(const struct topology *topology, unsigned unit, hwloc_bitmap_t cpus)
{
    hwloc_bitmap_or(cpus, cpus, unit_cpus(topology, unit));
}

/* The share of compute rank `index` in the units that storage leaves. */
static void add_compute_share(const struct topology *topology, unsigned index,
                              unsigned compute_count, unsigned storage_count, hwloc_bitmap_t cpus)
{
    uint64_t free_count = topology->unit_count - storage_count;
    uint64_t begin = free_count * index / compute_count;
    uint64_t end = free_count * (index + 1) / compute_count;
    uint64_t seen = 0;
    unsigned storage = 0;
    for (unsigned unit = 0; unit < topology->unit_count; unit++) {
        if (storage < storage_count && unit == storage_unit(topology, storage, storage_count)) {
            storage++;
            continue;
        }
        if (seen >= begin && seen < end)
            add_unit(topology, unit, cpus);
        seen++;
    }
}

static bool choose(const struct topology *topology, const struct topology_ranks *ranks,
                   hwloc_bitmap_t cpus)
{
    struct census all = take_census(ranks->roles, ranks->count);
    struct census before = take_census(ranks->roles, ranks->self);
    unsigned storage_count = all.brokers > 0 ? all.brokers : all.coordinators > 0;
    if (topology->unit_count < storage_count + all.computes)
        return false;
    switch (ranks->roles[ranks->self]) {
    case AIMSS_ROLE_COORDINATOR:
        for (unsigned i = 0; i < storage_count; i++)
            add_unit(topology, storage_unit(topology, i, storage_count), cpus);
        break;
    case AIMSS_ROLE_BROKER:
        add_unit(topology, storage_unit(topology, before.brokers, storage_count), cpus);
        break;
    case AIMSS_ROLE_COMPUTE:
        add_compute_share(topology, before.computes, all.computes, storage_count, cpus);
        break;
    }
    return true;
}

bool topology_choose(const struct topology *topology, const struct topology_ranks *ranks,
                     char *text, size_t text_bytes)
{
    hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
    bool chosen = cpus != NULL && choose(topology, ranks, cpus);
    if (chosen)
        hwloc_bitmap_list_snprintf(text, text_bytes, cpus);
    hwloc_bitmap_free(cpus);
    return chosen;
}

bool topology_bind(const struct topology *topology, const struct topology_ranks *ranks)
{
    if (topology_is_bound(topology))
        return false;
    hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
    bool bound = cpus != NULL && choose(topology, ranks, cpus) &&
                 hwloc_set_cpubind(topology->machine, cpus, HWLOC_CPUBIND_THREAD) == 0;
    hwloc_bitmap_free(cpus);
    return bound;
}
