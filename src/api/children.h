/* children.h: what a compute rank has put into a child stream, until it is
 * exchanged. It stays on this rank: no broker stores it, the shuffle moves it.
 */
#ifndef AIMSS_API_CHILDREN_H
#define AIMSS_API_CHILDREN_H

#include "api/runtime.h"

struct children_part;

aimss_status_t children_part_create(struct aimss_runtime *rt, struct children_part **part);
void children_part_destroy(struct children_part *part);
/* Into the part of a child that is not ready yet. */
aimss_status_t children_part_put(struct aimss_stream *child, struct aimss_bytes key,
                                 struct aimss_bytes value);

#endif
