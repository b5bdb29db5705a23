/* coordinator_internal.h: what coordinator.c (streams, the run) and
 * coordinator_readers.c (consumer groups) share.
 */
#ifndef AIMSS_ROLE_COORDINATOR_INTERNAL_H
#define AIMSS_ROLE_COORDINATOR_INTERNAL_H

#include "base/error.h"
#include "connect/source.h"
#include "role/coordinator.h"

/* A joining whose answer waits until the brokers know of the group. */
struct join_view {
    bool waits;
    uint32_t request, stream, join;
    unsigned number; /* of the consumer group */
};

/* What one compute rank has told. */
struct compute_view {
    uint64_t records, bytes;
    bool has_result, bye;
    uint64_t part_offset, part_bytes, part_lines;
    uint32_t part_crc32c;
    struct input_list inputs; /* named before a stream is created */
    struct join_view join;
};

/* What a stream with a source reads, and how it is cut. */
struct feed_plan {
    struct input_list inputs;
    struct partition_plan plan;
};

struct coordinator {
    struct coordinator_config config;
    struct catalog *catalog;
    struct compute_view *views; /* [rank_count] */
    struct feed_plan *feeds[CATALOG_STREAMS_MAX]; /* by stream id - 1; NULL: no source */
    struct offsets_log *log;    /* NULL: none is kept */
    uint64_t bytes_read;
    unsigned results, byes;
    bool stopping;
    aimss_status_t outcome;
    char outcome_text[ERROR_TEXT_BYTES];
    char sink_file[256];
    struct wire_message in, out;
};

/* One message at a time is composed in c->out: begun, filled and sent. */
void coordinator_begin(struct coordinator *c, enum wire_kind kind);
aimss_status_t coordinator_send(struct coordinator *c, unsigned rank);
aimss_status_t coordinator_send_brokers(struct coordinator *c);

/* status of the request in c->in, and its text if it failed, go back to the asker. */
aimss_status_t coordinator_answer(struct coordinator *c, enum wire_kind kind,
                                  aimss_status_t status, const struct catalog_stream *stream);

/* The stream that c->in names; NULL: there is none. */
struct catalog_stream *coordinator_stream(struct coordinator *c);

/* Entries of offsets.log, if one is kept. */
aimss_status_t coordinator_log_stream(struct coordinator *c, const struct wire_stream *info);
aimss_status_t coordinator_log_group(struct coordinator *c, const struct catalog_stream *stream,
                                     unsigned number);

/* Handlers of c->in. */
aimss_status_t coordinator_on_partition_done(struct coordinator *c);
aimss_status_t coordinator_on_reader_join(struct coordinator *c);
aimss_status_t coordinator_on_reader_leave(struct coordinator *c);
aimss_status_t coordinator_on_group_known(struct coordinator *c);
aimss_status_t coordinator_on_revoked(struct coordinator *c);
aimss_status_t coordinator_on_ended(struct coordinator *c);

#endif
