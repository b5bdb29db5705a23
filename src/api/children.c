/* children.c: child streams and their shuffle, for programs without a graph.
 *
 * Records gather in blocks of one size; a record larger than a block gets one
 * of its own. aimss_shuffle_streams() walks the blocks of all children and
 * exchanges them in the same rounds that a job's graph uses.
 */
#include "api/children.h"

#include "api/stream.h"
#include "base/error.h"
#include "flow/shuffle.h"
#include "log/format.h"
#include "state/key.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 256 * 1024 };
static const uint64_t all_sent = 1; /* a flag of the rounds */

struct block {
    struct block *next;
    size_t used_bytes, room_bytes;
    char data[];
};

struct children_part {
    struct aimss_runtime *rt;
    struct block *first, *last;
    uint64_t held_bytes;
};

aimss_status_t children_part_create(struct aimss_runtime *rt, struct children_part **part)
{
    struct children_part *p = calloc(1, sizeof *p);

    if (p == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a child stream");
    p->rt = rt;
    *part = p;
    return AIMSS_OK;
}

static void clear(struct children_part *part)
{
    while (part->first != NULL) {
        struct block *next = part->first->next;

        free(part->first);
        part->first = next;
    }
    part->last = NULL;
    part->held_bytes = 0;
}

void children_part_destroy(struct children_part *part)
{
    if (part == NULL)
        return;
    clear(part);
    free(part);
}

static aimss_status_t add_block(struct children_part *part, size_t need)
{
    uint64_t limit = options_number(part->rt->options, "state-memory");
    size_t room = need > BLOCK_BYTES ? need : BLOCK_BYTES;
    struct block *block;

    if (part->held_bytes + room > limit)
        return error_set(AIMSS_E_LIMIT, "a child stream holds %llu bytes on this rank, and the "
                         "limit is %llu; --state-memory raises it, an earlier shuffle frees it",
                         (unsigned long long)part->held_bytes, (unsigned long long)limit);
    block = malloc(sizeof *block + room);
    if (block == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for %zu bytes of a child stream", room);
    *block = (struct block){ .room_bytes = room };
    if (part->last != NULL)
        part->last->next = block;
    else
        part->first = block;
    part->last = block;
    part->held_bytes += room;
    return AIMSS_OK;
}

static aimss_status_t check_record(const struct aimss_stream *child, struct aimss_bytes key,
                                   struct aimss_bytes value)
{
    uint64_t most = child->rt->given.record_max_bytes;

    if (most == 0)
        most = options_number(child->rt->options, "record-max");
    if (child->ready)
        return error_set(AIMSS_E_STATE, "stream %s is ready for its shuffle; put more after "
                         "aimss_shuffle_streams()", child->info.name);
    if (key.len_bytes > RECORD_KEY_MAX_BYTES)
        return error_set(AIMSS_E_LIMIT, "stream %s: a key of %zu bytes; keys have %d at most",
                         child->info.name, key.len_bytes, RECORD_KEY_MAX_BYTES);
    if (key.len_bytes + value.len_bytes > most)
        return error_set(AIMSS_E_LIMIT, "stream %s: a record of %zu bytes is above the limit of "
                         "%llu; --record-max raises it, to 64M at most", child->info.name,
                         key.len_bytes + value.len_bytes, (unsigned long long)most);
    return AIMSS_OK;
}

aimss_status_t children_part_put(struct aimss_stream *child, struct aimss_bytes key,
                                 struct aimss_bytes value)
{
    struct children_part *part = child->part;
    struct shuffle_entry entry = { .key_bytes = (uint32_t)key.len_bytes,
                                   .value_bytes = (uint32_t)value.len_bytes };
    size_t need = sizeof entry + ((key.len_bytes + value.len_bytes + 7) & ~(size_t)7);
    aimss_status_t status = check_record(child, key, value);
    char *to;

    if (status != AIMSS_OK)
        return status;
    if (part->last == NULL || part->last->room_bytes - part->last->used_bytes < need) {
        status = add_block(part, need);
        if (status != AIMSS_OK)
            return status;
    }
    to = part->last->data + part->last->used_bytes;
    memcpy(to, &entry, sizeof entry);
    if (key.len_bytes > 0)
        memcpy(to + sizeof entry, key.data, key.len_bytes);
    if (value.len_bytes > 0)
        memcpy(to + sizeof entry + key.len_bytes, value.data, value.len_bytes);
    part->last->used_bytes += need;
    return AIMSS_OK;
}

/* ---- the shuffle */

aimss_status_t aimss_shuffle_stream(struct aimss_stream *child)
{
    if (child == NULL || child->info.parent == 0)
        return error_set(AIMSS_E_INVALID, "aimss_shuffle_stream takes a child: a stream that was "
                         "created with a parent");
    child->ready = true;
    return AIMSS_OK;
}

/* A walk over all children of a parent, and where their records go. */
struct exchange {
    const struct aimss_shuffle_options *options;
    struct aimss_stream *child; /* at which the walk is */
    struct block *block;
    size_t at;
    uint32_t parent;
};

static void enter_child(struct exchange *x, struct aimss_stream *child)
{
    while (child != NULL && (child->info.parent != x->parent || child->part == NULL))
        child = child->next;
    x->child = child;
    x->block = child != NULL ? child->part->first : NULL;
    x->at = 0;
}

static const struct shuffle_entry *next_entry(struct exchange *x)
{
    while (x->child != NULL) {
        if (x->block != NULL && x->at < x->block->used_bytes)
            return (const struct shuffle_entry *)(x->block->data + x->at);
        if (x->block != NULL) {
            x->block = x->block->next;
            x->at = 0;
        }
        if (x->block == NULL)
            enter_child(x, x->child->next);
    }
    return NULL;
}

static bool pack(void *arg, struct shuffle *shuffle)
{
    struct exchange *x = arg;
    const struct shuffle_entry *entry;
    bool room = true;

    while (room && (entry = next_entry(x)) != NULL) {
        const char *key = (const char *)(entry + 1);
        uint64_t hash = key_hash(key, entry->key_bytes);
        unsigned rank = key_part(hash, shuffle_rank_count(shuffle));

        room = shuffle_put(shuffle, rank, entry, key, key + entry->key_bytes);
        x->at += sizeof *entry + ((entry->key_bytes + entry->value_bytes + 7) & ~(size_t)7);
    }
    return room;
}

static aimss_status_t deliver(void *arg, unsigned source, const struct shuffle_entry *entry,
                              const char *bytes)
{
    const struct exchange *x = arg;
    struct aimss_record record = { .key = { bytes, entry->key_bytes },
                                   .value = { bytes + entry->key_bytes, entry->value_bytes } };
    int result = x->options->deliver(x->options->arg, &record);

    if (result == 0)
        return AIMSS_OK;
    return error_set(AIMSS_E_CALLBACK, "the shuffle's callback returned %d for a record of compute "
                     "rank %u", result, source);
}

static aimss_status_t run_rounds(struct aimss_runtime *rt, struct shuffle *shuffle,
                                 const struct shuffle_client *client)
{
    aimss_status_t status = AIMSS_OK;

    shuffle_begin(shuffle, client, all_sent);
    while (status == AIMSS_OK) {
        bool busy, moved = false;

        status = compute_step(rt->compute, &busy);
        if (status == AIMSS_OK)
            status = shuffle_step(shuffle, &moved);
        if (status != AIMSS_OK)
            break;
        if (shuffle_idle(shuffle)) {
            if (shuffle_flags(shuffle) & all_sent)
                break;
            shuffle_begin(shuffle, client, all_sent);
        }
        compute_turn(rt->compute, busy || moved, UINT64_MAX);
    }
    return status;
}

static aimss_status_t check_children(const struct aimss_stream *parent)
{
    unsigned children = 0;

    for (const struct aimss_stream *s = parent->rt->streams; s != NULL; s = s->next) {
        if (s->info.parent != parent->info.id)
            continue;
        children++;
        if (!s->ready)
            return error_set(AIMSS_E_STATE, "child %s of %s is not ready; call "
                             "aimss_shuffle_stream() on it first", s->info.name,
                             parent->info.name);
    }
    if (children > 0)
        return AIMSS_OK;
    return error_set(AIMSS_E_NOT_FOUND, "stream %s has no children open on this rank",
                     parent->info.name);
}

static void clear_children(struct aimss_stream *parent)
{
    for (struct aimss_stream *s = parent->rt->streams; s != NULL; s = s->next) {
        if (s->info.parent != parent->info.id)
            continue;
        if (s->part != NULL)
            clear(s->part); /* writers stay open, for the next shuffle */
        s->ready = false;
    }
}

aimss_status_t aimss_shuffle_streams(struct aimss_stream *parent,
                                     const struct aimss_shuffle_options *options)
{
    struct exchange x = { .options = options };
    struct shuffle_client client = { .pack = pack, .deliver = deliver, .arg = &x };
    struct failure failure = { 0 };
    struct shuffle *shuffle;
    struct shuffle_options how;
    aimss_status_t status;

    if (parent == NULL || options == NULL || options->deliver == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_shuffle_streams: parent or options.deliver is "
                         "NULL");
    status = check_children(parent);
    if (status != AIMSS_OK)
        return status;
    x.parent = parent->info.id;
    enter_child(&x, parent->rt->streams);
    how = (struct shuffle_options){ .env = parent->rt->env, .net = parent->rt->net,
                                    .failure = &failure,
                                    .index = parent->rt->net->role_index,
                                    .count = parent->rt->net->compute_count,
                                    .round_bytes = options_number(parent->rt->options, "round") };
    status = shuffle_create(&how, &shuffle);
    if (status == AIMSS_OK) {
        status = run_rounds(parent->rt, shuffle, &client);
        shuffle_destroy(shuffle);
    }
    if (failure_is_set(&failure)) /* met on the exchange's thread, which has the text */
        status = failure_get(&failure);
    if (status == AIMSS_OK)
        clear_children(parent);
    else
        compute_fail(parent->rt->compute, status); /* the others wait in a round for this rank */
    return status;
}
