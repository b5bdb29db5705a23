/* writer_internal.h: what writer.c (records into chunks) and writer_lease.c
 * (groups, segments, commits) share. */
#ifndef AIMSS_FLOW_WRITER_INTERNAL_H
#define AIMSS_FLOW_WRITER_INTERNAL_H

#include "flow/writer.h"
#include "log/format.h"

enum {
    WRITERS_MAX = 64,
    WRITERS_OPENED_MAX = 65536,            /* on one rank in one run: their ids never return */
    WRITER_WINDOW_BYTES = CHUNK_MAX_BYTES, /* far: what may be Put before a flush */
    WRITER_GATHER_BYTES = 64 * 1024,       /* sealed and not told, at most */
    WRITER_QUIET_NS = 5000                 /* between commits of less than that */
};

/* A segment as granted. */
struct lease_segment {
    uint64_t at;
    uint32_t ordinal, len_bytes;
};

/* A writer in one streamlet. */
struct writer_part {
    unsigned broker;            /* rank */
    bool near;
    struct lane_tx *commit;     /* NULL until open */

    /* the chunk that is being filled; room is what still fits into it */
    char *chunk;                /* its header; NULL: none is open */
    char *next;                 /* where the next record goes */
    uint64_t room;
    uint32_t chunk_records;

    /* the lease */
    uint32_t group, lease;
    bool has_group, asked, refused;
    struct lease_segment segment, granted; /* current; next (len 0: none) */
    char *base;                 /* near: the segment, mapped; far: the window */
    uint32_t sealed;            /* offset in the segment behind the last sealed chunk */
    uint32_t committed;         /* behind the last range that was told */
    bool record_open;           /* what is sealed ends within a record */
    bool fragmented;            /* what is not told yet holds fragments */
    uint32_t window_used;       /* far */
    unsigned full_segments;
    uint64_t ordinal;           /* records written in this group */

    uint64_t commit_sequence;   /* lane entry of the last commit */
    uint64_t commit_ns;
    bool unflushed;             /* far: Put and entries that are not yet published */
};

struct writer {
    struct writers *writers;
    struct wire_stream stream;
    uint32_t id;
    uint64_t timeout_ns;
    uint64_t records;
    uint64_t fragment_from;     /* payload above which a record is cut */
    bool waiting;               /* within a call: due commits are that call's */
    struct writer_part parts[]; /* [streamlet_count] */
};

struct writers {
    struct writers_config config;
    unsigned count, opened;
    struct writer *list[WRITERS_MAX];
};

/* Makes a chunk that can hold payload_min_bytes the open one; waits for memory
 * as long as the writer may. cap: its size at most, with header. */
aimss_status_t writer_begin_chunk(struct writer *writer, struct writer_part *part,
                                  uint64_t payload_min_bytes, uint64_t cap);

/* Seals the open chunk, if it has records, and tells the broker when it can. */
aimss_status_t writer_end_chunk(struct writer *writer, struct writer_part *part,
                                enum chunk_fragment fragment);

/* Tells the broker all that is sealed; waits for room in the lane if must. */
aimss_status_t writer_commit(struct writer *writer, struct writer_part *part, bool must);

/* Handles one entry of a grant lane. */
void writer_take_grant(struct writers *writers, const struct lane_entry *entry);

aimss_status_t writer_close_group(struct writer *writer, struct writer_part *part);
aimss_status_t writer_wait(struct writer *writer, uint64_t deadline_ns);
uint64_t writer_deadline(const struct writer *writer);

static inline bool writer_is_acked(const struct writer_part *part)
{
    return *(volatile const uint64_t *)part->commit->credit_word >= part->commit_sequence;
}

#endif
