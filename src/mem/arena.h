/* arena.h: the memory of one broker: header, tables, segments, in one mapping.
 *
 * Layout (offsets from the start, all in the header):
 *
 *   header      one page; says which job, run and boot it belongs to
 *   groups      table of group entries, each kept twice with CRC
 *   accepted    one word a group: the position that the broker vouches for
 *   chains      the segments of each group
 *   segments    pages, cut into power-of-two segments
 *
 * The broker writes header and tables, writers their leased segments, and
 * everybody else reads. A killed broker leaves a file that tells what it held.
 */
#ifndef AIMSS_MEM_ARENA_H
#define AIMSS_MEM_ARENA_H

#include "mem/shm.h"
#include <assert.h>

enum {
    ARENA_LAYOUT_VERSION = 1,
    ARENA_PAGE_BYTES = 4096,
    ARENA_CHAIN_SEGMENTS = 32, /* of one group */
    ARENA_MIN_BYTES = 8 * 1024 * 1024
};

#define ARENA_MAGIC UINT64_C(0x0a73736d69610a01)

struct arena_header {
    uint64_t magic;
    uint32_t layout_version;
    uint32_t uid;
    uint8_t job_uuid[16];
    uint8_t boot_id[16];
    uint32_t run;
    uint32_t membership;
    uint32_t rank;
    uint32_t group_max;
    uint64_t len_bytes;
    uint64_t groups_at, accepted_at, chains_at, segments_at;
    uint64_t reserved[4];
    uint32_t zero;
    uint32_t crc32c; /* of all before */
};
static_assert(sizeof(struct arena_header) == 144, "arena header");

/* One of the two copies of a group's entry; the valid one with the higher
 * sequence counts, so that replacing it is one store of its sequence. */
struct arena_group {
    uint32_t sequence;
    uint32_t group, lease;
    uint32_t stream, streamlet;
    uint32_t writer, incarnation;
    uint32_t state;          /* enum group_state of store/groups.h */
    uint32_t segment_first;  /* ordinal of the first segment that is still held */
    uint32_t segment_count;  /* ordinals used so far */
    uint32_t previous;       /* the same writer's group before this, or UINT32_MAX */
    uint32_t previous_lease;
    uint32_t reserved[3];
    uint32_t crc32c;
};
static_assert(sizeof(struct arena_group) == 64, "a group entry is one cache line");

/* One segment of a group's chain. end grows as the broker accepts and is final
 * once the next segment is in use. */
struct arena_segment {
    uint64_t at;         /* offset in the arena */
    uint32_t len_bytes;
    uint32_t end;        /* offset in the segment behind its last accepted byte */
};
static_assert(sizeof(struct arena_segment) == 16, "a chain entry");

struct arena {
    struct shm shm;
    const struct arena_header *header;
    struct shm_touch touch;
};

/* How many bytes an arena should have when none are asked for: a quarter of
 * what is free, shared by the node's brokers, 512 MiB at most. */
uint64_t arena_default_bytes(unsigned brokers_on_node);

/* Creates the arena of this broker, in whole pages. boot id and uid are filled
 * in here. AIMSS_E_INVALID below ARENA_MIN_BYTES; else as shm_create(). */
struct arena_identity {
    uint8_t job_uuid[16];
    uint32_t run, membership, rank;
};
aimss_status_t arena_create(const char *name, uint64_t len_bytes,
                            const struct arena_identity *identity, struct arena *arena);

/* Maps all pages ahead of their use, in the background; until arena_close(). */
void arena_touch(struct arena *arena);

/* Tables of the own arena, writable. */
struct arena_group *arena_groups(struct arena *arena);  /* [2 * group_max] */
uint64_t *arena_accepted(struct arena *arena);          /* [group_max] */
struct arena_segment *arena_chains(struct arena *arena); /* [ARENA_CHAIN_SEGMENTS * group_max] */

/* Unmaps; remove: also deletes the file. */
void arena_close(struct arena *arena, bool remove);

#endif
