/* new.c: `aimss new NAME`: a folder with a job to begin with.
 *
 * The templates are part of the command (templates.c), so it works wherever
 * the command does. @NAME@ in them becomes the job's name.
 */
#include "cli/templates.h"

#include "base/error.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 64 };

static aimss_status_t check_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "0123456789_-";
    size_t len = strlen(name), good = 0;

    while (good < len && (strchr(letters, name[good]) || (good > 0 && strchr(others, name[good]))))
        good++;
    if (len == 0 || len > NAME_BYTES_MAX || good < len)
        return error_set(AIMSS_E_INVALID, "job name \"%s\": expected a letter, then letters, "
                         "digits, _ or -, at most %d in all; for example aimss new my-job", name,
                         NAME_BYTES_MAX);
    return AIMSS_OK;
}

static void write_template(const char *text, const char *name, FILE *out)
{
    static const char mark[] = "@NAME@";
    const char *at;

    while ((at = strstr(text, mark)) != NULL) {
        fwrite(text, 1, (size_t)(at - text), out);
        fputs(name, out);
        text = at + strlen(mark);
    }
    fputs(text, out);
}

static aimss_status_t write_file(const struct cli_template *template, const char *name)
{
    char path[2 * NAME_BYTES_MAX + 32];
    FILE *out;
    int bad;

    snprintf(path, sizeof path, "%s/%s%s", name, template->name != NULL ? template->name : name,
             template->suffix);
    out = fopen(path, "wxe");
    if (out == NULL)
        return error_set(AIMSS_E_IO, "cannot write %s: %s", path, strerror(errno));
    write_template(template->text, name, out);
    bad = ferror(out);
    if (fclose(out) != 0 || bad)
        return error_set(AIMSS_E_IO, "cannot write %s: %s", path, strerror(errno));
    printf("  %s\n", path);
    return AIMSS_OK;
}

static aimss_status_t create(const char *name)
{
    aimss_status_t status = check_name(name);

    if (status != AIMSS_OK)
        return status;
    if (mkdir(name, 0777) != 0 && errno == EEXIST)
        return error_set(AIMSS_E_EXISTS, "%s exists already, expected a new name; choose another, "
                         "or remove it", name);
    if (access(name, W_OK) != 0)
        return error_set(AIMSS_E_IO, "cannot create folder %s: %s; go to a folder where this user "
                         "can write", name, strerror(errno));
    for (size_t i = 0; i < cli_template_count && status == AIMSS_OK; i++)
        status = write_file(&cli_templates[i], name);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    int exit_code;
    aimss_status_t status;
    struct options *options = cli_parse(command, &argc, argv, &exit_code);

    if (options == NULL)
        return exit_code;
    options_destroy(options);
    if (argc != 2)
        status = error_set(AIMSS_E_USAGE, "aimss new: found %d words, expected one name; write "
                           "aimss new NAME", argc - 1);
    else
        status = create(argv[1]);
    if (status != AIMSS_OK)
        return cli_fail(status);
    printf("\nBuild and run it:\n  cd %s && make\n"
           "  aimss launch -n 4 ./%s --input /usr/share/common-licenses --job result\n", argv[1],
           argv[1]);
    return CLI_DONE;
}

const struct cli_command cli_new = {
    .name = "new",
    .words = "NAME",
    .summary = "write a job to begin with: C file, Makefile, sbatch script",
    .detail = "Makes a folder NAME with a small job that counts words, the Makefile that\n"
              "builds it against the installed library, and a script for Slurm.",
    .run = run,
};
