/* input_list.c: from what a person names to a list of regular files.
 *
 * Rank 0 lists once, before anything is read. Every problem that can be seen
 * now is reported now: a job that starts has inputs that exist, are regular
 * files and can be read. A name that exists is taken as it is, so that a file
 * called `a[1].txt` needs no quoting; only others are looked at as patterns.
 * The order is that of the paths' bytes in any locale, because partitions are
 * numbered by it. A failed call leaves the list as it was.
 */
#include "connect/source.h"

#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_FILES_MAX = 16 * 1024 * 1024, INPUT_ROOM_FIRST = 64 };

static const char *kind_of(mode_t mode)
{
    return S_ISFIFO(mode)  ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
           : S_ISDIR(mode)  ? "a directory"
           : S_ISREG(mode)  ? "a regular file"
                            : "a device";
}

static aimss_status_t failed(const char *path, int error)
{
    if (error == ENOENT || error == ENOTDIR)
        return error_set(AIMSS_E_NOT_FOUND, "%s: no such file or directory; expected an input "
                         "file, a directory or a pattern that matches some; check the path", path);
    if (error == ELOOP)
        return error_set(AIMSS_E_INVALID, "%s: its symbolic links lead in a circle; remove the "
                         "link or name the files one by one", path);
    if (error == ENOMEM)
        return error_set(AIMSS_E_NO_MEMORY, "%s: no memory to list the inputs", path);
    return error_set(AIMSS_E_IO, "%s: cannot be read: %s; make it readable for this user or "
                     "leave it out", path, strerror(error));
}

static aimss_status_t list_grow(struct input_list *list)
{
    size_t room = list->room ? 2 * list->room : INPUT_ROOM_FIRST;
    if (list->count >= INPUT_FILES_MAX)
        return error_set(AIMSS_E_LIMIT, "the inputs are more than %d files, the most that a "
                         "source lists; join small ones", INPUT_FILES_MAX);
    struct input_file *files = realloc(list->files, room * sizeof *files);
    if (files == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory to list %zu input files", room);
    list->files = files;
    list->room = room;
    return AIMSS_OK;
}

/* Adds one file whose attributes are known. */
static aimss_status_t add_file(struct input_list *list, const char *path,
                               const struct stat *status)
{
    if (!S_ISREG(status->st_mode))
        return error_set(AIMSS_E_INVALID, "%s: is %s; expected a regular file, whose parts can "
                         "be read in any order; copy its data into a file or leave it out",
                         path, kind_of(status->st_mode));
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0)
        return failed(path, errno);
    if (list->count == list->room) {
        aimss_status_t grown = list_grow(list);
        if (grown != AIMSS_OK)
            return grown;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return failed(path, ENOMEM);
    uint64_t len_bytes = (uint64_t)status->st_size;
    list->files[list->count++] = (struct input_file){ .path = copy, .len_bytes = len_bytes };
    list->total_bytes += len_bytes;
    return AIMSS_OK;
}

/* A symbolic link that leads nowhere: to nothing, or around in a circle. */
static aimss_status_t lost_link(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 && errno == ELOOP)
        return failed(path, ELOOP);
    return error_set(AIMSS_E_NOT_FOUND, "%s: a symbolic link to nothing; expected a regular "
                     "file; remove the link or restore what it names", path);
}

/* One step of a walk through a directory. */
static aimss_status_t add_entry(struct input_list *list, const FTSENT *entry)
{
    switch (entry->fts_info) {
    case FTS_D:
    case FTS_DP:
        return AIMSS_OK;
    case FTS_DC:
        return error_set(AIMSS_E_INVALID, "%s: a directory loop: the link leads back to %.*s, "
                         "which holds it; remove the link or name the files one by one",
                         entry->fts_path, (int)entry->fts_cycle->fts_pathlen, entry->fts_path);
    case FTS_SLNONE:
        return lost_link(entry->fts_path);
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return failed(entry->fts_path, entry->fts_errno);
    default:
        return add_file(list, entry->fts_path, entry->fts_statp);
    }
}

void input_list_skip(struct input_list *list, const char *directory)
{
    struct stat status;

    if (stat(directory, &status) != 0)
        return;
    list->skip_device = status.st_dev;
    list->skip_inode = status.st_ino;
}

static bool is_skipped(const struct input_list *list, const struct stat *status)
{
    return list->skip_inode != 0 && status->st_ino == list->skip_inode &&
           status->st_dev == list->skip_device;
}

static aimss_status_t add_directory(struct input_list *list, const char *path)
{
    char *const roots[] = { (char *)path, NULL };
    FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    if (walk == NULL)
        return failed(path, errno);
    aimss_status_t status = AIMSS_OK;
    FTSENT *entry;
    errno = 0;
    while (status == AIMSS_OK && (entry = fts_read(walk)) != NULL) {
        if (entry->fts_info == FTS_D && is_skipped(list, entry->fts_statp))
            fts_set(walk, entry, FTS_SKIP);
        else
            status = add_entry(list, entry);
        errno = 0;
    }
    if (status == AIMSS_OK && errno != 0)
        status = failed(path, errno);
    fts_close(walk);
    return status;
}

static aimss_status_t add_path(struct input_list *list, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return errno == ENOENT && lstat(path, &status) == 0 ? lost_link(path)
                                                             : failed(path, errno);
    return S_ISDIR(status.st_mode) ? add_directory(list, path) : add_file(list, path, &status);
}

static int glob_error(const char *path, int error)
{
    failed(path, error);
    return 1;
}

/* glob's own order is the locale's, so it is not asked for one. */
static aimss_status_t add_glob(struct input_list *list, const char *pattern)
{
    glob_t found;
    aimss_status_t status = AIMSS_OK;
    switch (glob(pattern, GLOB_NOSORT | GLOB_ERR, glob_error, &found)) {
    case 0:
        for (size_t i = 0; status == AIMSS_OK && i < found.gl_pathc; i++)
            status = add_path(list, found.gl_pathv[i]);
        break;
    case GLOB_NOMATCH:
        status = error_set(AIMSS_E_NOT_FOUND, "%s: the pattern matches no file; check it, and "
                           "that its directory is seen from this machine", pattern);
        break;
    case GLOB_ABORTED:
        status = AIMSS_E_IO; /* glob_error has said why */
        break;
    default:
        status = failed(pattern, ENOMEM);
    }
    globfree(&found);
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct input_file *)a)->path, ((const struct input_file *)b)->path);
}

static void list_cut(struct input_list *list, size_t count)
{
    while (list->count > count) {
        struct input_file *file = &list->files[--list->count];
        list->total_bytes -= file->len_bytes;
        free(file->path);
    }
}

aimss_status_t input_list_add(struct input_list *list, const char *pattern)
{
    size_t before = list->count;
    struct stat status;
    if (pattern[0] == '\0')
        return error_set(AIMSS_E_INVALID, "the name of an input is empty; expected a file, a "
                         "directory or a pattern");
    bool exists = lstat(pattern, &status) == 0;
    bool is_glob = !exists && errno == ENOENT && strpbrk(pattern, "*?[") != NULL;
    aimss_status_t added = is_glob ? add_glob(list, pattern) : add_path(list, pattern);
    if (added != AIMSS_OK) {
        list_cut(list, before);
        return added;
    }
    if (list->count > before)
        qsort(list->files + before, list->count - before, sizeof list->files[0], compare_paths);
    return AIMSS_OK;
}

void input_list_clear(struct input_list *list)
{
    list_cut(list, 0);
    free(list->files);
    *list = (struct input_list){ 0 };
}
