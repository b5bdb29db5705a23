/* writer.c: records into chunks. See writer.h; leases are in writer_lease.c. */
#include "flow/writer_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "flow/push.h"

#include <stdlib.h>
#include <string.h>

enum { CLOCK_EVERY_RECORDS = 32, FETCH_AHEAD_BYTES = 2048 };

aimss_status_t writers_create(const struct writers_config *config, struct writers **writers)
{
    struct writers *w = calloc(1, sizeof *w);

    if (w == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for writers");
    w->config = *config;
    *writers = w;
    return AIMSS_OK;
}

/* Far, base is the part's own window; near, it lies in the broker's arena. */
static void free_writer(struct writer *writer)
{
    for (uint32_t s = 0; s < writer->stream.streamlet_count; s++)
        if (!writer->parts[s].near)
            free(writer->parts[s].base);
    free(writer);
}

void writers_destroy(struct writers *writers)
{
    if (writers == NULL)
        return;
    for (unsigned i = 0; i < writers->count; i++)
        free_writer(writers->list[i]);
    free(writers);
}

aimss_status_t writer_open(struct writers *writers, const struct wire_stream *stream,
                           uint64_t timeout_ns, struct writer **writer)
{
    const struct net *net = writers->config.net;
    struct writer *w;

    if (writers->opened == WRITERS_OPENED_MAX)
        return error_set(AIMSS_E_LIMIT, "stream %s: this rank has opened %d writers in this run, "
                         "which is the limit; keep them open for longer", stream->name,
                         WRITERS_OPENED_MAX);
    if (writers->count == WRITERS_MAX)
        return error_set(AIMSS_E_LIMIT, "stream %s: %d writers are open on this rank, which is the "
                         "limit; close some", stream->name, WRITERS_MAX);
    w = calloc(1, sizeof *w + sizeof w->parts[0] * stream->streamlet_count);
    if (w == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a writer of %s", stream->name);
    w->writers = writers;
    w->stream = *stream;
    w->id = net->rank * WRITERS_OPENED_MAX + writers->opened++;
    w->timeout_ns = timeout_ns;
    w->fragment_from = stream->chunk_bytes - sizeof(struct chunk_header) - CHUNK_ALIGN_BYTES;
    for (uint32_t s = 0; s < stream->streamlet_count; s++) {
        struct writer_part *part = &w->parts[s];
        unsigned broker = push_broker_of(s, stream->streamlet_count, net->broker_count);

        part->broker = net->broker_ranks[broker];
        part->near = net_is_near(net, part->broker);
    }
    writers->list[writers->count++] = w;
    *writer = w;
    return AIMSS_OK;
}

uint64_t writer_record_count(const struct writer *writer)
{
    return writer->records;
}

struct writer *writers_first(struct writers *writers)
{
    return writers->count > 0 ? writers->list[0] : NULL;
}

uint32_t writer_stream(const struct writer *writer)
{
    return writer->stream.id;
}

uint32_t writer_id(const struct writer *writer)
{
    return writer->id;
}

/* Without a key, records go round robin by chunk: the streamlet changes when a
 * chunk is full, which the record count divided by a power of two stands for. */
static struct writer_part *route(struct writer *writer, struct aimss_bytes key)
{
    uint32_t count = writer->stream.streamlet_count;

    if (count == 1)
        return &writer->parts[0];
    if (key.len_bytes == 0)
        return &writer->parts[writer->records / 256 % count];
    return &writer->parts[hash_bytes(key.data, key.len_bytes, 0) % count];
}

static aimss_status_t too_large(const struct writer *writer, uint64_t len_bytes)
{
    return error_set(AIMSS_E_LIMIT, "stream %s: a record of %llu bytes is above the limit of %llu; "
                     "--record-max raises it, to 64M at most", writer->stream.name,
                     (unsigned long long)len_bytes,
                     (unsigned long long)writer->writers->config.record_max_bytes);
}

static aimss_status_t check_record(const struct writer *writer, struct aimss_bytes key,
                                   struct aimss_bytes value)
{
    const struct wire_stream *stream = &writer->stream;

    if (key.len_bytes + value.len_bytes > writer->writers->config.record_max_bytes)
        return too_large(writer, key.len_bytes + value.len_bytes);
    if (key.len_bytes > RECORD_KEY_MAX_BYTES)
        return error_set(AIMSS_E_LIMIT, "stream %s: a key of %zu bytes; keys have %d at most",
                         stream->name, key.len_bytes, RECORD_KEY_MAX_BYTES);
    if (stream->format != AIMSS_FORMAT_KEYED && key.len_bytes > 0)
        return error_set(AIMSS_E_INVALID, "stream %s has no keys, but a record with a key of %zu "
                         "bytes was put; create it with AIMSS_FORMAT_KEYED", stream->name,
                         key.len_bytes);
    if (stream->format == AIMSS_FORMAT_FIXED && value.len_bytes != stream->record_bytes)
        return error_set(AIMSS_E_INVALID, "stream %s has records of %u bytes, but one of %zu was "
                         "put", stream->name, stream->record_bytes, value.len_bytes);
    return AIMSS_OK;
}

/* Bytes of header, key and value as one run, for records that are cut. */
struct pieces {
    struct record_header header;
    struct aimss_bytes piece[3];
    unsigned at;
    size_t offset;
    uint64_t left;
};

static void pieces_start(struct pieces *p, const struct writer *writer, struct aimss_bytes key,
                         struct aimss_bytes value)
{
    bool keyed = writer->stream.format == AIMSS_FORMAT_KEYED;

    *p = (struct pieces){ .header = { .value_bytes = (uint32_t)value.len_bytes,
                                      .key_bytes = (uint16_t)key.len_bytes } };
    p->piece[0] = (struct aimss_bytes){ &p->header, keyed ? sizeof p->header : 0 };
    p->piece[1] = key;
    p->piece[2] = value;
    p->left = p->piece[0].len_bytes + key.len_bytes + value.len_bytes;
}

static void pieces_copy(struct pieces *p, char *to, uint64_t len_bytes)
{
    p->left -= len_bytes;
    while (len_bytes > 0) {
        const struct aimss_bytes *piece = &p->piece[p->at];
        size_t run = piece->len_bytes - p->offset;

        run = run < len_bytes ? run : len_bytes;
        if (run > 0)
            memcpy(to, (const char *)piece->data + p->offset, run);
        to += run;
        len_bytes -= run;
        p->offset += run;
        if (p->offset == piece->len_bytes) {
            p->at++;
            p->offset = 0;
        }
    }
}

static aimss_status_t put_fragments(struct writer *writer, struct writer_part *part,
                                    struct aimss_bytes key, struct aimss_bytes value)
{
    enum chunk_fragment fragment = CHUNK_FIRST;
    aimss_status_t status = writer_end_chunk(writer, part, CHUNK_WHOLE);
    struct pieces pieces;

    pieces_start(&pieces, writer, key, value);
    while (status == AIMSS_OK && pieces.left > 0) {
        uint64_t run, least = SEGMENT_MIN_BYTES / 2;

        status = writer_begin_chunk(writer, part, pieces.left < least ? pieces.left : least,
                                    CHUNK_MAX_BYTES);
        if (status != AIMSS_OK)
            break;
        run = pieces.left < part->room ? pieces.left : part->room;
        pieces_copy(&pieces, part->next, run);
        part->next += run;
        part->room -= run;
        part->chunk_records = fragment == CHUNK_FIRST;
        if (pieces.left == 0) /* all of it fitted into a chunk of the largest size, or its end */
            fragment = fragment == CHUNK_FIRST ? CHUNK_WHOLE : CHUNK_LAST;
        status = writer_end_chunk(writer, part, fragment);
        fragment = CHUNK_MIDDLE;
    }
    return status;
}

/* Records are mostly small, and a call costs more than their bytes: two runs
 * that may overlap copy every length between one and two times theirs. */
static inline void copy_small(char *to, const char *from, size_t len)
{
    if (len > 64 && len <= 128) {
        memcpy(to, from, 64);
        memcpy(to + len - 64, from + len - 64, 64);
    } else if (len >= 8 && len <= 16) {
        memcpy(to, from, 8);
        memcpy(to + len - 8, from + len - 8, 8);
    } else if (len > 0) {
        memcpy(to, from, len);
    }
}

/* The segment was read by the consumer last, so each of its lines has to be
 * fetched for writing: early enough, and stores do not wait for it. */
static inline void fetch_ahead(char *at)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*at));
#else
    __builtin_prefetch(at, 1);
#endif
}

static inline void append_keyed(struct writer_part *part, struct aimss_bytes key,
                                struct aimss_bytes value, uint64_t need)
{
    char *to = part->next;
    struct record_header header = { .value_bytes = (uint32_t)value.len_bytes,
                                    .key_bytes = (uint16_t)key.len_bytes };

    for (uint64_t line = 0; line < need; line += 64)
        fetch_ahead(to + FETCH_AHEAD_BYTES + line);
    memset(to + need - sizeof(uint64_t), 0, sizeof(uint64_t)); /* the padding, and a bit more */
    memcpy(to, &header, sizeof header);
    copy_small(to + sizeof header, key.data, key.len_bytes);
    copy_small(to + sizeof header + key.len_bytes, value.data, value.len_bytes);
    part->next = to + need;
    part->room -= need;
    part->chunk_records++;
}

static void append_plain(struct writer_part *part, struct aimss_bytes value)
{
    if (value.len_bytes > 0)
        memcpy(part->next, value.data, value.len_bytes);
    part->next += value.len_bytes;
    part->room -= value.len_bytes;
    part->chunk_records++;
}

/* The publish policy: a chunk that is not full goes out when the broker has
 * answered the last commit and a little time has passed since. The clock is
 * read for the first record of a chunk and then now and again. */
static inline bool may_be_due(const struct writer_part *part)
{
    return part->chunk_records % CLOCK_EVERY_RECORDS == 1 && writer_is_acked(part);
}

/* What is not on the way of most records stays out of it: the compiler then
 * keeps the others' few instructions together. */
#define SELDOM __attribute__((noinline, cold))

SELDOM static aimss_status_t publish_if_due(struct writer *writer, struct writer_part *part)
{
    if (env_now_ns(writer->writers->config.env) - part->commit_ns < WRITER_QUIET_NS)
        return AIMSS_OK;
    return writer_end_chunk(writer, part, CHUNK_WHOLE);
}

/* The record does not fit into the open chunk, or is no valid one. */
SELDOM static aimss_status_t make_room(struct writer *writer, struct writer_part *part,
                                       struct aimss_bytes key, struct aimss_bytes value,
                                       uint64_t need)
{
    aimss_status_t status = check_record(writer, key, value);

    if (status != AIMSS_OK)
        return status;
    if (need > writer->fragment_from) {
        status = put_fragments(writer, part, key, value);
        writer->records += status == AIMSS_OK;
        return status;
    }
    status = writer_end_chunk(writer, part, CHUNK_WHOLE);
    if (status == AIMSS_OK)
        status = writer_begin_chunk(writer, part, need, writer->stream.chunk_bytes);
    return status == AIMSS_OK ? writer_put(writer, key, value) : status;
}

static bool is_misfit(const struct writer *writer, struct aimss_bytes key,
                      struct aimss_bytes value)
{
    return key.len_bytes > 0 || (writer->stream.format == AIMSS_FORMAT_FIXED &&
                                 value.len_bytes != writer->stream.record_bytes);
}

static aimss_status_t put_plain(struct writer *writer, struct aimss_bytes key,
                                struct aimss_bytes value)
{
    struct writer_part *part = route(writer, key);

    if (part->chunk == NULL || value.len_bytes > part->room || is_misfit(writer, key, value))
        return make_room(writer, part, key, value, value.len_bytes);
    append_plain(part, value);
    writer->records++;
    if (writer->stream.format == AIMSS_FORMAT_BYTES) /* its chunk is the record */
        return writer_end_chunk(writer, part, CHUNK_WHOLE);
    return may_be_due(part) ? publish_if_due(writer, part) : AIMSS_OK;
}

/* No chunk open means no room, so that one comparison asks for both. */
aimss_status_t writer_put(struct writer *writer, struct aimss_bytes key, struct aimss_bytes value)
{
    uint64_t need = (sizeof(struct record_header) + key.len_bytes + value.len_bytes + 7) &
                    ~UINT64_C(7);
    struct writer_part *part;

    if (writer->stream.format != AIMSS_FORMAT_KEYED)
        return put_plain(writer, key, value);
    part = route(writer, key);
    if (need > part->room || key.len_bytes > RECORD_KEY_MAX_BYTES)
        return make_room(writer, part, key, value, need);
    append_keyed(part, key, value, need);
    writer->records++;
    return may_be_due(part) ? publish_if_due(writer, part) : AIMSS_OK;
}

static aimss_status_t take_grants(struct writers *writers, bool *busy)
{
    aimss_status_t status = AIMSS_OK;

    for (unsigned l = 0; l < lanes_rx_count(writers->config.lanes) && status == AIMSS_OK; l++) {
        struct lane_rx *lane = lanes_rx(writers->config.lanes, l);
        const struct lane_entry *entry;

        if (lane->kind != LANE_GRANT)
            continue;
        while ((entry = lane_rx_next(lane)) != NULL) {
            writer_take_grant(writers, entry);
            lane_rx_release(lane, entry->sequence);
            *busy = true;
        }
        status = lane_rx_publish_credit(lane);
    }
    return status;
}

aimss_status_t writer_flush(struct writer *writer, bool accepted)
{
    aimss_status_t status = AIMSS_OK;

    for (uint32_t s = 0; s < writer->stream.streamlet_count && status == AIMSS_OK; s++) {
        struct writer_part *part = &writer->parts[s];

        status = writer_end_chunk(writer, part, CHUNK_WHOLE);
        if (status == AIMSS_OK && part->has_group)
            status = writer_commit(writer, part, true);
    }
    for (uint32_t s = 0; accepted && s < writer->stream.streamlet_count; s++) {
        struct writer_part *part = &writer->parts[s];

        while (status == AIMSS_OK && part->commit != NULL && !writer_is_acked(part))
            status = writer_wait(writer, UINT64_MAX);
        /* Credit passes refused commits too; the refusal is in the grant lane by then. */
        if (status == AIMSS_OK)
            status = take_grants(writer->writers, &(bool){ false });
        if (status == AIMSS_OK && part->refused)
            status = error_set(AIMSS_E_REVOKED, "stream %s, streamlet %u: the broker has revoked "
                               "this writer's lease", writer->stream.name, s);
    }
    return status;
}

static void forget(struct writers *writers, const struct writer *writer)
{
    for (unsigned i = 0; i < writers->count; i++)
        if (writers->list[i] == writer)
            writers->list[i] = writers->list[--writers->count];
}

aimss_status_t writer_close(struct writer *writer)
{
    aimss_status_t status;

    writer->timeout_ns = 0; /* the brokers' answers need no memory */
    status = writer_flush(writer, false);
    for (uint32_t s = 0; s < writer->stream.streamlet_count && status == AIMSS_OK; s++)
        status = writer_close_group(writer, &writer->parts[s]);
    if (status == AIMSS_OK)
        status = writer_flush(writer, true);
    forget(writer->writers, writer);
    free_writer(writer);
    return status;
}

/* An answer to commits is something found: on the far path, where no bell rings,
 * the next wait is short only then. */
static bool credit_came(struct lane_tx *commit)
{
    uint64_t before = commit->credit;

    return lane_tx_credit(commit) != before;
}

static void step_part(struct writer *writer, struct writer_part *part, uint64_t now,
                      aimss_status_t *status)
{
    bool idle = now - part->commit_ns >= WRITER_QUIET_NS && writer_is_acked(part);

    if (*status != AIMSS_OK || !idle || part->refused)
        return;
    if (part->chunk_records > 0)
        *status = writer_end_chunk(writer, part, CHUNK_WHOLE);
    else if (part->sealed > part->committed || part->unflushed)
        *status = writer_commit(writer, part, false);
}

aimss_status_t writers_step(struct writers *writers, bool *busy)
{
    uint64_t now = writers->count > 0 ? env_now_ns(writers->config.env) : 0;
    aimss_status_t status = take_grants(writers, busy);

    for (unsigned i = 0; i < writers->count; i++) {
        struct writer *writer = writers->list[i];

        for (uint32_t s = 0; s < writer->stream.streamlet_count; s++) {
            struct writer_part *part = &writer->parts[s];

            if (part->commit != NULL && credit_came(part->commit))
                *busy = true;
            if (part->commit != NULL && !writer->waiting)
                step_part(writer, part, now, &status);
        }
    }
    return status;
}
