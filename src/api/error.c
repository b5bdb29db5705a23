/* error.c: the public face of base/error.h. */
#include "base/error.h"

#include <aimss.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *aimss_status_string(aimss_status_t status)
{
    return error_status_string(status);
}

const char *aimss_error_text(void)
{
    return error_text();
}

void aimss_log_set(aimss_log_fn *fn, void *arg)
{
    diag_set(fn, arg);
}

const char *aimss_version(void)
{
    return TEXT(AIMSS_VERSION_MAJOR) "." TEXT(AIMSS_VERSION_MINOR) "." TEXT(AIMSS_VERSION_PATCH);
}
