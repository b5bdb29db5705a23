/* job_run.h: a job at work: the compute ranks' part, rank 0's record and what
 * it prints; job_main.c puts them together.
 */
#ifndef AIMSS_API_JOB_RUN_H
#define AIMSS_API_JOB_RUN_H

#include "api/job.h"
#include "api/runtime.h"
#include "store/offsets_log.h"

/* Runs the job's graph on a compute rank and reports its result. */
aimss_status_t job_compute(struct aimss_runtime *rt, const struct aimss_job *job);

/* Rank 0's side of the job directory. */
struct job_record {
    struct aimss_runtime *rt;
    struct offsets_log *log;  /* NULL without a directory */
    uint64_t started_ns;
};
aimss_status_t job_record_open(struct aimss_runtime *rt, struct job_record *record);

/* Makes the run's result the job's: files under their final names, COMMIT, END,
 * result.json. status and error_text(): how the run ended. */
aimss_status_t job_record_finish(struct job_record *record, const struct aimss_job *job,
                                 aimss_status_t status, int exit_code);
void job_record_close(struct job_record *record);

/* What people see. */
struct job_screen {
    bool progress;       /* show it */
    bool shown;          /* a progress line is on the screen */
    uint64_t started_ns;
    uint64_t saved_ns;   /* when DIR/log/progress.json was written last */
};
/* With --verbose each rank tells what it is and has. */
void job_screen_decisions(const struct aimss_runtime *rt);
void job_screen_start(struct job_screen *screen, const struct aimss_runtime *rt);
void job_screen_progress(struct job_screen *screen, struct aimss_runtime *rt);
void job_screen_clear(struct job_screen *screen);
void job_screen_result(struct job_screen *screen, struct aimss_runtime *rt,
                       const struct aimss_job *job);

#endif
