/* test_groups_death.c: a broker that dies at any machine instruction leaves an
 * arena that tells the state before its operation or the one after it.
 *
 * The broker is a single-stepped child; its tables are read after each of its
 * instructions, as a recovery would.
 */
#include "groups_model.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

enum {
    SLOTS_SEEN = 6, /* that the broker uses */
    STEPPED_OPERATIONS = 500
};

/* The broker tells by this word how far it is; nobody here writes into segments. */
static uint64_t *operation_word(struct arena *arena)
{
    return (uint64_t *)(arena->shm.base + ARENA_BYTES - 8);
}

static void stepped_broker(struct world *w)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(1);
    raise(SIGSTOP);
    for (uint64_t i = 1; i <= STEPPED_OPERATIONS; i++) {
        struct model *m = &w->models[check_below(&w->seed, SLOTS_SEEN)];
        operate(w, m);
        word_store(operation_word(&w->arena), i);
    }
    _exit(0);
}

struct snapshot {
    struct found groups[SLOTS_SEEN];
    bool ever[SLOTS_SEEN];
};

static void take_snapshot(struct arena *arena, struct snapshot *snapshot)
{
    memset(snapshot, 0, sizeof *snapshot);
    for (uint32_t slot = 0; slot < SLOTS_SEEN; slot++)
        snapshot->ever[slot] = find_group(arena, slot, &snapshot->groups[slot]);
}

/* An entry once complete stays so, and no page has two owners. */
static void check_snapshot(const struct snapshot *before, const struct snapshot *now)
{
    static uint8_t owners[ARENA_BYTES / SEGMENT_MIN_BYTES];
    memset(owners, 0, sizeof owners);
    for (uint32_t slot = 0; slot < SLOTS_SEEN; slot++) {
        const struct found *found = &now->groups[slot];
        assert_true(now->ever[slot] || !before->ever[slot]);
        assert_true(found->segment_count - found->segment_first <= ARENA_CHAIN_SEGMENTS);
        for (uint32_t i = 0; i < found->segment_count - found->segment_first; i++) {
            assert_true(found->at[i] + found->len_bytes[i] <= ARENA_BYTES);
            for (uint32_t page = 0; page < found->len_bytes[i] / SEGMENT_MIN_BYTES; page++)
                assert_int_equal(owners[found->at[i] / SEGMENT_MIN_BYTES + page]++, 0);
        }
    }
}

static bool step(pid_t child)
{
    int status = 0;
    assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSTOPPED(status)) {
        assert_int_equal(WSTOPSIG(status), SIGTRAP);
        return true;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
}

/* Instructions outside of an operation's own changes are many; a snapshot is
 * only needed where the tables have changed, and that is cheap to see. */
static bool tables_changed(struct arena *arena, char *last, size_t table_bytes)
{
    const char *now = arena->shm.base + arena->header->groups_at;
    const char *words = (const char *)arena_accepted(arena);
    const char *chains = (const char *)arena_chains(arena);
    size_t groups_bytes = 2 * SLOTS_SEEN * sizeof(struct arena_group);
    size_t words_bytes = SLOTS_SEEN * sizeof(uint64_t);
    size_t chains_bytes = table_bytes - groups_bytes - words_bytes;
    if (memcmp(last, now, groups_bytes) == 0 &&
        memcmp(last + groups_bytes, words, words_bytes) == 0 &&
        memcmp(last + groups_bytes + words_bytes, chains, chains_bytes) == 0)
        return false;
    memcpy(last, now, groups_bytes);
    memcpy(last + groups_bytes, words, words_bytes);
    memcpy(last + groups_bytes + words_bytes, chains, chains_bytes);
    return true;
}

/* Steps to the end. During an operation only its outcome may appear beside what
 * was there before, and once seen it stays. */
static void watch(struct world *w, pid_t child)
{
    static struct snapshot before, outcome, now;
    static char last[2 * SLOTS_SEEN * sizeof(struct arena_group) + SLOTS_SEEN * sizeof(uint64_t) +
                     SLOTS_SEEN * ARENA_CHAIN_SEGMENTS * sizeof(struct arena_segment)];
    uint64_t operation = 0, instructions = 0, changes = 0;
    take_snapshot(&w->arena, &before);
    outcome = before;
    while (step(child)) {
        instructions++;
        if (word_load(operation_word(&w->arena)) != operation) {
            operation++;
            before = outcome;
        }
        if (!tables_changed(&w->arena, last, sizeof last))
            continue;
        changes++;
        take_snapshot(&w->arena, &now);
        check_snapshot(&before, &now);
        if (memcmp(&now, &outcome, sizeof now) != 0) {
            assert_memory_equal(&before, &outcome, sizeof now); /* one change an operation */
            outcome = now;
        }
    }
    assert_true(operation == STEPPED_OPERATIONS && changes > STEPPED_OPERATIONS);
    printf("%llu instructions, %llu changed the tables\n", (unsigned long long)instructions,
           (unsigned long long)changes);
}

static void death_at_each_instruction(void **state)
{
    (void)state;
    struct world *w = malloc(sizeof *w);
    int status;
    world_create(w, check_seed());
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        stepped_broker(w);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_EXITKILL), 0);
    watch(w, child);
    world_destroy(w);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(death_at_each_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
