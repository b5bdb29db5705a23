/* ref_push: the bare pipeline beside bench-push, three MPI processes.
 *
 *   rank 0  writer    builds chunks into a ring in /dev/shm (chunk_build, as in ref_ingest)
 *   rank 1  relay     MPI_Put of the same chunks, ranges of at most 256 KiB, into rank 2's
 *                     window; one flush a batch; then Put and flush of the tail word
 *   rank 2  consumer  checks CRCs and reads every record in place; returns credit by Put
 *
 * Positions are counts of chunks and only grow. Each shared word has one writer. The ring has
 * the geometry of ref_ingest; the window holds --window KiB of chunks, back to back.
 * --win create|allocate: run both, the faster one is the reference. Waiting is a short spin,
 * then sched_yield, in all three.
 *
 * usage: mpirun -n 3 ref_push [--win create|allocate] [--record BYTES] [--seconds S]
 *                             [--window KIB] [--cpus A,B,C]
 */
#include <getopt.h>
#include <mpi.h>
#include <stdatomic.h>

#include "records.h"

enum {
    RANGE_BYTES = 256 << 10,             /* of one Put */
    BATCH_BYTES = 1 << 20,               /* behind one flush */
    SPIN_COUNT = 64,                     /* looks before a waiting process yields */
    NEVER_ENDS = 0,
};

enum rank { RANK_WRITER, RANK_RELAY, RANK_CONSUMER, RANK_COUNT };

/* At the start of the ring's file. */
struct ring {
    _Alignas(64) _Atomic uint64_t tail;  /* by the writer: chunks appended */
    _Alignas(64) _Atomic uint64_t head;  /* by the relay: chunks put and flushed */
    _Alignas(64) _Atomic uint64_t end;   /* by the writer: final tail, or NEVER_ENDS */
    _Alignas(4096) uint8_t data[];
};

/* At the start of every rank's window. */
struct words {
    _Alignas(64) _Atomic uint64_t tail;  /* in rank 2, by rank 1 */
    _Alignas(64) _Atomic uint64_t end;   /* in rank 2, by rank 1 */
    _Alignas(64) _Atomic uint64_t credit; /* in rank 1, by rank 2: chunks consumed */
    _Alignas(4096) uint8_t data[];
};

struct push {
    const char *win_name;
    double seconds;
    uint32_t payload_bytes, window_bytes;
    int cpus[RANK_COUNT];
    enum rank rank;
    struct shape shape;
    struct ring *ring;
    struct words *words;                 /* the local part of the window */
    MPI_Win win;
    uint64_t window_chunks;
    struct steady steady;
    double memcpy_gb_per_s;
    uint64_t seen;
};

static void check(int code, const char *call)
{
    char text[MPI_MAX_ERROR_STRING];
    int len;

    if (code == MPI_SUCCESS)
        return;
    MPI_Error_string(code, text, &len);
    fprintf(stderr, "%s: %s\n", call, text);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void wait_a_little(unsigned *looks)
{
    if (++*looks % SPIN_COUNT == 0)
        sched_yield();
    else
        spin_pause();
}

static uint64_t load(_Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static void store(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static void put(struct push *push, const void *from, size_t len_bytes, MPI_Aint to, enum rank rank)
{
    check(MPI_Put(from, (int)len_bytes, MPI_BYTE, rank, to, (int)len_bytes, MPI_BYTE, push->win),
          "MPI_Put");
}

static void flush(struct push *push, enum rank rank)
{
    check(MPI_Win_flush(rank, push->win), "MPI_Win_flush");
}

static void write_chunks(struct push *push)
{
    uint8_t *pool = pool_create(), *chunk = aligned_alloc(64, CHUNK_BYTES);
    struct ring *ring = push->ring;
    uint64_t number = 0;

    for (push->steady = steady_start(push->seconds); steady_tick(&push->steady, number);) {
        for (int i = 0; i < 64; i++, number++) {
            for (unsigned looks = 0; number - load(&ring->head) >= push->shape.chunk_count;)
                wait_a_little(&looks);
            chunk_build(chunk, &push->shape, pool, number);
            memcpy(chunk_at(ring->data, &push->shape, number), chunk, push->shape.chunk_bytes);
            store(&ring->tail, number + 1);
        }
    }
    store(&ring->end, number);
    free(chunk);
    free(pool);
}

/* Puts at most one range from chunk number on; returns how many chunks it holds. */
static uint64_t put_range(struct push *push, uint64_t number, uint64_t count)
{
    const struct shape *shape = &push->shape;
    uint64_t place = number % push->window_chunks;
    uint64_t in_segment = shape->segment_chunks -
                          number % shape->chunk_count % shape->segment_chunks;

    if (count > RANGE_BYTES / shape->chunk_bytes)
        count = RANGE_BYTES / shape->chunk_bytes;
    if (count > in_segment)
        count = in_segment;
    if (count > push->window_chunks - place)
        count = push->window_chunks - place;
    put(push, chunk_at(push->ring->data, shape, number), count * shape->chunk_bytes,
        (MPI_Aint)(offsetof(struct words, data) + place * shape->chunk_bytes), RANK_CONSUMER);
    return count;
}

static void put_word(struct push *push, const uint64_t *value, size_t offset, enum rank rank)
{
    put(push, value, sizeof *value, (MPI_Aint)offset, rank);
    flush(push, rank);
}

static void relay_chunks(struct push *push)
{
    uint64_t sent = 0, end, limit = BATCH_BYTES / push->shape.chunk_bytes;
    unsigned looks = 0;

    while ((end = load(&push->ring->end)) == NEVER_ENDS || sent < end) {
        uint64_t until = load(&push->ring->tail);
        uint64_t room = load(&push->words->credit) + push->window_chunks;

        until = until < room ? until : room;
        until = until < sent + limit ? until : sent + limit;
        if (until == sent) {
            wait_a_little(&looks);
            continue;
        }
        while (sent < until)
            sent += put_range(push, sent, until - sent);
        flush(push, RANK_CONSUMER);
        store(&push->ring->head, sent);
        put_word(push, &sent, offsetof(struct words, tail), RANK_CONSUMER);
    }
    put_word(push, &end, offsetof(struct words, end), RANK_CONSUMER);
}

/* Credit goes back for every eighth of the window, so the relay seldom waits and Puts are few. */
static void consume_chunks(struct push *push)
{
    struct words *words = push->words;
    uint64_t done = 0, end, granted = 0, grain = push->window_chunks / 8;
    unsigned looks = 0;

    push->steady = steady_start(push->seconds);
    while ((end = load(&words->end)) == NEVER_ENDS || done < end) {
        for (uint64_t tail = load(&words->tail); done < tail;) {
            uint64_t place = done % push->window_chunks;

            push->seen ^= chunk_consume(words->data + place * push->shape.chunk_bytes, done, true);
            if (++done % 64 == 0)
                steady_tick(&push->steady, done);
            if (done - granted >= grain) {
                granted = done;
                put_word(push, &granted, offsetof(struct words, credit), RANK_RELAY);
            }
            looks = 0;
        }
        wait_a_little(&looks);
    }
}

static void window_open(struct push *push)
{
    MPI_Aint len = (MPI_Aint)sizeof(struct words);
    void *base = NULL;

    push->window_chunks = push->window_bytes / push->shape.chunk_bytes;
    if (push->window_chunks < 16)
        die("--window %u KiB: give at least %u", push->window_bytes >> 10,
            16 * CHUNK_BYTES >> 10);
    if (push->rank == RANK_CONSUMER)
        len += (MPI_Aint)push->window_bytes;
    if (strcmp(push->win_name, "allocate") == 0) {
        check(MPI_Win_allocate(len, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &base, &push->win),
              "MPI_Win_allocate");
    } else if (strcmp(push->win_name, "create") == 0) {
        base = aligned_alloc(4096, (size_t)(len + 4095) & ~(size_t)4095);
        check(MPI_Win_create(base, len, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &push->win),
              "MPI_Win_create");
    } else {
        die("--win %s: give create or allocate", push->win_name);
    }
    memset(base, 0, (size_t)len);        /* touched before the clock starts */
    push->words = base;
    check(MPI_Win_lock_all(MPI_MODE_NOCHECK, push->win), "MPI_Win_lock_all");
}

static void ring_open(struct push *push)
{
    size_t len = sizeof(struct ring) + (size_t)SEGMENT_COUNT * SEGMENT_BYTES;
    char path[64];
    long pid = (long)getpid();

    check(MPI_Bcast(&pid, 1, MPI_LONG, RANK_WRITER, MPI_COMM_WORLD), "MPI_Bcast");
    snprintf(path, sizeof path, "/dev/shm/aimss-ref-push-%ld", pid);
    if (push->rank == RANK_WRITER)
        push->ring = shared_map(path, len, true);
    check(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
    if (push->rank != RANK_WRITER)
        push->ring = shared_map(path, len, false);
    check(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
    if (push->rank == RANK_WRITER) {
        unlink(path);
        uint8_t *chunk = calloc(1, CHUNK_BYTES);
        push->memcpy_gb_per_s = memcpy_gb_per_s(push->ring->data, chunk, 0.4);
        free(chunk);
    }
    check(MPI_Bcast(&push->memcpy_gb_per_s, 1, MPI_DOUBLE, RANK_WRITER, MPI_COMM_WORLD),
          "MPI_Bcast");
}

static void options_read(struct push *push, int argc, char **argv)
{
    static const struct option options[] = {
        { "win", required_argument, NULL, 'w' }, { "record", required_argument, NULL, 'r' },
        { "seconds", required_argument, NULL, 's' }, { "window", required_argument, NULL, 'k' },
        { "cpus", required_argument, NULL, 'c' }, { 0 },
    };

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'w': push->win_name = optarg; break;
        case 'r': push->payload_bytes = (uint32_t)atoi(optarg); break;
        case 's': push->seconds = atof(optarg); break;
        case 'k': push->window_bytes = (uint32_t)atoi(optarg) << 10; break;
        case 'c':
            if (sscanf(optarg, "%d,%d,%d", &push->cpus[0], &push->cpus[1], &push->cpus[2]) != 3)
                die("--cpus %s: give three, as in 0,1,1", optarg);
            break;
        default: exit(2);
        }
    }
}

static void report(const struct push *push)
{
    double records = steady_rate_per_s(&push->steady) * push->shape.chunk_records;
    double moved = records * push->shape.chunk_bytes / push->shape.chunk_records / 1e9;
    char name[48], more[96];

    snprintf(name, sizeof name, "%u-%s", push->payload_bytes, push->win_name);
    snprintf(more, sizeof more, ", \"gb_per_s\": %.4g, \"seen\": %u", moved,
             (unsigned)push->seen & 255);
    result_print(&(struct result){
        .bench = "push", .case_name = name, .value = records / 1e6, .unit = "M records/s",
        .yardstick = "memcpy GB/s", .yardstick_value = push->memcpy_gb_per_s,
        .share = moved / push->memcpy_gb_per_s, .more = more });
}

int main(int argc, char **argv)
{
    struct push push = { .win_name = "allocate", .seconds = 1.8, .payload_bytes = 100,
                         .window_bytes = 4 << 20, .cpus = { -1, -1, -1 } };
    int rank, count;

    check(MPI_Init(&argc, &argv), "MPI_Init");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &count);
    if (count != RANK_COUNT)
        die("ref_push runs with %d processes, found %d: mpirun -n 3 ref_push", RANK_COUNT, count);
    options_read(&push, argc, argv);
    push.rank = (enum rank)rank;
    push.shape = shape_of(push.payload_bytes);
    pin_to_cpu(push.cpus[rank]);
    ring_open(&push);
    window_open(&push);
    check(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
    switch (push.rank) {
    case RANK_WRITER: write_chunks(&push); break;
    case RANK_RELAY: relay_chunks(&push); break;
    default: consume_chunks(&push); report(&push); break;
    }
    MPI_Win_unlock_all(push.win);
    MPI_Win_free(&push.win);
    MPI_Finalize();
    return 0;
}
