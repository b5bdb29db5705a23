/* options.h: one table of options gives command line, job.conf, AIMSS_*
 * environment, --help and the man page.
 *
 * Precedence: command line, environment, job.conf, default. An unknown name is
 * refused with the nearest known one. Values are checked when they are set.
 */
#ifndef AIMSS_BASE_OPTIONS_H
#define AIMSS_BASE_OPTIONS_H

#include <aimss/types.h>
#include <stdbool.h>
#include <stdio.h>

enum option_type {
    OPTION_TEXT,
    OPTION_FLAG,   /* --name, --name=yes|no */
    OPTION_COUNT,  /* whole number */
    OPTION_BYTES,  /* whole number with an optional K, M, G or T (powers of 1024) */
    OPTION_TIME,   /* number with ns, us, ms, s or min; seconds without */
    OPTION_LIST    /* --name A B C until the next option; may be repeated */
};

struct option_spec {
    const char *name;          /* "record-max"; environment AIMSS_RECORD_MAX */
    enum option_type type;
    const char *value_default; /* as text; NULL: unset */
    uint64_t min, max;         /* of counts, bytes and times; max 0: no bound */
    const char *value_name;    /* "BYTES", for --help */
    const char *help;          /* one sentence */
    const char *choices;       /* of a text: "auto|always|never"; NULL: any */
    bool power_of_two;         /* of a count or of bytes */
    bool transient;            /* concerns one start only: never written to job.conf */
    bool command_only;         /* for the command line alone */
};

/* Every option that the library and its job programs know (base/options_table.c). */
extern const struct option_spec options_table[];
extern const size_t options_table_count;

struct options;

/* The table's entry of that name; a name that is not in the table is a bug (assert). */
const struct option_spec *options_spec(const char *name);

/* An empty set that knows the table above, or only the given options (which
 * are borrowed). */
aimss_status_t options_create(struct options **options);
aimss_status_t options_create_with(const struct option_spec *specs, size_t count,
                                   struct options **options);
void options_destroy(struct options *options);

/* Adds an option of a program's own; refused if the name is taken. The strings
 * are borrowed. */
aimss_status_t options_declare(struct options *options, const struct option_spec *spec);

/* Takes known options out of argv (argv[0] stays); strict: anything left is an
 * error that names the nearest option; else unknown words stay in argv. */
aimss_status_t options_parse(struct options *options, int *argc, char **argv, bool strict);

/* AIMSS_NAME; an empty value counts as none, a list is separated by colons.
 * Names that begin with AIMSS_LAUNCH_ or AIMSS_TEST_ are no options. */
aimss_status_t options_read_environment(struct options *options);

/* job.conf: `name = value`, a list by repeating the name; what follows the line
 * [job] is skipped. AIMSS_E_NOT_FOUND if there is no such file. */
aimss_status_t options_read_file(struct options *options, const char *path);

/* For a program that declares options after it has read some: from now on an
 * unknown name in the environment or a file is no error but is kept until
 * options_declare() takes it or options_refuse_unknown() reports it. */
void options_defer_unknown(struct options *options);

/* The error for what nobody has taken: words left in argv, names deferred. A
 * strict options_parse() ends with it. */
aimss_status_t options_refuse_unknown(const struct options *options, int argc, char **argv);

/* Reading values; a name that is not in the table is a bug (assert). */
bool options_is_set(const struct options *options, const char *name); /* other than by default */
const char *options_text(const struct options *options, const char *name);
uint64_t options_number(const struct options *options, const char *name); /* count, bytes, ns */
bool options_flag(const struct options *options, const char *name);
const char *const *options_list(const struct options *options, const char *name, size_t *count);

/* --help text of the options; job.conf lines of those that are set; man page part. */
void options_print_help(const struct options *options, FILE *out);
aimss_status_t options_write_conf(const struct options *options, FILE *out);
void options_print_man(const struct options *options, FILE *out);

#endif
