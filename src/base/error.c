/* error.c: the last error of a thread, and where diagnostics go.
 *
 * The text is thread-local, so an error needs no lock and no handle. The sink
 * is the one thing here that the whole process shares: where a person reads is
 * a property of the process, not of a rank. A mutex keeps its lines whole.
 */
#include "base/error.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_text[ERROR_TEXT_BYTES];

static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static diag_fn *sink_fn;
static void *sink_arg;

/* Marks a text that did not fit, so that nobody takes it for the whole. */
static void mark_cut(char *text, size_t text_bytes, int wanted)
{
    if (wanted >= (int)text_bytes)
        memcpy(text + text_bytes - sizeof "...", "...", sizeof "...");
}

/* One line stays one line, whatever a file name brings along. */
static void keep_one_line(char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '\n' || *text == '\r')
            *text = ' ';
}

aimss_status_t error_set(aimss_status_t status, const char *format, ...)
{
    /* The arguments may point into the text itself. */
    char text[ERROR_TEXT_BYTES];
    va_list arguments;
    int wanted;

    va_start(arguments, format);
    wanted = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    mark_cut(text, sizeof text, wanted);
    memcpy(last_text, text, strlen(text) + 1);
    return status;
}

const char *error_text(void)
{
    return last_text;
}

const char *error_status_string(aimss_status_t status)
{
    switch ((int)status) {
#define STATUS_CASE(name, value, text)                                                             \
    case value:                                                                                    \
        return text;
        AIMSS_STATUS_TABLE(STATUS_CASE)
#undef STATUS_CASE
    default:
        return "unknown status";
    }
}

static void print_line(int level, const char *line)
{
    fprintf(stderr, "aimss: %s%s\n", level == DIAG_WARNING ? "warning: " : "", line);
}

void diag(enum diag_level level, const char *format, ...)
{
    char line[ERROR_TEXT_BYTES];
    va_list arguments;
    int wanted;

    va_start(arguments, format);
    wanted = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    mark_cut(line, sizeof line, wanted);
    keep_one_line(line);

    pthread_mutex_lock(&sink_lock);
    if (sink_fn != NULL)
        sink_fn(sink_arg, level, line);
    else
        print_line(level, line);
    pthread_mutex_unlock(&sink_lock);
}

void diag_set(diag_fn *fn, void *arg)
{
    pthread_mutex_lock(&sink_lock);
    sink_fn = fn;
    sink_arg = arg;
    pthread_mutex_unlock(&sink_lock);
}
