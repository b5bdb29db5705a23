/* job.c: creating a job and reading its options.
 *
 * Options of the program are declared one by one, after the command line, the
 * environment and job.conf were read: names that nobody knows yet are kept
 * until aimss_job_main() refuses what is left.
 */
#include "api/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void job_failed(struct aimss_job *job, aimss_status_t status)
{
    if (job->status != AIMSS_OK)
        return;
    job->status = status;
    snprintf(job->error, sizeof job->error, "%s", error_text());
}

/* job.conf need not be there: the first start of a job writes it. */
static aimss_status_t read_conf(struct aimss_job *job)
{
    const char *dir = options_text(job->options, "job");
    if (dir == NULL)
        return AIMSS_OK;
    char *path;
    if (asprintf(&path, "%s/job.conf", dir) < 0)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the path of job.conf");
    aimss_status_t status = options_read_file(job->options, path);
    free(path);
    return status == AIMSS_E_NOT_FOUND ? AIMSS_OK : status;
}

static aimss_status_t read_options(struct aimss_job *job)
{
    aimss_status_t status = options_create(&job->options);
    if (status != AIMSS_OK)
        return status;
    options_defer_unknown(job->options);
    status = options_parse(job->options, &job->argc, job->argv, false);
    if (status == AIMSS_OK)
        status = options_read_environment(job->options);
    if (status == AIMSS_OK)
        status = read_conf(job);
    return status;
}

struct aimss_job *aimss_job_create(const char *name, int argc, char **argv)
{
    struct aimss_job *job = calloc(1, sizeof *job);
    char **words = calloc((size_t)argc + 1, sizeof *words);
    char *copy = strdup(name != NULL ? name : "job");
    if (job == NULL || words == NULL || copy == NULL) {
        free(job);
        free(words);
        free(copy);
        error_set(AIMSS_E_NO_MEMORY, "no memory for a job");
        return NULL;
    }
    if (argc > 0)
        memcpy(words, argv, (size_t)argc * sizeof *words);
    *job = (struct aimss_job){ .name = copy, .argc = argc, .argv = words };
    aimss_status_t status = read_options(job);
    if (status != AIMSS_OK)
        job_failed(job, status);
    return job;
}

void job_destroy(struct aimss_job *job)
{
    if (job == NULL)
        return;
    options_destroy(job->options);
    free(job->argv);
    free(job->name);
    free(job);
}

/* Words of the command line that nobody knew so far may be this option's. */
static aimss_status_t declare(struct aimss_job *job, const struct option_spec *given)
{
    if (given->name == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_job_option got no name");
    if (job->spec_count == JOB_OPTIONS_MAX)
        return error_set(AIMSS_E_LIMIT, "option --%s is one too many: a job declares at most %d",
                         given->name, JOB_OPTIONS_MAX);
    struct option_spec *spec = &job->specs[job->spec_count];
    *spec = *given;
    aimss_status_t status = options_declare(job->options, spec);
    if (status != AIMSS_OK)
        return status;
    job->spec_count++;
    return options_parse(job->options, &job->argc, job->argv, false);
}

const char *aimss_job_option(struct aimss_job *job, const char *name, const char *value_default,
                             const char *help)
{
    if (job == NULL || job->status != AIMSS_OK)
        return NULL;
    aimss_status_t status = declare(job, &(struct option_spec){
        .name = name, .type = OPTION_TEXT, .value_default = value_default,
        .value_name = "VALUE", .help = help });
    if (status != AIMSS_OK) {
        job_failed(job, status);
        return NULL;
    }
    return options_text(job->options, name);
}
