/* options_value.c: numbers with units, as people write them, and back. */
#include "base/options_set.h"

#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, so that formatting finds the shortest text. */
static const struct unit byte_units[] = {
    { "T", UINT64_C(1) << 40 }, { "G", UINT64_C(1) << 30 }, { "M", UINT64_C(1) << 20 },
    { "K", UINT64_C(1) << 10 }, { "t", UINT64_C(1) << 40 }, { "g", UINT64_C(1) << 30 },
    { "m", UINT64_C(1) << 20 }, { "k", UINT64_C(1) << 10 }, { "", 1 }, { NULL, 0 }
};

static const struct unit time_units[] = {
    { "min", UINT64_C(60000000000) }, { "s", UINT64_C(1000000000) }, { "ms", 1000000 },
    { "us", 1000 }, { "ns", 1 }, { "", UINT64_C(1000000000) }, { NULL, 0 }
};

static const struct unit count_units[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *units_of(const struct option_spec *spec)
{
    switch (spec->type) {
    case OPTION_BYTES:
        return byte_units;
    case OPTION_TIME:
        return time_units;
    default:
        return count_units;
    }
}

/* Digits at *text; false if there are none or they do not fit. */
static bool parse_digits(const char **text, uint64_t *number)
{
    const char *first = *text;

    for (*number = 0; **text >= '0' && **text <= '9'; ++*text)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(**text - '0'), number))
            return false;
    return *text > first;
}

/* Thousandths after a point: times may have them, to write 0.5s. */
static bool parse_thousandths(const char **text, uint64_t *thousandths)
{
    uint64_t scale = 100;

    *thousandths = 0;
    if (**text != '.')
        return true;
    if (*++*text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; ++*text, scale /= 10)
        *thousandths += scale * (uint64_t)(**text - '0');
    return true;
}

bool option_parse_number(const struct option_spec *spec, const char *text, uint64_t *number)
{
    const struct unit *unit = units_of(spec);
    uint64_t whole, thousandths = 0;

    if (!parse_digits(&text, &whole))
        return false;
    if (spec->type == OPTION_TIME && !parse_thousandths(&text, &thousandths))
        return false;
    while (unit->name != NULL && strcmp(unit->name, text) != 0)
        unit++;
    if (unit->name == NULL || __builtin_mul_overflow(whole, unit->factor, &whole))
        return false;
    thousandths = thousandths * unit->factor / 1000;
    return !__builtin_add_overflow(whole, thousandths, number);
}

const char *option_format_number(const struct option_spec *spec, uint64_t number, char *text)
{
    const struct unit *unit = units_of(spec);

    while (number == 0 ? unit->name[0] != '\0' : number % unit->factor != 0)
        unit++;
    snprintf(text, OPTION_NUMBER_BYTES, "%llu%s", (unsigned long long)(number / unit->factor),
             unit->name);
    return text;
}

static const char *kind_of(const struct option_spec *spec)
{
    switch (spec->type) {
    case OPTION_FLAG:
        return "yes or no";
    case OPTION_BYTES:
        return spec->power_of_two ? "a power of two" : "a size";
    case OPTION_TIME:
        return "a time";
    case OPTION_COUNT:
        return spec->power_of_two ? "a power of two" : "a whole number";
    default:
        return spec->choices != NULL ? "one of" : "a text that is not empty";
    }
}

const char *option_expected(const struct option_spec *spec, char *text)
{
    char min[OPTION_NUMBER_BYTES], max[OPTION_NUMBER_BYTES];

    option_format_number(spec, spec->min, min);
    option_format_number(spec, spec->max, max);
    if (spec->choices != NULL)
        snprintf(text, OPTION_EXPECTED_BYTES, "%s %s", kind_of(spec), spec->choices);
    else if (spec->max > 0)
        snprintf(text, OPTION_EXPECTED_BYTES, "%s from %s to %s", kind_of(spec), min, max);
    else if (spec->min > 0)
        snprintf(text, OPTION_EXPECTED_BYTES, "%s of at least %s", kind_of(spec), min);
    else
        snprintf(text, OPTION_EXPECTED_BYTES, "%s", kind_of(spec));
    return text;
}
