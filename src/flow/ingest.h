/* ingest.h: a broker fills a source's stream: partitions in, chunks out.
 *
 * One slot for each I/O thread. A slot asks the coordinator for a partition,
 * opens a group in the streamlet with the least backlog, and lets a task fill
 * one segment after the other, chunk by chunk, straight from the file; the MPI
 * thread then accepts the range and pushes it on. A slot keeps a few segments
 * ahead of the consumers and no more.
 */
#ifndef AIMSS_FLOW_INGEST_H
#define AIMSS_FLOW_INGEST_H

#include "connect/source.h"
#include "flow/push.h"

struct ingest;

struct ingest_config {
    struct env *env;
    struct net *net;
    struct push *push;
    struct groups *groups;
    unsigned thread_count;      /* I/O threads, one slot each */
    uint64_t record_max_bytes;
};

aimss_status_t ingest_create(const struct ingest_config *config, struct ingest **ingest);
void ingest_destroy(struct ingest *ingest);

/* A stream with a source: starts asking for partitions. */
aimss_status_t ingest_start(struct ingest *ingest, const struct wire_stream *stream);

/* WIRE_PARTITION and WIRE_PARTITION_NONE. */
aimss_status_t ingest_partition(struct ingest *ingest, const struct wire_message *message);

aimss_status_t ingest_step(struct ingest *ingest, bool *busy);

#endif
