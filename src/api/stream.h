/* stream.h: a stream's handle, for the files of this layer. */
#ifndef AIMSS_API_STREAM_H
#define AIMSS_API_STREAM_H

#include "api/children.h"

struct aimss_writer {
    struct aimss_stream *stream;
    struct writer *writer;
    struct children_part *part; /* of a child stream: stays on this rank until the shuffle */
};

struct aimss_stream {
    struct aimss_runtime *rt;
    struct wire_stream info;
    struct aimss_writer *own_writer; /* for aimss_write_to; opened on first use */
    bool ready;                      /* aimss_shuffle_stream was called */
    struct aimss_stream *next;       /* of the handles of this runtime */
    struct children_part *part;      /* a child's records that wait for the shuffle */
};

aimss_status_t stream_open_named(struct aimss_runtime *rt, struct wire_message *request,
                                 struct aimss_stream **stream);

/* The next buffer if there is one, without a pass of the event loop. */
aimss_status_t reader_poll(struct aimss_reader *reader, struct aimss_buffer **buffer);

#endif
