/* jobdir_result.c: result.json and log/progress.json, with jansson.
 *
 *     { "state": "done", "exit_code": 0, "message": "", "run": 1,
 *       "uuid": "...", "started": "2025-01-02T03:04:05Z", "ended": "...",
 *       "seconds": 12.5, "records": 10, "bytes": 4096,
 *       "files": [ { "name": "x.tsv", "len_bytes": 9, "lines": 2,
 *                    "crc32c": "e3069283" } ] }
 *
 * The record, not an exit code, is what `aimss launch` and `aimss status` go by.
 */
#include "role/jobdir_file.h"

#include "base/error.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
    [JOB_DONE] = "done",
    [JOB_FAILED] = "failed",
    [JOB_STOPPED] = "stopped",
};
enum { STATE_COUNT = sizeof state_names / sizeof state_names[0] };

const char *job_state_name(enum job_state state)
{
    return state_names[state];
}

/* ---- writing -------------------------------------------------------------- */

/* JSON is UTF-8; a message may quote a file name that is not. */
static json_t *text_of(const char *text)
{
    json_t *json = json_string(text);
    char *ascii;

    if (json != NULL)
        return json;
    ascii = strdup(text);
    for (char *c = ascii; c != NULL && *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    json = ascii == NULL ? NULL : json_string(ascii);
    free(ascii);
    return json;
}

static json_t *files_of(const struct job_result *result)
{
    json_t *files = json_array();

    for (size_t i = 0; i < result->file_count && i < JOB_FILES_MAX; i++) {
        const struct job_file *file = &result->files[i];
        char crc[16];
        snprintf(crc, sizeof crc, "%08x", file->crc32c);
        json_array_append_new(files, json_pack("{s:o, s:I, s:I, s:s}", "name",
            text_of(file->name), "len_bytes", (json_int_t)file->len_bytes, "lines",
            (json_int_t)file->line_count, "crc32c", crc));
    }
    return files;
}

static void format_time(const struct timespec *time, char *text)
{
    struct tm parts;

    gmtime_r(&time->tv_sec, &parts);
    strftime(text, JOB_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* Takes the reference to json. */
static aimss_status_t write_json(const struct jobdir *dir, const char *name, json_t *json,
                                 bool durable)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    aimss_status_t status;

    json_decref(json);
    if (text == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory to write %s/%s", dir->path, name);
    status = jobdir_replace(dir, name, text, durable);
    free(text);
    return status;
}

aimss_status_t jobdir_finish(const struct jobdir *dir, const struct job_result *result)
{
    const char *message = result->message == NULL ? "" : result->message;
    char started[JOB_TIME_BYTES], ended[JOB_TIME_BYTES];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    format_time(&dir->started, started);
    format_time(&now, ended);
    return write_json(dir, "result.json", json_pack(
        "{s:s, s:i, s:o, s:i, s:s, s:s, s:s, s:f, s:I, s:I, s:o}",
        "state", state_names[result->state], "exit_code", result->exit_code,
        "message", text_of(message), "run", (int)dir->identity.run, "uuid", dir->identity.uuid,
        "started", started, "ended", ended, "seconds", seconds_since(&dir->started_monotonic),
        "records", (json_int_t)result->records, "bytes", (json_int_t)result->bytes,
        "files", files_of(result)), true);
}

aimss_status_t jobdir_write_progress(const struct jobdir *dir,
                                     const struct job_progress *progress)
{
    return write_json(dir, "log/progress.json", json_pack("{s:i, s:I, s:I, s:I, s:f}",
        "run", (int)dir->identity.run, "records", (json_int_t)progress->records,
        "bytes", (json_int_t)progress->bytes, "bytes_total", (json_int_t)progress->bytes_total,
        "seconds", seconds_since(&dir->started_monotonic)), false);
}

/* ---- reading -------------------------------------------------------------- */

static aimss_status_t read_json(const char *path, const char *name, json_t **json)
{
    char *file_path = jobdir_join(path, name);
    aimss_status_t status = AIMSS_OK;
    json_error_t error;
    FILE *file = file_path == NULL ? NULL : fopen(file_path, "re");

    if (file_path == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a path");
    if (file == NULL) {
        status = error_set(AIMSS_E_NOT_FOUND, "cannot read %s: %m", file_path);
    } else {
        *json = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
        if (*json == NULL)
            status = error_set(AIMSS_E_CORRUPT, "%s:%d: %s; expected JSON as AIMSS writes it; "
                               "remove the file", file_path, error.line, error.text);
        fclose(file);
    }
    free(file_path);
    return status;
}

static bool read_file(json_t *json, struct job_file *file)
{
    json_int_t len_bytes = 0, lines = 0;
    const char *name = NULL, *crc = NULL;

    if (json_unpack(json, "{s:s, s:I, s:I, s:s}", "name", &name, "len_bytes", &len_bytes,
                    "lines", &lines, "crc32c", &crc) != 0)
        return false;
    file->name = strdup(name);
    file->len_bytes = (uint64_t)len_bytes;
    file->line_count = (uint64_t)lines;
    file->crc32c = (uint32_t)strtoul(crc, NULL, 16);
    return file->name != NULL;
}

static bool read_state(const char *name, enum job_state *state)
{
    for (int i = 0; i < STATE_COUNT; i++)
        if (strcmp(name, state_names[i]) == 0) {
            *state = (enum job_state)i;
            return true;
        }
    return false;
}

static bool unpack(json_t *json, struct job_result *result)
{
    const char *state = NULL, *message = NULL, *started = NULL, *ended = NULL;
    json_int_t records = 0, bytes = 0;
    json_t *files = NULL;
    int run = 0;

    if (json_unpack(json, "{s:s, s:i, s:s, s:i, s:s, s:s, s:F, s:I, s:I, s:o}", "state", &state,
                    "exit_code", &result->exit_code, "message", &message, "run", &run,
                    "started", &started, "ended", &ended, "seconds", &result->seconds,
                    "records", &records, "bytes", &bytes, "files", &files) != 0 ||
        !read_state(state, &result->state) || json_array_size(files) > JOB_FILES_MAX)
        return false;
    result->message = strdup(message);
    result->run = (unsigned)run;
    result->records = (uint64_t)records;
    result->bytes = (uint64_t)bytes;
    snprintf(result->started, sizeof result->started, "%s", started);
    snprintf(result->ended, sizeof result->ended, "%s", ended);
    while (result->file_count < json_array_size(files)) {
        json_t *file = json_array_get(files, result->file_count);
        if (!read_file(file, &result->files[result->file_count]))
            return false;
        result->file_count++;
    }
    return result->message != NULL;
}

aimss_status_t jobdir_read_result(const char *path, struct job_result **result)
{
    struct job_result *read;
    json_t *json = NULL;
    aimss_status_t status = read_json(path, "result.json", &json);

    if (status != AIMSS_OK)
        return status;
    read = calloc(1, sizeof *read);
    if (read == NULL)
        status = error_set(AIMSS_E_NO_MEMORY, "no memory to read %s/result.json", path);
    else if (!unpack(json, read))
        status = error_set(AIMSS_E_CORRUPT, "%s/result.json: found other fields than a result "
                           "record has; remove the file to run the job again", path);
    json_decref(json);
    if (status != AIMSS_OK) {
        job_result_destroy(read);
        return status;
    }
    *result = read;
    return AIMSS_OK;
}

void job_result_destroy(struct job_result *result)
{
    if (result == NULL)
        return;
    for (size_t i = 0; i < result->file_count; i++)
        free((char *)result->files[i].name);
    free((char *)result->message);
    free(result);
}

aimss_status_t jobdir_read_progress(const char *path, struct job_progress *progress)
{
    json_int_t records = 0, bytes = 0, bytes_total = 0;
    double seconds = 0;
    json_t *json = NULL;
    int run = 0, bad;
    aimss_status_t status = read_json(path, "log/progress.json", &json);

    if (status != AIMSS_OK)
        return status;
    bad = json_unpack(json, "{s:i, s:I, s:I, s:I, s:F}", "run", &run, "records", &records,
                      "bytes", &bytes, "bytes_total", &bytes_total, "seconds", &seconds);
    json_decref(json);
    if (bad)
        return error_set(AIMSS_E_CORRUPT, "%s/log/progress.json: found other fields than a "
                         "progress record has", path);
    *progress = (struct job_progress){
        .run = (unsigned)run, .records = (uint64_t)records, .bytes = (uint64_t)bytes,
        .bytes_total = (uint64_t)bytes_total, .seconds = seconds
    };
    return AIMSS_OK;
}
