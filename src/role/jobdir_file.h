/* jobdir_file.h: small files of a job directory, for jobdir*.c alone. */
#ifndef AIMSS_ROLE_JOBDIR_FILE_H
#define AIMSS_ROLE_JOBDIR_FILE_H

#include "role/jobdir.h"

#include <time.h>

struct jobdir {
    char *path, *out;
    char suffix[32];
    int dir_fd, lock_fd;
    struct job_identity identity;
    struct timespec started, started_monotonic;
};

/* The error of a call that failed on DIR/name, from errno. */
aimss_status_t jobdir_failed(const char *path, const char *name);

/* Replaces DIR/name as a whole: temporary name, fsync, rename, fsync of DIR.
 * Without durable the two fsyncs are left out. */
aimss_status_t jobdir_replace(const struct jobdir *dir, const char *name, const char *text,
                              bool durable);

/* "DIR/name"; NULL without memory. */
char *jobdir_join(const char *path, const char *name);

/* job.conf: the options, then [job] with uuid and run. */
aimss_status_t jobdir_write_conf(const struct jobdir *dir, const struct options *options);

#endif
