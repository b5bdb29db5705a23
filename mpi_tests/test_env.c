/* test_env.c: the machine behind env_system(): bells, pools, files.
 *
 * The bell is tried as it is used, between processes that share its memory.
 * Their waits have a timeout far above any delay that a busy machine causes;
 * a wait that lasts that long has lost its wake-up.
 */
#include "check.h"

#include "base/error.h"
#include "base/word.h"
#include "env/env.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARTY_MAX = 3, POOL_TASKS = 500 };
static const uint64_t LOST_NS = 15ull * 1000 * 1000 * 1000;

/* ---- bell */

struct party {
    struct bell bell;
    uint64_t round;
    uint64_t wait_count;
    uint64_t round_count; /* the last one */
    uint64_t pad[5];
};

static bool all_reached(struct party *parties, unsigned count, uint64_t round)
{
    for (unsigned i = 0; i < count; i++) {
        if (word_load(&parties[i].round) < round)
            return false;
    }
    return true;
}

static void spin(uint64_t times)
{
    for (volatile uint64_t i = 0; i < times; i++)
        ;
}

/* Processes on one core never meet between two instructions. */
static void move_to_core(unsigned self)
{
    cpu_set_t allowed, one;
    CPU_ZERO(&one);
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    unsigned skip = self % (unsigned)CPU_COUNT(&allowed), core = 0;
    while (!CPU_ISSET(core, &allowed) || skip-- > 0)
        core++;
    CPU_SET(core, &one);
    sched_setaffinity(0, sizeof one, &one);
}

/* Returns whether the wake-up came. Looks a few times first, so that arming
 * often falls together with the ringing of others who are awake. */
static bool await_all(struct party *parties, unsigned count, unsigned self, uint64_t round,
                      uint64_t looks)
{
    struct bell *bell = &parties[self].bell;
    while (looks-- > 0) {
        if (all_reached(parties, count, round))
            return true;
    }
    while (!all_reached(parties, count, round)) {
        bell_arm(bell);
        if (all_reached(parties, count, round)) {
            bell_disarm(bell);
            break;
        }
        uint64_t since_ns = env_now_ns(env_system());
        bell_wait(bell, LOST_NS);
        parties[self].wait_count++;
        if (env_now_ns(env_system()) - since_ns >= LOST_NS)
            return false;
    }
    return true;
}

/* Meets the others in each round, after a random moment. Returns 0 if no
 * wake-up was lost. */
static int meet(struct party *parties, unsigned count, unsigned self, uint64_t seed)
{
    move_to_core(self);
    for (uint64_t round = 1; round <= parties[self].round_count; round++) {
        spin(check_below(&seed, 60));
        word_store(&parties[self].round, round);
        for (unsigned i = 0; i < count; i++) {
            if (i != self)
                bell_ring(&parties[i].bell);
        }
        /* Long looks let two that are awake stay so; short ones arm meanwhile. */
        uint64_t looks = check_below(&seed, 4) ? 50000 : check_below(&seed, 60);
        if (!await_all(parties, count, self, round, looks)) {
            fprintf(stderr, "party %u lost a wake-up in round %llu\n", self,
                    (unsigned long long)round);
            return 1;
        }
    }
    return 0;
}

static void run_parties(unsigned count, uint64_t round_count)
{
    uint64_t seed = check_seed();
    struct party *parties = mmap(NULL, PARTY_MAX * sizeof *parties, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(parties, MAP_FAILED);
    for (unsigned i = 0; i < count; i++)
        parties[i].round_count = round_count;
    pid_t children[PARTY_MAX];
    for (unsigned i = 1; i < count; i++) {
        fflush(NULL);
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(meet(parties, count, i, seed + i));
    }
    cpu_set_t before;
    sched_getaffinity(0, sizeof before, &before);
    int failed = meet(parties, count, 0, seed);
    sched_setaffinity(0, sizeof before, &before);
    uint64_t waits = parties[0].wait_count;
    for (unsigned i = 1; i < count; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        failed |= status;
        waits += parties[i].wait_count;
    }
    munmap(parties, PARTY_MAX * sizeof *parties);
    assert_int_equal(failed, 0);
    printf("%llu waits in %llu rounds\n", (unsigned long long)waits,
           (unsigned long long)round_count);
    assert_true(waits > 0);
}

static void bell_two_processes(void **state)
{
    (void)state;
    run_parties(2, 400000);
}

static void bell_three_processes(void **state)
{
    (void)state;
    run_parties(3, 20000);
}

static void bell_wait_ends(void **state)
{
    (void)state;
    struct bell bell = { 0 };
    uint64_t start_ns = env_now_ns(env_system());
    bell_arm(&bell);
    bell_wait(&bell, 20 * 1000 * 1000);
    assert_true(env_now_ns(env_system()) - start_ns >= 20 * 1000 * 1000);
    bell_ring(&bell);
    bell_wait(&bell, LOST_NS);
    bell_arm(&bell);
    bell_disarm(&bell);
    bell_wait(&bell, LOST_NS);
    assert_true(env_now_ns(env_system()) - start_ns < LOST_NS);
}

/* ---- pool */

struct count_task {
    struct env_task task;
    unsigned *total;
    unsigned runs;
};

static void count_run(struct env_task *task)
{
    struct count_task *self = (struct count_task *)task;
    self->runs++;
    __atomic_add_fetch(self->total, 1, __ATOMIC_RELAXED);
}

static void await_done(struct env_task *task, struct bell *bell)
{
    while (!env_task_done(task)) {
        bell_arm(bell);
        if (env_task_done(task)) {
            bell_disarm(bell);
            break;
        }
        uint64_t since_ns = env_now_ns(env_system());
        bell_wait(bell, LOST_NS);
        assert_true(env_now_ns(env_system()) - since_ns < LOST_NS);
    }
}

static void pool_runs_each_task_once(void **state)
{
    (void)state;
    struct env *env = env_system();
    struct bell bell = { 0 };
    struct env_pool *pool;
    struct count_task tasks[POOL_TASKS] = { 0 };
    unsigned total = 0;
    assert_int_equal(env->ops->pool_create(env, "test", 3, &pool), AIMSS_OK);
    for (unsigned round = 1; round <= 20; round++) {
        for (unsigned i = 0; i < POOL_TASKS; i++) {
            tasks[i].task = (struct env_task){ .run = count_run, .bell = i % 2 ? &bell : NULL };
            tasks[i].total = &total;
            env->ops->pool_submit(pool, &tasks[i].task);
        }
        for (unsigned i = 1; i < POOL_TASKS; i += 2)
            await_done(&tasks[i].task, &bell);
        while (__atomic_load_n(&total, __ATOMIC_RELAXED) < round * POOL_TASKS)
            sched_yield();
    }
    env->ops->pool_destroy(pool);
    for (unsigned i = 0; i < POOL_TASKS; i++)
        assert_int_equal(tasks[i].runs, 20);
}

struct gate_task {
    struct env_task task;
    unsigned entered, open;
};

static void gate_run(struct env_task *task)
{
    struct gate_task *self = (struct gate_task *)task;
    __atomic_store_n(&self->entered, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&self->open, __ATOMIC_ACQUIRE))
        usleep(100);
}

static void *gate_opener(void *arg)
{
    struct gate_task *gate = arg;
    usleep(50 * 1000); /* so that a destroy that does not wait would come first */
    __atomic_store_n(&gate->open, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void pool_destroy_waits_for_the_running_only(void **state)
{
    (void)state;
    struct env *env = env_system();
    struct env_pool *pool;
    struct gate_task gate = { .task = { .run = gate_run } };
    unsigned total = 0;
    struct count_task queued = { .task = { .run = count_run }, .total = &total };
    assert_int_equal(env->ops->pool_create(env, "test", 1, &pool), AIMSS_OK);
    env->ops->pool_submit(pool, &gate.task);
    env->ops->pool_submit(pool, &queued.task);
    while (!__atomic_load_n(&gate.entered, __ATOMIC_ACQUIRE))
        sched_yield();
    pthread_t opener;
    assert_int_equal(pthread_create(&opener, NULL, gate_opener, &gate), 0);
    env->ops->pool_destroy(pool);
    pthread_join(opener, NULL);
    assert_true(env_task_done(&gate.task));
    assert_int_equal(total, 0);
    env->ops->pool_destroy(NULL);
}

/* ---- files */

/* A table whose transfers are partial and interrupted, as any may be. */
static unsigned flaky_calls;

static int64_t flaky_pread(struct env *env, int fd, void *data, size_t len_bytes,
                           uint64_t offset)
{
    (void)env;
    if (flaky_calls++ % 3 == 0)
        return -EINTR;
    return env_system()->ops->pread(env, fd, data, len_bytes > 7 ? 7 : len_bytes, offset);
}

static int64_t flaky_pwrite(struct env *env, int fd, const void *data, size_t len_bytes,
                            uint64_t offset)
{
    (void)env;
    if (flaky_calls++ % 3 == 0)
        return -EINTR;
    return env_system()->ops->pwrite(env, fd, data, len_bytes > 5 ? 5 : len_bytes, offset);
}

static void files_transfer_whole(void **state)
{
    (void)state;
    struct env_ops ops = *env_system()->ops;
    ops.pread = flaky_pread;
    ops.pwrite = flaky_pwrite;
    struct env env = { .ops = &ops };
    char written[1000], found[1200];
    for (unsigned i = 0; i < sizeof written; i++)
        written[i] = (char)(i * 7);
    int fd = ops.open(&env, "whole.part", O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(env_write_all(&env, fd, "whole.part", written, sizeof written, 11), AIMSS_OK);
    assert_int_equal(ops.sync(&env, fd), 0);
    assert_int_equal(ops.size(&env, fd), 1011);
    size_t read_bytes = 0;
    assert_int_equal(env_read_all(&env, fd, "whole.part", found, sizeof found, 11, &read_bytes),
                     AIMSS_OK);
    assert_int_equal(read_bytes, sizeof written);
    assert_memory_equal(found, written, sizeof written);
    assert_int_equal(ops.close(&env, fd), 0);
    assert_int_equal(ops.rename(&env, "whole.part", "whole"), 0);
    assert_int_equal(ops.rename(&env, "whole.part", "whole"), -ENOENT);
    assert_int_equal(ops.unlink(&env, "whole"), 0);
    assert_int_equal(ops.open(&env, "whole", O_RDONLY, 0), -ENOENT);
}

static void files_name_what_failed(void **state)
{
    (void)state;
    struct env *env = env_system();
    char byte = 0;
    size_t read_bytes = 99;
    int fd = env->ops->open(env, "/dev/full", O_RDWR, 0);
    assert_true(fd >= 0);
    assert_int_equal(env_write_all(env, fd, "/dev/full", &byte, 1, 0), AIMSS_E_NO_SPACE);
    assert_non_null(strstr(error_text(), "/dev/full"));
    env->ops->close(env, fd);
    fd = env->ops->open(env, ".", O_RDONLY, 0);
    assert_true(fd >= 0);
    assert_int_equal(env_read_all(env, fd, "the-file", &byte, 1, 5, &read_bytes), AIMSS_E_IO);
    assert_non_null(strstr(error_text(), "the-file"));
    assert_int_equal(read_bytes, 99);
    env->ops->close(env, fd);
}

static void random_differs(void **state)
{
    (void)state;
    struct env *env = env_system();
    assert_true(env->ops->random(env) != env->ops->random(env));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bell_wait_ends),
        cmocka_unit_test(bell_two_processes),
        cmocka_unit_test(bell_three_processes),
        cmocka_unit_test(pool_runs_each_task_once),
        cmocka_unit_test(pool_destroy_waits_for_the_running_only),
        cmocka_unit_test(files_transfer_whole),
        cmocka_unit_test(files_name_what_failed),
        cmocka_unit_test(random_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
