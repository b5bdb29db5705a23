/* jobdir.c: taking a job directory and giving it back.
 *
 * Opening is a row of steps, from looking to changing, so that a refused start
 * changes nothing. The lock is an open-file-description lock: it goes when the
 * process does, however it ends, it works on NFS, and others can ask for it
 * without taking it.
 */
#include "role/jobdir_file.h"

#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- steps of jobdir_open() ------------------------------------------------ */

/* As mkdir -p does. Folders above DIR stay even if the start is refused later. */
static bool make_path(const char *path)
{
    char *part = strdup(path);
    bool made = part != NULL;

    for (char *next = part; made && (next = strchr(next, '/')) != NULL; *next++ = '/') {
        *next = '\0';
        made = *part == '\0' || access(part, F_OK) == 0 || mkdir(part, 0777) == 0 ||
               errno == EEXIST;
    }
    made = made && (mkdir(path, 0777) == 0 || errno == EEXIST);
    free(part);
    return made;
}

static aimss_status_t open_directory(struct jobdir *dir)
{
    if (!make_path(dir->path))
        return error_set(AIMSS_E_IO, "cannot create job directory %s: %s; expected a place where "
                         "this user can write; give another --job", dir->path, strerror(errno));
    dir->dir_fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->dir_fd < 0 && errno == ENOTDIR)
        return error_set(AIMSS_E_INVALID, "job directory %s: found a file, expected a directory; "
                         "give another --job", dir->path);
    if (dir->dir_fd < 0)
        return error_set(AIMSS_E_IO, "cannot open job directory %s: %s; give another --job",
                         dir->path, strerror(errno));
    return AIMSS_OK;
}

/* What a start leaves that died before job.conf had a UUID. */
static bool is_ours(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lock") == 0 ||
           strcmp(name, "job.conf") == 0 || strcmp(name, "job.conf.tmp") == 0;
}

/* Someone's photographs are not a job directory, whatever file lies beside them: a job's
 * job.conf has its UUID. One with options alone, made for the first run, lies alone. */
static aimss_status_t refuse_foreign(const struct jobdir *dir)
{
    const struct dirent *entry = NULL;
    struct job_identity identity = { 0 };
    aimss_status_t status = jobdir_read_identity(dir->path, &identity);
    DIR *list;

    if (identity.uuid[0] != '\0' || (status != AIMSS_OK && status != AIMSS_E_NOT_FOUND))
        return status;
    status = AIMSS_OK;
    list = opendir(dir->path);
    if (list == NULL)
        return error_set(AIMSS_E_IO, "cannot list job directory %s: %s; give another --job",
                         dir->path, strerror(errno));
    do
        entry = readdir(list);
    while (entry != NULL && is_ours(entry->d_name));
    if (entry != NULL)
        status = error_set(AIMSS_E_INVALID, "directory %s: found \"%s\" and no job.conf of a job, "
                           "expected an empty or a job's directory; give another --job",
                           dir->path, entry->d_name);
    closedir(list);
    return status;
}

static struct flock whole_file(void)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

static void read_holder(int fd, char *holder)
{
    ssize_t len = pread(fd, holder, JOB_HOLDER_BYTES - 1, 0);

    holder[len > 0 ? len : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    if (*holder == '\0')
        snprintf(holder, JOB_HOLDER_BYTES, "another process");
}

static aimss_status_t write_holder(const struct jobdir *dir)
{
    char host[64] = "", text[JOB_HOLDER_BYTES];
    int len;

    gethostname(host, sizeof host - 1);
    len = snprintf(text, sizeof text, "pid %ld on %s\n", (long)getpid(), host);
    if (ftruncate(dir->lock_fd, 0) != 0 || pwrite(dir->lock_fd, text, (size_t)len, 0) != len)
        return jobdir_failed(dir->path, "lock");
    return AIMSS_OK;
}

static aimss_status_t take_lock(struct jobdir *dir)
{
    struct flock lock = whole_file();
    char holder[JOB_HOLDER_BYTES];

    dir->lock_fd = openat(dir->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (dir->lock_fd < 0)
        return jobdir_failed(dir->path, "lock");
    if (fcntl(dir->lock_fd, F_OFD_SETLK, &lock) == 0)
        return write_holder(dir);
    if (errno != EAGAIN && errno != EACCES)
        return jobdir_failed(dir->path, "lock");
    read_holder(dir->lock_fd, holder);
    return error_set(AIMSS_E_BUSY, "job directory %s is in use by %s, expected no running job; "
                     "wait for it, or give another --job", dir->path, holder);
}

static aimss_status_t refuse_finished(const struct jobdir *dir)
{
    struct job_result *result = NULL;
    aimss_status_t status = jobdir_read_result(dir->path, &result);

    if (status == AIMSS_E_NOT_FOUND)
        return AIMSS_OK;
    if (status == AIMSS_OK && result->state == JOB_DONE)
        status = error_set(AIMSS_E_FINISHED, "job directory %s holds a finished job (%s); remove "
                           "it or give another --job", dir->path, result->ended);
    job_result_destroy(result);
    return status;
}

/* A version 4 UUID (RFC 4122). */
static aimss_status_t make_uuid(char *text)
{
    uint8_t b[16];

    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        return error_set(AIMSS_E_IO, "cannot get random bytes: %s", strerror(errno));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(text, JOB_UUID_BYTES, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8],
             b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return AIMSS_OK;
}

static aimss_status_t number_run(struct jobdir *dir)
{
    aimss_status_t status = jobdir_read_identity(dir->path, &dir->identity);

    if (status != AIMSS_OK && status != AIMSS_E_NOT_FOUND)
        return status;
    dir->identity.run++;
    snprintf(dir->suffix, sizeof dir->suffix, ".tmp-%u", dir->identity.run);
    clock_gettime(CLOCK_REALTIME, &dir->started);
    clock_gettime(CLOCK_MONOTONIC, &dir->started_monotonic);
    return dir->identity.uuid[0] == '\0' ? make_uuid(dir->identity.uuid) : AIMSS_OK;
}

/* Whether the name ends in .tmp-RUN; people may put files of their own beside results. */
static bool is_unfinished(const char *name)
{
    static const char mark[] = ".tmp-";
    const char *end = strrchr(name, '.');
    size_t digits;

    if (end == NULL || strncmp(end, mark, sizeof mark - 1) != 0)
        return false;
    digits = strspn(end + sizeof mark - 1, "0123456789");
    return digits > 0 && end[sizeof mark - 1 + digits] == '\0';
}

/* Files that an earlier run did not bring to their final name. */
static void remove_leftovers(const struct jobdir *dir)
{
    DIR *list = opendir(dir->out);
    const struct dirent *entry;

    if (list == NULL)
        return;
    while ((entry = readdir(list)) != NULL)
        if (is_unfinished(entry->d_name))
            unlinkat(dirfd(list), entry->d_name, 0);
    closedir(list);
}

static aimss_status_t make_folders(const struct jobdir *dir)
{
    static const char *const names[] = { "out", "log" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (mkdirat(dir->dir_fd, names[i], 0777) != 0 && errno != EEXIST)
            return jobdir_failed(dir->path, names[i]);
    remove_leftovers(dir);
    unlinkat(dir->dir_fd, "log/progress.json", 0);
    return AIMSS_OK;
}

aimss_status_t jobdir_open(const char *path, const struct options *options, struct jobdir **dir)
{
    struct jobdir *opened = calloc(1, sizeof *opened);
    aimss_status_t status = AIMSS_OK;

    if (opened == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for job directory %s", path);
    opened->dir_fd = opened->lock_fd = -1;
    opened->path = strdup(path);
    opened->out = jobdir_join(path, "out");
    if (opened->path == NULL || opened->out == NULL)
        status = error_set(AIMSS_E_NO_MEMORY, "no memory for job directory %s", path);
    if (status == AIMSS_OK)
        status = open_directory(opened);
    if (status == AIMSS_OK)
        status = refuse_foreign(opened);
    if (status == AIMSS_OK)
        status = take_lock(opened);
    if (status == AIMSS_OK)
        status = refuse_finished(opened);
    if (status == AIMSS_OK)
        status = number_run(opened);
    if (status == AIMSS_OK)
        status = jobdir_write_conf(opened, options);
    if (status == AIMSS_OK)
        status = make_folders(opened);
    if (status != AIMSS_OK) {
        jobdir_close(opened);
        return status;
    }
    *dir = opened;
    return AIMSS_OK;
}

void jobdir_close(struct jobdir *dir)
{
    if (dir == NULL)
        return;
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    if (dir->dir_fd >= 0)
        close(dir->dir_fd);
    free(dir->path);
    free(dir->out);
    free(dir);
}

/* ---- what others ask ------------------------------------------------------- */

const char *jobdir_path(const struct jobdir *dir)
{
    return dir->path;
}

const char *jobdir_out(const struct jobdir *dir)
{
    return dir->out;
}

const char *jobdir_uuid(const struct jobdir *dir)
{
    return dir->identity.uuid;
}

const char *jobdir_suffix(const struct jobdir *dir)
{
    return dir->suffix;
}

unsigned jobdir_run(const struct jobdir *dir)
{
    return dir->identity.run;
}

bool jobdir_is_locked(const char *path, char *holder)
{
    struct flock lock = whole_file();
    char *name = jobdir_join(path, "lock");
    int fd = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    bool locked = false;

    free(name);
    if (fd < 0)
        return false;
    locked = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (locked)
        read_holder(fd, holder);
    close(fd);
    return locked;
}
