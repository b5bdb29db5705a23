/* chunk.h: sealing, checking and walking chunks. No state, any thread. */
#ifndef AIMSS_LOG_CHUNK_H
#define AIMSS_LOG_CHUNK_H

#include "log/format.h"
#include <aimss/types.h>

/* Completes a header whose other fields are filled: length, padding, CRC. The
 * payload lies behind the header; room for the padding must be there. */
void chunk_seal(struct chunk_header *chunk);

/* Checks a chunk at data with room_bytes behind it: version, lengths, CRC.
 * AIMSS_E_CORRUPT without a text (the caller knows the place). */
aimss_status_t chunk_check(const struct chunk_header *chunk, uint64_t room_bytes);

#endif
