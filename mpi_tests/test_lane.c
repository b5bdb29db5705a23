/* test_lane.c: a lane between two ranks of one process, over a net that is as
 * unkind as it may be.
 *
 * Near, both ends share memory. Far, a Put is cut into words that arrive one by
 * one, in any order, at any moment until its flush returns; the receiver looks
 * in between, inside of the sender's calls too. What is expected of an entry is
 * computed from its sequence, and its payload likewise. A net that breaks its
 * own promises must be noticed by the lane's checks.
 */
#include "check.h"

#include "base/word.h"
#include "net/lane.h"
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    INBOUND = 3, OUTBOUND = 7,
    SLOTS_MAX_BYTES = 1024 * 1024,
    PUTS_MAX = 200000,
    ENTRIES = 20000, /* that one run sends at least */
    IDLE_MAX = 100000
};

enum planted { PLANTED_NONE, PLANTED_LAZY_FLUSH, PLANTED_WILD_CREDIT };

/* One word on its way: where it comes from and where it goes. */
struct word_put {
    uint64_t *to;
    const uint64_t *from;
};

/* What the receiver holds: entries taken and not yet released. */
struct holding {
    const struct lane_entry *entry;
    struct lane_entry copy;
};

struct world {
    uint64_t seed;
    enum planted planted;
    struct net nets[2];   /* sender, receiver */
    unsigned nodes[2];
    char *regions[2][2];  /* [rank][near, far] */
    struct lane_tx tx;
    struct lane_rx rx;
    uint64_t slot_bytes;
    unsigned put_count;
    struct word_put *puts; /* [PUTS_MAX] */
    unsigned held_count;
    struct holding held[LANE_ENTRIES];
    uint64_t taken, released_count, rings;
    char pattern[LANE_SLOT_MAX_BYTES * 2];
    bool receiving;       /* the receiver doesn't interrupt itself */
    bool hoards;          /* it releases nothing for now */
};

static struct world *world_of(struct net *net)
{
    return (struct world *)((char *)(net - net->rank) - offsetof(struct world, nets));
}

/* ---- the unkind net */

static char *fake_map(struct net *net, unsigned rank, enum net_region region)
{
    struct world *w = world_of(net);
    bool reachable = rank == net->rank || (region == NET_REGION_NEAR && net_is_near(net, rank));
    return reachable ? w->regions[rank][region] : NULL;
}

static aimss_status_t fake_put(struct net *net, unsigned rank, enum net_region region,
                               uint64_t offset, const void *src, uint64_t len_bytes)
{
    struct world *w = world_of(net);
    assert_true(region == NET_REGION_FAR && rank != net->rank && !net_is_near(net, rank));
    assert_true(offset % 8 == 0 && len_bytes % 8 == 0 && len_bytes > 0);
    for (uint64_t i = 0; i < len_bytes / 8; i++) {
        assert_true(w->put_count < PUTS_MAX);
        w->puts[w->put_count++] = (struct word_put){
            (uint64_t *)(w->regions[rank][region] + offset) + i, (const uint64_t *)src + i
        };
    }
    return AIMSS_OK;
}

static void land_one(struct world *w)
{
    unsigned i = (unsigned)check_below(&w->seed, w->put_count);
    word_store(w->puts[i].to, *w->puts[i].from);
    w->puts[i] = w->puts[--w->put_count];
}

static void receive_some(struct world *w);

/* All words land, in random order, and the receiver may look at any moment. */
static aimss_status_t fake_flush(struct net *net, unsigned rank, enum net_region region)
{
    struct world *w = world_of(net);
    (void)region;
    assert_int_not_equal(rank, net->rank);
    if (w->planted == PLANTED_LAZY_FLUSH)
        return AIMSS_OK;
    unsigned looks = 1 + (unsigned)check_below(&w->seed, 3);
    unsigned between = 1 + w->put_count / looks;
    while (w->put_count > 0) {
        land_one(w);
        if (w->put_count % between == 0)
            receive_some(w);
    }
    return AIMSS_OK;
}

static void fake_ring(struct net *net, unsigned rank)
{
    assert_true(net_is_near(net, rank));
    world_of(net)->rings++;
}

static const struct net_ops fake_ops = {
    .map = fake_map, .put = fake_put, .flush = fake_flush, .ring = fake_ring
};

/* ---- what an entry must say, from its sequence alone */

static uint64_t mix(uint64_t sequence, uint64_t salt)
{
    uint64_t state = sequence * 1000003 + salt;
    return check_random(&state);
}

static struct lane_entry expected_entry(const struct world *w, uint64_t sequence)
{
    struct lane_entry entry = { .kind = LANE_DATA,
                                .stream = (uint32_t)mix(sequence, 1),
                                .streamlet = (uint32_t)mix(sequence, 2),
                                .group = (uint32_t)mix(sequence, 3),
                                .lease = (uint32_t)mix(sequence, 4),
                                .writer = (uint32_t)mix(sequence, 5),
                                .from = mix(sequence, 6),
                                .to = mix(sequence, 7),
                                .sequence = sequence };
    if (w->slot_bytes > 0) {
        uint64_t most = w->slot_bytes < LANE_SLOT_MAX_BYTES ? w->slot_bytes : LANE_SLOT_MAX_BYTES;
        uint64_t size = mix(sequence, 8) % 16 == 0 ? most : 4096;
        entry.length_bytes = 8 * (uint32_t)(1 + mix(sequence, 9) % (size / 8));
        if (mix(sequence, 10) % 8 == 0) /* e.g. a marker: no payload */
            entry.length_bytes = 0;
    }
    return entry;
}

static const char *payload_of(const struct world *w, uint64_t sequence)
{
    return w->pattern + mix(sequence, 11) % (LANE_SLOT_MAX_BYTES / 8) * 8;
}

/* Everything that an entry tells of is there, now. */
static void expect_whole(const struct world *w, const struct lane_entry *entry, uint64_t sequence)
{
    struct lane_entry expected = expected_entry(w, sequence);
    expected.place = entry->place;
    assert_memory_equal(entry, &expected, sizeof expected);
    if (entry->length_bytes == 0)
        return;
    uint64_t slots_at = lane_slots_at(LANES_MAX);
    assert_true(entry->place >= slots_at);
    assert_true(entry->place + entry->length_bytes <= slots_at + w->slot_bytes);
    assert_memory_equal(w->regions[1][NET_REGION_FAR] + entry->place, payload_of(w, sequence),
                        entry->length_bytes);
}

/* ---- the receiver */

static void release_random(struct world *w)
{
    unsigned i = (unsigned)check_below(&w->seed, w->held_count);
    /* It was mine until now: neither it nor its payload has changed. */
    expect_whole(w, w->held[i].entry, w->held[i].copy.sequence);
    assert_true(w->held[i].entry->place == w->held[i].copy.place);
    lane_rx_release(&w->rx, w->held[i].copy.sequence);
    w->held[i] = w->held[--w->held_count];
    w->released_count++;
}

/* Behind the lane's back: all that the tail covers is whole. */
static void expect_tail_behind(const struct world *w)
{
    uint64_t tail = word_load(w->rx.tail_word);
    assert_true(tail >= w->taken && tail <= w->tx.tail);
    for (uint64_t sequence = w->taken + 1; sequence <= tail; sequence++)
        expect_whole(w, &w->rx.ring[(sequence - 1) % LANE_ENTRIES], sequence);
}

static void take_one(struct world *w)
{
    const struct lane_entry *entry = lane_rx_next(&w->rx);
    if (entry == NULL)
        return;
    w->taken++;
    expect_whole(w, entry, w->taken);
    assert_true(w->held_count < LANE_ENTRIES);
    w->held[w->held_count++] = (struct holding){ entry, *entry };
}

static void receive_some(struct world *w)
{
    if (w->receiving)
        return;
    w->receiving = true;
    if (w->planted == PLANTED_NONE)
        expect_tail_behind(w);
    unsigned steps = (unsigned)check_below(&w->seed, 40);
    while (steps-- > 0) {
        if (check_below(&w->seed, 2) || w->hoards)
            take_one(w);
        else if (w->held_count > 0)
            release_random(w);
    }
    /* Its own Put would mix with those of the sender, as in a real net it does. */
    if (check_below(&w->seed, 3) == 0)
        assert_int_equal(lane_rx_publish_credit(&w->rx), AIMSS_OK);
    w->receiving = false;
}

/* ---- the sender */

/* Entries that the receiver hasn't given back in order: what occupies the ring. */
static uint64_t occupied(const struct world *w)
{
    return w->tx.tail - word_load(w->tx.credit_word);
}

/* A slot lies in no run that is sent and not yet released. */
static void expect_no_overlap(const struct world *w, uint64_t place, uint32_t len_bytes)
{
    for (uint64_t s = w->rx.credit; s < w->tx.tail; s++) {
        const struct lane_entry *entry = &w->tx.ring[s % LANE_ENTRIES];
        bool apart = place + len_bytes <= entry->place ||
                     entry->place + entry->length_bytes <= place;
        assert_true(entry->length_bytes == 0 || apart);
    }
}

static bool send_one(struct world *w)
{
    struct lane_entry entry = expected_entry(w, w->tx.tail + 1);
    if (entry.length_bytes > 0) {
        if (!lane_tx_slot(&w->tx, entry.length_bytes, &entry.place))
            return false;
        expect_no_overlap(w, entry.place, entry.length_bytes);
        fake_put(&w->nets[0], 1, NET_REGION_FAR, entry.place, payload_of(w, entry.sequence),
                 entry.length_bytes);
    }
    entry.sequence = 0; /* the lane's business */
    lane_tx_write(&w->tx, &entry);
    return true;
}

/* Writes as many as wanted and possible; markers reach into the reserved room. */
static unsigned send_some(struct world *w, unsigned wanted)
{
    bool marker = check_below(&w->seed, 3) == 0;
    unsigned room = marker ? lane_tx_room_marker(&w->tx) : lane_tx_room(&w->tx);
    uint64_t used = occupied(w);
    unsigned most = (unsigned)(LANE_ENTRIES - used), sent = 0;
    if (!marker)
        most = most > LANE_RESERVED ? most - LANE_RESERVED : 0;
    assert_true(room <= most);
    if (used > LANE_ENTRIES / 2) /* then it has to look at the newest credit */
        assert_int_equal(room, most);
    while (sent < wanted && sent < room && send_one(w))
        sent++;
    return sent;
}

static unsigned random_batch(struct world *w)
{
    if (check_below(&w->seed, 4) == 0)
        return LANE_ENTRIES; /* all that fits */
    return 1 + (unsigned)check_below(&w->seed, check_below(&w->seed, 2) ? 4 : 60);
}

/* ---- a run */

static struct world *world_create(uint64_t seed, bool near, uint64_t slot_bytes)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = seed;
    w->slot_bytes = slot_bytes;
    w->puts = malloc(PUTS_MAX * sizeof *w->puts);
    w->nodes[1] = near ? 0 : 1;
    for (unsigned rank = 0; rank < 2; rank++) {
        w->nets[rank] = (struct net){ .ops = &fake_ops, .rank = rank, .rank_count = 2,
                                      .node_of = w->nodes };
        for (unsigned region = 0; region < 2; region++)
            w->regions[rank][region] = calloc(1, lane_region_bytes(LANES_MAX, SLOTS_MAX_BYTES));
    }
    for (unsigned i = 0; i < sizeof w->pattern; i++)
        w->pattern[i] = (char)check_random(&seed);
    assert_int_equal(lane_tx_open(&w->tx, &w->nets[0], 1, INBOUND, OUTBOUND), AIMSS_OK);
    lane_rx_open(&w->rx, &w->nets[1], LANE_PUSH, 0, INBOUND, OUTBOUND);
    if (slot_bytes > 0)
        lane_tx_set_slots(&w->tx, lane_slots_at(LANES_MAX), slot_bytes);
    return w;
}

static void world_destroy(struct world *w)
{
    lane_tx_close(&w->tx);
    for (unsigned i = 0; i < 4; i++)
        free(w->regions[i / 2][i % 2]);
    free(w->puts);
    free(w);
}

static void pass(struct world *w)
{
    w->hoards = check_below(&w->seed, 10) == 0;
    send_some(w, random_batch(w));
    if (check_below(&w->seed, 3))
        assert_int_equal(lane_tx_publish(&w->tx), AIMSS_OK);
    receive_some(w);
    if (check_below(&w->seed, 20) == 0) { /* the ring and its reserve to the brim */
        send_some(w, LANE_ENTRIES);
        assert_int_equal(lane_tx_publish(&w->tx), AIMSS_OK);
    }
}

/* Everything arrives, every credit comes back, and nothing waits for ever. */
static void run_lane(uint64_t seed, bool near, uint64_t slot_bytes)
{
    struct world *w = world_create(seed, near, slot_bytes);
    unsigned idle = 0;
    while (w->tx.tail < ENTRIES) {
        uint64_t tail = w->tx.tail;
        pass(w);
        idle = w->tx.tail == tail ? idle + 1 : 0;
        if (idle > IDLE_MAX)
            fail_msg("the lane is stuck at entry %llu", (unsigned long long)tail + 1);
    }
    assert_int_equal(lane_tx_publish(&w->tx), AIMSS_OK);
    w->hoards = false;
    while (w->released_count < w->tx.tail)
        receive_some(w);
    assert_int_equal(lane_rx_publish_credit(&w->rx), AIMSS_OK);
    assert_true(lane_tx_credit(&w->tx) == w->tx.tail && w->taken == w->tx.tail);
    assert_int_equal(lane_tx_room_marker(&w->tx), LANE_ENTRIES);
    assert_int_equal(lane_tx_room(&w->tx), LANE_ENTRIES - LANE_RESERVED);
    assert_true(near ? w->rings > 0 : w->rings == 0);
    world_destroy(w);
}

static void near_lane(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    for (unsigned i = 0; i < 20; i++)
        run_lane(seed + i, true, 0);
}

static void far_lane(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    for (unsigned i = 0; i < 5; i++)
        run_lane(seed + i, false, 0);
}

static void far_lane_with_slots(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    run_lane(seed, false, SLOTS_MAX_BYTES);
    run_lane(seed + 1, false, 100 * 4096);
    /* A run may be as large as all slots: then the skipped end is no loss. */
    run_lane(seed + 2, false, 4 * 4096);
}

/* Regions of lanes, words and slots lie apart. */
static void layout(void **state)
{
    (void)state;
    assert_true(lane_credit_at(0) >= lane_bell_at() + sizeof(struct bell));
    for (unsigned i = 0; i < LANES_MAX; i++) {
        assert_true(lane_credit_at(i) % 64 == 0 && lane_tail_at(i) % 64 == 0);
        assert_true(lane_credit_at(i + 1) - lane_credit_at(i) == 64);
        assert_true(lane_ring_at(i + 1) - lane_ring_at(i) ==
                    LANE_ENTRIES * sizeof(struct lane_entry));
    }
    assert_true(lane_tail_at(0) >= lane_credit_at(LANES_MAX - 1) + 64);
    assert_true(lane_ring_at(0) >= lane_tail_at(LANES_MAX - 1) + 64);
    assert_true(lane_slots_at(LANES_MAX) >= lane_ring_at(LANES_MAX));
    assert_true(lane_region_bytes(4, 5000) >= lane_slots_at(4) + 5000);
}

/* ---- nets that break their promises, each in a process of its own */

static void lazy_flush(struct world *w)
{
    w->planted = PLANTED_LAZY_FLUSH; /* then the tail comes before the entries */
    send_some(w, 10);
    lane_tx_publish(&w->tx);
    word_store((uint64_t *)w->rx.tail_word, w->tx.tail);
    lane_rx_next(&w->rx);
}

static void wild_credit(struct world *w)
{
    w->planted = PLANTED_WILD_CREDIT;
    send_some(w, 10);
    word_store((uint64_t *)w->tx.credit_word, w->tx.tail + 1);
    lane_tx_credit(&w->tx);
}

static void old_lap(struct world *w)
{
    w->planted = PLANTED_LAZY_FLUSH;
    for (unsigned i = 0; i < LANE_ENTRIES; i++) /* a whole lap, then its entries again */
        w->rx.ring[i].sequence = i + 1;
    word_store((uint64_t *)w->rx.tail_word, LANE_ENTRIES + 1);
    for (unsigned i = 0; i < LANE_ENTRIES; i++)
        lane_rx_next(&w->rx);
    printf("a lap is read\n"); /* only now is there anything to complain about */
    fflush(stdout);
    lane_rx_next(&w->rx);
}

static void released_twice(struct world *w)
{
    w->planted = PLANTED_WILD_CREDIT;
    w->rx.ring[0].sequence = 1;
    word_store((uint64_t *)w->rx.tail_word, 1);
    lane_rx_next(&w->rx);
    lane_rx_release(&w->rx, 1);
    lane_rx_release(&w->rx, 1);
}

static void expect_abort(void (*crime)(struct world *w))
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        signal(SIGABRT, SIG_DFL);
        crime(world_create(1, false, 0));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void planted_faults_are_noticed(void **state)
{
    (void)state;
    expect_abort(lazy_flush);
    expect_abort(wild_credit);
    expect_abort(old_lap);
    expect_abort(released_twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(near_lane),
        cmocka_unit_test(far_lane),
        cmocka_unit_test(far_lane_with_slots),
        cmocka_unit_test(planted_faults_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
