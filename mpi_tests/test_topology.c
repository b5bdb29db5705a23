/* test_topology.c: placements on machines that hwloc makes up, binding on the real one. */
#include "check.h"

#include "base/error.h"
#include "mem/topology.h"
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CPUS_MAX = 256, RANKS_MAX = 64 };
static const enum aimss_role COORDINATOR = AIMSS_ROLE_COORDINATOR;
static const enum aimss_role BROKER = AIMSS_ROLE_BROKER;
static const enum aimss_role COMPUTE = AIMSS_ROLE_COMPUTE;

static struct topology *made_up(const char *synthetic)
{
    struct topology *topology = NULL;
    assert_int_equal(setenv("HWLOC_SYNTHETIC", synthetic, 1), 0);
    assert_int_equal(topology_create(&topology), AIMSS_OK);
    unsetenv("HWLOC_SYNTHETIC");
    return topology;
}

static void assert_cpus(const struct topology *topology, const struct topology_ranks *ranks,
                        const char *expected)
{
    char text[256];
    assert_true(topology_choose(topology, ranks, text, sizeof text));
    assert_string_equal(text, expected);
}

static void counts_what_there_is(void **state)
{
    (void)state;
    char text[200];
    struct topology *topology = made_up("package:2 numa:1 core:8 pu:2");
    assert_int_equal(topology_core_count(topology), 16);
    assert_int_equal(topology_own_core_count(topology), 16);
    assert_int_equal(topology_numa_count(topology), 2);
    assert_false(topology_is_bound(topology));
    topology_describe(topology, text, sizeof text);
    assert_string_equal(text, "2 packages, 2 NUMA nodes, 16 cores, 32 hardware threads");
    topology_destroy(topology);
    topology = made_up("pu:3");
    assert_int_equal(topology_core_count(topology), 3);
    topology_destroy(topology);
    topology_destroy(NULL);
}

static void places_by_role(void **state)
{
    (void)state;
    struct topology *topology = made_up("package:2 numa:1 core:4 pu:2");
    enum aimss_role roles[] = { COORDINATOR, BROKER, BROKER, COMPUTE, COMPUTE };
    const char *const expected[] = { "6-7,14-15", "6-7", "14-15", "0-5", "8-13" };
    struct topology_ranks ranks = { .roles = roles, .count = 5 };
    for (ranks.self = 0; ranks.self < 5; ranks.self++)
        assert_cpus(topology, &ranks, expected[ranks.self]);
    enum aimss_role alone[] = { COORDINATOR, COMPUTE, COMPUTE };
    const char *const expected_alone[] = { "14-15", "0-5", "6-13" };
    ranks = (struct topology_ranks){ .roles = alone, .count = 3 };
    for (ranks.self = 0; ranks.self < 3; ranks.self++)
        assert_cpus(topology, &ranks, expected_alone[ranks.self]);
    topology_destroy(topology);
}

static void too_few_cores_bind_nobody(void **state)
{
    (void)state;
    char text[64];
    enum aimss_role roles[] = { COORDINATOR, BROKER, COMPUTE, COMPUTE };
    struct topology_ranks ranks = { .roles = roles, .count = 4 };
    struct topology *topology = made_up("core:2 pu:2");
    for (ranks.self = 0; ranks.self < 4; ranks.self++) {
        assert_false(topology_choose(topology, &ranks, text, sizeof text));
        assert_false(topology_bind(topology, &ranks));
    }
    topology_destroy(topology);
    topology = made_up("core:3 pu:1");
    ranks.self = 0;
    assert_cpus(topology, &ranks, "2");
    topology_destroy(topology);
}

/* Which cpus a list such as "0-3,8" names. */
static void parse_cpus(const char *text, bool *cpus)
{
    memset(cpus, 0, CPUS_MAX);
    for (const char *at = text; *at != '\0'; at += strcspn(at, ",") + (strchr(at, ',') != NULL)) {
        unsigned first, last;
        int found = sscanf(at, "%u-%u", &first, &last);
        assert_true(found >= 1);
        for (unsigned i = first; i <= (found == 2 ? last : first); i++)
            cpus[i] = true;
    }
}

/* On any machine with any ranks: brokers and compute ranks share no core, all
 * have one, none is idle when there are compute ranks, and shares are even. */
static void check_placement(const struct topology *topology, const enum aimss_role *roles,
                            unsigned count)
{
    unsigned owners[CPUS_MAX] = { 0 }, least = CPUS_MAX, most = 0, computes = 0;
    for (unsigned self = 0; self < count; self++) {
        struct topology_ranks ranks = { .roles = roles, .count = count, .self = self };
        char text[1024];
        bool cpus[CPUS_MAX];
        unsigned own = 0;
        assert_true(topology_choose(topology, &ranks, text, sizeof text));
        parse_cpus(text, cpus);
        for (unsigned i = 0; i < CPUS_MAX; i++) {
            own += cpus[i];
            owners[i] += cpus[i] && roles[self] != COORDINATOR;
        }
        assert_true(own > 0);
        if (roles[self] == COMPUTE) {
            least = own < least ? own : least;
            most = own > most ? own : most;
            computes++;
        }
    }
    unsigned used = 0;
    for (unsigned i = 0; i < CPUS_MAX; i++) {
        assert_true(owners[i] <= 1);
        used += owners[i];
    }
    if (computes > 0) {
        assert_true(most - least <= 1);
        assert_true(used + 1 >= topology_core_count(topology));
    }
}

static void random_placements(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    for (unsigned trial = 0; trial < 60; trial++) {
        char synthetic[64], text[1024];
        enum aimss_role roles[RANKS_MAX];
        unsigned count = 1 + (unsigned)check_below(&seed, RANKS_MAX), need = 0, brokers = 0;
        snprintf(synthetic, sizeof synthetic, "numa:%d core:%d pu:1",
                 1 + (int)check_below(&seed, 8), 1 + (int)check_below(&seed, 20));
        struct topology *topology = made_up(synthetic);
        roles[0] = check_below(&seed, 2) ? COORDINATOR : COMPUTE;
        for (unsigned i = 1; i < count; i++)
            roles[i] = check_below(&seed, 4) ? COMPUTE : BROKER;
        for (unsigned i = 0; i < count; i++) {
            brokers += roles[i] == BROKER;
            need += roles[i] != COORDINATOR;
        }
        need += brokers == 0 && roles[0] == COORDINATOR;
        struct topology_ranks ranks = { .roles = roles, .count = count };
        bool enough = need <= topology_core_count(topology);
        assert_int_equal(topology_choose(topology, &ranks, text, sizeof text), enough);
        if (enough)
            check_placement(topology, roles, count);
        topology_destroy(topology);
    }
}

/* ---- the real machine, in a process of its own */

static unsigned own_cpus(void)
{
    cpu_set_t cpus;
    return sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? (unsigned)CPU_COUNT(&cpus) : 0;
}

static int bind_once(void)
{
    struct topology *topology;
    enum aimss_role roles[] = { BROKER, COMPUTE };
    struct topology_ranks ranks = { .roles = roles, .count = 2 };
    if (topology_create(&topology) != AIMSS_OK)
        return 1;
    unsigned before = own_cpus();
    bool may = !topology_is_bound(topology) && topology_core_count(topology) >= 2;
    bool bound = topology_bind(topology, &ranks);
    unsigned after = own_cpus();
    topology_destroy(topology);
    printf("%u cpus before, %u after\n", before, after);
    fflush(stdout);
    return may ? !(bound && after < before) : !(!bound && after == before);
}

static int bind_when_bound(void)
{
    cpu_set_t one;
    int cpu = sched_getcpu();
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    unsigned before = own_cpus();
    struct topology *topology;
    enum aimss_role roles[] = { BROKER, COMPUTE };
    struct topology_ranks ranks = { .roles = roles, .count = 2, .self = 1 };
    char text[200];
    if (sched_setaffinity(0, sizeof one, &one) != 0 || topology_create(&topology) != AIMSS_OK)
        return 1;
    bool bound = topology_bind(topology, &ranks);
    bool known = topology_is_bound(topology) == (before > 1 || topology_core_count(topology) > 1);
    bool counted = topology_own_core_count(topology) == 1;
    topology_describe(topology, text, sizeof text);
    bool told = !topology_is_bound(topology) || strstr(text, "bound to 1 core by") != NULL;
    topology_destroy(topology);
    return bound || !known || !counted || !told || own_cpus() != 1 || sched_getcpu() != cpu;
}

static void run_apart(int (*run)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(run());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void binds_this_machine(void **state)
{
    (void)state;
    run_apart(bind_once);
}

static void leaves_a_launchers_binding(void **state)
{
    (void)state;
    run_apart(bind_when_bound);
}

static void says_what_hwloc_cannot(void **state)
{
    (void)state;
    struct topology *topology = NULL;
    setenv("HWLOC_XMLFILE", "/nowhere/at-all.xml", 1);
    aimss_status_t status = topology_create(&topology);
    unsetenv("HWLOC_XMLFILE");
    if (status == AIMSS_OK) { /* some versions fall back to the real machine */
        assert_true(topology_core_count(topology) > 0);
        topology_destroy(topology);
        return;
    }
    assert_int_equal(status, AIMSS_E_UNSUPPORTED);
    assert_null(topology);
    assert_non_null(strstr(error_text(), "hwloc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_there_is),
        cmocka_unit_test(places_by_role),
        cmocka_unit_test(too_few_cores_bind_nobody),
        cmocka_unit_test(random_placements),
        cmocka_unit_test(binds_this_machine),
        cmocka_unit_test(leaves_a_launchers_binding),
        cmocka_unit_test(says_what_hwloc_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
