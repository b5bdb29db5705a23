/* test_options.c: the table, its values, and the three ways they come in. */
#include "check.h"

#include "base/error.h"
#include "base/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 32 };

/* A command line as main() gets it: writable, ended by NULL. */
struct line {
    int argc;
    char *argv[WORDS_MAX];
    char text[4096];
};

static void split_line(struct line *line, const char *text)
{
    char *rest = line->text, *word;

    line->argc = 0;
    snprintf(line->text, sizeof line->text, "program %s", text);
    while ((word = strsep(&rest, " ")) != NULL)
        if (*word != '\0')
            line->argv[line->argc++] = word;
    line->argv[line->argc] = NULL;
}

static struct options *create(void)
{
    struct options *options = NULL;

    assert_int_equal(options_create(&options), AIMSS_OK);
    return options;
}

static aimss_status_t parse(struct options *options, const char *text)
{
    struct line line;

    split_line(&line, text);
    return options_parse(options, &line.argc, line.argv, true);
}

/* The command line is refused, with a text that holds all the parts. */
static void refused(const char *text, const char *const *parts)
{
    struct options *options = create();

    assert_int_equal(parse(options, text), AIMSS_E_USAGE);
    for (; *parts != NULL; parts++)
        if (strstr(error_text(), *parts) == NULL)
            fail_msg("`%s` gave `%s`, which lacks `%s`", text, error_text(), *parts);
    options_destroy(options);
}

#define REFUSED(text, ...) refused(text, (const char *const[]){ __VA_ARGS__, NULL })

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* ---- values --------------------------------------------------------------- */

static void defaults_are_those_of_the_table(void **state)
{
    struct options *options = create();

    (void)state;
    assert_int_equal(options_number(options, "record-max"), 64 << 20);
    assert_int_equal(options_number(options, "chunk"), 16 << 10);
    assert_int_equal(options_number(options, "deadline"), UINT64_C(60000000000));
    assert_string_equal(options_text(options, "progress"), "auto");
    assert_null(options_text(options, "job"));
    assert_int_equal(options_number(options, "brokers"), 0);
    assert_false(options_flag(options, "quiet"));
    for (size_t i = 0; i < options_table_count; i++)
        assert_false(options_is_set(options, options_table[i].name));
    options_destroy(options);
    options_destroy(NULL);
}

static void units_are_understood(void **state)
{
    static const struct { const char *text, *name; uint64_t number; } cases[] = {
        { "--state-memory 3g", "state-memory", UINT64_C(3) << 30 },
        { "--state-memory=1048576", "state-memory", 1 << 20 },
        { "--arena 2T", "arena", UINT64_C(2) << 40 },
        { "--segment 4K", "segment", 4096 },
        { "--deadline 2min", "deadline", UINT64_C(120000000000) },
        { "--deadline 0.5", "deadline", 500000000 },
        { "--deadline 250ms", "deadline", 250000000 },
        { "--deadline 10000us", "deadline", 10000000 },
        { "--deadline 1.25s", "deadline", 1250000000 },
        { "--workers 0", "workers", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options *options = create();
        assert_int_equal(parse(options, cases[i].text), AIMSS_OK);
        assert_int_equal(options_number(options, cases[i].name), cases[i].number);
        assert_true(options_is_set(options, cases[i].name));
        options_destroy(options);
    }
}

static void bad_values_name_found_expected_and_remedy(void **state)
{
    (void)state;
    REFUSED("--record-max 3x", "--record-max", "\"3x\"", "from 4K to 64M", "--record-max=64M");
    REFUSED("--record-max 65M", "\"65M\"", "from 4K to 64M");
    REFUSED("--record-max 4095", "\"4095\"", "from 4K to 64M");
    REFUSED("--record-max -1", "\"-1\"", "from 4K to 64M");
    REFUSED("--record-max 1.5M", "\"1.5M\"");
    REFUSED("--record-max 99999999999999999999", "\"99999999999999999999\"");
    REFUSED("--arena 99999999999T", "\"99999999999T\"", "at least 8M");
    REFUSED("--chunk 257K", "from 4K to 256K");
    REFUSED("--segment 12K", "a power of two from 4K to 64M", "--segment=8M");
    REFUSED("--io-threads 0", "from 1 to 64");
    REFUSED("--brokers 0", "\"0\"", "from 1 to");
    REFUSED("--brokers two", "\"two\"", "a whole number");
    REFUSED("--deadline 1ms", "a time from 10ms to");
    REFUSED("--deadline 5x", "\"5x\"");
    REFUSED("--progress sometimes", "\"sometimes\"", "auto|always|never");
    REFUSED("--progress alw", "\"alw\"", "auto|always|never");
    REFUSED("--quiet=maybe", "\"maybe\"", "yes or no");
    REFUSED("--job=", "--job", "not empty");
}

static void unknown_names_get_the_nearest(void **state)
{
    (void)state;
    REFUSED("--brokres 2", "unknown option --brokres; did you mean --brokers?");
    REFUSED("--record_max=3", "unknown option --record_max=3; did you mean --record-max?");
    REFUSED("-input x", "did you mean --input?");
    REFUSED("--zzzzz", "unknown option --zzzzz", "--help");
    REFUSED("stray", "unexpected word \"stray\"");
    REFUSED("--input a -- b", "unexpected word \"--\"");
    REFUSED("-- --brokers", "\"--\"");
}

static void missing_values_are_refused(void **state)
{
    (void)state;
    REFUSED("--brokers", "--brokers", "end of the command line", "COUNT");
    REFUSED("--job --brokers 2", "--job", "found \"--brokers\"", "DIR");
    REFUSED("--input --job d", "--input", "found \"--job\"", "PATH...");
}

static void lists_end_at_the_next_option(void **state)
{
    struct options *options = create();
    const char *const *list;
    size_t count;

    (void)state;
    assert_int_equal(parse(options, "--input a b --brokers 2 --input=-c --input - --quiet"),
                     AIMSS_OK);
    list = options_list(options, "input", &count);
    assert_int_equal(count, 4);
    assert_string_equal(list[0], "a");
    assert_string_equal(list[1], "b");
    assert_string_equal(list[2], "-c");
    assert_string_equal(list[3], "-");
    assert_null(list[4]);
    assert_int_equal(options_number(options, "brokers"), 2);
    assert_true(options_flag(options, "quiet"));
    options_destroy(options);
}

static void words_of_others_stay(void **state)
{
    struct options *options = create();
    struct line line;

    (void)state;
    split_line(&line, "first --mine 3 --brokers=2 last --quiet -x -- --brokers 7");
    assert_int_equal(options_parse(options, &line.argc, line.argv, false), AIMSS_OK);
    assert_int_equal(line.argc, 9);
    assert_string_equal(line.argv[0], "program");
    assert_string_equal(line.argv[1], "first");
    assert_string_equal(line.argv[2], "--mine");
    assert_string_equal(line.argv[4], "last");
    assert_string_equal(line.argv[5], "-x");
    assert_string_equal(line.argv[8], "7");
    assert_null(line.argv[9]);
    assert_int_equal(options_number(options, "brokers"), 2);
    options_destroy(options);
}

/* ---- environment and job.conf --------------------------------------------- */

static void environment_is_read_and_checked(void **state)
{
    struct options *options = create();
    size_t count;

    (void)state;
    setenv("AIMSS_RECORD_MAX", "5M", 1);
    setenv("AIMSS_INPUT", "a b:c", 1);
    setenv("AIMSS_JOB", "", 1);
    setenv("AIMSS_LAUNCH_ANYTHING", "1", 1);
    setenv("AIMSS_VERSION", "0.1.0", 1);
    assert_int_equal(options_read_environment(options), AIMSS_OK);
    assert_int_equal(options_number(options, "record-max"), 5 << 20);
    assert_string_equal(options_list(options, "input", &count)[0], "a b");
    assert_int_equal(count, 2);
    assert_false(options_is_set(options, "job"));

    setenv("AIMSS_RECORD_MAX", "5X", 1);
    assert_int_equal(options_read_environment(options), AIMSS_E_USAGE);
    assert_non_null(strstr(error_text(), "AIMSS_RECORD_MAX: found \"5X\""));
    unsetenv("AIMSS_RECORD_MAX");

    setenv("AIMSS_BROKRES", "5", 1);
    assert_int_equal(options_read_environment(options), AIMSS_E_USAGE);
    assert_non_null(strstr(error_text(), "AIMSS_BROKRES"));
    assert_non_null(strstr(error_text(), "did you mean AIMSS_BROKERS?"));
    unsetenv("AIMSS_BROKRES");
    unsetenv("AIMSS_INPUT");
    unsetenv("AIMSS_JOB");
    unsetenv("AIMSS_LAUNCH_ANYTHING");
    unsetenv("AIMSS_VERSION");
    options_destroy(options);
}

static void the_higher_origin_wins_in_any_order(void **state)
{
    (void)state;
    write_file("job.conf", "brokers = 1\nio-threads = 3\ninput = f\nround = 2M\n");
    setenv("AIMSS_BROKERS", "2", 1);
    setenv("AIMSS_IO_THREADS", "4", 1);
    for (int order = 0; order < 2; order++) {
        struct options *options = create();
        size_t count;

        if (order == 0)
            assert_int_equal(parse(options, "--brokers 3 --input c"), AIMSS_OK);
        assert_int_equal(options_read_file(options, "job.conf"), AIMSS_OK);
        assert_int_equal(options_read_environment(options), AIMSS_OK);
        if (order == 1)
            assert_int_equal(parse(options, "--brokers 3 --input c"), AIMSS_OK);
        assert_int_equal(options_number(options, "brokers"), 3);
        assert_int_equal(options_number(options, "io-threads"), 4);
        assert_int_equal(options_number(options, "round"), 2 << 20);
        assert_string_equal(options_list(options, "input", &count)[0], "c");
        assert_int_equal(count, 1);
        options_destroy(options);
    }
    unsetenv("AIMSS_BROKERS");
    unsetenv("AIMSS_IO_THREADS");
}

static void conf_refused(const char *text, const char *part)
{
    struct options *options = create();

    write_file("bad.conf", text);
    assert_int_equal(options_read_file(options, "bad.conf"), AIMSS_E_USAGE);
    if (strstr(error_text(), part) == NULL)
        fail_msg("`%s` gave `%s`, which lacks `%s`", text, error_text(), part);
    options_destroy(options);
}

static void bad_conf_names_file_and_line(void **state)
{
    char line[400];
    struct options *options = create();

    (void)state;
    conf_refused("\nbrokres = 2\n", "brokres (bad.conf:2); did you mean brokers?");
    conf_refused("chunk = 1\n", "bad.conf:1: chunk: found \"1\"");
    conf_refused("# fine\n\nnonsense\n", "bad.conf:3: expected `name = value`");
    conf_refused("help = yes\n", "unknown option help (bad.conf:1)");
    conf_refused("[other]\nbrokers = 2\n", "section [other]");
    conf_refused("input = C:\\temp\n", "write a backslash twice");
    conf_refused("input = a\\\nbrokers = 2\n", "the value of input ends with \\");
    conf_refused("input = a\\\n", "at the end of the file");
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "job = ", 6);
    line[sizeof line - 1] = '\0';
    conf_refused(line, "found a line of 399 bytes");
    assert_int_equal(options_read_file(options, "missing.conf"), AIMSS_E_NOT_FOUND);
    options_destroy(options);
}

static const char *const odd_paths[] = {
    "plain", "two words", " lead and trail ", "semi ; colon", "#hash", "back\\slash\\",
    "tab\tline\nend", "[bracket]", "a = b", "\xc3\xa4\xff", "a:b", "\"quoted\"", "\\", "x  y",
};
enum { ODD_COUNT = sizeof odd_paths / sizeof odd_paths[0] };

static void put_odd_paths(struct options *options, char *deep)
{
    char *argv[ODD_COUNT + 8] = { "program" };
    int argc = 1;

    for (int i = 0; i < 3000; i++) /* long, with an odd byte at every place of a line */
        deep[i] = "abcdefg\\ ;#[\xff"[i * 7 % 13];
    deep[3000] = '\0';
    argv[argc++] = "--input";
    for (int i = 0; i < ODD_COUNT; i++)
        argv[argc++] = (char *)odd_paths[i];
    argv[argc++] = deep;
    argv[argc++] = "--brokers=2";
    argv[argc++] = "--job=d";
    argv[argc++] = "--quiet";
    assert_int_equal(options_parse(options, &argc, argv, true), AIMSS_OK);
}

static void conf_gives_back_what_was_written(void **state)
{
    struct options *options = create(), *back = create();
    char deep[3001];
    FILE *file = fopen("odd.conf", "w");
    const char *const *list;
    size_t count;

    (void)state;
    put_odd_paths(options, deep);
    assert_int_equal(options_write_conf(options, file), AIMSS_OK);
    fputs("[job]\nuuid = 1\n", file);
    fclose(file);
    if (options_read_file(back, "odd.conf") != AIMSS_OK)
        fail_msg("%s", error_text());
    list = options_list(back, "input", &count);
    assert_int_equal(count, ODD_COUNT + 1);
    for (int i = 0; i < ODD_COUNT; i++)
        assert_string_equal(list[i], odd_paths[i]);
    assert_string_equal(list[ODD_COUNT], deep);
    assert_int_equal(options_number(back, "brokers"), 2);
    assert_false(options_is_set(back, "job"));
    assert_false(options_is_set(back, "quiet"));
    assert_false(options_is_set(back, "chunk"));
    options_destroy(options);
    options_destroy(back);
}

static void indented_lines_go_on_with_a_list(void **state)
{
    struct options *options = create();
    const char *const *list;
    size_t count;

    (void)state;
    write_file("list.conf", "input = a\n        b c\n  d\\\n  e\nbrokers = 4\n");
    assert_int_equal(options_read_file(options, "list.conf"), AIMSS_OK);
    list = options_list(options, "input", &count);
    assert_int_equal(count, 3);
    assert_string_equal(list[1], "b c");
    assert_string_equal(list[2], "de");
    options_destroy(options);
}

/* ---- a program's own ------------------------------------------------------ */

static const struct option_spec own = {
    .name = "min-count", .type = OPTION_COUNT, .value_default = "1", .max = 10,
    .value_name = "COUNT", .help = "least count to keep"
};

static void a_program_declares_its_own(void **state)
{
    struct options *options = create();

    (void)state;
    assert_int_equal(options_declare(options, &own), AIMSS_OK);
    assert_int_equal(options_declare(options, &own), AIMSS_E_EXISTS);
    assert_int_equal(options_declare(options, &options_table[0]), AIMSS_E_EXISTS);
    assert_int_equal(options_declare(options, &(struct option_spec){ .name = "Bad name" }),
                     AIMSS_E_INVALID);
    assert_int_equal(parse(options, "--min-count 4"), AIMSS_OK);
    assert_int_equal(options_number(options, "min-count"), 4);
    options_destroy(options);
}

static void values_may_come_before_their_declaration(void **state)
{
    struct options *options = create();
    struct line line;

    (void)state;
    write_file("own.conf", "min-count = 3\nmax-count = 5\n");
    setenv("AIMSS_MIN_COUNT", "6", 1);
    options_defer_unknown(options);
    split_line(&line, "--brokers 2");
    assert_int_equal(options_read_file(options, "own.conf"), AIMSS_OK);
    assert_int_equal(options_read_environment(options), AIMSS_OK);
    assert_int_equal(options_declare(options, &own), AIMSS_OK);
    assert_int_equal(options_number(options, "min-count"), 6);
    assert_int_equal(options_parse(options, &line.argc, line.argv, true), AIMSS_E_USAGE);
    assert_non_null(strstr(error_text(), "max-count (own.conf:2); did you mean min-count?"));
    unsetenv("AIMSS_MIN_COUNT");
    options_destroy(options);
}

/* ---- help ----------------------------------------------------------------- */

static char *printed(void (*print)(const struct options *, FILE *))
{
    struct options *options = create();
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    print(options, out);
    fclose(out);
    options_destroy(options);
    return text;
}

static void help_and_man_page_have_every_option(void **state)
{
    char *help = printed(options_print_help), *man = printed(options_print_man);
    char word[80];

    (void)state;
    for (size_t i = 0; i < options_table_count; i++) {
        snprintf(word, sizeof word, "\n  --%s", options_table[i].name);
        assert_true(strstr(help, word) != NULL || strncmp(help, word + 1, strlen(word) - 1) == 0);
    }
    assert_non_null(strstr(man, "from 4K to 64M (default 64M)"));
    assert_non_null(strstr(man, "\\fB\\-\\-record\\-max\\fR \\fIBYTES\\fR"));
    assert_non_null(strstr(man, "AIMSS_RECORD_MAX"));
    for (char *line = strtok(help, "\n"); line != NULL; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 80);
    free(help);
    free(man);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_table),
        cmocka_unit_test(units_are_understood),
        cmocka_unit_test(bad_values_name_found_expected_and_remedy),
        cmocka_unit_test(unknown_names_get_the_nearest),
        cmocka_unit_test(missing_values_are_refused),
        cmocka_unit_test(lists_end_at_the_next_option),
        cmocka_unit_test(words_of_others_stay),
        cmocka_unit_test(environment_is_read_and_checked),
        cmocka_unit_test(the_higher_origin_wins_in_any_order),
        cmocka_unit_test(bad_conf_names_file_and_line),
        cmocka_unit_test(conf_gives_back_what_was_written),
        cmocka_unit_test(indented_lines_go_on_with_a_list),
        cmocka_unit_test(a_program_declares_its_own),
        cmocka_unit_test(values_may_come_before_their_declaration),
        cmocka_unit_test(help_and_man_page_have_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
