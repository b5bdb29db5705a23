/* launch_supervise.c: the watch over mpirun or srun and all that it starts.
 *
 * The command runs in a process group of its own, so a Ctrl-C at the terminal
 * reaches this process alone, which decides: the first SIGINT, SIGTERM, SIGHUP
 * or SIGUSR1 becomes a SIGUSR1 to the command, which passes it on to the ranks
 * (Open MPI, MPICH and Slurm all do), and a job takes it as the request to stop
 * cleanly. A second one ends everything at once.
 *
 * No orphans: this process is the subreaper of all it starts, so every process
 * below, however it detached itself, becomes its child and is killed in the
 * end. If this process is killed itself, the kernel sends the command a
 * SIGTERM, on which it takes its ranks along, on other nodes too.
 *
 * One thread. Signals are blocked and fetched, so there are no handlers.
 */
#include "cli/launch.h"

#include "base/error.h"
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define S UINT64_C(1000000000)

/* How long mpirun may take to end its ranks before they are killed, and a job
 * to stop cleanly after --timeout. */
enum { TERM_GRACE_S = 3, STOP_GRACE_S = 10, KILL_ROUNDS_MAX = 500 };

struct watch {
    pid_t command;
    bool ended;
    uint64_t timeout_at, kill_at;  /* 0: never */
    struct launch_end *end;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * S + (uint64_t)now.tv_nsec;
}

static sigset_t watched_signals(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&set, signals[i]);
    return set;
}

/* ---- starting ----------------------------------------------------------------- */

/* In the child; does not return. */
static void become_command(char **words, const sigset_t *mask, pid_t parent)
{
    int null = open("/dev/null", O_RDONLY);

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
    setpgid(0, 0);
    /* A background group that reads a terminal is stopped; no job reads one. */
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(words[0], words);
    fprintf(stderr, "aimss: cannot run %s: %s\n", words[0], strerror(errno));
    _exit(127);
}

static aimss_status_t start(struct watch *watch, char **words)
{
    sigset_t set = watched_signals(), before;
    pid_t parent = getpid();

    sigprocmask(SIG_BLOCK, &set, &before);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    watch->command = fork();
    if (watch->command < 0)
        return error_set(AIMSS_E_IO, "cannot start %s: %s", words[0], strerror(errno));
    if (watch->command == 0)
        become_command(words, &before, parent);
    setpgid(watch->command, watch->command);
    return AIMSS_OK;
}

/* ---- all processes below this one ------------------------------------------------ */

static pid_t parent_of(const char *pid)
{
    char path[64], stat[512];
    const char *behind_name;
    long parent = -1;

    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    if (cli_first_line(path, stat, sizeof stat) == NULL)
        return -1;
    behind_name = strrchr(stat, ')'); /* the name may hold anything */
    if (behind_name == NULL || sscanf(behind_name, ") %*c %ld", &parent) != 1)
        return -1;
    return (pid_t)parent;
}

/* Returns how many there were, dead ones that wait to be reaped included. */
static unsigned kill_children(void)
{
    DIR *list = opendir("/proc");
    const struct dirent *entry;
    unsigned count = 0;

    while (list != NULL && (entry = readdir(list)) != NULL)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            parent_of(entry->d_name) == getpid())
            count += kill((pid_t)atol(entry->d_name), SIGKILL) == 0;
    if (list != NULL)
        closedir(list);
    return count;
}

static void reap(struct watch *watch)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == watch->command) {
            watch->ended = true;
            watch->end->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                                        : WEXITSTATUS(status);
        }
}

/* Whoever is killed leaves its children to us, the subreaper, so in the end all of
 * them have been ours. */
static void kill_all(struct watch *watch)
{
    struct timespec pause = { .tv_nsec = 10000000 };
    sigset_t set = watched_signals();

    for (int round = 0; round < KILL_ROUNDS_MAX && kill_children() > 0; round++) {
        sigtimedwait(&set, NULL, &pause);
        reap(watch);
    }
}

/* ---- watching -------------------------------------------------------------------- */

static void ask_to_stop(struct watch *watch, int signal)
{
    watch->end->stop_signal = signal;
    kill(watch->command, SIGUSR1);
}

static void end_at_once(struct watch *watch)
{
    watch->end->killed = true;
    kill(watch->command, SIGTERM);
    watch->kill_at = now_ns() + TERM_GRACE_S * S;
}

static void take_signal(struct watch *watch, int signal)
{
    if (signal == SIGCHLD)
        reap(watch);
    else if (watch->end->stop_signal == 0) {
        diag(DIAG_NOTE, "stopping the job; once more ends it at once");
        ask_to_stop(watch, signal);
    } else if (!watch->end->killed) {
        diag(DIAG_NOTE, "ending the job at once");
        end_at_once(watch);
    } else {
        kill_all(watch);
    }
}

static void take_time(struct watch *watch)
{
    uint64_t now = now_ns();

    if (watch->timeout_at != 0 && now >= watch->timeout_at) {
        watch->timeout_at = 0;
        watch->end->timed_out = true;
        ask_to_stop(watch, SIGUSR1);
        watch->kill_at = now + STOP_GRACE_S * S;
    } else if (watch->kill_at != 0 && now >= watch->kill_at) {
        if (watch->end->killed)
            kill_all(watch);
        else
            end_at_once(watch);
    }
}

/* How long there is nothing to do but to wait for signals. */
static struct timespec time_left(const struct watch *watch)
{
    uint64_t now = now_ns(), wake = now + 3600 * S, left;

    if (watch->timeout_at != 0 && watch->timeout_at < wake)
        wake = watch->timeout_at;
    if (watch->kill_at != 0 && watch->kill_at < wake)
        wake = watch->kill_at;
    left = wake > now ? wake - now : 0;
    return (struct timespec){ .tv_sec = (time_t)(left / S), .tv_nsec = (long)(left % S) };
}

aimss_status_t launch_supervise(char **words, uint64_t timeout_ns, struct launch_end *end)
{
    struct watch watch = { .end = end };
    sigset_t set = watched_signals();
    aimss_status_t status = start(&watch, words);

    if (status != AIMSS_OK)
        return status;
    if (timeout_ns > 0)
        watch.timeout_at = now_ns() + timeout_ns;
    while (!watch.ended) {
        struct timespec left = time_left(&watch);
        int signal = sigtimedwait(&set, NULL, &left);
        if (signal > 0)
            take_signal(&watch, signal);
        take_time(&watch);
    }
    kill_all(&watch);
    return AIMSS_OK;
}
