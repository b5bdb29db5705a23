/* wire.h: control messages between ranks. Small, two-sided, rare: nothing on a
 * data path is one of these. Ranks of one job run the same build, so the
 * layout is native; version and sizes are checked all the same.
 */
#ifndef AIMSS_NET_WIRE_H
#define AIMSS_NET_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_VERSION = 1, WIRE_TEXT_BYTES = 4096, WIRE_NAME_BYTES = 64 };

enum wire_kind {
    /* any rank to any rank */
    WIRE_LANE_OPEN = 1,   /* lane: a = kind, b = credit number at the sender */
    WIRE_LANE_OPENED,     /* lane: a = kind, b = lane number at the receiver, c, d = slots */

    /* compute to coordinator, and its answers */
    WIRE_STREAM_CREATE,   /* stream: options; text: source, inputs */
    WIRE_STREAM_INPUT,    /* text: further inputs, zero-separated */
    WIRE_STREAM_OPEN,
    WIRE_STREAM_INFO,     /* stream, or status and text */
    WIRE_STREAM_SEAL,     /* stream id */
    WIRE_READER_JOIN,     /* a = stream, b = members wanted; text: consumer group */
    WIRE_READER_LEAVE,
    WIRE_READER_INFO,     /* a = stream, b = number of the consumer group */
    WIRE_READER_END,      /* a = stream, b = consumer group: all is read */
    WIRE_ENDED,           /* a = stream, b = streamlet, c = consumer group: all handed out */
    WIRE_ROUND,           /* compute to compute: a = round wanted */
    WIRE_PROGRESS,        /* a, b = records and bytes done */
    WIRE_RESULT,          /* a job's sink: run result of a compute rank; text: its file */
    WIRE_FAILED,          /* a = status; text */
    WIRE_BYE,             /* compute: no more requests */

    /* coordinator to brokers */
    WIRE_STREAM_NEW,      /* stream */
    WIRE_GROUP_NEW,       /* a = stream, b = consumer group; answered by WIRE_GROUP_KNOWN */
    WIRE_ASSIGN,          /* a = stream, b = streamlet, c = consumer group, d = rank */
    WIRE_REVOKE,          /* a = stream, b = streamlet, c = consumer group, d = rank */
    WIRE_SEAL,            /* a = stream */
    WIRE_PARTITION,       /* a = stream, b = number, c = file, d = begin, e = end; text: path */
    WIRE_PARTITION_NONE,  /* a = stream: all are handed out */

    /* brokers to coordinator */
    WIRE_GROUP_KNOWN,     /* a = stream, b = consumer group */
    WIRE_PARTITION_NEXT,  /* a = stream */
    WIRE_PARTITION_DONE,  /* a = stream, b = number, c = bytes, d = records, e = file, f, g: its
                             range */
    WIRE_REVOKED,         /* a = stream, b = streamlet, c = consumer group, d = rank: consumed */
    WIRE_WRITER_OPEN,     /* a = stream; refused once it is sealed */
    WIRE_WRITER_CLOSED,   /* a = stream, b = writer */

    /* a reader that leaves: compute to broker, and the answer */
    WIRE_READER_STOP,     /* a = stream, b = consumer group, c = first lane entry not read,
                             d = number of the joining, e = bytes of that entry that are read */
    WIRE_READER_STOPPED,  /* a = stream, b = consumer group */

    /* coordinator to all */
    WIRE_STOP             /* a = status, 0: the end; text: why */
};

struct wire_stream {
    uint32_t id, parent;
    uint32_t streamlet_count, writer_count;
    uint32_t format, record_bytes;
    uint64_t segment_bytes, segment_first_bytes, chunk_bytes;
    char name[WIRE_NAME_BYTES];
    char parent_name[WIRE_NAME_BYTES];
    char source[WIRE_NAME_BYTES];
};

struct wire_message {
    uint16_t version;
    uint16_t kind;          /* enum wire_kind */
    uint32_t from;          /* rank */
    uint32_t membership;    /* of the sender; reserved for recovery */
    uint32_t request;       /* of an answer: the request's number */
    int32_t status;         /* of an answer */
    uint32_t text_bytes;    /* used of text; only these are sent */
    uint64_t a, b, c, d, e, f, g;
    struct wire_stream stream;
    char text[WIRE_TEXT_BYTES];
};
static_assert(offsetof(struct wire_message, a) % 8 == 0, "words are aligned");

#endif
