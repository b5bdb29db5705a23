/* buffer.h: one push as a compute rank holds it: a run of chunks of one group.
 *
 * The bytes lie in the broker's segment (near) or in a slot of this rank (far)
 * and stay there until the buffer is released. Reading and releasing work on
 * any thread; all else belongs to the MPI thread.
 */
#ifndef AIMSS_FLOW_BUFFER_H
#define AIMSS_FLOW_BUFFER_H

#include "net/lane.h"
#include <aimss/types.h>
#include <stdbool.h>

struct inbox;

struct aimss_buffer {
    const char *data;        /* first chunk */
    uint64_t len_bytes;      /* of all chunks */
    uint32_t stream;         /* id */
    uint32_t streamlet;
    uint32_t group;
    uint32_t segment;        /* ordinal in the group */
    uint64_t offset;         /* of data in the segment: with group and segment, the place to name */
    enum aimss_format format;
    uint32_t record_bytes;   /* of a fixed stream */

    struct inbox *inbox;     /* NULL: a writer's buffer */
    struct lane_rx *lane;
    uint64_t sequence;       /* of the lane entry that this holds */
    uint32_t entry_at;       /* how far into that entry it begins; a joined record: 0 or there */
    struct aimss_buffer *next;
    void *owned;             /* memory of a joined record or a writer's buffer */
    uint64_t filled_bytes;   /* writer's buffer */
    uint32_t released;       /* set by any thread, collected by the MPI thread */
};

/* The next record at *cursor (0 first). AIMSS_OK, AIMSS_END, AIMSS_E_CORRUPT
 * (with a text that names the place): each chunk's CRC is checked as the
 * cursor enters it, while its bytes come into the cache anyway. */
aimss_status_t buffer_record(const struct aimss_buffer *buffer, uint64_t *cursor,
                             struct aimss_record *record);

void buffer_release(struct aimss_buffer *buffer);

#endif
