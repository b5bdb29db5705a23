/* jobdir_conf.c: job.conf, where a job keeps its options and its identity.
 *
 * The options come first, in options_conf.c's format; the section [job] behind
 * them belongs to the directory and is not for people to edit.
 */
#include "role/jobdir_file.h"

#include "base/error.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

static int take_line(void *arg, const char *section, const char *name, const char *text)
{
    struct job_identity *identity = arg;

    if (strcmp(section, "job") != 0)
        return 1;
    if (strcmp(name, "uuid") == 0)
        snprintf(identity->uuid, sizeof identity->uuid, "%s", text);
    else if (strcmp(name, "run") == 0)
        identity->run = (unsigned)strtoul(text, NULL, 10);
    return 1;
}

aimss_status_t jobdir_read_identity(const char *path, struct job_identity *identity)
{
    char *conf = jobdir_join(path, "job.conf");
    struct job_identity found = { 0 };
    FILE *file;
    aimss_status_t status = AIMSS_OK;

    if (conf == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a path");
    file = fopen(conf, "re");
    if (file == NULL)
        status = error_set(errno == ENOENT ? AIMSS_E_NOT_FOUND : AIMSS_E_IO,
                           "cannot read %s: %s", conf, strerror(errno));
    free(conf);
    if (file == NULL)
        return status;
    /* Lines of options that inih finds too long are options_read_file()'s concern. */
    ini_parse_file(file, take_line, &found);
    fclose(file);
    *identity = found;
    return AIMSS_OK;
}

aimss_status_t jobdir_write_conf(const struct jobdir *dir, const struct options *options)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    aimss_status_t status;

    if (out == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory to write job.conf");
    fputs("# Options of this job. Command line and environment override them.\n", out);
    status = options_write_conf(options, out);
    fprintf(out, "\n[job]\nuuid = %s\nrun = %u\n", dir->identity.uuid, dir->identity.run);
    if (fclose(out) != 0 && status == AIMSS_OK)
        status = error_set(AIMSS_E_NO_MEMORY, "no memory to write job.conf");
    if (status == AIMSS_OK)
        status = jobdir_replace(dir, "job.conf", text, true);
    free(text);
    return status;
}
