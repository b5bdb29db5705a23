/* machine.c: probes of the machine for `aimss info`. Nothing here changes
 * anything; what cannot be found out is reported as absent.
 */
#include "cli/machine.h"

#include "cli/cli.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- copying between processes ------------------------------------------------ */

/* Reading the parent is what ranks, which are siblings, need: a parent may often
 * read its child where that is refused. */
bool machine_can_copy_memory(int *error)
{
    static const char word[] = "aimss";
    int status = 0;
    pid_t parent = getpid(), child = fork();

    if (child == 0) {
        char copy[sizeof word];
        struct iovec to = { copy, sizeof copy }, from = { (void *)word, sizeof word };
        _exit(process_vm_readv(parent, &to, 1, &from, 1, 0) == sizeof word ? 0 : errno);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        *error = child < 0 ? errno : EIO;
        return false;
    }
    *error = WEXITSTATUS(status);
    return *error == 0;
}

/* ---- control groups -------------------------------------------------------------- */

static uint64_t limit_in(const char *path, const char *file)
{
    char name[4352], line[64];
    unsigned long long limit;

    snprintf(name, sizeof name, "%s/%s", path, file);
    if (cli_first_line(name, line, sizeof line) == NULL || sscanf(line, "%llu", &limit) != 1)
        return MACHINE_UNLIMITED;
    return limit >= UINT64_C(1) << 60 ? MACHINE_UNLIMITED : limit;
}

/* The least limit from a group up to the root; path is cut on the way. */
static uint64_t least_limit(const char *root, char *path, const char *file)
{
    uint64_t least = MACHINE_UNLIMITED;
    char whole[4224];

    for (;;) {
        char *slash = strrchr(path, '/');
        snprintf(whole, sizeof whole, "%s%s", root, path);
        uint64_t limit = limit_in(whole, file);
        if (limit != MACHINE_UNLIMITED && (least == MACHINE_UNLIMITED || limit < least))
            least = limit;
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

uint64_t machine_memory_limit(void)
{
    FILE *groups = fopen("/proc/self/cgroup", "re");
    uint64_t least = MACHINE_UNLIMITED;
    char line[4096];

    while (groups != NULL && least == MACHINE_UNLIMITED &&
           fgets(line, sizeof line, groups) != NULL) {
        char *path = strchr(line, '/');
        if (path == NULL)
            continue;
        path[strcspn(path, "\n")] = '\0';
        if (strncmp(line, "0::", 3) == 0)
            least = least_limit("/sys/fs/cgroup", path, "memory.max");
        else if (strstr(line, ":memory:") != NULL)
            least = least_limit("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
    }
    if (groups != NULL)
        fclose(groups);
    return least;
}

/* ---- logind ------------------------------------------------------------------------ */

/* The last RemoveIPC= of a file; before if there is none. */
static enum machine_logind read_logind(const char *path, enum machine_logind before)
{
    FILE *file = fopen(path, "re");
    char line[512], word[16];

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, " RemoveIPC = %15s", word) == 1 ||
            sscanf(line, " RemoveIPC=%15s", word) == 1)
            before = strchr("yYtT1", word[0]) != NULL || strcasecmp(word, "on") == 0
                         ? MACHINE_LOGIND_REMOVES : MACHINE_LOGIND_KEEPS;
    if (file != NULL)
        fclose(file);
    return before;
}

enum machine_logind machine_logind(void)
{
    static const char *const patterns[] = {
        "/usr/lib/systemd/logind.conf.d/*.conf", "/etc/systemd/logind.conf",
        "/etc/systemd/logind.conf.d/*.conf",
    };
    enum machine_logind found = MACHINE_LOGIND_REMOVES; /* its own default */

    if (access("/run/systemd/seats", F_OK) != 0) /* logind makes it when it runs */
        return MACHINE_LOGIND_ABSENT;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        glob_t files = { 0 };
        if (glob(patterns[i], 0, NULL, &files) == 0)
            for (size_t j = 0; j < files.gl_pathc; j++)
                found = read_logind(files.gl_pathv[j], found);
        globfree(&files);
    }
    return found;
}

/* ---- MPI ---------------------------------------------------------------------------- */

bool machine_mpi_components(const char *framework, char *text, size_t text_bytes)
{
    FILE *info = popen("ompi_info --parsable 2>/dev/null", "re");
    char line[1024], prefix[64], name[64];
    size_t len = 0;

    text[0] = '\0';
    snprintf(prefix, sizeof prefix, "mca:%s:", framework);
    while (info != NULL && fgets(line, sizeof line, info) != NULL)
        if (strncmp(line, prefix, strlen(prefix)) == 0 && strstr(line, ":version:\"mca:") != NULL &&
            sscanf(line + strlen(prefix), "%63[^:]", name) == 1 && len < text_bytes)
            len += (size_t)snprintf(text + len, text_bytes - len, "%s%s", len > 0 ? " " : "",
                                    name);
    if (info != NULL)
        pclose(info);
    return len > 0;
}
