/* clean.c: `aimss clean`: removes the memory that dead jobs have left behind.
 *
 * Files under /dev/shm outlive a job that crashed, so that it can go on with
 * what it had in memory; someone must say when they may go. Every process that
 * maps one holds a shared lock on it as long as it lives, so a file whose
 * exclusive lock can be had belongs to no running job. Only one's own go.
 */
#include "cli/cli.h"

#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHM_DIRECTORY "/dev/shm"

static const struct option_spec clean_specs[] = {
    { .name = "dry-run", .type = OPTION_FLAG, .help = "say what would be removed, remove nothing" },
};

struct tally {
    unsigned removed, in_use, failed;
    uint64_t removed_bytes;
};

enum verdict { REMOVE, IN_USE, NOT_OURS };

static enum verdict judge(int fd, struct stat *about)
{
    if (fstat(fd, about) != 0 || !S_ISREG(about->st_mode) || about->st_uid != getuid())
        return NOT_OURS;
    /* A file gets its name when its creator holds the lock: unlocked means left behind. */
    return flock(fd, LOCK_EX | LOCK_NB) == 0 ? REMOVE : IN_USE;
}

static void say(const char *what, const char *name, uint64_t len_bytes)
{
    char size[CLI_SIZE_BYTES];

    printf("%-13s " SHM_DIRECTORY "/%s  %s\n", what, name, cli_size(len_bytes, size));
}

static void clean_file(int directory, const char *name, bool dry_run, struct tally *tally)
{
    /* Read access is enough for a lock; O_NONBLOCK for what only looks like a file. */
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat about;
    enum verdict verdict = fd < 0 ? NOT_OURS : judge(fd, &about);

    if (verdict == IN_USE) {
        tally->in_use++;
        say("in use", name, (uint64_t)about.st_size);
    } else if (verdict == REMOVE && !dry_run && unlinkat(directory, name, 0) != 0) {
        tally->failed++;
        diag(DIAG_ERROR, "cannot remove " SHM_DIRECTORY "/%s: %s", name, strerror(errno));
    } else if (verdict == REMOVE) {
        tally->removed++;
        tally->removed_bytes += (uint64_t)about.st_blocks * 512;
        say(dry_run ? "would remove" : "removed", name, (uint64_t)about.st_size);
    }
    if (fd >= 0)
        close(fd);
}

static int clean_all(bool dry_run, struct tally *tally)
{
    char prefix[32];
    const struct dirent *entry;
    DIR *list = opendir(SHM_DIRECTORY);

    if (list == NULL) {
        diag(DIAG_ERROR, "cannot list " SHM_DIRECTORY ": %s", strerror(errno));
        return CLI_FAILED;
    }
    snprintf(prefix, sizeof prefix, "aimss-%lu-", (unsigned long)getuid());
    while ((entry = readdir(list)) != NULL)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            clean_file(dirfd(list), entry->d_name, dry_run, tally);
    closedir(list);
    return tally->failed > 0 ? CLI_FAILED : CLI_DONE;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct tally tally = { 0 };
    char size[CLI_SIZE_BYTES];
    int exit_code;
    struct options *options = cli_parse(command, &argc, argv, &exit_code);
    bool dry_run;

    if (options == NULL)
        return exit_code;
    dry_run = options_flag(options, "dry-run");
    options_destroy(options);
    if (argc > 1) {
        error_set(AIMSS_E_USAGE, "unexpected word \"%s\"; aimss clean takes options only",
                  argv[1]);
        return cli_fail(AIMSS_E_USAGE);
    }
    exit_code = clean_all(dry_run, &tally);
    printf("%s %u %s, %s; %u in use\n", dry_run ? "would remove" : "removed", tally.removed,
           tally.removed == 1 ? "file" : "files", cli_size(tally.removed_bytes, size),
           tally.in_use);
    return exit_code;
}

const struct cli_command cli_clean = {
    .name = "clean",
    .words = "[--dry-run]",
    .summary = "remove the memory that dead jobs have left behind",
    .detail = "Removes this user's arenas under " SHM_DIRECTORY " that no living process uses. A\n"
              "job that died cannot go on from its memory afterwards.",
    .specs = clean_specs,
    .spec_count = sizeof clean_specs / sizeof clean_specs[0],
    .run = run,
};
