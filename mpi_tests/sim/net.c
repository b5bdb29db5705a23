/* net.c: the simulator's table of net.
 *
 * A Put becomes pieces, cut at words, that land in any order at any time until
 * a flush of the same (origin, target, window) lands the rest; the source is
 * read only then. Messages arrive after a while, in order between two ranks. A
 * bell is as in env/bell.h, and a rank that slept to its time-out although a
 * word in its near memory had changed, with no waker still on its way to the
 * bell, has lost a wake-up.
 */
#include "sim/sim_internal.h"

#include "base/error.h"
#include "base/word.h"

#include <stdlib.h>
#include <string.h>

enum { PIECES_MAX = 4, WORD_BYTES = 8 };

/* The waiting policy of net/mpi_traffic.c. */
enum {
    NEAR_WAIT_NS = 20 * 1000 * 1000,
    FAR_WAIT_FIRST_NS = 20 * 1000,
    FAR_WAIT_LONGEST_NS = 64 * 1000 * 1000
};

static char *net_map(struct net *net, unsigned rank, enum net_region region)
{
    struct sim *sim = sim_rank_of(net)->sim;
    bool reached = net_is_near(net, rank);

    switch (region) {
    case NET_REGION_NEAR:
        return reached ? sim->memory->near[rank] : NULL;
    case NET_REGION_FAR:
        return rank == net->rank ? sim->memory->far[rank] : NULL;
    default:
        return reached ? sim->ranks[rank].rt.arena.shm.base : NULL;
    }
}

/* ---- Puts */

static uint8_t window_of(enum net_region region)
{
    return region == NET_REGION_FAR ? NET_REGION_FAR : NET_REGION_ARENA;
}

static void check_put(struct sim *sim, unsigned rank, uint8_t window, uint64_t end)
{
    uint64_t room = window == NET_REGION_FAR
                        ? lane_region_bytes(LANES_MAX, sim->config.slot_bytes)
                        : sim->ranks[rank].rt.arena.shm.len_bytes;

    if (end > room)
        sim_fail(sim, "a Put to rank %u ends at %llu, but its region has %llu bytes", rank,
                 (unsigned long long)end, (unsigned long long)room);
}

void sim_put_land(struct sim *sim, unsigned at)
{
    struct sim_put put = sim->puts[at];
    char *base = put.region == NET_REGION_FAR ? sim->memory->far[put.to]
                                              : sim->memory->arena[put.to];

    sim->puts[at] = sim->puts[--sim->put_count];
    memcpy(base + put.offset, put.src, put.len_bytes);
    sim_note(sim, "Put lands", put.from << 8 | put.to, put.offset);
}

static void add_piece(struct sim *sim, const struct sim_put *piece)
{
    if (sim->put_count == SIM_PUTS_MAX)
        sim_put_land(sim, (unsigned)sim_below(&sim->random, sim->put_count));
    sim->puts[sim->put_count++] = *piece;
}

static aimss_status_t net_put(struct net *net, unsigned rank, enum net_region region,
                              uint64_t offset, const void *src, uint64_t len_bytes)
{
    struct sim_rank *self = sim_rank_of(net);
    struct sim *sim = self->sim;
    struct sim_put piece = { .from = (uint8_t)net->rank, .to = (uint8_t)rank,
                             .region = window_of(region), .offset = offset, .src = src };
    uint64_t end = offset + len_bytes;

    sim_yield(self);
    check_put(sim, rank, piece.region, end);
    net->put_count++;
    net->put_bytes += len_bytes;
    for (unsigned n = 1; piece.offset < end; n++) {
        uint64_t rest = end - piece.offset;

        piece.len_bytes = rest;
        if (n < PIECES_MAX && rest > WORD_BYTES)
            piece.len_bytes = (1 + sim_below(&sim->random, rest / WORD_BYTES)) * WORD_BYTES;
        if (piece.len_bytes > rest)
            piece.len_bytes = rest;
        add_piece(sim, &piece);
        piece.offset += piece.len_bytes;
        piece.src += piece.len_bytes;
    }
    return AIMSS_OK;
}

static bool find_put(const struct sim *sim, const struct sim_put *like, unsigned from,
                     unsigned *at)
{
    for (unsigned n = 0; n < sim->put_count; n++) {
        const struct sim_put *put;

        *at = (from + n) % sim->put_count;
        put = &sim->puts[*at];
        if (put->from == like->from && put->to == like->to && put->region == like->region)
            return true;
    }
    return false;
}

static aimss_status_t net_flush(struct net *net, unsigned rank, enum net_region region)
{
    struct sim_rank *self = sim_rank_of(net);
    struct sim *sim = self->sim;
    struct sim_put like = { .from = (uint8_t)net->rank, .to = (uint8_t)rank,
                            .region = window_of(region) };
    unsigned at;

    sim_yield(self);
    net->flush_count++;
    while (sim->put_count > 0 &&
           find_put(sim, &like, (unsigned)sim_below(&sim->random, sim->put_count), &at)) {
        sim_put_land(sim, at);
        if (sim_one_in(&sim->random, 4))
            sim_yield(self);
    }
    return AIMSS_OK;
}

/* ---- messages */

/* Which words of this rank's near memory others may write. */
static void note_lane(struct sim_rank *self, const struct wire_message *message)
{
    if (message->kind == WIRE_LANE_OPEN && message->b >= self->outbound)
        self->outbound = (unsigned)message->b + 1;
    if (message->kind == WIRE_LANE_OPENED && message->b >= self->inbound)
        self->inbound = (unsigned)message->b + 1;
}

/* A few take much longer than the others. */
static uint64_t message_delay(struct sim *sim)
{
    uint64_t delay = sim_below(&sim->random, sim->manner.message_delay_ns);

    return sim_one_in(&sim->random, 32) ? 30 * delay : delay;
}

static aimss_status_t net_send(struct net *net, unsigned rank, const struct wire_message *message)
{
    struct sim_rank *self = sim_rank_of(net);
    struct sim *sim = self->sim;
    struct sim_channel *channel = &sim->ranks[rank].channels[net->rank];
    size_t len = offsetof(struct wire_message, text) + message->text_bytes;
    struct sim_message *out = malloc(offsetof(struct sim_message, message) + len);

    if (out == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a control message");
    memcpy(&out->message, message, len);
    out->message.version = WIRE_VERSION;
    out->message.from = net->rank;
    out->due_ns = sim->now_ns + message_delay(sim);
    out->next = NULL;
    if (channel->last != NULL)
        channel->last->next = out;
    else
        channel->first = out;
    channel->last = out;
    sim->ranks[rank].messages++;
    net->send_count++;
    note_lane(self, message);
    sim_note(sim, "message sent", (uint64_t)net->rank << 8 | rank, message->kind);
    if (net_is_near(net, rank))
        net->ops->ring(net, rank);
    return AIMSS_OK;
}

static void take_message(struct sim_rank *self, struct sim_channel *channel,
                         struct wire_message *message)
{
    struct sim_message *in = channel->first;

    memcpy(message, &in->message, offsetof(struct wire_message, text) + in->message.text_bytes);
    channel->first = in->next;
    if (channel->first == NULL)
        channel->last = NULL;
    free(in);
    self->messages--;
    sim_note(self->sim, "message taken", (uint64_t)message->from << 8 | self->net.rank,
             message->kind);
}

/* The suspicion of a test's making: a broker hears of it between two steps. */
static void revoke_if_told(struct sim_rank *self)
{
    struct sim *sim = self->sim;
    unsigned rank = self->revoke_rank;

    if (rank == 0)
        return;
    self->revoke_rank = 0;
    if (broker_revoke_writer(self->rt.broker, rank) > 0)
        sim->ranks[rank].revoked = true;
    sim_check_sealed(self);
    sim_note(sim, "revokes", self->net.rank, rank);
}

static bool net_receive(struct net *net, struct wire_message *message)
{
    struct sim_rank *self = sim_rank_of(net);
    struct sim *sim = self->sim;
    unsigned first;

    sim_yield(self);
    revoke_if_told(self);
    if (self->messages == 0)
        return false;
    first = (unsigned)sim_below(&sim->random, sim->rank_count);
    for (unsigned n = 0; n < sim->rank_count; n++) {
        struct sim_channel *channel = &self->channels[(first + n) % sim->rank_count];

        if (channel->first == NULL || channel->first->due_ns > sim->now_ns)
            continue;
        take_message(self, channel, message);
        self->idle_wait_ns = 0;
        return true;
    }
    return false;
}

/* ---- bells */

void sim_bell_ring(struct sim *sim, unsigned rank)
{
    struct sim_rank *target = &sim->ranks[rank];

    if (target->net.bell->value != 0)
        return;
    target->net.bell->value = 1;
    if (target->state != SIM_ASLEEP)
        return;
    target->state = SIM_READY;
    target->rung = true;
    sim_note(sim, "bell wakes", rank, 0);
}

static void net_ring(struct net *net, unsigned rank)
{
    struct sim_rank *self = sim_rank_of(net);
    struct sim *sim = self->sim;

    if (!net_is_near(net, rank))
        return;
    sim->ranks[rank].ringing++;
    sim_yield(self);
    sim->ranks[rank].ringing--;
    sim_bell_ring(sim, rank);
}

static uint64_t sum_words(const struct sim_rank *rank)
{
    const char *near = rank->sim->memory->near[rank->net.rank];
    uint64_t sum = 0;

    for (unsigned i = 0; i < rank->inbound; i++)
        sum += word_load((const uint64_t *)(near + lane_tail_at(i)));
    for (unsigned o = 0; o < rank->outbound; o++)
        sum += word_load((const uint64_t *)(near + lane_credit_at(o)));
    return sum;
}

void sim_check_bell(struct sim_rank *rank)
{
    if (!rank->rung && rank->ringing == 0 && sum_words(rank) != rank->words_seen)
        sim_fail(rank->sim, "rank %u slept to its time-out although a near rank had written to it",
                 rank->net.rank);
}

static void net_wait(struct net *net, uint64_t timeout_ns)
{
    struct sim_rank *self = sim_rank_of(net);
    struct sim *sim = self->sim;
    uint64_t longest = NEAR_WAIT_NS;

    sim_yield(self);
    if (net->has_far_peers) {
        self->idle_wait_ns = self->idle_wait_ns == 0 ? FAR_WAIT_FIRST_NS : self->idle_wait_ns * 2;
        if (self->idle_wait_ns > FAR_WAIT_LONGEST_NS)
            self->idle_wait_ns = FAR_WAIT_LONGEST_NS;
        longest = self->idle_wait_ns;
    }
    if (net->bell->value != 0)
        return;
    self->wake_ns = sim->now_ns + (timeout_ns < longest ? timeout_ns : longest);
    self->words_seen = sum_words(self);
    self->rung = false;
    self->state = SIM_ASLEEP;
    sim_sleep(self);
}

static void net_woken(struct net *net)
{
    sim_rank_of(net)->idle_wait_ns = 0;
}

/* ---- exchanges are not simulated: the shuffle has tests of its own */

static aimss_status_t unused(struct net *net)
{
    sim_fail(sim_rank_of(net)->sim, "an exchange among compute ranks is not simulated");
}

static aimss_status_t net_alltoall(struct net *net, const uint64_t *send, uint64_t *recv,
                                   unsigned width_words)
{
    (void)send, (void)recv, (void)width_words;
    return unused(net);
}

static aimss_status_t net_alltoallv(struct net *net, const char *send, const int *send_bytes,
                                    const int *send_at, char *recv, const int *recv_bytes,
                                    const int *recv_at)
{
    (void)send, (void)send_bytes, (void)send_at, (void)recv, (void)recv_bytes, (void)recv_at;
    return unused(net);
}

static aimss_status_t net_exchange_done(struct net *net, bool *done)
{
    (void)done;
    return unused(net);
}

const struct net_ops sim_net_ops = {
    .map = net_map,
    .put = net_put,
    .flush = net_flush,
    .send = net_send,
    .receive = net_receive,
    .ring = net_ring,
    .wait = net_wait,
    .woken = net_woken,
    .alltoall = net_alltoall,
    .alltoallv = net_alltoallv,
    .exchange_done = net_exchange_done,
};

void sim_net_open(struct sim_rank *rank)
{
    struct sim *sim = rank->sim;
    struct net *net = &rank->net;
    unsigned number = (unsigned)(rank - sim->ranks);
    const unsigned *same = number <= sim->roles.broker_count ? sim->roles.broker_ranks
                                                             : sim->roles.compute_ranks;

    *net = (struct net){ .ops = &sim->net_ops,
                         .rank = number,
                         .rank_count = sim->rank_count,
                         .node_of = sim->config.node_of,
                         .broker_count = sim->roles.broker_count,
                         .compute_count = sim->roles.compute_count,
                         .broker_ranks = sim->roles.broker_ranks,
                         .compute_ranks = sim->roles.compute_ranks,
                         .bell = (struct bell *)(sim->memory->near[number] + lane_bell_at()) };
    net->role_index = number > 0 ? number - same[0] : 0;
    for (unsigned r = 0; r < sim->rank_count; r++)
        net->has_far_peers |= !net_is_near(net, r);
}

void sim_net_close(struct sim_rank *rank)
{
    for (unsigned r = 0; r < rank->sim->rank_count; r++) {
        struct sim_message *message = rank->channels[r].first;

        while (message != NULL) {
            struct sim_message *next = message->next;

            free(message);
            message = next;
        }
    }
}
