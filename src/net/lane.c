/* lane.c: both ends of a lane, near (mapped) and far (Put). See lane.h.
 *
 * Runs on the MPI thread of either rank. Near, publishing is one release store
 * and a bell; far, it is Put of the entries, flush, Put of the tail, flush.
 */
#include "net/lane.h"

#include "base/error.h"
#include "base/word.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 64, RING_BYTES = LANE_ENTRIES * 64 };

uint64_t lane_bell_at(void)
{
    return 0;
}

uint64_t lane_credit_at(unsigned outbound)
{
    return LINE_BYTES + (uint64_t)outbound * LINE_BYTES;
}

uint64_t lane_tail_at(unsigned inbound)
{
    return lane_credit_at(LANES_MAX) + (uint64_t)inbound * LINE_BYTES;
}

/* Rings start on a page, so that each is a whole number of pages. */
uint64_t lane_ring_at(unsigned inbound)
{
    uint64_t at = (lane_tail_at(LANES_MAX) + 4095) & ~(uint64_t)4095;

    return at + (uint64_t)inbound * RING_BYTES;
}

uint64_t lane_slots_at(unsigned lane_count)
{
    return lane_ring_at(lane_count);
}

uint64_t lane_region_bytes(unsigned lane_count, uint64_t slot_bytes_total)
{
    return lane_slots_at(lane_count) + ((slot_bytes_total + 4095) & ~(uint64_t)4095);
}

static enum net_region region_for(bool near)
{
    return near ? NET_REGION_NEAR : NET_REGION_FAR;
}

aimss_status_t lane_tx_open(struct lane_tx *tx, struct net *net, unsigned rank, unsigned inbound,
                            unsigned outbound)
{
    bool near = net_is_near(net, rank);
    char *own = net->ops->map(net, net->rank, region_for(near));
    struct lane_tx lane = { .net = net, .rank = rank, .inbound = inbound, .outbound = outbound,
                            .near = near, .open = true };

    lane.credit_word = (uint64_t *)(own + lane_credit_at(outbound));
    if (near) {
        lane.region = net->ops->map(net, rank, NET_REGION_NEAR);
        lane.ring = (struct lane_entry *)(lane.region + lane_ring_at(inbound));
        lane.tail_word = (uint64_t *)(lane.region + lane_tail_at(inbound));
    } else {
        lane.ring = aligned_alloc(LINE_BYTES, RING_BYTES);
        if (lane.ring == NULL)
            return error_set(AIMSS_E_NO_MEMORY, "no memory for a lane of %d bytes", RING_BYTES);
        memset(lane.ring, 0, RING_BYTES);
    }
    *tx = lane;
    return AIMSS_OK;
}

void lane_tx_set_slots(struct lane_tx *tx, uint64_t slots_at, uint64_t slot_bytes)
{
    tx->slots_at = slots_at;
    tx->slot_bytes = slot_bytes;
}

void lane_tx_close(struct lane_tx *tx)
{
    if (!tx->near)
        free(tx->ring);
    tx->ring = NULL;
    tx->open = false;
}

/* Takes the receiver's newest credit, and with it the slots of those entries. */
static void refresh_credit(struct lane_tx *tx)
{
    uint64_t credit = word_load(tx->credit_word);

    if (credit == tx->credit)
        return;
    assert(credit > tx->credit && credit <= tx->tail);
    tx->slot_tail = tx->slot_end[(credit - 1) % LANE_ENTRIES];
    tx->credit = credit;
}

uint64_t lane_tx_credit(struct lane_tx *tx)
{
    refresh_credit(tx);
    return tx->credit;
}

unsigned lane_tx_room_marker(struct lane_tx *tx)
{
    if (tx->tail - tx->credit >= LANE_ENTRIES / 2)
        refresh_credit(tx);
    return (unsigned)(LANE_ENTRIES - (tx->tail - tx->credit));
}

unsigned lane_tx_room(struct lane_tx *tx)
{
    unsigned room = lane_tx_room_marker(tx);

    return room > LANE_RESERVED ? room - LANE_RESERVED : 0;
}

bool lane_tx_slot(struct lane_tx *tx, uint32_t len_bytes, uint64_t *offset)
{
    uint64_t head = tx->slot_head, at = head % tx->slot_bytes;

    if (at + len_bytes > tx->slot_bytes) /* runs are contiguous: skip the rest */
        head += tx->slot_bytes - at;
    if (head + len_bytes - tx->slot_tail > tx->slot_bytes) {
        refresh_credit(tx);
        if (tx->slot_tail == tx->slot_head) /* all are free, the skipped rest too */
            tx->slot_tail = head;
        if (head + len_bytes - tx->slot_tail > tx->slot_bytes)
            return false;
    }
    *offset = tx->slots_at + head % tx->slot_bytes;
    tx->slot_head = head + len_bytes;
    return true;
}

void lane_tx_write(struct lane_tx *tx, const struct lane_entry *entry)
{
    uint64_t at = tx->tail % LANE_ENTRIES;

    assert(tx->tail - tx->credit < LANE_ENTRIES);
    tx->ring[at] = *entry;
    tx->ring[at].sequence = tx->tail + 1;
    tx->slot_end[at] = tx->slot_head;
    tx->tail++;
}

static aimss_status_t put_entries(struct lane_tx *tx, uint64_t first, uint64_t count)
{
    uint64_t at = first % LANE_ENTRIES;

    return tx->net->ops->put(tx->net, tx->rank, NET_REGION_FAR,
                             lane_ring_at(tx->inbound) + at * sizeof(struct lane_entry),
                             &tx->ring[at], count * sizeof(struct lane_entry));
}

/* The flush between entries and tail is what makes the tail trustworthy. */
static aimss_status_t publish_far(struct lane_tx *tx)
{
    struct net *net = tx->net;
    uint64_t first = tx->published, count = tx->tail - first;
    uint64_t until_wrap = LANE_ENTRIES - first % LANE_ENTRIES;
    uint64_t head = count < until_wrap ? count : until_wrap;
    uint64_t *source = &tx->tail_source;
    aimss_status_t status = put_entries(tx, first, head);

    if (status == AIMSS_OK && count > head)
        status = put_entries(tx, first + head, count - head);
    if (status == AIMSS_OK)
        status = net->ops->flush(net, tx->rank, NET_REGION_FAR);
    *source = tx->tail;
    if (status == AIMSS_OK)
        status = net->ops->put(net, tx->rank, NET_REGION_FAR, lane_tail_at(tx->inbound), source,
                               sizeof *source);
    if (status == AIMSS_OK)
        status = net->ops->flush(net, tx->rank, NET_REGION_FAR);
    return status;
}

aimss_status_t lane_tx_publish(struct lane_tx *tx)
{
    aimss_status_t status = AIMSS_OK;

    if (tx->tail == tx->published)
        return AIMSS_OK;
    if (tx->near) {
        word_store(tx->tail_word, tx->tail);
        tx->net->ops->ring(tx->net, tx->rank);
    } else {
        status = publish_far(tx);
    }
    tx->published = tx->tail;
    return status;
}

void lane_rx_open(struct lane_rx *rx, struct net *net, enum lane_kind kind, unsigned rank,
                  unsigned inbound, unsigned outbound)
{
    bool near = net_is_near(net, rank);
    char *own = net->ops->map(net, net->rank, region_for(near));

    *rx = (struct lane_rx){ .net = net, .rank = rank, .inbound = inbound, .outbound = outbound,
                            .near = near, .kind = kind, .open = true };
    rx->ring = (struct lane_entry *)(own + lane_ring_at(inbound));
    rx->tail_word = (uint64_t *)(own + lane_tail_at(inbound));
    if (near)
        rx->credit_word =
            (uint64_t *)(net->ops->map(net, rank, NET_REGION_NEAR) + lane_credit_at(outbound));
    else
        rx->slots = own;
}

const struct lane_entry *lane_rx_next(struct lane_rx *rx)
{
    const struct lane_entry *entry = lane_rx_peek(rx);

    if (entry != NULL)
        rx->next++;
    return entry;
}

const struct lane_entry *lane_rx_peek(struct lane_rx *rx)
{
    const struct lane_entry *entry;

    if (rx->next == rx->tail) {
        rx->tail = word_load(rx->tail_word);
        if (rx->next == rx->tail)
            return NULL;
    }
    entry = &rx->ring[rx->next % LANE_ENTRIES];
    assert(entry->sequence == rx->next + 1);
    return entry;
}

static bool take_released(struct lane_rx *rx, uint64_t index)
{
    uint64_t *word = &rx->released[index % LANE_ENTRIES / 64];
    uint64_t bit = UINT64_C(1) << (index % 64);
    bool set = (*word & bit) != 0;

    *word &= ~bit;
    return set;
}

void lane_rx_release(struct lane_rx *rx, uint64_t sequence)
{
    uint64_t index = sequence - 1;

    assert(index >= rx->credit && index < rx->next);
    if (index != rx->credit) {
        rx->released[index % LANE_ENTRIES / 64] |= UINT64_C(1) << (index % 64);
        return;
    }
    do {
        rx->credit++;
    } while (rx->credit < rx->next && take_released(rx, rx->credit));
}

aimss_status_t lane_rx_publish_credit(struct lane_rx *rx)
{
    struct net *net = rx->net;
    aimss_status_t status;

    if (rx->credit == rx->credit_published)
        return AIMSS_OK;
    rx->credit_published = rx->credit;
    if (rx->near) {
        word_store(rx->credit_word, rx->credit);
        net->ops->ring(net, rx->rank);
        return AIMSS_OK;
    }
    rx->credit_source = rx->credit;
    status = net->ops->put(net, rx->rank, NET_REGION_FAR, lane_credit_at(rx->outbound),
                           &rx->credit_source, sizeof rx->credit_source);
    if (status == AIMSS_OK)
        status = net->ops->flush(net, rx->rank, NET_REGION_FAR);
    return status;
}
