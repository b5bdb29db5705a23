/* faults.c: what the layers below the protocols promise, broken on purpose.
 *
 * Each fault is a wrapper around one entry of the simulator's tables, chosen
 * when the program starts. A simulation that does not notice it within a
 * bounded number of schedules checks too little. Faults of the protocols
 * themselves are patches in mpi_tests/mutants.
 */
#include "sim/sim_internal.h"

#include <string.h>

struct sim_fault {
    const char *name, *what;
    void (*plant)(struct sim *sim);
};

static struct sim *sim_self(struct net *net)
{
    return sim_rank_of(net)->sim;
}

static bool is_word(uint64_t len_bytes)
{
    return len_bytes == sizeof(uint64_t);
}

static bool is_credit(enum net_region region, uint64_t offset)
{
    return region == NET_REGION_FAR && offset < lane_credit_at(LANES_MAX);
}

static bool is_ring(enum net_region region, uint64_t offset)
{
    return region == NET_REGION_FAR && offset >= lane_ring_at(0) &&
           offset < lane_ring_at(LANES_MAX);
}

/* ---- flush */

static aimss_status_t flush_nothing(struct net *net, unsigned rank, enum net_region region)
{
    (void)net, (void)rank, (void)region;
    return AIMSS_OK;
}

static void plant_flush_nothing(struct sim *sim)
{
    sim->net_ops.flush = flush_nothing;
}

static aimss_status_t flush_lanes_only(struct net *net, unsigned rank, enum net_region region)
{
    return region == NET_REGION_FAR ? sim_net_ops.flush(net, rank, region) : AIMSS_OK;
}

static void plant_flush_lanes_only(struct sim *sim)
{
    sim->net_ops.flush = flush_lanes_only;
}

/* ---- Put */

static aimss_status_t put_or_lose(struct net *net, unsigned rank, enum net_region region,
                                  uint64_t offset, const void *src, uint64_t len_bytes)
{
    if (sim_one_in(&sim_self(net)->random, 64))
        return AIMSS_OK;
    return sim_net_ops.put(net, rank, region, offset, src, len_bytes);
}

static void plant_put_lost(struct sim *sim)
{
    sim->net_ops.put = put_or_lose;
}

/* The entries are as good as not Put until the flush behind the tail. */
static aimss_status_t put_tail_first(struct net *net, unsigned rank, enum net_region region,
                                     uint64_t offset, const void *src, uint64_t len_bytes)
{
    struct sim *sim = sim_self(net);

    if (is_word(len_bytes) && region == NET_REGION_FAR)
        memcpy(sim->memory->far[rank] + offset, src, len_bytes);
    return sim_net_ops.put(net, rank, region, offset, src, len_bytes);
}

static bool is_pending_ring(const struct sim *sim, const struct net *net, unsigned rank)
{
    for (unsigned p = 0; p < sim->put_count; p++)
        if (sim->puts[p].from == net->rank && sim->puts[p].to == rank &&
            is_ring((enum net_region)sim->puts[p].region, sim->puts[p].offset))
            return true;
    return false;
}

static bool is_pending_word(const struct sim *sim, const struct net *net, unsigned rank)
{
    for (unsigned p = 0; p < sim->put_count; p++)
        if (sim->puts[p].from == net->rank && sim->puts[p].to == rank &&
            is_word(sim->puts[p].len_bytes))
            return true;
    return false;
}

static aimss_status_t flush_tail_only(struct net *net, unsigned rank, enum net_region region)
{
    struct sim *sim = sim_self(net);

    if (region == NET_REGION_FAR && is_pending_ring(sim, net, rank) &&
        !is_pending_word(sim, net, rank))
        return AIMSS_OK;
    return sim_net_ops.flush(net, rank, region);
}

static void plant_tail_first(struct sim *sim)
{
    sim->net_ops.put = put_tail_first;
    sim->net_ops.flush = flush_tail_only;
}

/* One more than was released, as long as it stays below the tail: the made-up
 * value is what the next credit would be. */
static aimss_status_t put_credit_early(struct net *net, unsigned rank, enum net_region region,
                                       uint64_t offset, const void *src, uint64_t len_bytes)
{
    struct sim *sim = sim_self(net);
    uint64_t *word = &sim->fault_words[sim->fault_count % 64];

    if (!is_word(len_bytes) || !is_credit(region, offset))
        return sim_net_ops.put(net, rank, region, offset, src, len_bytes);
    sim->fault_count++;
    memcpy(word, src, sizeof *word);
    ++*word;
    return sim_net_ops.put(net, rank, region, offset, word, len_bytes);
}

static void plant_credit_early(struct sim *sim)
{
    sim->net_ops.put = put_credit_early;
}

/* ---- messages and bells */

static aimss_status_t send_twice(struct net *net, unsigned rank,
                                 const struct wire_message *message)
{
    aimss_status_t status = sim_net_ops.send(net, rank, message);

    if (status == AIMSS_OK && sim_one_in(&sim_self(net)->random, 16))
        status = sim_net_ops.send(net, rank, message);
    return status;
}

static void plant_message_doubled(struct sim *sim)
{
    sim->net_ops.send = send_twice;
}

static aimss_status_t send_or_lose(struct net *net, unsigned rank,
                                   const struct wire_message *message)
{
    if (sim_one_in(&sim_self(net)->random, 64))
        return AIMSS_OK;
    return sim_net_ops.send(net, rank, message);
}

static void plant_message_lost(struct sim *sim)
{
    sim->net_ops.send = send_or_lose;
}

/* The newest message goes before the one ahead of it. */
static aimss_status_t send_ahead(struct net *net, unsigned rank,
                                 const struct wire_message *message)
{
    struct sim_channel *channel = &sim_self(net)->ranks[rank].channels[net->rank];
    struct sim_message *before = channel->last, **link = &channel->first;
    aimss_status_t status = sim_net_ops.send(net, rank, message);

    if (before == NULL || channel->last == NULL || before->next != channel->last)
        return status;
    while (*link != before)
        link = &(*link)->next;
    *link = channel->last;
    (*link)->next = before;
    before->next = NULL;
    channel->last = before;
    return status;
}

static void plant_message_overtakes(struct sim *sim)
{
    sim->net_ops.send = send_ahead;
}

static void ring_or_not(struct net *net, unsigned rank)
{
    if (!sim_one_in(&sim_self(net)->random, 4))
        sim_net_ops.ring(net, rank);
}

static void plant_ring_dropped(struct sim *sim)
{
    sim->net_ops.ring = ring_or_not;
}

/* ---- env */

static void submit_done(struct env_pool *pool, struct env_task *task)
{
    sim_env_ops.pool_submit(pool, task);
    task->done = 1;
}

static void plant_task_done_early(struct sim *sim)
{
    sim->env_ops.pool_submit = submit_done;
}

static const struct sim_fault faults[] = {
    { "flush_nothing", "a flush returns and nothing has landed", plant_flush_nothing },
    { "flush_lanes_only", "a flush of an arena lands nothing", plant_flush_lanes_only },
    { "tail_first", "a lane's tail is seen before its entries", plant_tail_first },
    { "put_lost", "a Put never lands", plant_put_lost },
    { "credit_early", "a credit counts an entry that is in use", plant_credit_early },
    { "message_doubled", "a control message comes twice", plant_message_doubled },
    { "message_lost", "a control message does not come", plant_message_lost },
    { "message_overtakes", "a control message overtakes another", plant_message_overtakes },
    { "ring_dropped", "a bell is not rung", plant_ring_dropped },
    { "task_done_early", "a task is done before it has run", plant_task_done_early },
};

const struct sim_fault *sim_fault_find(const char *name)
{
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++)
        if (strcmp(faults[f].name, name) == 0)
            return &faults[f];
    return NULL;
}

void sim_fault_list(FILE *out)
{
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++)
        fprintf(out, "%s\t%s\n", faults[f].name, faults[f].what);
}

void sim_fault_plant(struct sim *sim)
{
    if (sim->config.fault != NULL)
        sim->config.fault->plant(sim);
}
