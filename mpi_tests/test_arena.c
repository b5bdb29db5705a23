/* test_arena.c: arenas and the files under them: right headers, tables apart,
 * clear refusals, and nothing in /dev/shm that does not belong there.
 *
 * `test_arena full` runs where /dev/shm is small: see arena_full.
 */
#include "check.h"

#include "base/crc32c.h"
#include "base/error.h"
#include "mem/arena.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1024 * 1024 };

static const struct arena_identity IDENTITY = { .job_uuid = "0123456789abcde", .run = 7,
                                                .membership = 2, .rank = 3 };

/* A name of this process, as a job's ranks make them. */
static const char *own_name(unsigned rank)
{
    static char name[SHM_NAME_BYTES];
    char job[16];
    snprintf(job, sizeof job, "t%d", (int)getpid());
    shm_name(name, job, rank, "arena");
    return name;
}

static unsigned open_files(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static bool is_locked(const char *name)
{
    int fd = open(name, O_RDWR);
    assert_true(fd >= 0);
    bool locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
    close(fd);
    return locked;
}

/* ---- what a good arena is */

static void boot_id_text(const uint8_t id[16], char text[37])
{
    char *at = text;
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        at += sprintf(at, "%02x", id[i]);
    }
}

static void check_identity(const struct arena_header *header, uint64_t len_bytes)
{
    char found[37], expected[64] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%63s", expected), 1);
    fclose(file);
    boot_id_text(header->boot_id, found);
    assert_string_equal(found, expected);
    assert_true(header->magic == ARENA_MAGIC && header->layout_version == ARENA_LAYOUT_VERSION);
    assert_true(header->uid == geteuid() && header->run == 7 && header->membership == 2);
    assert_true(header->rank == 3 && header->len_bytes == len_bytes);
    assert_memory_equal(header->job_uuid, IDENTITY.job_uuid, 16);
    assert_true(header->crc32c == crc32c(0, header, offsetof(struct arena_header, crc32c)));
}

/* Header, tables and segments follow each other, whole pages each, up to the end. */
static void check_layout(const struct arena_header *header)
{
    uint64_t groups = header->group_max;
    const struct { uint64_t at, len_bytes; } parts[] = {
        { 0, sizeof *header },
        { header->groups_at, 2 * groups * sizeof(struct arena_group) },
        { header->accepted_at, groups * sizeof(uint64_t) },
        { header->chains_at, groups * ARENA_CHAIN_SEGMENTS * sizeof(struct arena_segment) },
        { header->segments_at, header->len_bytes / 2 }, /* tables take no more than half */
        { header->len_bytes, 0 },
    };
    assert_true(groups >= 256);
    for (unsigned i = 0; i + 1 < sizeof parts / sizeof *parts; i++) {
        assert_int_equal(parts[i].at % ARENA_PAGE_BYTES, 0);
        assert_true(parts[i].at + parts[i].len_bytes <= parts[i + 1].at);
    }
}

static void arena_is_as_described(void **state)
{
    (void)state;
    const uint64_t sizes[] = { ARENA_MIN_BYTES, ARENA_MIN_BYTES + 5000, 65 * MIB };
    for (unsigned i = 0; i < 3; i++) {
        unsigned files = open_files();
        struct arena arena;
        struct shm reader;
        struct stat about;
        const char *name = own_name(i);
        uint64_t len_bytes = sizes[i] / ARENA_PAGE_BYTES * ARENA_PAGE_BYTES;
        assert_int_equal(arena_create(name, sizes[i], &IDENTITY, &arena), AIMSS_OK);
        check_identity(arena.header, len_bytes);
        check_layout(arena.header);
        assert_int_equal(stat(name, &about), 0);
        assert_true((uint64_t)about.st_size == len_bytes && (about.st_mode & 0777) == 0600);
        /* All of it is there already: no store can find the machine full. */
        assert_true((uint64_t)about.st_blocks * 512 >= len_bytes);
        assert_true(is_locked(name));
        assert_int_equal(shm_attach(name, false, &reader), AIMSS_OK);
        arena_groups(&arena)[0].group = 77;
        arena.shm.base[len_bytes - 1] = 'x';
        assert_memory_equal(reader.base, arena.shm.base, len_bytes);
        shm_close(&reader);
        arena_close(&arena, true);
        assert_int_not_equal(access(name, F_OK), 0);
        assert_int_equal(open_files(), files);
    }
}

/* A normal end removes the file; else it stays, and nobody holds it. */
static void closing_keeps_or_removes(void **state)
{
    (void)state;
    struct arena arena, none = { .header = NULL };
    struct shm shm;
    const char *name = own_name(0);
    assert_int_equal(arena_create(name, ARENA_MIN_BYTES, &IDENTITY, &arena), AIMSS_OK);
    arena_close(&arena, false);
    assert_false(is_locked(name));
    assert_int_equal(shm_attach(name, true, &shm), AIMSS_OK);
    check_identity((const struct arena_header *)shm.base, ARENA_MIN_BYTES);
    assert_true(is_locked(name));
    shm_close(&shm);
    shm_close(&shm); /* once is enough, twice does no harm */
    shm_remove(name);
    assert_int_not_equal(access(name, F_OK), 0);
    arena_close(&none, true);
}

/* What is mapped for reading cannot be written, by a stray store either. */
static void readers_cannot_write(void **state)
{
    (void)state;
    struct arena arena;
    struct shm reader;
    int status;
    const char *name = own_name(0);
    assert_int_equal(arena_create(name, ARENA_MIN_BYTES, &IDENTITY, &arena), AIMSS_OK);
    assert_int_equal(shm_attach(name, false, &reader), AIMSS_OK);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)reader.base = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    shm_close(&reader);
    arena_close(&arena, true);
}

/* ---- refusals: a typed error that says what to do, and no trace */

static void expect_refused(const char *name, uint64_t len_bytes, aimss_status_t expected,
                           const char *remedy)
{
    struct arena arena = { .header = (const void *)&IDENTITY };
    unsigned files = open_files();
    assert_int_equal(arena_create(name, len_bytes, &IDENTITY, &arena), expected);
    if (strstr(error_text(), remedy) == NULL)
        fail_msg("expected \"%s\" in: %s", remedy, error_text());
    assert_ptr_equal(arena.header, &IDENTITY); /* outputs are set on success only */
    assert_int_equal(open_files(), files);
}

static void too_large_or_too_small(void **state)
{
    (void)state;
    const char *name = own_name(0);
    uint64_t free_bytes = shm_free_bytes();
    const uint64_t sizes[] = { 2 * free_bytes + MIB, UINT64_C(1) << 62, UINT64_MAX };
    char needs[64];
    for (unsigned i = 0; i < 3; i++) {
        expect_refused(name, sizes[i], AIMSS_E_NO_SPACE, "--arena");
        snprintf(needs, sizeof needs, "needs %llu MiB", (unsigned long long)(sizes[i] >> 20));
        assert_non_null(strstr(error_text(), needs));
        assert_non_null(strstr(error_text(), name));
        assert_int_not_equal(access(name, F_OK), 0);
    }
    expect_refused(name, ARENA_MIN_BYTES - 1, AIMSS_E_INVALID, "--arena");
    assert_int_not_equal(access(name, F_OK), 0);
}

static void names_that_are_taken(void **state)
{
    (void)state;
    struct arena arena;
    const char *name = own_name(0);
    assert_int_equal(arena_create(name, ARENA_MIN_BYTES, &IDENTITY, &arena), AIMSS_OK);
    expect_refused(name, ARENA_MIN_BYTES, AIMSS_E_EXISTS, name);
    check_identity(arena.header, ARENA_MIN_BYTES); /* and the first is as it was */
    arena_close(&arena, true);
    expect_refused("/dev/shm/no/such/place", ARENA_MIN_BYTES, AIMSS_E_IO, "/dev/shm/no/such/place");
    struct shm shm;
    assert_int_equal(shm_attach(name, false, &shm), AIMSS_E_IO);
    assert_non_null(strstr(error_text(), name));
}

/* The allocation itself fails, behind the check of what is free: here by the
 * limit on the size of files. */
static void limited_file_size(void **state)
{
    (void)state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = MIB;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    expect_refused(own_name(0), ARENA_MIN_BYTES, AIMSS_E_IO, strerror(EFBIG));
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_non_null(strstr(error_text(), "--arena"));
    assert_int_not_equal(access(own_name(0), F_OK), 0);
}

/* Stands before the C library's. Kernels before 6.9 end the call on any signal,
 * and undo it. */
static unsigned interruptions;

int posix_fallocate(int fd, off_t offset, off_t len_bytes)
{
    if (interruptions > 0 && interruptions-- % 3 != 0)
        return EINTR;
    return fallocate(fd, 0, offset, len_bytes) != 0 ? errno : 0;
}

static void signals_do_no_harm(void **state)
{
    (void)state;
    struct arena arena;
    struct stat about;
    uint64_t len_bytes = 65 * MIB;
    interruptions = 20;
    assert_int_equal(arena_create(own_name(0), len_bytes, &IDENTITY, &arena), AIMSS_OK);
    assert_int_equal(interruptions, 0); /* so much is allocated in pieces */
    assert_int_equal(stat(own_name(0), &about), 0);
    assert_true((uint64_t)about.st_size == len_bytes);
    assert_true((uint64_t)about.st_blocks * 512 >= len_bytes);
    arena_close(&arena, true);
}

/* ---- in a /dev/shm of 64 MiB */

static void full_memory(void **state)
{
    (void)state;
    struct arena arena, second;
    char name[SHM_NAME_BYTES];
    strcpy(name, own_name(1));
    assert_int_equal(arena_create(name, 48 * MIB, &IDENTITY, &arena), AIMSS_OK);
    assert_true(shm_free_bytes() <= 16 * MIB);
    expect_refused(own_name(2), 24 * MIB, AIMSS_E_NO_SPACE, "--arena");
    assert_int_not_equal(access(own_name(2), F_OK), 0);
    check_identity(arena.header, 48 * MIB);
    assert_int_equal(arena_create(own_name(2), 12 * MIB, &IDENTITY, &second), AIMSS_OK);
    arena_close(&second, true);
    /* Full to the last page: what is allocated can be written all the same. */
    int fd = open("/dev/shm/filler", O_WRONLY | O_CREAT, 0600);
    static const char zeros[MIB];
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    memset(arena.shm.base + arena.header->segments_at, 1, 48 * MIB - arena.header->segments_at);
    expect_refused(own_name(2), ARENA_MIN_BYTES, AIMSS_E_NO_SPACE, "0 MiB of shared memory");
    close(fd);
    unlink("/dev/shm/filler");
    arena_close(&arena, true);
    assert_true(shm_free_bytes() >= 63 * MIB);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_is_as_described),
        cmocka_unit_test(closing_keeps_or_removes),
        cmocka_unit_test(readers_cannot_write),
        cmocka_unit_test(too_large_or_too_small),
        cmocka_unit_test(names_that_are_taken),
        cmocka_unit_test(limited_file_size),
        cmocka_unit_test(signals_do_no_harm),
    };
    const struct CMUnitTest full[] = { cmocka_unit_test(full_memory) };
    if (argc == 2 && strcmp(argv[1], "full") == 0)
        return cmocka_run_group_tests(full, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
