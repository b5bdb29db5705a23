/* options_print.c: the options as --help and as a part of the man page. */
#include "base/options_set.h"

#include <string.h>

enum { HELP_COLUMN = 26, HELP_WIDTH = 80, DESCRIPTION_BYTES = 1024 };

/* Words of text from the column on, in lines of HELP_WIDTH. */
static void print_wrapped(const char *text, FILE *out)
{
    int column = HELP_COLUMN;

    while (*text != '\0') {
        int len = (int)strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + len > HELP_WIDTH) {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        column += fprintf(out, "%s%.*s", column > HELP_COLUMN ? " " : "", len, text);
        text += len;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

/* The help sentence, with range and default where there are any. */
static void describe(const struct option_spec *spec, char *text, size_t text_bytes)
{
    char expected[OPTION_EXPECTED_BYTES];
    const char *usual = spec->type == OPTION_FLAG ? NULL : spec->value_default;
    int len = snprintf(text, text_bytes / 2, "%.500s", spec->help);

    if (spec->min > 0 || spec->max > 0)
        len += snprintf(text + len, text_bytes - (size_t)len, "; %s",
                        option_expected(spec, expected));
    if (usual != NULL && *usual != '\0')
        snprintf(text + len, text_bytes - (size_t)len, " (default %s)", usual);
}

void options_print_help(const struct options *options, FILE *out)
{
    char head[HELP_WIDTH], text[DESCRIPTION_BYTES];

    for (size_t i = 0; i < options->count; i++) {
        const struct option_spec *spec = options->values[i].spec;
        bool has_value = spec->type != OPTION_FLAG;
        int len = snprintf(head, sizeof head, "  --%s%s%s", spec->name, has_value ? " " : "",
                           has_value ? spec->value_name : "");
        describe(spec, text, sizeof text);
        fputs(head, out);
        if (len > HELP_COLUMN - 2)
            fprintf(out, "\n%*s", HELP_COLUMN, "");
        else
            fprintf(out, "%*s", HELP_COLUMN - len, "");
        print_wrapped(text, out);
    }
}

/* In roff a dash is \- and a backslash \e. */
static void print_roff(const char *text, FILE *out)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text != '\0'; text++) {
        if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\\')
            fputs("\\e", out);
        else
            fputc(*text, out);
    }
}

void options_print_man(const struct options *options, FILE *out)
{
    char text[DESCRIPTION_BYTES], variable[OPTION_NAME_BYTES];

    for (size_t i = 0; i < options->count; i++) {
        const struct option_spec *spec = options->values[i].spec;
        fputs(".TP\n\\fB\\-\\-", out);
        print_roff(spec->name, out);
        fputs("\\fR", out);
        if (spec->type != OPTION_FLAG) {
            fputs(" \\fI", out);
            print_roff(spec->value_name, out);
            fputs("\\fR", out);
        }
        fputc('\n', out);
        describe(spec, text, sizeof text);
        print_roff(text, out);
        option_environment_name(spec->name, variable);
        fputs(".\n", out);
        if (!spec->command_only)
            fprintf(out, "Environment: \\fBAIMSS_%s\\fR.\n", variable);
    }
}
