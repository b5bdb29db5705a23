/* options_read.c: options from the command line and from the environment, and
 * what happens to names that nobody knows. job.conf is in options_conf.c.
 */
#include "base/options_set.h"

#include "base/error.h"
#include "base/nearest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

#define PREFIX "AIMSS_"

/* Names that are no options: the launcher's, and those of the tests. */
static const char *const foreign_prefixes[] = { PREFIX "LAUNCH_", PREFIX "TEST_" };

/* ---- unknown names -------------------------------------------------------- */

static const char *nearest_name(const struct options *options, const char *name)
{
    struct nearest nearest = NEAREST_START(name);

    for (size_t i = 0; i < options->count; i++)
        nearest_offer(&nearest, options->values[i].spec->name);
    return nearest.best;
}

void option_environment_name(const char *name, char *text)
{
    size_t i;

    for (i = 0; name[i] != '\0' && i < OPTION_NAME_BYTES - 1; i++)
        text[i] = (char)(name[i] == '-' ? '_' : toupper((unsigned char)name[i]));
    text[i] = '\0';
}

/* where is the word as it was written; remedy what to write instead. */
static aimss_status_t unknown_name(const struct options *options, const char *where,
                                   const char *name, enum option_origin origin)
{
    const char *best = nearest_name(options, name);
    char variable[OPTION_NAME_BYTES];

    if (best == NULL)
        return error_set(AIMSS_E_USAGE, "unknown option %s; --help lists the options", where);
    if (origin == ORIGIN_ENVIRONMENT) {
        option_environment_name(best, variable);
        return error_set(AIMSS_E_USAGE, "unknown option %s in the environment; did you mean "
                         PREFIX "%s?", where, variable);
    }
    return error_set(AIMSS_E_USAGE, "unknown option %s; did you mean %s%s?", where,
                     origin == ORIGIN_COMMAND ? "--" : "", best);
}

static aimss_status_t defer(struct options *options, const struct option_deferred *found)
{
    struct option_deferred *kept = calloc(1, sizeof *kept), **link = &options->deferred;

    if (kept == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for option %s", found->where);
    while (*link != NULL)
        link = &(*link)->next;
    *link = kept;
    kept->origin = found->origin;
    kept->where = strdup(found->where);
    kept->name = strdup(found->name);
    kept->text = strdup(found->text);
    if (kept->where == NULL || kept->name == NULL || kept->text == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for option %s", found->where);
    return AIMSS_OK;
}

aimss_status_t options_put_unknown(struct options *options, const struct option_deferred *found)
{
    if (options->defers)
        return defer(options, found);
    return unknown_name(options, found->where, found->name, found->origin);
}

static aimss_status_t unknown_word(const struct options *options, const char *word)
{
    char name[OPTION_NAME_BYTES];
    const char *start = word + strspn(word, "-");

    if (word[0] != '-' || *start == '\0')
        return error_set(AIMSS_E_USAGE, "unexpected word \"%s\"; expected options only, --help "
                         "lists them", word);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(start, "="), start);
    return unknown_name(options, word, name, ORIGIN_COMMAND);
}

aimss_status_t options_refuse_unknown(const struct options *options, int argc, char **argv)
{
    const struct option_deferred *first = options->deferred;

    if (argc > 1)
        return unknown_word(options, argv[1]);
    if (first != NULL)
        return unknown_name(options, first->where, first->name, first->origin);
    return AIMSS_OK;
}

/* ---- the command line ----------------------------------------------------- */

/* The option that a word names; *text is what follows its `=`, or NULL. */
static struct option_value *option_of_word(const struct options *options, const char *word,
                                           const char **text)
{
    char name[OPTION_NAME_BYTES];
    size_t len;

    *text = NULL;
    if (strcmp(word, "-h") == 0)
        return options_find(options, "help");
    if (strncmp(word, "--", 2) != 0)
        return NULL;
    len = strcspn(word + 2, "=");
    if (len >= sizeof name)
        return NULL;
    memcpy(name, word + 2, len);
    name[len] = '\0';
    if (word[2 + len] == '=')
        *text = word + 2 + len + 1;
    return options_find(options, name);
}

static bool is_value(const struct option_spec *spec, const char *word)
{
    if (spec->type == OPTION_LIST)
        return word[0] != '-' || word[1] == '\0';
    return strncmp(word, "--", 2) != 0;
}

static aimss_status_t missing_value(const struct option_spec *spec, int count, char **words)
{
    if (count < 2)
        return error_set(AIMSS_E_USAGE, "option --%s: found the end of the command line, expected "
                         "%s", spec->name, spec->value_name);
    return error_set(AIMSS_E_USAGE, "option --%s: found \"%s\", expected %s; a value that begins "
                     "with a dash is written --%s=VALUE", spec->name, words[1], spec->value_name,
                     spec->name);
}

/* Takes the option at words[0] with its values; *used is 0 if it is none. */
static aimss_status_t take_option(struct options *options, int count, char **words, int *used)
{
    const char *text;
    struct option_value *value = option_of_word(options, words[0], &text);
    aimss_status_t status = AIMSS_OK;
    char where[OPTION_NAME_BYTES + 16];

    *used = 0;
    if (value == NULL)
        return AIMSS_OK;
    *used = 1;
    snprintf(where, sizeof where, "option --%s", value->spec->name);
    if (text == NULL && value->spec->type == OPTION_FLAG)
        text = "yes";
    if (text != NULL)
        return options_put(value, ORIGIN_COMMAND, where, text);
    if (count < 2 || !is_value(value->spec, words[1]))
        return missing_value(value->spec, count, words);
    do
        status = options_put(value, ORIGIN_COMMAND, where, words[(*used)++]);
    while (status == AIMSS_OK && value->spec->type == OPTION_LIST && *used < count &&
           is_value(value->spec, words[*used]));
    return status;
}

aimss_status_t options_parse(struct options *options, int *argc, char **argv, bool strict)
{
    aimss_status_t status = AIMSS_OK;
    int kept = 1, next = 1, used;

    while (next < *argc && status == AIMSS_OK && strcmp(argv[next], "--") != 0) {
        status = take_option(options, *argc - next, argv + next, &used);
        if (used == 0)
            argv[kept++] = argv[next++];
        next += used;
    }
    while (next < *argc)
        argv[kept++] = argv[next++];
    if (kept < *argc) {
        argv[kept] = NULL;
        *argc = kept;
    }
    if (status == AIMSS_OK && strict)
        status = options_refuse_unknown(options, *argc, argv);
    return status;
}

/* ---- the environment ------------------------------------------------------ */

/* "record-max" of "RECORD_MAX=64M". */
static void name_of_entry(const char *entry, size_t len, char *name)
{
    size_t i;

    for (i = 0; i < len && i < OPTION_NAME_BYTES - 1; i++)
        name[i] = (char)(entry[i] == '_' ? '-' : tolower((unsigned char)entry[i]));
    name[i] = '\0';
}

static aimss_status_t put_list(struct option_value *value, const char *where, const char *text)
{
    aimss_status_t status = AIMSS_OK;
    char *copy = strdup(text), *rest = copy, *one;

    if (copy == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the values of %s", where);
    while (status == AIMSS_OK && (one = strsep(&rest, ":")) != NULL)
        if (*one != '\0')
            status = options_put(value, ORIGIN_ENVIRONMENT, where, one);
    free(copy);
    return status;
}

static aimss_status_t take_entry(struct options *options, const char *entry)
{
    char name[OPTION_NAME_BYTES], where[OPTION_NAME_BYTES + sizeof PREFIX];
    size_t len = strcspn(entry, "=");
    const char *text = entry[len] == '=' ? entry + len + 1 : "";
    struct option_value *value;

    if (*text == '\0')
        return AIMSS_OK;
    snprintf(where, sizeof where, "%.*s", (int)len, entry);
    name_of_entry(entry + strlen(PREFIX), len - strlen(PREFIX), name);
    value = options_find(options, name);
    if (value == NULL)
        return options_put_unknown(options, &(struct option_deferred){
            .origin = ORIGIN_ENVIRONMENT, .where = where, .name = name, .text = (char *)text });
    if (value->spec->command_only)
        return AIMSS_OK; /* AIMSS_VERSION is what a module file would set */
    if (value->spec->type == OPTION_LIST)
        return put_list(value, where, text);
    return options_put(value, ORIGIN_ENVIRONMENT, where, text);
}

static bool is_foreign(const char *entry)
{
    for (size_t i = 0; i < sizeof foreign_prefixes / sizeof foreign_prefixes[0]; i++)
        if (strncmp(entry, foreign_prefixes[i], strlen(foreign_prefixes[i])) == 0)
            return true;
    return strncmp(entry, PREFIX, strlen(PREFIX)) != 0;
}

aimss_status_t options_read_environment(struct options *options)
{
    aimss_status_t status = AIMSS_OK;

    for (char **entry = environ; *entry != NULL && status == AIMSS_OK; entry++)
        if (!is_foreign(*entry))
            status = take_entry(options, *entry);
    return status;
}
