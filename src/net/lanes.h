/* lanes.h: all lanes of one rank, and how they come to be.
 *
 * A lane is opened by its sender on first use: it names its credit word, the
 * receiver answers with the number of the ring. Until then lanes_tx() returns
 * NULL and the caller comes back later.
 */
#ifndef AIMSS_NET_LANES_H
#define AIMSS_NET_LANES_H

#include "net/lane.h"

struct lanes;

/* slot_bytes: of all far push lanes that end here together; each far broker
 * gets an equal part. */
aimss_status_t lanes_create(struct net *net, uint64_t slot_bytes, struct lanes **lanes);
void lanes_destroy(struct lanes *lanes);

/* Handles WIRE_LANE_OPEN and WIRE_LANE_OPENED; AIMSS_E_LIMIT names the limit. */
aimss_status_t lanes_handle(struct lanes *lanes, const struct wire_message *message);

/* The lane of that kind to a rank, once it is open; asks for it on first use. */
struct lane_tx *lanes_tx(struct lanes *lanes, unsigned rank, enum lane_kind kind);

/* Inbound lanes, in the order in which they were opened. */
unsigned lanes_rx_count(const struct lanes *lanes);
struct lane_rx *lanes_rx(struct lanes *lanes, unsigned number);

/* Whether an inbound lane has an entry that nobody has taken. */
bool lanes_pending(struct lanes *lanes);

#endif
