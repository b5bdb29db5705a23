/* cli.c: the `aimss` command: finds the subcommand and hands over.
 *
 * A subcommand gets argv with its own name first, takes its options through
 * cli_parse(), prints results to standard output and errors to standard error,
 * and returns the exit code: 0 done, 1 failed, 2 usage.
 */
#include "cli/cli.h"

#include "base/error.h"
#include "base/nearest.h"
#include "config.h"

#include <stdlib.h>
#include <string.h>

const struct cli_command *const cli_commands[] = {
    &cli_launch, &cli_info, &cli_status, &cli_clean, &cli_new, &cli_help, NULL
};

const struct cli_command *cli_find(const char *name)
{
    struct nearest nearest = NEAREST_START(name);

    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
        nearest_offer(&nearest, cli_commands[i]->name);
    }
    if (nearest.best != NULL)
        error_set(AIMSS_E_USAGE, "unknown command \"%s\"; did you mean aimss %s?", name,
                  nearest.best);
    else
        error_set(AIMSS_E_USAGE, "unknown command \"%s\"; aimss help lists the commands", name);
    return NULL;
}

int cli_fail(aimss_status_t status)
{
    diag(DIAG_ERROR, "%s", error_text());
    switch (status) {
    case AIMSS_E_USAGE:
    case AIMSS_E_INVALID:
    case AIMSS_E_NOT_FOUND:
    case AIMSS_E_EXISTS:
        return CLI_USAGE;
    default:
        return CLI_FAILED;
    }
}

static aimss_status_t create_options(const struct cli_command *command, struct options **options)
{
    struct options *created = NULL;
    aimss_status_t status = options_create_with(command->specs, command->spec_count, &created);

    if (status == AIMSS_OK)
        status = options_declare(created, options_spec("help"));
    if (status != AIMSS_OK) {
        options_destroy(created);
        return status;
    }
    *options = created;
    return AIMSS_OK;
}

void cli_print_help(const struct cli_command *command, FILE *out)
{
    struct options *options = NULL;

    fprintf(out, "usage: aimss %s %s\n\n%s\n\n", command->name, command->words, command->detail);
    if (create_options(command, &options) == AIMSS_OK)
        options_print_help(options, out);
    options_destroy(options);
}

/* Words that are no options are the command's; words with a dash are nobody's. */
static aimss_status_t refuse_dashes(const struct options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (argv[i][0] == '-' && argv[i][1] != '\0')
            return options_refuse_unknown(options, argc - i + 1, argv + i - 1);
    return AIMSS_OK;
}

struct options *cli_parse(const struct cli_command *command, int *argc, char **argv,
                          int *exit_code)
{
    struct options *options = NULL;
    aimss_status_t status = create_options(command, &options);

    if (status == AIMSS_OK)
        status = options_parse(options, argc, argv, false);
    if (status == AIMSS_OK && !options_flag(options, "help")) {
        status = refuse_dashes(options, *argc, argv);
        if (status == AIMSS_OK)
            return options;
    }
    if (status == AIMSS_OK)
        cli_print_help(command, stdout);
    *exit_code = status == AIMSS_OK ? CLI_DONE : cli_fail(status);
    options_destroy(options);
    return NULL;
}

const char *cli_size(uint64_t len_bytes, char *text)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" };
    double scaled = (double)len_bytes;
    size_t unit = 0;

    while (scaled >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        scaled /= 1024;
        unit++;
    }
    snprintf(text, CLI_SIZE_BYTES, unit == 0 ? "%.0f %s" : "%.1f %s", scaled, units[unit]);
    return text;
}

char *cli_first_line(const char *path, char *line, size_t line_bytes)
{
    FILE *file = fopen(path, "re");
    char *read = file == NULL ? NULL : fgets(line, (int)line_bytes, file);

    if (file != NULL)
        fclose(file);
    if (read != NULL)
        read[strcspn(read, "\n")] = '\0';
    return read;
}

int main(int argc, char **argv)
{
    const struct cli_command *command;

    if (argc < 2) {
        cli_help.run(&cli_help, 1, argv);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("aimss %s\n", PACKAGE_VERSION);
        return CLI_DONE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cli_help.run(&cli_help, 1, argv);
    command = cli_find(argv[1]);
    return command == NULL ? cli_fail(AIMSS_E_USAGE) : command->run(command, argc - 1, argv + 1);
}
