/* jobdir.h: a job's directory on disk, as the coordinator keeps it.
 *
 *     DIR/lock         held by the coordinator of the running job; text: who
 *     DIR/job.conf     options of the job, its UUID, the number of its last run
 *     DIR/out/         results; a file in the making has .tmp-RUN behind its name
 *     DIR/log/         progress.json while a job runs
 *     DIR/result.json  how the last run that ended by itself has ended
 *
 * A run whose number is in job.conf but not in result.json, and whose lock is
 * free, has died. One thread; no MPI.
 */
#ifndef AIMSS_ROLE_JOBDIR_H
#define AIMSS_ROLE_JOBDIR_H

#include "base/options.h"

enum { JOB_FILES_MAX = 64, JOB_UUID_BYTES = 37, JOB_TIME_BYTES = 32, JOB_HOLDER_BYTES = 128 };

enum job_state { JOB_DONE, JOB_FAILED, JOB_STOPPED };

/* A file of a sink, under DIR/out. */
struct job_file {
    const char *name;
    uint64_t len_bytes;
    uint64_t line_count;
    uint32_t crc32c;
};

struct job_result {
    enum job_state state;
    int exit_code;           /* of the program: 0, 1, 2, 128+n */
    const char *message;     /* why it failed or stopped; "" */
    uint64_t records, bytes; /* that the job has read */
    size_t file_count;
    struct job_file files[JOB_FILES_MAX];
    /* The following are jobdir_finish()'s own: */
    unsigned run;
    double seconds;
    char started[JOB_TIME_BYTES], ended[JOB_TIME_BYTES]; /* UTC, ISO 8601 */
};

struct jobdir;

/* Takes DIR for a new run: creates what is missing, folders above it too,
 * locks, refuses what is not a job's or cannot go on, writes job.conf with the
 * options that are set.
 * Leftovers of earlier runs in out/ are removed. Errors, with nothing changed:
 * AIMSS_E_BUSY (another job runs there), AIMSS_E_FINISHED, AIMSS_E_INVALID (no
 * directory, or a foreign one), AIMSS_E_IO (read-only, ...), AIMSS_E_NO_SPACE,
 * AIMSS_E_CORRUPT (job.conf or result.json). */
aimss_status_t jobdir_open(const char *path, const struct options *options, struct jobdir **dir);

/* Gives the lock back. NULL is fine. */
void jobdir_close(struct jobdir *dir);

/* All borrowed. The suffix is what a file in the making has behind its name:
 * ".tmp-3". */
const char *jobdir_path(const struct jobdir *dir);
const char *jobdir_out(const struct jobdir *dir);
const char *jobdir_uuid(const struct jobdir *dir);
const char *jobdir_suffix(const struct jobdir *dir);
unsigned jobdir_run(const struct jobdir *dir);

/* Writes the result record; after it returns AIMSS_OK it survives a crash. Sink
 * files must lie under their final names by then. */
aimss_status_t jobdir_finish(const struct jobdir *dir, const struct job_result *result);

/* How far a running job is, for `aimss status`; bytes_total 0: unknown. */
struct job_progress {
    unsigned run;
    uint64_t records, bytes, bytes_total;
    double seconds;
};
aimss_status_t jobdir_write_progress(const struct jobdir *dir,
                                     const struct job_progress *progress);

/* ---- looking at a directory without taking it ------------------------------ */

struct job_identity {
    char uuid[JOB_UUID_BYTES];
    unsigned run;
};

/* AIMSS_E_NOT_FOUND: no such file (never started, or never ended). */
aimss_status_t jobdir_read_identity(const char *path, struct job_identity *identity);
aimss_status_t jobdir_read_progress(const char *path, struct job_progress *progress);
aimss_status_t jobdir_read_result(const char *path, struct job_result **result);
void job_result_destroy(struct job_result *result);

/* Whether a job runs there; holder says which ("pid 12 on n1"). */
bool jobdir_is_locked(const char *path, char *holder);

const char *job_state_name(enum job_state state);

#endif
