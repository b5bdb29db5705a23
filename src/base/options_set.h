/* options_set.h: the inside of a set of options, for options_*.c alone. */
#ifndef AIMSS_BASE_OPTIONS_SET_H
#define AIMSS_BASE_OPTIONS_SET_H

#include "base/options.h"

/* Where a value came from; a higher origin overrides a lower one. */
enum option_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_COMMAND };

enum { OPTION_NAME_BYTES = 64 };

struct option_value {
    const struct option_spec *spec;
    enum option_origin origin;
    char *text;          /* as given; NULL: unset; of lists: unused */
    uint64_t number;
    char **list;         /* list_count texts and a NULL */
    size_t list_count;
};

/* A name that nobody has declared yet. */
struct option_deferred {
    enum option_origin origin;
    char *where, *name, *text;
    struct option_deferred *next;
};

struct options {
    struct option_value *values;
    size_t count;
    bool defers;
    struct option_deferred *deferred; /* in the order of arrival */
};

/* The value of that name; NULL if the set does not know it. */
struct option_value *options_find(const struct options *options, const char *name);

/* Checks a text and keeps it if its origin is not below that of the present
 * value. where names the place for messages: "--chunk", "AIMSS_CHUNK". */
aimss_status_t options_put(struct option_value *value, enum option_origin origin,
                           const char *where, const char *text);

/* A name that the set does not know: kept for later, or the error. */
aimss_status_t options_put_unknown(struct options *options, const struct option_deferred *found);

/* "CHUNK" of "chunk", "RECORD_MAX" of "record-max"; cut to OPTION_NAME_BYTES. */
void option_environment_name(const char *name, char *text);

/* A number of the spec's type; false if the text is none. */
bool option_parse_number(const struct option_spec *spec, const char *text, uint64_t *number);

/* The shortest text of a number of the spec's type: "64M", "60s". */
enum { OPTION_NUMBER_BYTES = 32 };
const char *option_format_number(const struct option_spec *spec, uint64_t number, char *text);

/* "a size from 4K to 64M", for messages and help. */
enum { OPTION_EXPECTED_BYTES = 160 };
const char *option_expected(const struct option_spec *spec, char *text);

#endif
