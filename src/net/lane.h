/* lane.h: a ring of 64-byte descriptors from one rank to one other.
 *
 * One producer, one consumer. Entries, tail and (for far pairs) payload slots
 * lie in the receiver's memory, the credit words in the sender's. Tail and
 * credits are cumulative counts, so that losing or repeating a write of them
 * does no harm. An entry, and the payload that it tells of, is there when the
 * tail has passed it, not before: on the far path payload and entries are
 * flushed before the tail is written.
 *
 * The receiver may release entries in any order; credit is the contiguous
 * prefix. Two entries stay reserved for markers (barrier, revoke, end).
 */
#ifndef AIMSS_NET_LANE_H
#define AIMSS_NET_LANE_H

#include "net/net.h"
#include <assert.h>

enum {
    LANE_ENTRIES = 256,          /* a power of two */
    LANE_RESERVED = 2,
    LANES_MAX = 192,             /* inbound lanes of a rank: 64 partners, 3 kinds */
    LANE_SLOT_MAX_BYTES = 256 * 1024
};

enum lane_kind {
    LANE_COMMIT = 0,  /* writer to broker */
    LANE_GRANT = 1,   /* broker to writer */
    LANE_PUSH = 2,    /* broker to consumer; the only one with slots */
    LANE_KINDS = 3
};

enum lane_entry_kind {
    /* commit lane */
    LANE_OPEN_GROUP = 1,    /* stream, streamlet, writer: wants a group; from, length: as below */
    LANE_NEED_SEGMENT,      /* group, lease: wants a segment of length bytes, at least from */
    LANE_COMMIT_RANGE,      /* group, lease, from, to: chunks are in place */
    LANE_CLOSE_GROUP,       /* group, lease: no more commits */
    LANE_CLOSE_WRITER,      /* stream, writer: all its groups are closed */
    /* grant lane */
    LANE_GRANTED = 16,      /* group, lease, from (position), to (arena offset), length */
    LANE_REFUSED,           /* group, lease: revoked or unknown; from: accepted; to: a commit's */
    LANE_ACCEPTED,          /* group, lease, from: accepted position (after close) */
    /* push lane */
    LANE_DATA = 32,         /* group, from, to; place: arena or slot offset; length */
    LANE_STREAM_END,        /* stream, streamlet: all of it was pushed */
    LANE_REVOKE             /* stream, streamlet: nothing follows here; its release is the answer */
};

/* Of records that are larger than a chunk. RECORD_OPEN (commit lane): the range
 * ends within one. FRAGMENTS (commit and push lane): the range holds parts of
 * some; without it all its chunks hold whole records. */
enum { LANE_RECORD_OPEN = 1, LANE_FRAGMENTS = 2 };

/* 64 bytes, one cache line. Room for check bits, weight and epoch is reserved
 * for every remote word. */
struct lane_entry {
    uint8_t kind;       /* enum lane_entry_kind */
    uint8_t format;     /* enum aimss_format */
    uint8_t consumer_group; /* number of the stream's consumer group (push lane) */
    uint8_t flags;      /* LANE_RECORD_OPEN, LANE_FRAGMENTS; the upper four bits: for a weight */
    uint32_t stream;
    uint32_t streamlet;
    uint32_t group;
    uint32_t lease;
    uint32_t writer;
    uint64_t from, to;  /* positions */
    uint64_t place;     /* where the bytes are */
    uint32_t length_bytes;
    uint32_t epoch;     /* reserved: checkpoints */
    uint64_t sequence;  /* of the entry in its lane, from 1: proves that it is not an old one */
};
static_assert(sizeof(struct lane_entry) == 64, "a lane entry is one cache line");

/* Layout of a rank's near and far regions (offsets in bytes). */
uint64_t lane_region_bytes(unsigned lane_count, uint64_t slot_bytes_total);
uint64_t lane_bell_at(void);
uint64_t lane_credit_at(unsigned outbound);
uint64_t lane_tail_at(unsigned inbound);
uint64_t lane_ring_at(unsigned inbound);
uint64_t lane_slots_at(unsigned lane_count);

/* The sending end. */
struct lane_tx {
    struct net *net;
    unsigned rank;            /* the receiver */
    unsigned inbound;         /* the lane's number there */
    unsigned outbound;        /* number of the credit words here */
    bool near, open;
    char *region;             /* near: the receiver's region, mapped */
    struct lane_entry *ring;  /* near: the ring itself; far: a copy to Put from */
    uint64_t *tail_word;      /* near */
    const uint64_t *credit_word;
    uint64_t tail;            /* entries written */
    uint64_t published;       /* entries made visible */
    uint64_t credit;          /* as last seen */
    uint64_t tail_source;     /* far: what the tail is Put from */
    uint64_t slots_at, slot_bytes, slot_head, slot_tail; /* far push lanes */
    uint64_t slot_end[LANE_ENTRIES];
};

/* The receiving end. */
struct lane_rx {
    struct net *net;
    unsigned rank;            /* the sender */
    unsigned inbound;         /* the lane's number here */
    unsigned outbound;        /* number of the credit words there */
    bool near, open;
    enum lane_kind kind;
    struct lane_entry *ring;
    const uint64_t *tail_word;
    uint64_t *credit_word;    /* near: in the sender's region */
    uint64_t tail;            /* as last seen */
    uint64_t next;            /* entries taken */
    uint64_t credit;          /* contiguous prefix of released ones */
    uint64_t credit_published;
    uint64_t credit_source;   /* far: what the credit is Put from */
    uint64_t released[LANE_ENTRIES / 64]; /* bits of entries released out of order */
    const char *slots;        /* far: the own region, which slot offsets count from */
};

/* Opens an end; the numbers were agreed on by WIRE_LANE_OPEN and its answer. */
aimss_status_t lane_tx_open(struct lane_tx *tx, struct net *net, unsigned rank, unsigned inbound,
                            unsigned outbound);
void lane_tx_set_slots(struct lane_tx *tx, uint64_t slots_at, uint64_t slot_bytes);
void lane_tx_close(struct lane_tx *tx);
void lane_rx_open(struct lane_rx *rx, struct net *net, enum lane_kind kind, unsigned rank,
                  unsigned inbound, unsigned outbound);

/* Entries that may be written now; markers may use the reserved ones too. */
unsigned lane_tx_room(struct lane_tx *tx);
unsigned lane_tx_room_marker(struct lane_tx *tx);

/* Entries that the receiver has given back, cumulative. */
uint64_t lane_tx_credit(struct lane_tx *tx);

/* Far push lanes: room for a run of bytes in the slots; false if there is none
 * now. The payload is to be Put at *offset of the receiver's far region. */
bool lane_tx_slot(struct lane_tx *tx, uint32_t len_bytes, uint64_t *offset);

/* Writes one entry (needs room); visible after publish. */
void lane_tx_write(struct lane_tx *tx, const struct lane_entry *entry);
aimss_status_t lane_tx_publish(struct lane_tx *tx);

/* The next entry, or NULL; it stays valid until its release. */
const struct lane_entry *lane_rx_next(struct lane_rx *rx);
const struct lane_entry *lane_rx_peek(struct lane_rx *rx);
/* Releases the entry with that sequence; its credit is published later. */
void lane_rx_release(struct lane_rx *rx, uint64_t sequence);
aimss_status_t lane_rx_publish_credit(struct lane_rx *rx);

#endif
