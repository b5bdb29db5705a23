/* shuffle.c: see shuffle.h.
 *
 * One exchange at a time, as a table of phases: each waits for the task on the
 * exchange's thread or for the network, and then starts the next one. All ranks
 * come to the same decisions (whether bytes follow, whether all have flagged
 * their end), because every rank sees the same words from every rank.
 */
#include "flow/shuffle.h"

#include "base/error.h"
#include "state/blocks.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_SLACK_BYTES = 16 }; /* what blocks_copy() may read or write behind an entry */

/* What one rank will send: entries, and the rest of one that did not fit. */
struct outlet {
    char *data;
    uint64_t used_bytes;
    bool full;
    struct shuffle_entry head;
    const char *key, *value;
    uint64_t done_bytes, total_bytes; /* of that entry, with its head */
};

/* What came from one rank: the part of an entry whose rest is still to come. */
struct inlet {
    char *carry;
    uint64_t have_bytes, room_bytes;
};

enum shuffle_phase {
    SHUFFLE_IDLE, SHUFFLE_PACKING, SHUFFLE_COUNTING, SHUFFLE_MOVING, SHUFFLE_DELIVERING,
    SHUFFLE_WORDS, SHUFFLE_RUNNING
};

/* The words of a round, for each rank. */
enum { WORD_BYTES = 0, WORD_FLAGS = 1, WORD_TOTAL = 2, ROUND_WORDS = 3 };

struct shuffle {
    struct env_task task; /* first: the pool hands it back */
    struct shuffle_options options;
    struct env_pool *pool;
    enum shuffle_phase phase;
    uint64_t round, flags, flags_of_all;
    bool packed;                       /* nothing was left behind */
    const struct shuffle_client *client;
    aimss_status_t (*fn)(void *arg);   /* of shuffle_run */
    void *arg;
    aimss_status_t task_status;
    struct outlet *outlets;
    struct inlet *inlets;
    char *send, *receive;              /* round_bytes for each rank */
    uint64_t *words_out, *words_in;
    int *send_bytes, *send_at, *receive_bytes, *receive_at;
};

/* ---- packing ------------------------------------------------------------ */

/* The next bytes of the entry that an outlet holds, as many as there is room for. */
static void outlet_go_on(struct outlet *outlet, uint64_t room_bytes)
{
    const struct { const char *data; uint64_t len_bytes; } parts[] = {
        { (const char *)&outlet->head, sizeof outlet->head },
        { outlet->key, outlet->head.key_bytes },
        { outlet->value, outlet->head.value_bytes },
    };
    uint64_t begin = 0;
    for (int i = 0; i < 3 && outlet->done_bytes >= begin; begin += parts[i++].len_bytes) {
        uint64_t skip = outlet->done_bytes - begin;
        if (skip >= parts[i].len_bytes)
            continue;
        uint64_t len = parts[i].len_bytes - skip, room = room_bytes - outlet->used_bytes;
        if (len > room)
            len = room;
        memcpy(outlet->data + outlet->used_bytes, parts[i].data + skip, len);
        outlet->used_bytes += len;
        outlet->done_bytes += len;
    }
    outlet->full = outlet->done_bytes < outlet->total_bytes;
}

bool shuffle_put(struct shuffle *shuffle, unsigned rank, const struct shuffle_entry *entry,
                 const void *key, const void *value)
{
    struct outlet *outlet = &shuffle->outlets[rank];
    uint64_t total = sizeof *entry + entry->key_bytes + entry->value_bytes;
    uint64_t room = shuffle->options.round_bytes - outlet->used_bytes;
    char *at = outlet->data + outlet->used_bytes;
    if (room >= total + COPY_SLACK_BYTES && entry->count != 0 && entry->value_bytes == 0) {
        memcpy(at, entry, sizeof *entry);
        blocks_copy(at + sizeof *entry, key, entry->key_bytes);
        outlet->used_bytes += total;
        return true;
    }
    if (room >= total) {
        memcpy(at, entry, sizeof *entry);
        if (entry->key_bytes != 0)
            memcpy(at + sizeof *entry, key, entry->key_bytes);
        if (entry->value_bytes != 0)
            memcpy(at + sizeof *entry + entry->key_bytes, value, entry->value_bytes);
        outlet->used_bytes += total;
        return true;
    }
    outlet->head = *entry;
    outlet->key = key;
    outlet->value = value;
    outlet->done_bytes = 0;
    outlet->total_bytes = total;
    outlet_go_on(outlet, shuffle->options.round_bytes);
    return false;
}

unsigned shuffle_rank_index(const struct shuffle *shuffle)
{
    return shuffle->options.index;
}

unsigned shuffle_rank_count(const struct shuffle *shuffle)
{
    return shuffle->options.count;
}

/* First what the last round left behind, then what the client has. */
static void task_pack(struct shuffle *shuffle)
{
    bool any_full = false;
    for (unsigned i = 0; i < shuffle->options.count; i++) {
        struct outlet *outlet = &shuffle->outlets[i];
        outlet->used_bytes = 0;
        if (outlet->full)
            outlet_go_on(outlet, shuffle->options.round_bytes);
        any_full = any_full || outlet->full;
    }
    shuffle->packed = !any_full && shuffle->client->pack(shuffle->client->arg, shuffle);
}

/* ---- delivering ---------------------------------------------------------- */

static uint64_t entry_bytes(const char *head)
{
    struct shuffle_entry entry;
    memcpy(&entry, head, sizeof entry);
    return sizeof entry + entry.key_bytes + entry.value_bytes;
}

static aimss_status_t deliver_entry(struct shuffle *shuffle, unsigned source, const char *data)
{
    struct shuffle_entry entry;
    memcpy(&entry, data, sizeof entry);
    return shuffle->client->deliver(shuffle->client->arg, source, &entry, data + sizeof entry);
}

static aimss_status_t inlet_reserve(struct inlet *inlet, uint64_t len_bytes)
{
    if (len_bytes <= inlet->room_bytes)
        return AIMSS_OK;
    char *carry = realloc(inlet->carry, len_bytes + COPY_SLACK_BYTES);
    if (carry == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a shuffled record of %llu bytes; "
                         "use more ranks or shorter records", (unsigned long long)len_bytes);
    inlet->carry = carry;
    inlet->room_bytes = len_bytes;
    return AIMSS_OK;
}

/* Adds to the entry that the inlet carries, and delivers it when it is whole. */
static aimss_status_t inlet_go_on(struct shuffle *shuffle, unsigned source, const char **data,
                                  uint64_t *len_bytes)
{
    struct inlet *inlet = &shuffle->inlets[source];
    uint64_t whole = sizeof(struct shuffle_entry);
    if (inlet->have_bytes >= whole)
        whole = entry_bytes(inlet->carry);
    aimss_status_t status = inlet_reserve(inlet, whole);
    if (status != AIMSS_OK)
        return status;
    uint64_t len = whole - inlet->have_bytes;
    if (len > *len_bytes)
        len = *len_bytes;
    memcpy(inlet->carry + inlet->have_bytes, *data, len);
    inlet->have_bytes += len;
    *data += len;
    *len_bytes -= len;
    if (inlet->have_bytes < sizeof(struct shuffle_entry) ||
        inlet->have_bytes < entry_bytes(inlet->carry))
        return AIMSS_OK;
    inlet->have_bytes = 0;
    return deliver_entry(shuffle, source, inlet->carry);
}

static aimss_status_t deliver_from(struct shuffle *shuffle, unsigned source)
{
    const char *data = shuffle->receive + shuffle->receive_at[source];
    uint64_t len_bytes = (uint64_t)shuffle->receive_bytes[source];
    aimss_status_t status = AIMSS_OK;
    while (len_bytes > 0 && status == AIMSS_OK) {
        bool whole = shuffle->inlets[source].have_bytes == 0 &&
                     len_bytes >= sizeof(struct shuffle_entry) && len_bytes >= entry_bytes(data);
        if (!whole) {
            status = inlet_go_on(shuffle, source, &data, &len_bytes);
            continue;
        }
        uint64_t len = entry_bytes(data);
        status = deliver_entry(shuffle, source, data);
        data += len;
        len_bytes -= len;
    }
    return status;
}

static aimss_status_t task_deliver(struct shuffle *shuffle)
{
    aimss_status_t status = AIMSS_OK;
    for (unsigned i = 0; i < shuffle->options.count && status == AIMSS_OK; i++)
        status = deliver_from(shuffle, i);
    return status;
}

/* ---- phases --------------------------------------------------------------- */

static void shuffle_task(struct env_task *task)
{
    struct shuffle *shuffle = (struct shuffle *)task;
    aimss_status_t status = AIMSS_OK;
    if (shuffle->phase == SHUFFLE_PACKING)
        task_pack(shuffle);
    else if (shuffle->phase == SHUFFLE_DELIVERING)
        status = task_deliver(shuffle);
    else
        status = shuffle->fn(shuffle->arg);
    if (status != AIMSS_OK)
        failure_set(shuffle->options.failure, status);
    shuffle->task_status = status;
}

static void submit(struct shuffle *shuffle, enum shuffle_phase phase)
{
    shuffle->phase = phase;
    shuffle->options.env->ops->pool_submit(shuffle->pool, &shuffle->task);
}

static aimss_status_t after_packing(struct shuffle *shuffle)
{
    unsigned count = shuffle->options.count;
    uint64_t total = 0;
    for (unsigned i = 0; i < count; i++)
        total += shuffle->outlets[i].used_bytes;
    for (unsigned i = 0; i < count; i++) {
        uint64_t *words = &shuffle->words_out[i * ROUND_WORDS];
        words[WORD_BYTES] = shuffle->outlets[i].used_bytes;
        words[WORD_FLAGS] = shuffle->packed ? shuffle->flags : 0;
        words[WORD_TOTAL] = total;
    }
    struct net *net = shuffle->options.net;
    shuffle->phase = SHUFFLE_COUNTING;
    return net->ops->alltoall(net, shuffle->words_out, shuffle->words_in, ROUND_WORDS);
}

static aimss_status_t round_over(struct shuffle *shuffle)
{
    shuffle->phase = SHUFFLE_IDLE;
    shuffle->round++;
    return AIMSS_OK;
}

/* Every rank knows whether any rank sends anything. */
static aimss_status_t after_counting(struct shuffle *shuffle)
{
    uint64_t round_bytes = shuffle->options.round_bytes, total = 0;
    shuffle->flags_of_all = UINT64_MAX;
    for (unsigned i = 0; i < shuffle->options.count; i++) {
        const uint64_t *words = &shuffle->words_in[i * ROUND_WORDS];
        shuffle->flags_of_all &= words[WORD_FLAGS];
        total += words[WORD_TOTAL];
        shuffle->send_bytes[i] = (int)shuffle->outlets[i].used_bytes;
        shuffle->receive_bytes[i] = (int)words[WORD_BYTES];
        shuffle->send_at[i] = shuffle->receive_at[i] = (int)(i * round_bytes);
        if (words[WORD_BYTES] > round_bytes)
            return error_set(AIMSS_E_CORRUPT, "compute rank %u announces %llu bytes in a round; "
                             "expected at most %llu; give all ranks the same --round", i,
                             (unsigned long long)words[WORD_BYTES],
                             (unsigned long long)round_bytes);
    }
    if (total == 0)
        return round_over(shuffle);
    struct net *net = shuffle->options.net;
    shuffle->phase = SHUFFLE_MOVING;
    return net->ops->alltoallv(net, shuffle->send, shuffle->send_bytes, shuffle->send_at,
                               shuffle->receive, shuffle->receive_bytes, shuffle->receive_at);
}

static aimss_status_t after_moving(struct shuffle *shuffle)
{
    submit(shuffle, SHUFFLE_DELIVERING);
    return AIMSS_OK;
}

static aimss_status_t become_idle(struct shuffle *shuffle)
{
    shuffle->phase = SHUFFLE_IDLE;
    return AIMSS_OK;
}

/* What each phase waits for, and what follows. */
static const struct {
    enum { WAIT_NONE, WAIT_TASK, WAIT_NETWORK } wait;
    aimss_status_t (*after)(struct shuffle *shuffle);
} phases[] = {
    [SHUFFLE_IDLE] = { WAIT_NONE, NULL },
    [SHUFFLE_PACKING] = { WAIT_TASK, after_packing },
    [SHUFFLE_COUNTING] = { WAIT_NETWORK, after_counting },
    [SHUFFLE_MOVING] = { WAIT_NETWORK, after_moving },
    [SHUFFLE_DELIVERING] = { WAIT_TASK, round_over },
    [SHUFFLE_WORDS] = { WAIT_NETWORK, become_idle },
    [SHUFFLE_RUNNING] = { WAIT_TASK, become_idle },
};

aimss_status_t shuffle_step(struct shuffle *shuffle, bool *busy)
{
    struct net *net = shuffle->options.net;
    bool over = false;
    aimss_status_t status = AIMSS_OK;
    if (phases[shuffle->phase].wait == WAIT_TASK)
        over = env_task_done(&shuffle->task);
    else if (phases[shuffle->phase].wait == WAIT_NETWORK)
        status = net->ops->exchange_done(net, &over);
    if (status == AIMSS_OK && over) {
        *busy = true;
        status = shuffle->task_status;
        if (status == AIMSS_OK)
            status = phases[shuffle->phase].after(shuffle);
    }
    return status;
}

/* ---- what the owner calls -------------------------------------------------- */

void shuffle_begin(struct shuffle *shuffle, const struct shuffle_client *client, uint64_t flags)
{
    shuffle->client = client;
    shuffle->flags = flags;
    submit(shuffle, SHUFFLE_PACKING);
}

aimss_status_t shuffle_words(struct shuffle *shuffle, const uint64_t *words, unsigned width)
{
    struct net *net = shuffle->options.net;
    memcpy(shuffle->words_out, words, shuffle->options.count * width * sizeof *words);
    shuffle->phase = SHUFFLE_WORDS;
    return net->ops->alltoall(net, shuffle->words_out, shuffle->words_in, width);
}

void shuffle_run(struct shuffle *shuffle, aimss_status_t (*fn)(void *arg), void *arg)
{
    shuffle->fn = fn;
    shuffle->arg = arg;
    submit(shuffle, SHUFFLE_RUNNING);
}

bool shuffle_idle(const struct shuffle *shuffle)
{
    return shuffle->phase == SHUFFLE_IDLE;
}

uint64_t shuffle_flags(const struct shuffle *shuffle)
{
    return shuffle->flags_of_all;
}

const uint64_t *shuffle_received(const struct shuffle *shuffle)
{
    return shuffle->words_in;
}

uint64_t shuffle_round(const struct shuffle *shuffle)
{
    return shuffle->round;
}

/* ---- life ------------------------------------------------------------------ */

static aimss_status_t allocate(struct shuffle *shuffle)
{
    unsigned count = shuffle->options.count;
    uint64_t bytes = count * shuffle->options.round_bytes;
    shuffle->outlets = calloc(count, sizeof *shuffle->outlets);
    shuffle->inlets = calloc(count, sizeof *shuffle->inlets);
    shuffle->send = malloc(bytes);
    shuffle->receive = malloc(bytes + COPY_SLACK_BYTES);
    shuffle->words_out = calloc(2 * SHUFFLE_WORDS_MAX * count, sizeof *shuffle->words_out);
    shuffle->send_bytes = calloc(4 * count, sizeof *shuffle->send_bytes);
    if (!shuffle->outlets || !shuffle->inlets || !shuffle->send || !shuffle->receive ||
        !shuffle->words_out || !shuffle->send_bytes)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the shuffle: 2 times %u ranks times "
                         "%llu bytes; lower --round", count,
                         (unsigned long long)shuffle->options.round_bytes);
    shuffle->words_in = shuffle->words_out + SHUFFLE_WORDS_MAX * count;
    shuffle->send_at = shuffle->send_bytes + count;
    shuffle->receive_bytes = shuffle->send_at + count;
    shuffle->receive_at = shuffle->receive_bytes + count;
    for (unsigned i = 0; i < count; i++)
        shuffle->outlets[i].data = shuffle->send + i * shuffle->options.round_bytes;
    return AIMSS_OK;
}

aimss_status_t shuffle_create(const struct shuffle_options *options, struct shuffle **shuffle)
{
    struct shuffle *made = calloc(1, sizeof *made);
    if (made == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the shuffle");
    made->options = *options;
    made->task = (struct env_task){ .run = shuffle_task, .bell = options->net->bell, .done = 1 };
    /* The network counts in int. */
    if (made->options.round_bytes > (uint64_t)INT_MAX / options->count)
        made->options.round_bytes = (uint64_t)INT_MAX / options->count;
    aimss_status_t status = allocate(made);
    if (status == AIMSS_OK)
        status = options->env->ops->pool_create(options->env, "aimss-shuffle", 1, &made->pool);
    if (status != AIMSS_OK) {
        shuffle_destroy(made);
        return status;
    }
    *shuffle = made;
    return AIMSS_OK;
}

void shuffle_destroy(struct shuffle *shuffle)
{
    if (shuffle == NULL)
        return;
    if (shuffle->pool != NULL)
        shuffle->options.env->ops->pool_destroy(shuffle->pool);
    /* An exchange that others never joined may still write: what it uses stays. */
    if (phases[shuffle->phase].wait == WAIT_NETWORK)
        return;
    for (unsigned i = 0; shuffle->inlets != NULL && i < shuffle->options.count; i++)
        free(shuffle->inlets[i].carry);
    free(shuffle->outlets);
    free(shuffle->inlets);
    free(shuffle->send);
    free(shuffle->receive);
    free(shuffle->words_out);
    free(shuffle->send_bytes);
    free(shuffle);
}
