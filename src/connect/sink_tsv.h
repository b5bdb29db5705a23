/* sink_tsv.h: one rank's part of a file of key TAB count lines.
 *
 * The ranks share one file under its temporary name; each knows from the
 * lengths of the parts before it where its own begins, writes only there and
 * syncs. Keys stand as they are: nothing is escaped, so a key with a TAB or a
 * newline is the application's to avoid. One thread at a time, an I/O thread.
 */
#ifndef AIMSS_CONNECT_SINK_TSV_H
#define AIMSS_CONNECT_SINK_TSV_H

#include "env/env.h"
#include <aimss.h>

struct sink_tsv;

/* A part as written: rank 0 joins them with crc32c_combine(). */
struct sink_part {
    uint64_t offset, len_bytes;
    uint64_t line_count;
    uint32_t crc32c;
};

/* Exactly how many bytes the lines take. */
uint64_t sink_tsv_bytes(const struct aimss_counted *lines, size_t line_count);

/* Opens the shared file, which it creates if no other rank has, for a part that
 * begins at offset. path is copied. Errors: AIMSS_E_IO, AIMSS_E_NO_SPACE,
 * AIMSS_E_NO_MEMORY. */
aimss_status_t sink_tsv_open(struct env *env, const char *path, uint64_t offset,
                             struct sink_tsv **sink);

/* Appends lines to the part; on return all of them were given to the file. */
aimss_status_t sink_tsv_write(struct sink_tsv *sink, const struct aimss_counted *lines,
                              size_t line_count);

/* Syncs the file; the part is complete and stays so. */
aimss_status_t sink_tsv_finish(struct sink_tsv *sink, struct sink_part *part);

void sink_tsv_close(struct sink_tsv *sink); /* NULL is fine */

#endif
