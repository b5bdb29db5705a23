/* options.c: a set of options and their values.
 *
 * A set is a table of values beside the specs it was created with; programs
 * add their own. Every value is checked when it is put, whichever way it
 * comes; a lower origin never replaces a higher one, so the order in which
 * command line, environment and job.conf are read does not matter. Reading is
 * in options_read.c, printing in options_print.c. One thread at a time.
 */
#include "base/options_set.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

aimss_status_t options_create(struct options **options)
{
    return options_create_with(options_table, options_table_count, options);
}

aimss_status_t options_create_with(const struct option_spec *specs, size_t count,
                                   struct options **options)
{
    struct options *created = calloc(1, sizeof *created);
    aimss_status_t status = AIMSS_OK;

    if (created == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a set of options");
    for (size_t i = 0; i < count && status == AIMSS_OK; i++)
        status = options_declare(created, &specs[i]);
    if (status != AIMSS_OK) {
        options_destroy(created);
        return status;
    }
    *options = created;
    return AIMSS_OK;
}

static void value_clear(struct option_value *value)
{
    free(value->text);
    for (size_t i = 0; i < value->list_count; i++)
        free(value->list[i]);
    free(value->list);
    value->text = NULL;
    value->list = NULL;
    value->list_count = 0;
}

static void deferred_free(struct option_deferred *deferred)
{
    free(deferred->where);
    free(deferred->name);
    free(deferred->text);
    free(deferred);
}

void options_destroy(struct options *options)
{
    struct option_deferred *next;

    if (options == NULL)
        return;
    for (size_t i = 0; i < options->count; i++)
        value_clear(&options->values[i]);
    for (struct option_deferred *d = options->deferred; d != NULL; d = next) {
        next = d->next;
        deferred_free(d);
    }
    free(options->values);
    free(options);
}

struct option_value *options_find(const struct options *options, const char *name)
{
    for (size_t i = 0; i < options->count; i++)
        if (strcmp(options->values[i].spec->name, name) == 0)
            return &options->values[i];
    return NULL;
}

/* ---- putting a value ------------------------------------------------------ */

static bool in_range(const struct option_spec *spec, uint64_t number)
{
    return number >= spec->min && (spec->max == 0 || number <= spec->max) &&
           (!spec->power_of_two || (number & (number - 1)) == 0);
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);

    for (const char *at = choices; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, text, len) == 0 && (at[len] == '|' || at[len] == '\0'))
            return true;
    }
    return false;
}

static bool parse(const struct option_spec *spec, const char *text, uint64_t *number)
{
    switch (spec->type) {
    case OPTION_FLAG:
        *number = strcmp(text, "yes") == 0;
        return *number == 1 || strcmp(text, "no") == 0;
    case OPTION_COUNT:
    case OPTION_BYTES:
    case OPTION_TIME:
        return option_parse_number(spec, text, number) && in_range(spec, *number);
    default:
        *number = 0;
        if (*text == '\0') /* allowed only where nothing is what the program assumes */
            return spec->value_default != NULL && *spec->value_default == '\0';
        return spec->choices == NULL || is_choice(spec->choices, text);
    }
}

/* A value that the option would take, for the end of a message. */
static const char *example(const struct option_spec *spec, char *text)
{
    if (spec->value_default != NULL)
        return spec->value_default;
    if (spec->type == OPTION_FLAG)
        return "yes";
    if (spec->type == OPTION_TEXT || spec->type == OPTION_LIST)
        return spec->value_name;
    return option_format_number(spec, in_range(spec, 4) ? 4 : spec->min, text);
}

static aimss_status_t bad_value(const struct option_spec *spec, const char *where,
                                const char *text)
{
    char expected[OPTION_EXPECTED_BYTES], number[OPTION_NUMBER_BYTES];

    return error_set(AIMSS_E_USAGE, "%s: found \"%s\", expected %s; give for example --%s=%s",
                     where, text, option_expected(spec, expected), spec->name,
                     example(spec, number));
}

static aimss_status_t append(struct option_value *value, char *copy)
{
    char **list = realloc(value->list, (value->list_count + 2) * sizeof *list);

    if (list == NULL)
        return AIMSS_E_NO_MEMORY;
    list[value->list_count++] = copy;
    list[value->list_count] = NULL;
    value->list = list;
    return AIMSS_OK;
}

aimss_status_t options_put(struct option_value *value, enum option_origin origin,
                           const char *where, const char *text)
{
    uint64_t number;
    char *copy;

    if (!parse(value->spec, text, &number))
        return bad_value(value->spec, where, text);
    if (origin < value->origin)
        return AIMSS_OK;
    copy = strdup(text);
    if (copy == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the value of %s", where);
    if (value->spec->type != OPTION_LIST || origin > value->origin)
        value_clear(value);
    value->origin = origin;
    value->number = number;
    if (value->spec->type != OPTION_LIST)
        value->text = copy;
    else if (append(value, copy) != AIMSS_OK) {
        free(copy);
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the values of %s", where);
    }
    return AIMSS_OK;
}

/* ---- declaring ------------------------------------------------------------ */

static bool is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return len > 0 && len < OPTION_NAME_BYTES && name[len] == '\0' && name[0] != '-';
}

/* Values that came before their option was declared. */
static aimss_status_t take_deferred(struct options *options, struct option_value *value)
{
    struct option_deferred **link = &options->deferred, *d;
    aimss_status_t status = AIMSS_OK;

    while ((d = *link) != NULL && status == AIMSS_OK) {
        if (strcmp(d->name, value->spec->name) != 0) {
            link = &d->next;
            continue;
        }
        status = options_put(value, d->origin, d->where, d->text);
        *link = d->next;
        deferred_free(d);
    }
    return status;
}

aimss_status_t options_declare(struct options *options, const struct option_spec *spec)
{
    struct option_value *values, *value;
    aimss_status_t status = AIMSS_OK;

    if (!is_name(spec->name))
        return error_set(AIMSS_E_INVALID, "option \"%s\": expected a name of lower-case letters, "
                         "digits and dashes", spec->name);
    if (options_find(options, spec->name) != NULL)
        return error_set(AIMSS_E_EXISTS, "option --%s is declared already; choose another name",
                         spec->name);
    values = realloc(options->values, (options->count + 1) * sizeof *values);
    if (values == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for option --%s", spec->name);
    options->values = values;
    value = &values[options->count];
    *value = (struct option_value){ .spec = spec };
    if (spec->value_default != NULL)
        status = options_put(value, ORIGIN_DEFAULT, spec->name, spec->value_default);
    if (status != AIMSS_OK)
        return status;
    options->count++;
    return take_deferred(options, value);
}

void options_defer_unknown(struct options *options)
{
    options->defers = true;
}

/* ---- reading values ------------------------------------------------------- */

static const struct option_value *known(const struct options *options, const char *name)
{
    const struct option_value *value = options_find(options, name);

    assert(value != NULL);
    return value;
}

bool options_is_set(const struct options *options, const char *name)
{
    return known(options, name)->origin != ORIGIN_DEFAULT;
}

const char *options_text(const struct options *options, const char *name)
{
    return known(options, name)->text;
}

uint64_t options_number(const struct options *options, const char *name)
{
    return known(options, name)->number;
}

bool options_flag(const struct options *options, const char *name)
{
    return known(options, name)->number != 0;
}

const char *const *options_list(const struct options *options, const char *name, size_t *count)
{
    const struct option_value *value = known(options, name);

    *count = value->list_count;
    return (const char *const *)value->list;
}
