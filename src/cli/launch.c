/* launch.c: `aimss launch`: starts the ranks of a job and says how it ended.
 *
 * What starts them is in launch_command.c, the watch over them in
 * launch_supervise.c. How the job ended is not taken from the exit code of
 * mpirun, which knows only processes: if the program has a job directory, the
 * result record in it counts, provided that this very run has written it.
 */
#include "cli/launch.h"

#include "base/error.h"
#include "cli/cli.h"
#include "role/jobdir.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS_MIN = 3, RANKS_MAX = 1 << 20 };

static const struct option_spec launch_specs[] = {
    { .name = "ranks", .type = OPTION_COUNT, .max = RANKS_MAX, .value_name = "COUNT",
      .help = "ranks to start, also written -n COUNT; at least 3: one coordinates, at least one "
              "stores, the others compute" },
    { .name = "brokers", .type = OPTION_COUNT, .min = 1, .max = 65535, .value_name = "COUNT",
      .help = "ranks that store; unset: one for every three that compute" },
    { .name = "nodes-as", .type = OPTION_COUNT, .min = 1, .max = 1024, .value_name = "COUNT",
      .help = "count the ranks of one machine as so many nodes" },
    { .name = "timeout", .type = OPTION_TIME, .min = 1, .value_name = "TIME",
      .help = "stop a job that runs longer" },
    { .name = "verbose", .type = OPTION_FLAG,
      .help = "print the command that starts the ranks, and what it says itself" },
};
enum { SPEC_COUNT = sizeof launch_specs / sizeof launch_specs[0] };

/* ---- the command line: our options, the program, its words ----------------- */

static const struct option_spec *spec_of(const char *word)
{
    size_t len = strcspn(word, "=");

    for (size_t i = 0; i < SPEC_COUNT; i++)
        if (strlen(launch_specs[i].name) + 2 == len && strncmp(word, "--", 2) == 0 &&
            strncmp(word + 2, launch_specs[i].name, len - 2) == 0)
            return &launch_specs[i];
    return NULL;
}

/* Counts the words that are launch's own, with "-n" spelled out in argv. */
static int own_words(int argc, char **argv)
{
    static char ranks[] = "--ranks";
    int next = 1;

    while (next < argc && argv[next][0] == '-') {
        const struct option_spec *spec;
        if (strcmp(argv[next], "-n") == 0 || strcmp(argv[next], "-np") == 0)
            argv[next] = ranks;
        spec = spec_of(argv[next]);
        next++;
        if (spec != NULL && spec->type != OPTION_FLAG && strchr(argv[next - 1], '=') == NULL)
            next++;
    }
    return next < argc ? next : argc;
}

static aimss_status_t check_ranks(const struct options *options, const char *program)
{
    uint64_t ranks = options_number(options, "ranks");

    if (!options_is_set(options, "ranks"))
        return error_set(AIMSS_E_USAGE, "aimss launch: found no number of ranks, expected -n N; "
                         "write aimss launch -n 4 %s ...", program);
    if (ranks < RANKS_MIN)
        return error_set(AIMSS_E_USAGE, "aimss launch: found %llu ranks, expected at least %d (one "
                         "coordinates, one stores, one computes); write aimss launch -n %d %s ...",
                         (unsigned long long)ranks, RANKS_MIN, RANKS_MIN + 1, program);
    return AIMSS_OK;
}

static aimss_status_t fill(const struct options *options, char **program_words,
                           struct launch *launch)
{
    aimss_status_t status;

    if (program_words[0] == NULL)
        return error_set(AIMSS_E_USAGE, "aimss launch: found no program, expected one behind the "
                         "options; write aimss launch -n 4 PROGRAM ...");
    status = check_ranks(options, program_words[0]);
    if (status == AIMSS_OK)
        status = launch_find_program(program_words[0], &launch->program);
    if (status != AIMSS_OK)
        return status;
    launch->ranks = (unsigned)options_number(options, "ranks");
    launch->brokers = options_text(options, "brokers");
    launch->nodes_as = options_text(options, "nodes-as");
    launch->timeout_ns = options_number(options, "timeout");
    launch->verbose = options_flag(options, "verbose");
    launch->arguments = program_words + 1;
    return AIMSS_OK;
}

/* ---- the job directory, if the program has one ------------------------------ */

static const char *job_directory(char **arguments)
{
    const char *found = getenv("AIMSS_JOB");

    for (; *arguments != NULL; arguments++) {
        if (strcmp(*arguments, "--job") == 0 && arguments[1] != NULL)
            found = arguments[1];
        else if (strncmp(*arguments, "--job=", 6) == 0)
            found = *arguments + 6;
    }
    return found != NULL && *found != '\0' ? found : NULL;
}

/* The number of the last run; 0 before the first. */
static unsigned last_run(const char *directory)
{
    struct job_identity identity = { 0 };

    if (directory != NULL && jobdir_read_identity(directory, &identity) != AIMSS_OK)
        return 0;
    return identity.run;
}

/* The exit code in the record of a run after the given one; -1 if there is none. */
static int recorded_exit_code(const char *directory, unsigned run_before)
{
    struct job_result *result = NULL;
    int exit_code = -1;

    if (directory != NULL && jobdir_read_result(directory, &result) == AIMSS_OK &&
        result->run > run_before)
        exit_code = result->exit_code;
    job_result_destroy(result);
    return exit_code;
}

/* ---- how it ended ----------------------------------------------------------- */

enum { RESUMABLE = 75 /* EX_TEMPFAIL, for programs that use it */ };

static bool is_signal(int code)
{
    return code > CLI_SIGNALLED && code <= CLI_SIGNALLED + SIGRTMAX;
}

/* What a program ends with by itself may be any number; ours have meanings. */
static int our_code(int code)
{
    return code == CLI_DONE || code == CLI_USAGE || code == RESUMABLE || is_signal(code)
               ? code : CLI_FAILED;
}

/* One line about an end that no record tells. */
static void say_end(const struct launch *launch, const struct launch_end *end, bool began)
{
    const char *again = began ? "; the same command runs it again" : "";
    const char *record = began ? " without a result record" : "";
    int code = end->exit_code;

    if (end->stop_signal != 0)
        diag(DIAG_ERROR, "%s was %s by signal %d (%s)%s%s; `aimss clean` removes what it may have "
             "left in /dev/shm", launch->program, end->killed ? "ended" : "stopped",
             end->stop_signal, strsignal(end->stop_signal), record, again);
    else if (is_signal(code))
        diag(DIAG_ERROR, "a rank of %s was ended by signal %d (%s)%s; `aimss clean` removes what "
             "it may have left in /dev/shm", launch->program, code - CLI_SIGNALLED,
             strsignal(code - CLI_SIGNALLED), again);
    else
        diag(DIAG_ERROR, "%s ended with code %d%s%s; `aimss clean` removes what it may have left "
             "in /dev/shm", launch->program, code, record, again);
}

/* A wrong command line ends with 2, a job directory that cannot be had before its run
 * has begun: the program has said why, and has left nothing. */
static bool was_refused(int code, const char *directory, bool began)
{
    return !began && (code == CLI_USAGE || (code == CLI_FAILED && directory != NULL));
}

static int without_record(const struct launch *launch, const struct launch_end *end,
                          const char *directory, bool began)
{
    int code = end->exit_code;

    if (code == CLI_DONE && !began)
        return CLI_DONE;
    if (!was_refused(code, directory, began))
        say_end(launch, end, began);
    if (end->stop_signal != 0)
        return CLI_SIGNALLED + end->stop_signal;
    return began && code == CLI_DONE ? CLI_FAILED : our_code(code);
}

static int judge(const struct launch *launch, const struct launch_end *end, const char *directory,
                 unsigned run_before)
{
    int recorded = recorded_exit_code(directory, run_before);

    if (end->timed_out && recorded != CLI_DONE) /* it may have been done at that moment */
        diag(DIAG_ERROR, "the job was stopped: it ran longer than the %.1f s of --timeout%s",
             (double)launch->timeout_ns / 1e9, recorded >= 0 ? "" : "; `aimss clean` removes what "
             "it may have left in /dev/shm");
    if (recorded >= 0 || end->timed_out)
        return recorded >= 0 ? recorded : CLI_FAILED;
    return without_record(launch, end, directory, last_run(directory) > run_before);
}

static int start(const struct launch *launch)
{
    const char *directory = job_directory(launch->arguments);
    unsigned run_before = last_run(directory);
    struct launch_end end = { 0 };
    char **words = NULL;
    aimss_status_t status = launch_command(launch, &words);

    if (status == AIMSS_OK)
        status = launch_supervise(words, launch->timeout_ns, &end);
    launch_command_destroy(words);
    return status == AIMSS_OK ? judge(launch, &end, directory, run_before) : cli_fail(status);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct launch launch = { 0 };
    int own = own_words(argc, argv), own_count = own, exit_code;
    struct options *options = cli_parse(command, &own_count, argv, &exit_code);
    aimss_status_t status;

    if (options == NULL)
        return exit_code;
    status = fill(options, argv + own, &launch);
    exit_code = status == AIMSS_OK ? start(&launch) : cli_fail(status);
    free(launch.program);
    options_destroy(options);
    return exit_code;
}

const struct cli_command cli_launch = {
    .name = "launch",
    .words = "-n COUNT [OPTION...] PROGRAM [ARGUMENT...]",
    .summary = "start the ranks of a job",
    .detail = "Starts COUNT ranks of PROGRAM: with srun inside a Slurm allocation, with mpirun\n"
              "otherwise. Interrupt once to stop the job cleanly, twice to end it at once.\n"
              "Exit codes: 0 done, 1 failed, 2 usage, 128+n ended by signal n; 130 for a job that\n"
              "was asked to stop, by whatever signal, and ended cleanly.",
    .specs = launch_specs,
    .spec_count = SPEC_COUNT,
    .run = run,
};
