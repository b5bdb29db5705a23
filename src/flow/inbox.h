/* inbox.h: what brokers pushed to this compute rank, sorted by reader.
 *
 * Entries of all push lanes become buffers in the queue of their reader
 * (stream and consumer group). A run that holds fragments of a record larger
 * than a chunk is taken apart: the fragments are joined in memory of their
 * own. A lane entry is released when all buffers made from it are. MPI thread
 * only, but for inbox_return.
 */
#ifndef AIMSS_FLOW_INBOX_H
#define AIMSS_FLOW_INBOX_H

#include "flow/buffer.h"
#include "net/lanes.h"

struct inbox_reader;

aimss_status_t inbox_create(struct net *net, struct lanes *lanes, uint64_t record_max_bytes,
                            struct inbox **inbox);
void inbox_destroy(struct inbox *inbox);

/* While a rank waits for the answer to its joining, entries that no reader is
 * there for may be for that one: they stay in their lanes. */
void inbox_set_joining(struct inbox *inbox, bool joining);

/* A reader of a stream, by the numbers that the coordinator gave. */
aimss_status_t inbox_reader_open(struct inbox *inbox, const struct wire_stream *stream,
                                 unsigned consumer_group, uint32_t join,
                                 struct inbox_reader **reader);

/* Starts leaving: asks every broker to stop; unread entries stay unreleased
 * until the brokers have answered. False while answers are missing; then the
 * reader is gone. */
aimss_status_t inbox_reader_stop(struct inbox *inbox, struct inbox_reader *reader);
bool inbox_reader_stopped(const struct inbox_reader *reader);
void inbox_reader_close(struct inbox *inbox, struct inbox_reader *reader);

/* WIRE_READER_END and WIRE_READER_STOPPED. */
void inbox_handle(struct inbox *inbox, const struct wire_message *message);

/* The next buffer: AIMSS_OK, AIMSS_TIMEOUT (none now), AIMSS_END, an error. */
aimss_status_t inbox_next(struct inbox *inbox, struct inbox_reader *reader,
                          struct aimss_buffer **buffer);

/* Whether another reader of this rank has buffers that were not taken. */
bool inbox_unread_elsewhere(const struct inbox *inbox, const struct inbox_reader *reader);

/* Takes entries from the lanes, released buffers back, and publishes credit. */
aimss_status_t inbox_step(struct inbox *inbox, bool *busy);

/* Any thread. */
void inbox_return(struct inbox *inbox, struct aimss_buffer *buffer);

#endif
