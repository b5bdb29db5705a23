/* launch.h: what the files of `aimss launch` share. */
#ifndef AIMSS_CLI_LAUNCH_H
#define AIMSS_CLI_LAUNCH_H

#include <aimss/types.h>
#include <stdbool.h>

/* What is to be started, and how. */
struct launch {
    unsigned ranks;
    const char *brokers, *nodes_as;   /* texts; NULL: not given */
    uint64_t timeout_ns;              /* 0: none */
    bool verbose;                     /* show the command and the starter's messages */
    char *program;                    /* where it was found */
    char **arguments;                 /* the program's, from argv[1] on; ended by NULL */
};

/* The command line of mpirun or srun, and the environment, set in this
 * process, that goes with it. The vector and its words are the caller's. */
aimss_status_t launch_command(const struct launch *launch, char ***words);
void launch_command_destroy(char **words);

/* The file of a program: as given if it has a slash, else in PATH, else beside
 * the running command. AIMSS_E_NOT_FOUND. */
aimss_status_t launch_find_program(const char *name, char **program);

/* How the supervised command ended. */
struct launch_end {
    int exit_code;      /* its own, or 128 + signal */
    int stop_signal;    /* the first that asked this process to stop; 0: none */
    bool timed_out;
    bool killed;        /* a second signal, or the time after a timeout, ended it */
};

/* Runs the command, passes on what people ask for by signals, and leaves no
 * process behind. Sets up signals and so is called once. */
aimss_status_t launch_supervise(char **words, uint64_t timeout_ns, struct launch_end *end);

#endif
