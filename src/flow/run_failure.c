/* run_failure.c: see run_failure.h. */
#include "flow/run_failure.h"

#include <stdio.h>

void failure_set(struct failure *failure, aimss_status_t status)
{
    if (__atomic_exchange_n(&failure->claimed, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    failure->status = status;
    snprintf(failure->text, sizeof failure->text, "%s", error_text());
    __atomic_store_n(&failure->published, 1, __ATOMIC_RELEASE);
}

aimss_status_t failure_get(const struct failure *failure)
{
    if (!failure_is_set(failure))
        return AIMSS_OK;
    return error_set(failure->status, "%s", failure->text);
}
