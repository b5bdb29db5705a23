/* memory.c: what schedules use again: stacks, regions of lanes, arenas.
 *
 * Mapped once, private and without huge pages, so that giving the touched pages
 * back makes all of it zero again at little cost. The arena's header is the one
 * that arena_create() writes; it is taken from a real arena at the start.
 */
#include "sim/sim_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char *map(uint64_t len_bytes)
{
    char *base = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED) {
        perror("sim: mmap");
        exit(2);
    }
    madvise(base, len_bytes, MADV_NOHUGEPAGE);
    return base;
}

static uint64_t near_bytes(void)
{
    return lane_region_bytes(LANES_MAX, 0);
}

static uint64_t far_bytes(void)
{
    return lane_region_bytes(LANES_MAX, SIM_SLOTS_MAX_BYTES);
}

static void take_header(struct arena_header *header)
{
    struct arena_identity identity = { .run = 1 };
    struct arena arena;
    char job[32], name[SHM_NAME_BYTES];

    snprintf(job, sizeof job, "sim%ld", (long)getpid());
    shm_name(name, job, 0, "arena");
    if (arena_create(name, SIM_ARENA_BYTES, &identity, &arena) != AIMSS_OK) {
        fprintf(stderr, "sim: %s\n", error_text());
        exit(2);
    }
    *header = *arena.header;
    arena_close(&arena, true);
}

struct sim_memory *sim_memory_create(void)
{
    struct sim_memory *memory = calloc(1, sizeof *memory);

    if (memory == NULL)
        abort();
    take_header(&memory->header);
    for (unsigned r = 0; r < SIM_RANKS_MAX; r++) {
        memory->near[r] = map(near_bytes());
        memory->far[r] = map(far_bytes());
        memory->arena[r] = map(SIM_ARENA_BYTES);
        memory->stack[r] = map(SIM_STACK_BYTES);
        mprotect(memory->stack[r], 4096, PROT_NONE); /* an overflow must not pass */
    }
    return memory;
}

void sim_memory_destroy(struct sim_memory *memory)
{
    if (memory == NULL)
        return;
    for (unsigned r = 0; r < SIM_RANKS_MAX; r++) {
        munmap(memory->near[r], near_bytes());
        munmap(memory->far[r], far_bytes());
        munmap(memory->arena[r], SIM_ARENA_BYTES);
        munmap(memory->stack[r], SIM_STACK_BYTES);
    }
    free(memory);
}

void sim_memory_reset(struct sim_memory *memory, unsigned rank_count)
{
    for (unsigned r = 0; r < rank_count; r++) {
        madvise(memory->near[r], near_bytes(), MADV_DONTNEED);
        madvise(memory->far[r], far_bytes(), MADV_DONTNEED);
        madvise(memory->arena[r], SIM_ARENA_BYTES, MADV_DONTNEED);
    }
}
