/* test_error.c: error texts, diagnostics, and the nearest word. */
#include "check.h"

#include "base/error.h"
#include "base/nearest.h"
#include "base/options.h"

#include <pthread.h>
#include <string.h>

static const char *near_of(const char *typed)
{
    struct nearest nearest = NEAREST_START(typed);

    for (size_t i = 0; i < options_table_count; i++)
        nearest_offer(&nearest, options_table[i].name);
    return nearest.best;
}

static void nearest_word(void **state)
{
    (void)state;
    assert_string_equal(near_of("inptu"), "input");
    assert_string_equal(near_of("dedline"), "deadline");
    assert_string_equal(near_of("state"), "state-memory");
    assert_null(near_of("completely-different"));
    assert_null(near_of(""));
}

static void *set_elsewhere(void *arg)
{
    error_set(AIMSS_E_IO, "of another thread");
    return arg;
}

static void error_text_belongs_to_the_thread(void **state)
{
    pthread_t thread;
    char text[2 * ERROR_TEXT_BYTES];

    (void)state;
    assert_int_equal(error_set(AIMSS_E_BUSY, "in use by %d", 7), AIMSS_E_BUSY);
    pthread_create(&thread, NULL, set_elsewhere, NULL);
    pthread_join(thread, NULL);
    assert_string_equal(error_text(), "in use by 7");
    error_set(AIMSS_E_IO, "%s, twice: %s", error_text(), error_text());
    assert_string_equal(error_text(), "in use by 7, twice: in use by 7");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(AIMSS_E_IO, "%s", text);
    assert_int_equal(strlen(error_text()), ERROR_TEXT_BYTES - 1);
    assert_string_equal(error_text() + ERROR_TEXT_BYTES - 4, "...");
}

static void every_status_has_its_text(void **state)
{
    (void)state;
    assert_string_equal(error_status_string(AIMSS_OK), "success");
    assert_string_equal(error_status_string(AIMSS_E_DEADLINE), "a deadline passed");
    assert_string_equal(error_status_string((aimss_status_t)-999), "unknown status");
}

struct sunk {
    int level;
    char line[ERROR_TEXT_BYTES];
};

static void keep_line(void *arg, int level, const char *line)
{
    struct sunk *sunk = arg;

    sunk->level = level;
    snprintf(sunk->line, sizeof sunk->line, "%s", line);
}

static void diagnostics_reach_the_sink_as_one_line(void **state)
{
    struct sunk sunk = { 0 };

    (void)state;
    diag_set(keep_line, &sunk);
    diag(DIAG_WARNING, "file %s", "with\nnewline");
    diag_set(NULL, NULL);
    assert_int_equal(sunk.level, DIAG_WARNING);
    assert_string_equal(sunk.line, "file with newline");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_word),
        cmocka_unit_test(error_text_belongs_to_the_thread),
        cmocka_unit_test(every_status_has_its_text),
        cmocka_unit_test(diagnostics_reach_the_sink_as_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
