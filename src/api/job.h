/* job.h: a job as declared: its options, its graph, its first error.
 *
 * Filled by aimss_job_create(), aimss_job_option() and the aimss_flow calls;
 * run by aimss_job_main(). One thread.
 */
#ifndef AIMSS_API_JOB_H
#define AIMSS_API_JOB_H

#include "base/error.h"
#include "base/options.h"
#include "flow/graph.h"

#include <aimss.h>

enum { JOB_OPTIONS_MAX = 64 };

/* A place in the chain that something may still be added to. */
struct aimss_flow {
    struct aimss_job *job;
    unsigned node;
};

struct aimss_job {
    char *name;
    int argc;              /* what is left of the command line */
    char **argv;           /* a copy of the array; the words are main()'s */
    struct options *options;
    unsigned spec_count;
    struct option_spec specs[JOB_OPTIONS_MAX]; /* of the program's own; options borrow them */
    struct graph graph;
    struct aimss_flow flows[GRAPH_NODES_MAX];
    aimss_status_t status; /* of the first declaration that failed */
    char error[ERROR_TEXT_BYTES];
};

/* Keeps the first error with the thread's text. */
void job_failed(struct aimss_job *job, aimss_status_t status);
void job_destroy(struct aimss_job *job); /* NULL is fine */

#endif
