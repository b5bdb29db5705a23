/* join.h: records larger than a chunk, put together again from fragments.
 *
 * Fragments of one record follow each other within their group; those of
 * several groups may interleave. MPI thread only.
 */
#ifndef AIMSS_FLOW_JOIN_H
#define AIMSS_FLOW_JOIN_H

#include "log/format.h"
#include "net/lane.h"

struct joiner;

aimss_status_t joiner_create(uint64_t record_max_bytes, struct joiner **joiner);
void joiner_destroy(struct joiner *joiner);

/* A complete record: memory that the caller frees; NULL while parts are missing. */
struct join_result {
    char *data;
    uint64_t len_bytes, ordinal;
};

/* Takes one fragment (a chunk, checked here). AIMSS_E_CORRUPT names the place,
 * AIMSS_E_LIMIT the option --record-max. */
aimss_status_t joiner_add(struct joiner *joiner, const struct lane_entry *entry,
                          const struct chunk_header *chunk, struct join_result *result);

#endif
