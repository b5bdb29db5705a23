/* error.h: the last error of a thread, and diagnostics for people.
 *
 * Whoever detects an error calls error_set() once, with a sentence that names
 * object, found, expected and remedy; callers only propagate the status.
 */
#ifndef AIMSS_BASE_ERROR_H
#define AIMSS_BASE_ERROR_H

#include <aimss/types.h>

enum diag_level { DIAG_ERROR = 0, DIAG_WARNING = 1, DIAG_NOTE = 2 };

/* Longest text of an error, with its terminating zero. */
enum { ERROR_TEXT_BYTES = 1024 };

/* Keeps the text for this thread and returns status, so that a caller writes
 * `return error_set(AIMSS_E_IO, ...)`. */
aimss_status_t error_set(aimss_status_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The thread's last text; "" if there is none. */
const char *error_text(void);

/* The message of a status from AIMSS_STATUS_TABLE. */
const char *error_status_string(aimss_status_t status);

/* One line to the diagnostics sink (standard error unless set). Any thread. */
void diag(enum diag_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

typedef void diag_fn(void *arg, int level, const char *line);
void diag_set(diag_fn *fn, void *arg);

#endif
