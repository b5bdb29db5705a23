/* test_run_world.h: compute ranks of a job in one process, without MPI.
 *
 * The network is a fake: an exchange is carried out when all ranks have posted
 * it, and each rank sees that it is over some looks later. It fails the test
 * when ranks post different exchanges, or touch a buffer that is in use.
 * Workers are real threads. Ranks are stepped one after the other, in an order
 * drawn anew in each pass.
 */
#ifndef AIMSS_MPI_TESTS_TEST_RUN_WORLD_H
#define AIMSS_MPI_TESTS_TEST_RUN_WORLD_H

#include "check.h"

#include "base/crc32c.h"
#include "base/error.h"
#include "flow/run.h"
#include "log/chunk.h"
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORLD_RANKS_MAX = 5, WORLD_MAILS = 64, WORLD_DEADLINE_S = 120 };

enum post_kind { POST_NONE, POST_WORDS, POST_BYTES };

/* What a rank has posted. */
struct post {
    enum post_kind kind;
    bool carried_out;
    unsigned looks_left, width;
    const uint64_t *words_out;
    uint64_t *words_in;
    const char *send;
    char *receive;
    const int *send_bytes, *send_at, *receive_bytes, *receive_at;
};

struct world;

struct world_rank {
    struct net net; /* first: the calls hand it back */
    struct world *world;
    struct bell bell;
    struct post post;
    struct wire_message mails[WORLD_MAILS];
    unsigned mail_count;
    struct run *run;
    struct aimss_buffer **buffers; /* fed in their order */
    struct chunk_header **chunks;  /* what they point to */
    size_t buffer_count, fed_count;
    size_t hold_until_pass; /* feeds nothing before */
    bool told_end;
    aimss_status_t status;
    struct run_result result;
};

struct world {
    unsigned count;
    uint64_t seed, pass;
    unsigned exchange_count, told_count;
    unsigned nodes[WORLD_RANKS_MAX], ranks[WORLD_RANKS_MAX];
    struct world_rank rank[WORLD_RANKS_MAX];
    char error[ERROR_TEXT_BYTES]; /* of the first rank that failed */
};

/* A run that ends within an exchange leaves behind what the network may still
 * write to; that is no leak to be found. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:shuffle_create";
}

/* ---- the network -------------------------------------------------------- */

static inline void carry_out(struct world *world)
{
    for (unsigned to = 0; to < world->count; to++) {
        struct post *in = &world->rank[to].post;
        for (unsigned from = 0; from < world->count; from++) {
            const struct post *out = &world->rank[from].post;
            assert_int_equal(out->kind, in->kind);
            assert_int_equal(out->width, in->width);
            if (in->kind == POST_WORDS) {
                memcpy(in->words_in + from * in->width, out->words_out + to * in->width,
                       in->width * sizeof(uint64_t));
                continue;
            }
            assert_int_equal(out->send_bytes[to], in->receive_bytes[from]);
            if (out->send_bytes[to] != 0)
                memcpy(in->receive + in->receive_at[from], out->send + out->send_at[to],
                       (size_t)out->send_bytes[to]);
        }
        in->carried_out = true;
        in->looks_left = (unsigned)check_below(&world->seed, 4);
    }
    world->exchange_count++;
}

static inline aimss_status_t post(struct net *net, struct post what)
{
    struct world_rank *rank = (struct world_rank *)net;
    assert_int_equal(rank->post.kind, POST_NONE);
    rank->post = what;
    for (unsigned i = 0; i < rank->world->count; i++) {
        const struct post *other = &rank->world->rank[i].post;
        if (other->kind == POST_NONE || other->carried_out)
            return AIMSS_OK;
    }
    carry_out(rank->world);
    return AIMSS_OK;
}

static aimss_status_t world_alltoall(struct net *net, const uint64_t *send, uint64_t *receive,
                                     unsigned width)
{
    return post(net, (struct post){ .kind = POST_WORDS, .width = width, .words_out = send,
                                    .words_in = receive });
}

static aimss_status_t world_alltoallv(struct net *net, const char *send, const int *send_bytes,
                                      const int *send_at, char *receive,
                                      const int *receive_bytes, const int *receive_at)
{
    return post(net, (struct post){ .kind = POST_BYTES, .send = send, .send_bytes = send_bytes,
                                    .send_at = send_at, .receive = receive,
                                    .receive_bytes = receive_bytes, .receive_at = receive_at });
}

static aimss_status_t world_exchange_done(struct net *net, bool *done)
{
    struct post *what = &((struct world_rank *)net)->post;
    assert_int_not_equal(what->kind, POST_NONE);
    *done = what->carried_out && what->looks_left == 0;
    if (*done)
        *what = (struct post){ .kind = POST_NONE };
    else if (what->carried_out)
        what->looks_left--;
    return AIMSS_OK;
}

static aimss_status_t world_send(struct net *net, unsigned to, const struct wire_message *message)
{
    struct world *world = ((struct world_rank *)net)->world;
    struct world_rank *rank = NULL;
    for (unsigned i = 0; i < world->count; i++)
        if (world->ranks[i] == to)
            rank = &world->rank[i];
    assert_non_null(rank);
    assert_true(&rank->net != net && rank->mail_count < WORLD_MAILS);
    rank->mails[rank->mail_count++] = *message;
    world->told_count++;
    return AIMSS_OK;
}

static const struct net_ops world_ops = {
    .send = world_send,
    .alltoall = world_alltoall,
    .alltoallv = world_alltoallv,
    .exchange_done = world_exchange_done,
};

/* ---- ranks ----------------------------------------------------------------- */

struct world_options {
    unsigned ranks, workers;
    uint64_t seed, state_memory_bytes, round_bytes;
    const struct graph *graph;
};

static inline struct world *world_create(const struct world_options *options)
{
    struct world *world = calloc(1, sizeof *world);
    world->count = options->ranks;
    world->seed = options->seed;
    mkdir("out", 0777);
    unlink("out/words.tsv.tmp-1"); /* a job directory keeps no leftovers */
    for (unsigned i = 0; i < world->count; i++)
        world->ranks[i] = 3 + i; /* as behind a coordinator and brokers */
    for (unsigned i = 0; i < world->count; i++) {
        struct world_rank *rank = &world->rank[i];
        rank->world = world;
        rank->net = (struct net){
            .ops = &world_ops, .rank = world->ranks[i], .rank_count = 3 + world->count,
            .node_of = world->nodes, .compute_count = world->count,
            .compute_ranks = world->ranks, .role_index = i, .bell = &rank->bell,
        };
        assert_int_equal(run_create(&(struct run_config){
            .env = env_system(), .net = &rank->net, .graph = options->graph, .index = i,
            .count = world->count, .worker_count = options->workers,
            .state_memory_bytes = options->state_memory_bytes,
            .round_bytes = options->round_bytes, .out_dir = "out",
            .temporary_suffix = ".tmp-1" }, &rank->run), AIMSS_OK);
    }
    return world;
}

/* A buffer with one record in one chunk. */
static inline void world_give(struct world *world, unsigned to, const void *data, size_t len_bytes)
{
    struct world_rank *rank = &world->rank[to];
    size_t room = sizeof(struct chunk_header) + format_align((uint32_t)len_bytes);
    struct aimss_buffer *buffer = calloc(1, sizeof *buffer);
    struct chunk_header *chunk = calloc(1, room);
    *chunk = (struct chunk_header){
        .payload_bytes = (uint32_t)len_bytes, .record_count = 1, .group = 40 + to,
        .first_ordinal = rank->buffer_count, .format = AIMSS_FORMAT_BYTES,
        .version = FORMAT_VERSION,
    };
    memcpy(chunk + 1, data, len_bytes);
    chunk_seal(chunk);
    *buffer = (struct aimss_buffer){
        .data = (const char *)chunk, .len_bytes = chunk->len_bytes, .stream = 7,
        .streamlet = to, .group = 40 + to, .segment = 2, .offset = 4096,
        .format = AIMSS_FORMAT_BYTES,
    };
    rank->buffers = realloc(rank->buffers, (rank->buffer_count + 1) * sizeof *rank->buffers);
    rank->chunks = realloc(rank->chunks, (rank->buffer_count + 1) * sizeof *rank->chunks);
    rank->chunks[rank->buffer_count] = chunk;
    rank->buffers[rank->buffer_count++] = buffer;
}

static inline void rank_feed(struct world *world, struct world_rank *rank)
{
    while (world->pass >= rank->hold_until_pass && rank->fed_count < rank->buffer_count &&
           run_feed(rank->run, rank->buffers[rank->fed_count]))
        rank->fed_count++;
    if (world->pass >= rank->hold_until_pass && rank->fed_count == rank->buffer_count &&
        !rank->told_end) {
        run_end_of_input(rank->run);
        rank->told_end = true;
    }
}

static inline void rank_step(struct world *world, struct world_rank *rank)
{
    bool busy = false;
    for (unsigned i = 0; i < rank->mail_count; i++)
        run_round_wanted(rank->run, rank->mails[i].a);
    rank->mail_count = 0;
    rank_feed(world, rank);
    if (rank->status != AIMSS_OK)
        return;
    rank->status = run_step(rank->run, &busy);
    if (rank->status < 0 && world->error[0] == '\0')
        snprintf(world->error, sizeof world->error, "%s", error_text());
    if (rank->status == AIMSS_END)
        run_result(rank->run, &rank->result);
}

static inline bool world_over(const struct world *world)
{
    bool over = true;
    for (unsigned i = 0; i < world->count; i++) {
        if (world->rank[i].status < 0)
            return true;
        over = over && world->rank[i].status == AIMSS_END;
    }
    return over;
}

/* Until all ranks are done, or one has failed: its status. */
static inline aimss_status_t world_run(struct world *world)
{
    time_t start = time(NULL);
    for (; !world_over(world); world->pass++) {
        unsigned first = (unsigned)check_below(&world->seed, world->count);
        for (unsigned i = 0; i < world->count; i++)
            rank_step(world, &world->rank[(first + i) % world->count]);
        sched_yield();
        assert_true(time(NULL) - start < WORLD_DEADLINE_S);
    }
    for (unsigned i = 0; i < world->count; i++)
        if (world->rank[i].status < 0)
            return world->rank[i].status;
    return AIMSS_OK;
}

/* Buffers that were not fed are the test's. */
static inline void world_destroy(struct world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        struct world_rank *rank = &world->rank[i];
        run_destroy(rank->run);
        for (size_t k = rank->fed_count; k < rank->buffer_count; k++)
            free(rank->buffers[k]);
        for (size_t k = 0; k < rank->buffer_count; k++)
            free(rank->chunks[k]);
        free(rank->buffers);
        free(rank->chunks);
    }
    free(world);
}

#endif
