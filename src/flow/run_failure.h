/* run_failure.h: the first error of a run, whichever thread meets it.
 *
 * The thread that claims it writes status and text, then publishes; everybody
 * else only sees that the run has failed.
 */
#ifndef AIMSS_FLOW_RUN_FAILURE_H
#define AIMSS_FLOW_RUN_FAILURE_H

#include "base/error.h"
#include <stdbool.h>

struct failure {
    uint32_t claimed, published;
    aimss_status_t status;
    char text[ERROR_TEXT_BYTES];
};

/* Keeps status and the calling thread's error text, unless one is kept. */
void failure_set(struct failure *failure, aimss_status_t status);

static inline bool failure_is_set(const struct failure *failure)
{
    return __atomic_load_n(&failure->published, __ATOMIC_ACQUIRE) != 0;
}

/* The status, with its text as the calling thread's; AIMSS_OK if there is none. */
aimss_status_t failure_get(const struct failure *failure);

#endif
