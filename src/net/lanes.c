/* lanes.c: see lanes.h. Numbers of inbound rings and of outbound credit words
 * are handed out in order and stay for the run. */
#include "net/lanes.h"

#include "base/error.h"

#include <stdlib.h>

struct lanes {
    struct net *net;
    uint64_t slot_bytes;
    unsigned slot_parts, slots_used;
    unsigned rx_count, outbound_count;
    struct lane_rx rx[LANES_MAX];
    struct lane_tx **tx; /* [rank_count * LANE_KINDS]; open or being opened */
};

static unsigned far_brokers(const struct net *net)
{
    unsigned count = 0;

    for (unsigned b = 0; b < net->broker_count; b++)
        count += !net_is_near(net, net->broker_ranks[b]);
    return count;
}

/* What one far broker gets, in whole pages. */
static uint64_t slot_part(const struct lanes *lanes)
{
    return lanes->slot_bytes / lanes->slot_parts & ~(uint64_t)4095;
}

static aimss_status_t slots_too_small(const struct lanes *lanes)
{
    return error_set(AIMSS_E_USAGE, "--slots %llu shared by %u brokers of other nodes leaves %llu "
                     "bytes for each; a chunk needs %d: ask for %llu or more",
                     (unsigned long long)lanes->slot_bytes, lanes->slot_parts,
                     (unsigned long long)slot_part(lanes), LANE_SLOT_MAX_BYTES,
                     (unsigned long long)lanes->slot_parts * LANE_SLOT_MAX_BYTES);
}

aimss_status_t lanes_create(struct net *net, uint64_t slot_bytes, struct lanes **lanes)
{
    struct lanes *l = calloc(1, sizeof *l);

    if (l != NULL)
        l->tx = calloc((size_t)net->rank_count * LANE_KINDS, sizeof *l->tx);
    if (l == NULL || l->tx == NULL) {
        free(l);
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the lanes of rank %u", net->rank);
    }
    l->net = net;
    l->slot_bytes = slot_bytes;
    l->slot_parts = far_brokers(net);
    if (slot_bytes > 0 && l->slot_parts > 0 && slot_part(l) < LANE_SLOT_MAX_BYTES) {
        aimss_status_t status = slots_too_small(l);

        lanes_destroy(l);
        return status;
    }
    *lanes = l;
    return AIMSS_OK;
}

void lanes_destroy(struct lanes *lanes)
{
    if (lanes == NULL)
        return;
    for (unsigned i = 0; i < lanes->net->rank_count * LANE_KINDS; i++) {
        if (lanes->tx[i] != NULL && lanes->tx[i]->open)
            lane_tx_close(lanes->tx[i]);
        free(lanes->tx[i]);
    }
    free(lanes->tx);
    free(lanes);
}

static aimss_status_t limit_reached(const struct lanes *lanes, unsigned peer)
{
    return error_set(AIMSS_E_LIMIT, "rank %u has %d lanes open and no room for one with rank %u; "
                     "use more brokers or fewer partners for each rank", lanes->net->rank,
                     LANES_MAX, peer);
}

static void give_slots(struct lanes *lanes, struct wire_message *answer)
{
    uint64_t part = slot_part(lanes);

    answer->c = lane_slots_at(LANES_MAX) + lanes->slots_used++ * part;
    answer->d = part;
}

static aimss_status_t open_inbound(struct lanes *lanes, const struct wire_message *message)
{
    struct wire_message answer = { .kind = WIRE_LANE_OPENED, .a = message->a,
                                   .b = lanes->rx_count };
    enum lane_kind kind = (enum lane_kind)message->a;
    struct lane_rx *rx = &lanes->rx[lanes->rx_count];

    if (lanes->rx_count == LANES_MAX)
        return limit_reached(lanes, message->from);
    lane_rx_open(rx, lanes->net, kind, message->from, lanes->rx_count, (unsigned)message->b);
    lanes->rx_count++;
    if (kind == LANE_PUSH && !rx->near)
        give_slots(lanes, &answer);
    return lanes->net->ops->send(lanes->net, message->from, &answer);
}

static aimss_status_t complete_outbound(struct lanes *lanes, const struct wire_message *message)
{
    struct lane_tx *tx = lanes->tx[message->from * LANE_KINDS + message->a];
    aimss_status_t status = lane_tx_open(tx, lanes->net, message->from, (unsigned)message->b,
                                         tx->outbound);

    if (status == AIMSS_OK && message->d > 0)
        lane_tx_set_slots(tx, message->c, message->d);
    return status;
}

aimss_status_t lanes_handle(struct lanes *lanes, const struct wire_message *message)
{
    return message->kind == WIRE_LANE_OPEN ? open_inbound(lanes, message)
                                           : complete_outbound(lanes, message);
}

static void ask(struct lanes *lanes, unsigned rank, enum lane_kind kind)
{
    struct wire_message open = { .kind = WIRE_LANE_OPEN, .a = kind, .b = lanes->outbound_count };
    struct lane_tx *tx = calloc(1, sizeof *tx);

    if (tx == NULL || lanes->outbound_count == LANES_MAX) {
        free(tx);
        return; /* the receiver's limit is met first and reported there */
    }
    tx->outbound = lanes->outbound_count++;
    lanes->tx[rank * LANE_KINDS + kind] = tx;
    lanes->net->ops->send(lanes->net, rank, &open);
}

struct lane_tx *lanes_tx(struct lanes *lanes, unsigned rank, enum lane_kind kind)
{
    struct lane_tx *tx = lanes->tx[rank * LANE_KINDS + kind];

    if (tx == NULL) {
        ask(lanes, rank, kind);
        return NULL;
    }
    return tx->open ? tx : NULL;
}

unsigned lanes_rx_count(const struct lanes *lanes)
{
    return lanes->rx_count;
}

struct lane_rx *lanes_rx(struct lanes *lanes, unsigned number)
{
    return &lanes->rx[number];
}

bool lanes_pending(struct lanes *lanes)
{
    for (unsigned i = 0; i < lanes->rx_count; i++)
        if (lane_rx_peek(&lanes->rx[i]) != NULL)
            return true;
    return false;
}
