/* offsets_log.h: rank 0's log of what a job has for certain: DIR/offsets.log.
 *
 * Runs, streams, consumer groups, partitions read, committed epochs, and the
 * end. Small, checksummed, append-only. An append is in the file when it
 * returns, and so survives the process; it survives the machine once a sync
 * that began after it has returned. Only then may anybody act on it.
 *
 * One thread opens, appends and closes; offsets_log_sync() may run on an I/O
 * thread beside appends, one at a time. The job directory's lock keeps other
 * writers out. Readers need no lock.
 */
#ifndef AIMSS_STORE_OFFSETS_LOG_H
#define AIMSS_STORE_OFFSETS_LOG_H

#include "env/env.h"
#include "log/offsets_format.h"
#include <aimss/types.h>

struct offsets_log;

/* Opens the log of job uuid, or creates it (path.tmp, sync, rename). What a
 * crash left unfinished at the end is cut off, and a diagnostic says so; all
 * that remains is synced. Errors, with the file untouched: AIMSS_E_CORRUPT
 * names the first bad byte offset, AIMSS_E_INVALID another job's log,
 * AIMSS_E_UNSUPPORTED another version, AIMSS_E_NO_SPACE, AIMSS_E_IO. */
aimss_status_t offsets_log_open(struct env *env, const char *path,
                                const uint8_t uuid[OFFSETS_UUID_BYTES],
                                struct offsets_log **log);

/* Doesn't sync. NULL is fine. */
void offsets_log_close(struct offsets_log *log);

/* Appends one record. AIMSS_E_NO_SPACE or AIMSS_E_IO: it is not in the log, and
 * a later append may succeed. AIMSS_E_LIMIT: it, or the log, would be too long.
 * After a failed sync each append fails as the sync did. */
aimss_status_t offsets_log_append(struct offsets_log *log, enum offsets_kind kind,
                                  const void *payload, size_t payload_bytes);

/* The same, typed; lengths of text are filled in here. */
aimss_status_t offsets_log_run(struct offsets_log *log, const struct offsets_run *run,
                               const char *const *arenas /* [run->arena_count] */);
aimss_status_t offsets_log_stream(struct offsets_log *log, const struct offsets_stream *stream,
                                  const char *name);
aimss_status_t offsets_log_reader_group(struct offsets_log *log, uint32_t stream, uint32_t number,
                                        const char *name);
aimss_status_t offsets_log_partition_done(struct offsets_log *log,
                                          const struct offsets_partition_done *done);

/* A part of a sink's file as a COMMIT lists it. */
struct offsets_sink {
    const char *name; /* below DIR */
    uint64_t offset, len_bytes, line_count;
    uint32_t crc32c;
};
aimss_status_t offsets_log_commit(struct offsets_log *log, uint64_t epoch,
                                  const struct offsets_sink *sinks, uint32_t sink_count);
aimss_status_t offsets_log_end(struct offsets_log *log, aimss_status_t ended, const char *message);

/* Makes durable what was appended before the call. Blocks for a disk. A failure
 * is final, because the kernel may have dropped what it could not write. */
aimss_status_t offsets_log_sync(struct offsets_log *log);

/* Called for each record in order; what it returns, if not AIMSS_OK, ends the
 * reading. The payload of a known kind is as long as its fields say. */
typedef aimss_status_t offsets_log_fn(void *arg, const struct offsets_record *record,
                                      const void *payload);

/* Reads a log, also one that is being written: an unfinished end is none of its
 * records. AIMSS_E_NOT_FOUND without a log; else as for open. */
aimss_status_t offsets_log_read(struct env *env, const char *path, offsets_log_fn *fn, void *arg);

#endif
