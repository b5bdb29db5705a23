/* arena.c: see arena.h. */
#include "mem/arena.h"

#include "base/crc32c.h"
#include "base/error.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BYTES_PER_GROUP = 32 * 1024, GROUPS_MIN = 256, GROUPS_MAX = 1 << 20 };

uint64_t arena_default_bytes(unsigned brokers_on_node)
{
    uint64_t bytes = shm_free_bytes() / 4 / (brokers_on_node > 0 ? brokers_on_node : 1);
    uint64_t most = UINT64_C(512) << 20;

    bytes = bytes < most ? bytes : most;
    bytes &= ~(uint64_t)(ARENA_PAGE_BYTES - 1);
    return bytes > ARENA_MIN_BYTES ? bytes : ARENA_MIN_BYTES;
}

static uint64_t page_align(uint64_t bytes)
{
    return (bytes + ARENA_PAGE_BYTES - 1) & ~(uint64_t)(ARENA_PAGE_BYTES - 1);
}

static uint32_t group_max_for(uint64_t len_bytes)
{
    uint64_t groups = len_bytes / BYTES_PER_GROUP;

    if (groups < GROUPS_MIN)
        return GROUPS_MIN;
    return groups < GROUPS_MAX ? (uint32_t)groups : GROUPS_MAX;
}

/* The boot id tells an arena of before a reboot from a live one. */
static void read_boot_id(uint8_t id[16])
{
    char text[64] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    unsigned byte, digits = 0;

    memset(id, 0, 16);
    if (file == NULL)
        return;
    if (fgets(text, sizeof text, file) == NULL)
        text[0] = '\0';
    fclose(file);
    for (const char *c = text; *c != '\0' && digits < 32; c++) {
        if (sscanf((char[]){ *c, '\0' }, "%1x", &byte) != 1)
            continue;
        id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | byte);
        digits++;
    }
}

static void write_header(struct arena *arena, const struct arena_identity *identity)
{
    struct arena_header header = { .magic = ARENA_MAGIC,
                                   .layout_version = ARENA_LAYOUT_VERSION,
                                   .uid = (uint32_t)geteuid(),
                                   .run = identity->run,
                                   .membership = identity->membership,
                                   .rank = identity->rank,
                                   .len_bytes = arena->shm.len_bytes };
    uint32_t groups = group_max_for(header.len_bytes);

    memcpy(header.job_uuid, identity->job_uuid, sizeof header.job_uuid);
    read_boot_id(header.boot_id);
    header.group_max = groups;
    header.groups_at = ARENA_PAGE_BYTES;
    header.accepted_at = header.groups_at + page_align(2 * sizeof(struct arena_group) * groups);
    header.chains_at = header.accepted_at + page_align(sizeof(uint64_t) * groups);
    header.segments_at =
        header.chains_at + page_align(sizeof(struct arena_segment) * ARENA_CHAIN_SEGMENTS * groups);
    header.crc32c = crc32c(0, &header, sizeof header - sizeof header.crc32c);
    memcpy(arena->shm.base, &header, sizeof header);
}

aimss_status_t arena_create(const char *name, uint64_t len_bytes,
                            const struct arena_identity *identity, struct arena *arena)
{
    struct arena made = { 0 };
    aimss_status_t status;

    if (len_bytes < ARENA_MIN_BYTES)
        return error_set(AIMSS_E_INVALID, "an arena of %llu bytes is too small; --arena takes "
                         "%d bytes or more", (unsigned long long)len_bytes, ARENA_MIN_BYTES);
    status = shm_create(name, len_bytes & ~(uint64_t)(ARENA_PAGE_BYTES - 1), "--arena", &made.shm);
    if (status != AIMSS_OK)
        return status;
    write_header(&made, identity);
    made.header = (const struct arena_header *)made.shm.base;
    *arena = made;
    return AIMSS_OK;
}

struct arena_group *arena_groups(struct arena *arena)
{
    return (struct arena_group *)(arena->shm.base + arena->header->groups_at);
}

uint64_t *arena_accepted(struct arena *arena)
{
    return (uint64_t *)(arena->shm.base + arena->header->accepted_at);
}

struct arena_segment *arena_chains(struct arena *arena)
{
    return (struct arena_segment *)(arena->shm.base + arena->header->chains_at);
}

void arena_touch(struct arena *arena)
{
    shm_touch_start(&arena->touch, arena->shm.base, arena->shm.len_bytes);
}

void arena_close(struct arena *arena, bool remove)
{
    if (arena->shm.base == NULL)
        return;
    shm_touch_stop(&arena->touch);
    if (remove)
        shm_remove(arena->shm.name);
    shm_close(&arena->shm);
}
