/* test_input_list.c: what inputs are found, which are refused and how that reads;
 * and how the found ones are cut into partitions.
 *
 * Works in a directory of its own below the current one.
 */
#include "check.h"

#include "base/error.h"
#include "connect/source.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <locale.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char ROOT[] = "input-list-root";

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static void make_file(const char *path, size_t len_bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)len_bytes), 0);
    close(fd);
}

static void make_directory(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

static int enter(void **state)
{
    (void)state;
    nftw(ROOT, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return mkdir(ROOT, 0700) || chdir(ROOT);
}

static int leave(void **state)
{
    (void)state;
    return chdir("..") || nftw(ROOT, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void assert_refused(struct input_list *list, const char *pattern, aimss_status_t status,
                           const char *word)
{
    size_t count = list->count;
    uint64_t total_bytes = list->total_bytes;
    assert_int_equal(input_list_add(list, pattern), status);
    if (strstr(error_text(), word) == NULL)
        fail_msg("expected `%s` in: %s", word, error_text());
    assert_int_equal(list->count, count);
    assert_true(list->total_bytes == total_bytes);
}

static void assert_listed(const struct input_list *list, const char *const *paths, size_t count)
{
    assert_int_equal(list->count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(list->files[i].path, paths[i]);
}

static void order_is_that_of_bytes(void **state)
{
    (void)state;
    struct input_list list = { 0 };
    setlocale(LC_ALL, "");
    make_directory("d");
    make_directory("d/a");
    make_directory("d/empty");
    make_file("d/a/x", 1);
    make_file("d/a.txt", 2);
    make_file("d/B", 4);
    make_file("d/\xc3\xa4", 8);
    make_file("d/.hidden", 16);
    assert_int_equal(symlink("../d/B", "d/link"), 0);
    assert_int_equal(input_list_add(&list, "d"), AIMSS_OK);
    const char *const expected[] = { "d/.hidden", "d/B", "d/a.txt", "d/a/x", "d/link",
                                     "d/\xc3\xa4" };
    assert_listed(&list, expected, 6);
    assert_true(list.total_bytes == 35);
    input_list_clear(&list);
    assert_int_equal(input_list_add(&list, "d/"), AIMSS_OK);
    assert_listed(&list, expected, 6);
    input_list_clear(&list);
    assert_int_equal(list.count, 0);
}

static void globs_and_names_that_look_like_globs(void **state)
{
    (void)state;
    struct input_list list = { 0 };
    make_directory("g");
    make_file("g/b.txt", 1);
    make_file("g/B.txt", 1);
    make_file("g/a[1].txt", 1);
    make_file("g/a1.txt", 1);
    make_directory("g/sub.txt");
    make_file("g/sub.txt/in", 1);
    assert_int_equal(input_list_add(&list, "g/*.txt"), AIMSS_OK);
    const char *const all[] = { "g/B.txt", "g/a1.txt", "g/a[1].txt", "g/b.txt", "g/sub.txt/in" };
    assert_listed(&list, all, 5);
    input_list_clear(&list);
    assert_int_equal(input_list_add(&list, "g/b.txt"), AIMSS_OK);
    assert_int_equal(input_list_add(&list, "g/a[1].txt"), AIMSS_OK);
    assert_int_equal(input_list_add(&list, "g/b.txt"), AIMSS_OK);
    const char *const given[] = { "g/b.txt", "g/a[1].txt", "g/b.txt" };
    assert_listed(&list, given, 3);
    assert_refused(&list, "g/*.csv", AIMSS_E_NOT_FOUND, "g/*.csv");
    input_list_clear(&list);
}

static void missing_inputs(void **state)
{
    (void)state;
    struct input_list list = { 0 };
    make_file("here", 5);
    assert_int_equal(input_list_add(&list, "here"), AIMSS_OK);
    assert_refused(&list, "nowhere", AIMSS_E_NOT_FOUND, "nowhere");
    assert_refused(&list, "here/below", AIMSS_E_NOT_FOUND, "here/below");
    assert_refused(&list, "", AIMSS_E_INVALID, "empty");
    assert_int_equal(symlink("gone", "dangling"), 0);
    assert_refused(&list, "dangling", AIMSS_E_NOT_FOUND, "symbolic link");
    make_directory("m");
    make_file("m/first", 1);
    assert_int_equal(symlink("gone", "m/dangling"), 0);
    assert_refused(&list, "m", AIMSS_E_NOT_FOUND, "m/dangling");
    input_list_clear(&list);
}

static void loops(void **state)
{
    (void)state;
    struct input_list list = { 0 };
    make_directory("l");
    make_directory("l/a");
    make_file("l/a/file", 1);
    assert_int_equal(symlink("../../l", "l/a/up"), 0);
    assert_refused(&list, "l", AIMSS_E_INVALID, "loop: the link leads back to l,");
    assert_int_equal(unlink("l/a/up"), 0);
    assert_int_equal(symlink("me", "l/me"), 0);
    assert_refused(&list, "l", AIMSS_E_INVALID, "l/me");
    assert_refused(&list, "l/me", AIMSS_E_INVALID, "circle");
    assert_int_equal(unlink("l/me"), 0);
    assert_int_equal(input_list_add(&list, "l"), AIMSS_OK);
    input_list_clear(&list);
}

static void no_regular_files(void **state)
{
    (void)state;
    struct input_list list = { 0 };
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_refused(&list, "pipe", AIMSS_E_INVALID, "pipe: is a pipe");
    assert_refused(&list, "socket", AIMSS_E_INVALID, "socket: is a socket");
    assert_refused(&list, "/dev/null", AIMSS_E_INVALID, "/dev/null: is a device");
    make_directory("p");
    assert_int_equal(rename("pipe", "p/pipe"), 0);
    assert_refused(&list, "p", AIMSS_E_INVALID, "p/pipe: is a pipe");
    close(fd);
}

/* Root reads everything, so root becomes somebody else for a moment. */
static void unreadable_inputs(void **state)
{
    (void)state;
    struct input_list list = { 0 };
    make_directory("u");
    make_directory("u/closed");
    make_file("u/closed/file", 1);
    make_file("u/secret", 1);
    uid_t uid = geteuid();
    assert_int_equal(chown("u/secret", uid ? uid : 65534, (gid_t)-1), 0);
    assert_int_equal(chown("u/closed", uid ? uid : 65534, (gid_t)-1), 0);
    assert_int_equal(chmod("u/secret", 0), 0);
    assert_int_equal(chmod("u/closed", 0), 0);
    assert_int_equal(chmod("u", 0755), 0);
    assert_int_equal(chdir("u"), 0); /* what lies above may be closed to somebody else */
    if (uid == 0)
        assert_int_equal(seteuid(65534), 0);
    assert_refused(&list, "secret", AIMSS_E_IO, "secret");
    assert_refused(&list, "closed", AIMSS_E_IO, "closed");
    assert_refused(&list, "closed/*", AIMSS_E_IO, "closed");
    if (uid == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chdir(".."), 0);
    assert_int_equal(chmod("u/closed", 0700), 0);
}

static void many_files_are_quick(void **state)
{
    (void)state;
    enum { FILES = 100000, LIMIT_S = 5 };
    struct input_list list = { 0 };
    struct timespec start, end;
    char path[64];
    make_directory("many");
    for (unsigned i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "many/%08x", i * 2654435761u);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    assert_int_equal(input_list_add(&list, "many"), AIMSS_OK);
    assert_int_equal(input_list_add(&list, "many/*"), AIMSS_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(list.count, 2 * FILES);
    for (size_t i = 1; i < FILES; i++)
        assert_true(strcmp(list.files[i - 1].path, list.files[i].path) < 0);
    input_list_clear(&list);
    double seconds = (double)(end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9;
    printf("%d files twice in %.2f s\n", FILES, seconds);
    assert_true(seconds < LIMIT_S);
}

/* ---- partitions */

enum { MIN_BYTES = 256 * 1024, MAX_BYTES = 64 * 1024 * 1024 };

/* Walks a plan: no gap, no overlap, sizes in their bounds. Returns how many. */
static uint32_t check_plan(const struct input_list *list, unsigned broker_count)
{
    struct partition_plan plan;
    struct partition part;
    uint64_t at = 0, done_bytes = 0;
    uint32_t number = 0, file = 0;
    partition_plan_start(&plan, list, broker_count);
    while (partition_plan_next(&plan, &part) == AIMSS_OK) {
        for (; at == list->files[file].len_bytes; at = 0)
            file++;
        assert_int_equal(part.number, number++);
        assert_int_equal(part.file, file);
        assert_true(part.begin == at && part.end > at && part.end <= list->files[file].len_bytes);
        uint64_t bytes = part.end - part.begin, file_bytes = list->files[file].len_bytes;
        assert_true(bytes <= MAX_BYTES);
        assert_true(bytes >= MIN_BYTES || bytes == file_bytes);
        /* No part is so large that the others would wait for it. */
        uint64_t share = (list->total_bytes - done_bytes) / (2 * broker_count);
        assert_true(bytes <= share + MIN_BYTES || bytes <= 2 * MIN_BYTES);
        done_bytes += bytes;
        at = part.end;
    }
    assert_true(done_bytes == list->total_bytes);
    return number;
}

static void plans_cover_all_once(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    struct input_file files[40];
    for (unsigned trial = 0; trial < 2000; trial++) {
        struct input_list list = { .files = files, .count = check_below(&seed, 40) };
        for (size_t i = 0; i < list.count; i++) {
            uint64_t bits = check_below(&seed, 34);
            uint64_t near = MIN_BYTES * (1 + check_below(&seed, 300)) - 1 + check_below(&seed, 3);
            files[i].len_bytes = check_below(&seed, 4) ? check_random(&seed) >> (63 - bits) : near;
            list.total_bytes += files[i].len_bytes;
        }
        unsigned broker_count = 1 + (unsigned)check_below(&seed, 64);
        assert_int_equal(check_plan(&list, broker_count), check_plan(&list, broker_count));
    }
}

/* Brokers of different speed finish within the time of one small partition. */
static void brokers_finish_together(void **state)
{
    (void)state;
    struct input_file file = { .len_bytes = 4ull << 30 };
    struct input_list list = { .files = &file, .count = 1, .total_bytes = file.len_bytes };
    double busy_until[4] = { 0 }, speed[4] = { 1, 1.5, 2, 3 }, slowest = 0, fastest = 1e18;
    struct partition_plan plan;
    struct partition part;
    partition_plan_start(&plan, &list, 4);
    while (partition_plan_next(&plan, &part) == AIMSS_OK) {
        unsigned next = 0;
        for (unsigned i = 1; i < 4; i++) {
            if (busy_until[i] < busy_until[next])
                next = i;
        }
        busy_until[next] += (double)(part.end - part.begin) / speed[next];
    }
    for (unsigned i = 0; i < 4; i++) {
        slowest = busy_until[i] > slowest ? busy_until[i] : slowest;
        fastest = busy_until[i] < fastest ? busy_until[i] : fastest;
    }
    assert_true(slowest - fastest < 2 * MIN_BYTES);
    assert_true(plan.number < 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(order_is_that_of_bytes, enter, leave),
        cmocka_unit_test_setup_teardown(globs_and_names_that_look_like_globs, enter, leave),
        cmocka_unit_test_setup_teardown(missing_inputs, enter, leave),
        cmocka_unit_test_setup_teardown(loops, enter, leave),
        cmocka_unit_test_setup_teardown(no_regular_files, enter, leave),
        cmocka_unit_test_setup_teardown(unreadable_inputs, enter, leave),
        cmocka_unit_test_setup_teardown(many_files_are_quick, enter, leave),
        cmocka_unit_test(plans_cover_all_once),
        cmocka_unit_test(brokers_finish_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
