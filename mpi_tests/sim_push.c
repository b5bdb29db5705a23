/* sim_push: the push protocols under thousands of seeded schedules.
 *
 *   sim_push                        the schedules of make check
 *   sim_push --seeds FROM COUNT     these
 *   sim_push --seed S [--trace]     one again, with a line for each event
 *   sim_push ... --hashes           a line for each schedule
 *   sim_push --fault NAME           one promise of the layers below is broken
 *   sim_push --faults               lists them
 *
 * A schedule that fails names its seed and ends the program with status 1.
 */
#include "sim/workload.h"

#include "base/error.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEEDS_DEFAULT = 5000, TEXT_BYTES = 600 * 1024, STUCK_S = 60 };

struct arguments {
    uint64_t from, count;
    bool one, hashes, trace;
    const struct sim_fault *fault;
};

/* For handlers alone: which seed to name, and what to clear away. */
static volatile uint64_t running_seed;
static char text_path[4096];

static void remove_text(void)
{
    unlink(text_path);
}

static void died(int number)
{
    char line[64];
    int len = snprintf(line, sizeof line, "seed %" PRIu64 ": %s\n", running_seed,
                       number == SIGABRT   ? "an assertion does not hold"
                       : number == SIGALRM ? "a rank does not hand over"
                                           : "a wild address was used");

    remove_text();
    if (write(STDERR_FILENO, line, (size_t)len) < 0)
        _exit(2);
    _exit(1);
}

/* On a stack of its own: that of a coroutine may be what has overflowed. */
static void watch_signals(void)
{
    static char stack[64 * 1024];
    stack_t own = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_handler = died, .sa_flags = SA_ONSTACK };

    sigaltstack(&own, NULL);
    sigaction(SIGABRT, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
#ifndef __SANITIZE_ADDRESS__
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
#endif
}

static void usage(void)
{
    fprintf(stderr, "usage: sim_push [--seeds FROM COUNT | --seed S] [--trace] [--hashes] "
                    "[--fault NAME] [--faults]\n");
    exit(2);
}

static const char *next_word(int argc, char **argv, int *at)
{
    if (++*at >= argc)
        usage();
    return argv[*at];
}

static uint64_t next_number(int argc, char **argv, int *at)
{
    return strtoull(next_word(argc, argv, at), NULL, 0);
}

static void read_arguments(int argc, char **argv, struct arguments *arguments)
{
    *arguments = (struct arguments){ .from = 1, .count = SEEDS_DEFAULT };
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], "--seeds") == 0) {
            arguments->from = next_number(argc, argv, &at);
            arguments->count = next_number(argc, argv, &at);
        } else if (strcmp(argv[at], "--seed") == 0) {
            arguments->from = next_number(argc, argv, &at);
            arguments->count = 1;
            arguments->one = true;
        } else if (strcmp(argv[at], "--trace") == 0) {
            arguments->trace = true;
        } else if (strcmp(argv[at], "--hashes") == 0) {
            arguments->hashes = true;
        } else if (strcmp(argv[at], "--fault") == 0) {
            arguments->fault = sim_fault_find(next_word(argc, argv, &at));
            if (arguments->fault == NULL)
                usage();
        } else if (strcmp(argv[at], "--faults") == 0) {
            sim_fault_list(stdout);
            exit(0);
        } else {
            usage();
        }
    }
}

static void run_seed(struct workload *load, struct sim_memory *memory, uint64_t seed,
                     const struct arguments *arguments)
{
    struct sim *sim;
    enum sim_outcome outcome;

    running_seed = seed;
    alarm(STUCK_S);
    workload_draw(load, seed);
    if (arguments->one)
        workload_print(load);
    sim = sim_create(&load->sim, memory);
    outcome = sim_run(sim);
    workload_check(load, sim, outcome);
    if (arguments->one || arguments->hashes)
        printf("seed %" PRIu64 ": %s, %" PRIu64 " steps, %.3f ms, hash %016" PRIx64 "\n", seed,
               outcome == SIM_CRASHED ? "crashed as planned" : "ended", sim_steps(sim),
               (double)sim_now_ns(sim) / 1e6, sim_hash(sim));
    sim_destroy(sim);
}

/* The coordinator lists real files; what brokers read is this program's copy. */
static struct ledger_text *write_text(void)
{
    const char *folder = getenv("TMPDIR");
    struct ledger_text *text;
    int fd;

    snprintf(text_path, sizeof text_path, "%s/sim_push.XXXXXX", folder != NULL ? folder : "/tmp");
    fd = mkstemp(text_path);
    atexit(remove_text);
    text = ledger_text_create(text_path, TEXT_BYTES);
    if (fd < 0 || write(fd, text->file.data, text->file.len_bytes) !=
                      (ssize_t)text->file.len_bytes) {
        perror(text_path);
        exit(2);
    }
    close(fd);
    return text;
}

int main(int argc, char **argv)
{
    static struct workload load;
    struct arguments arguments;
    struct sim_memory *memory = sim_memory_create();
    struct ledger_text *text = write_text();

    read_arguments(argc, argv, &arguments);
    watch_signals();
    load.ledger.text = text;
    if (options_create(&load.sim.options) != AIMSS_OK)
        return 2;
    load.sim.fault = arguments.fault;
    load.sim.trace = arguments.trace;
    for (uint64_t n = 0; n < arguments.count; n++)
        run_seed(&load, memory, arguments.from + n, &arguments);
    if (!arguments.one && !arguments.hashes)
        printf("%" PRIu64 " schedules, seeds %" PRIu64 " to %" PRIu64 "\n", arguments.count,
               arguments.from, arguments.from + arguments.count - 1);
    ledger_text_destroy(text);
    options_destroy(load.sim.options);
    sim_memory_destroy(memory);
    return 0;
}
