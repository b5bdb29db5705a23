/* help.c: `aimss help`: the commands, one of them, or the options of a job. */
#include "cli/cli.h"

#include "base/error.h"

#include <string.h>

static const struct option_spec help_specs[] = {
    { .name = "man", .type = OPTION_FLAG, .help = "print the options as a part of the man page" },
};

static void print_overview(void)
{
    printf("usage: aimss COMMAND [OPTION...]\n\n");
    for (size_t i = 0; cli_commands[i] != NULL; i++)
        printf("  %-10s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    printf("\n`aimss COMMAND --help` tells more of a command, `aimss help options` of the options\n"
           "of job programs, `man aimss` of all. `aimss --version` prints the version.\n");
}

static int print_options(void (*print)(const struct options *options, FILE *out))
{
    struct options *options = NULL;
    aimss_status_t status = options_create(&options);

    if (status != AIMSS_OK)
        return cli_fail(status);
    print(options, stdout);
    options_destroy(options);
    return CLI_DONE;
}

static int print_job_options(void)
{
    printf("Options of job programs. Each may also stand in the environment (--record-max as\n"
           "AIMSS_RECORD_MAX) or in DIR/job.conf (record-max = 64M); the command line comes\n"
           "before the environment, and that before job.conf.\n\n");
    return print_options(options_print_help);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    int exit_code;
    struct options *options = cli_parse(command, &argc, argv, &exit_code);
    bool man;

    if (options == NULL)
        return exit_code;
    man = options_flag(options, "man");
    options_destroy(options);
    if (man)
        return print_options(options_print_man);
    if (argc < 2) {
        print_overview();
        return CLI_DONE;
    }
    if (strcmp(argv[1], "options") == 0)
        return print_job_options();
    command = cli_find(argv[1]);
    if (command == NULL)
        return cli_fail(AIMSS_E_USAGE);
    cli_print_help(command, stdout);
    return CLI_DONE;
}

const struct cli_command cli_help = {
    .name = "help",
    .words = "[COMMAND | options]",
    .summary = "tell how a command is used",
    .detail = "Lists the commands, or tells more of one, or lists the options of job programs.",
    .specs = help_specs,
    .spec_count = sizeof help_specs / sizeof help_specs[0],
    .run = run,
};
