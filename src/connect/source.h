/* source.h: where records of a stream come from; one file behind one table.
 *
 * Rank 0 lists the inputs and hands out partitions: byte ranges of one file,
 * large at first, smaller towards the end, so that all brokers finish
 * together. A broker's I/O threads fill chunks from a partition, straight into
 * segments. A source is found by name.
 */
#ifndef AIMSS_CONNECT_SOURCE_H
#define AIMSS_CONNECT_SOURCE_H

#include "env/env.h"
#include <aimss/types.h>

/* One input file as listed. */
struct input_file {
    char *path;
    uint64_t len_bytes;
};

struct input_list {
    uint64_t skip_device, skip_inode; /* of a directory that walks pass over; 0: none */
    struct input_file *files;
    size_t count, room;
    uint64_t total_bytes;
};

/* Adds what pattern names: a file, a directory (all regular files below it, in
 * path order, symbolic link loops refused), or a glob. Files named twice are
 * read twice. The files of one call are in the order of their paths' bytes; a
 * failed call adds none. Errors name the path: AIMSS_E_NOT_FOUND (missing, or
 * a glob without match), AIMSS_E_IO (unreadable, checked now), AIMSS_E_INVALID
 * (a directory loop; a device, socket or pipe), AIMSS_E_LIMIT (too many). */
aimss_status_t input_list_add(struct input_list *list, const char *pattern);
void input_list_clear(struct input_list *list);

/* Walks pass over this directory and all below it: a job does not read what it
 * writes. A path that does not exist is none. */
void input_list_skip(struct input_list *list, const char *directory);

/* The planner: partitions in file order. Empty files yield none. */
struct partition {
    uint32_t number;      /* from 0, in the order of the plan */
    uint32_t file;        /* index in the list */
    uint64_t begin, end;  /* bytes; end is exclusive */
};

struct partition_plan {
    const struct input_list *list;
    unsigned broker_count;
    size_t file;
    uint64_t offset, left_bytes;
    uint32_t number;
};

void partition_plan_start(struct partition_plan *plan, const struct input_list *list,
                          unsigned broker_count);
/* The next partition: AIMSS_OK, or AIMSS_END. Its size is a fixed share of what
 * is left (guided self-scheduling), between 256 KiB and 64 MiB; less only where
 * its whole file is smaller. */
aimss_status_t partition_plan_next(struct partition_plan *plan, struct partition *partition);

/* Reading one partition. Runs on an I/O thread, one call at a time. */
struct source_reader;

/* What one fill put into a chunk's payload. */
struct source_fill {
    uint64_t payload_bytes;
    uint64_t record_count;   /* of a record in fragments: 1 in the first, 0 in the others */
    uint64_t input_position; /* byte of the file behind the last one used */
    uint8_t fragment;        /* enum chunk_fragment */
    uint8_t end;             /* the partition is exhausted; the payload may be empty */
};

struct source_ops {
    const char *name;
    enum aimss_format format; /* of the records it makes */

    /* record_max_bytes: a longer record is AIMSS_E_LIMIT, named with file and
     * offset. path is copied. Errors: AIMSS_E_NOT_FOUND (vanished), AIMSS_E_IO
     * (unreadable, or shorter than the partition: found and expected sizes). */
    aimss_status_t (*open)(struct env *env, const char *path,
                           const struct partition *partition, uint64_t record_max_bytes,
                           struct source_reader **reader);

    /* Fills at most room_bytes (4 KiB at least) at payload; bytes of the room
     * behind fill->payload_bytes are overwritten. */
    aimss_status_t (*fill)(struct source_reader *reader, void *payload, uint64_t room_bytes,
                           struct source_fill *fill);
    void (*close)(struct source_reader *reader); /* NULL is fine */
};

/* By name; NULL if there is none. */
const struct source_ops *source_find(const char *name);

#endif
