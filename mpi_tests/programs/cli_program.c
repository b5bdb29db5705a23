/* cli_program.c: a job as `aimss launch` sees it, for cli_signals.
 *
 * Prints `rank R pid P`, runs until SIGUSR1 asks it to stop, and ends with 130.
 *
 *     exit N      end at once, rank 0 with N
 *     vanish      end at once, the last rank with 0 but without MPI's knowledge
 *     deaf        ignore the request to stop
 *     detach      rank 0 first starts a process that leaves its session
 *     environment print the AIMSS_ variables of the last rank and end
 */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static volatile sig_atomic_t stop;

static void ask_to_stop(int signal)
{
    (void)signal;
    stop = 1;
}

static int is(int argc, char **argv, const char *word)
{
    return argc > 1 && strcmp(argv[1], word) == 0;
}

static void detach(void)
{
    if (fork() != 0)
        return;
    setsid();
    if (fork() == 0) {
        printf("detached pid %d\n", (int)getpid());
        fflush(stdout);
        for (;;)
            pause();
    }
    _exit(0);
}

static void print_environment(void)
{
    for (char **entry = environ; *entry != NULL; entry++)
        if (strncmp(*entry, "AIMSS_", 6) == 0 || strncmp(*entry, "OMPI_MCA_osc=", 13) == 0)
            puts(*entry);
}

static void wait_for_stop(void)
{
    struct timespec tick = { .tv_nsec = 2000000 };

    while (!stop)
        nanosleep(&tick, NULL);
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = ask_to_stop };
    int rank, size;

    if (is(argc, argv, "deaf"))
        action.sa_handler = SIG_IGN;
    sigaction(SIGUSR1, &action, NULL);
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (is(argc, argv, "detach") && rank == 0)
        detach();
    printf("rank %d pid %d\n", rank, (int)getpid());
    fflush(stdout);
    if (is(argc, argv, "vanish") && rank == size - 1)
        _exit(0);
    if (is(argc, argv, "environment") && rank == size - 1)
        print_environment();
    else if (argc < 2 || is(argc, argv, "deaf") || is(argc, argv, "detach"))
        wait_for_stop();
    MPI_Finalize();
    if (is(argc, argv, "exit"))
        return rank == 0 ? atoi(argv[2]) : 0;
    return stop && rank == 0 ? 130 : 0;
}
