/* cli.h: what the subcommands of `aimss` share. One file a subcommand, one
 * table of them in cli.c.
 */
#ifndef AIMSS_CLI_CLI_H
#define AIMSS_CLI_CLI_H

#include "base/options.h"

/* Exit codes of the command. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_SIGNALLED = 128 };

struct cli_command {
    const char *name;
    const char *words;                  /* of the usage line, behind the name */
    const char *summary;                /* one line of `aimss help` */
    const char *detail;                 /* a paragraph of its --help */
    const struct option_spec *specs;    /* its options; --help comes by itself */
    size_t spec_count;
    int (*run)(const struct cli_command *command, int argc, char **argv);
};

extern const struct cli_command cli_launch, cli_info, cli_status, cli_clean, cli_new, cli_help;

/* All subcommands, in the order of `aimss help`; ended by NULL. */
extern const struct cli_command *const cli_commands[];

/* The subcommand of that name; NULL, with the error and the nearest one. */
const struct cli_command *cli_find(const char *name);

/* Takes the command's options out of argv; other words stay. Returns the set,
 * to be destroyed by the caller, or NULL when the command ends here with
 * *exit_code: help was asked for, or an option is wrong. */
struct options *cli_parse(const struct cli_command *command, int *argc, char **argv,
                          int *exit_code);

void cli_print_help(const struct cli_command *command, FILE *out);

/* Prints the thread's error; the exit code that belongs to its status. */
int cli_fail(aimss_status_t status);

/* "1.5 GiB". */
enum { CLI_SIZE_BYTES = 32 };
const char *cli_size(uint64_t len_bytes, char *text);

/* The first line of a file without its newline; NULL if it cannot be read. */
char *cli_first_line(const char *path, char *line, size_t line_bytes);

#endif
