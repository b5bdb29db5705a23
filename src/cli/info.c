/* info.c: `aimss info`: what this build is, what this machine offers, and what
 * both mean for jobs. Facts first, then in words what follows from them.
 */
#include "cli/cli.h"
#include "cli/machine.h"

#include "base/error.h"
#include "config.h"
#include "mem/topology.h"

#include <jansson.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { USUAL_ARENA_MIN = 1 << 30, SYSTEM_UID_MAX = 999 };

static void print_build(void)
{
    printf("aimss      %s\ncompiler   %s, %s\n", PACKAGE_VERSION, BUILD_CC, BUILD_CFLAGS);
    printf("libraries  %s; jansson %s, hwloc, isa-l, inih\n", BUILD_MPI, jansson_version_str());
    printf("devices    cpu (no GPU support is built in)\n");
}

static void print_topology(void)
{
    struct topology *topology = NULL;
    char text[256] = "unknown";

    if (topology_create(&topology) == AIMSS_OK)
        topology_describe(topology, text, sizeof text);
    topology_destroy(topology);
    printf("machine    %s\n", text);
}

static void print_mpi(void)
{
    static const char *const frameworks[] = { "osc", "pml", "btl", "mtl" };
    char text[512];

    for (size_t i = 0; i < sizeof frameworks / sizeof frameworks[0]; i++)
        if (machine_mpi_components(frameworks[i], text, sizeof text))
            printf("mpi %s    %s\n", frameworks[i], text);
    printf("fabric     %s\n", access("/sys/class/infiniband", F_OK) == 0
           ? "InfiniBand or RoCE" : "none; nodes talk over TCP");
}

static void print_shared_memory(void)
{
    struct statvfs shm;
    char size[CLI_SIZE_BYTES], available[CLI_SIZE_BYTES];

    if (statvfs("/dev/shm", &shm) != 0) {
        printf("/dev/shm   absent: no arena can be made; mount a tmpfs there\n");
        return;
    }
    uint64_t free_bytes = (uint64_t)shm.f_bavail * shm.f_frsize;
    printf("/dev/shm   %s, %s free\n", cli_size((uint64_t)shm.f_blocks * shm.f_frsize, size),
           cli_size(free_bytes, available));
    if (free_bytes < USUAL_ARENA_MIN)
        printf("           That is little: all arenas of this machine must fit. Set --arena, or\n"
               "           enlarge it: mount -o remount,size=8G /dev/shm, docker --shm-size=8g.\n");
}

static void print_limits(void)
{
    struct rlimit locked;
    uint64_t memory = machine_memory_limit();
    char size[CLI_SIZE_BYTES];

    if (memory != MACHINE_UNLIMITED)
        printf("cgroup     memory limit %s; arenas count against it, like all in /dev/shm\n",
               cli_size(memory, size));
    else
        printf("cgroup     no memory limit\n");
    if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0 && locked.rlim_cur != RLIM_INFINITY)
        printf("memlock    %s; a fabric or GPU that pins arenas needs more (ulimit -l)\n",
               cli_size(locked.rlim_cur, size));
    else
        printf("memlock    unlimited\n");
}

static void print_copying(void)
{
    char scope[16] = "absent";
    int error;
    bool can = machine_can_copy_memory(&error);

    cli_first_line("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof scope);
    printf("copying    between processes (CMA): %s; yama ptrace_scope %s\n",
           can ? "works" : strerror(error), scope);
    if (!can)
        printf("           MPI windows over existing memory do not work; AIMSS uses allocated\n"
               "           ones. Arenas do not need it.\n");
}

static void print_logind(void)
{
    enum machine_logind logind = machine_logind();

    if (logind == MACHINE_LOGIND_ABSENT)
        printf("logind     does not run: arenas stay until the job or aimss clean removes them\n");
    else if (logind == MACHINE_LOGIND_KEEPS)
        printf("logind     RemoveIPC=no: arenas stay when a user logs out\n");
    else if (getuid() <= SYSTEM_UID_MAX)
        printf("logind     RemoveIPC=yes, but not for system users: these arenas stay\n");
    else
        printf("logind     RemoveIPC=yes: when your last session ends, all your files in /dev/shm\n"
               "           are removed, arenas of running jobs too. Run jobs under Slurm, or set\n"
               "           RemoveIPC=no in logind.conf, or: loginctl enable-linger\n");
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    int exit_code;
    struct options *options = cli_parse(command, &argc, argv, &exit_code);

    if (options == NULL)
        return exit_code;
    options_destroy(options);
    if (argc > 1) {
        error_set(AIMSS_E_USAGE, "unexpected word \"%s\"; aimss info takes none", argv[1]);
        return cli_fail(AIMSS_E_USAGE);
    }
    print_build();
    print_topology();
    print_mpi();
    print_shared_memory();
    print_limits();
    print_copying();
    print_logind();
    return CLI_DONE;
}

const struct cli_command cli_info = {
    .name = "info",
    .words = "",
    .summary = "tell about this build and this machine",
    .detail = "Tells what this build is made of and what this machine offers: cores, MPI\n"
              "components, shared memory, limits, and what they mean for the memory of jobs.",
    .run = run,
};
