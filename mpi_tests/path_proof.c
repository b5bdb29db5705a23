/* path_proof: which way the bytes go, counted and not assumed.
 *
 * Compute ranks write and read some 60 MB, once with all ranks on one node and
 * once with each on its own, each time with two amounts. Shown:
 *   - on a node no payload goes through MPI, and records are read where the
 *     broker has them: in a read-only mapping of its arena;
 *   - between nodes payload is Put once on each of its two ways, not copied,
 *     sent or Put again;
 *   - rank 0 carries none of it;
 *   - there are no MPI atomics, and no blocking collective before the end;
 *   - once warm, writer, broker and reader allocate nothing.
 */
#include "path_counters.h"

#include <aimss_mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VALUE_BYTES = 1000,
    FEW = 5000, /* records of each writer */
    MANY = 20000,
    MAPS_MAX = 16,
    CONTROL_BYTES_MAX = 16 * 1024, /* of one rank, however much is moved */
    SERVER_MORE_MAX = 16           /* control messages that wait: allocations for more data */
};

static int errors;

#define EXPECT(condition)                                                                \
    do {                                                                                 \
        if (!(condition) && errors++ < 20)                                               \
            fprintf(stderr, "%s:%d: %s: not true: %s (%s)\n", __FILE__, __LINE__,        \
                    layout_name, #condition, aimss_error_text());                        \
    } while (0)

static const char *layout_name = "";

/* ---- where records lie */

struct mapping {
    uintptr_t begin, end;
};

static struct mapping maps[MAPS_MAX];
static int map_count;

/* The read-only mappings of brokers' arenas in this process. */
static void find_arenas(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    char line[512], rights[8];

    map_count = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned long begin, end;

        if (strstr(line, "/dev/shm/aimss-") == NULL || strstr(line, ".arena") == NULL ||
            sscanf(line, "%lx-%lx %7s", &begin, &end, rights) != 3 || rights[1] != '-')
            continue;
        if (map_count < MAPS_MAX)
            maps[map_count++] = (struct mapping){ begin, end };
    }
    if (file != NULL)
        fclose(file);
}

static bool is_in_arena(const void *data)
{
    for (int m = 0; m < map_count; m++)
        if ((uintptr_t)data >= maps[m].begin && (uintptr_t)data + VALUE_BYTES <= maps[m].end)
            return true;
    return false;
}

/* ---- writing and reading */

struct work {
    struct aimss_reader *reader;
    struct aimss_writer *writer;
    uint64_t seen, in_arena;
    bool ended;
};

static void take(struct work *work, uint64_t timeout_ns)
{
    struct aimss_buffer *buffer;
    struct aimss_record record;
    uint64_t cursor = 0;
    aimss_status_t status = aimss_reader_next(work->reader, timeout_ns, &buffer);

    work->ended |= status == AIMSS_END || status < 0;
    EXPECT(status >= 0);
    if (status != AIMSS_OK)
        return;
    while (aimss_buffer_record(buffer, &cursor, &record) == AIMSS_OK) {
        work->seen++;
        work->in_arena += is_in_arena(record.value.data);
    }
    aimss_buffer_release(buffer);
}

static void put_and_take(struct work *work, uint64_t first, uint64_t end)
{
    static char value[VALUE_BYTES];

    for (uint64_t number = first; number < end && errors == 0; number++) {
        uint64_t key = number;

        EXPECT(aimss_writer_put(work->writer, (struct aimss_bytes){ &key, sizeof key },
                                (struct aimss_bytes){ value, sizeof value }) == AIMSS_OK);
        if (number % 16 == 0)
            take(work, 0);
    }
}

/* The first half warms up: lanes open, pools fill, segments grow. */
static void compute(struct aimss_runtime *rt, uint64_t records, struct work *work)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED };
    struct aimss_stream *stream = NULL;

    aimss_runtime_compute_rank(rt, NULL, &options.writer_count);
    EXPECT(aimss_stream_create(rt, "records", &options, &stream) == AIMSS_OK);
    EXPECT(aimss_read_from(stream, NULL, &work->reader) == AIMSS_OK);
    EXPECT(aimss_writer_open(stream, NULL, &work->writer) == AIMSS_OK);
    find_arenas();
    put_and_take(work, 0, records / 2);
    while (work->seen == 0 && errors == 0)
        take(work, AIMSS_FOREVER);
    path_counts_allocations = true;
    put_and_take(work, records / 2, records);
    path_counts_allocations = false;
    EXPECT(aimss_writer_close(work->writer) == AIMSS_OK);
    path_counts_allocations = true;
    while (!work->ended && errors == 0)
        take(work, AIMSS_FOREVER);
    path_counts_allocations = false;
    EXPECT(aimss_reader_close(work->reader) == AIMSS_OK);
    aimss_stream_destroy(stream);
}

/* ---- what was counted on all ranks */

struct layout {
    const char *name;
    unsigned nodes;
    uint64_t records;
};

struct summary {
    enum aimss_role role;
    struct path_counters path;
    uint64_t seen, in_arena;
};

static void run(const struct layout *layout, struct summary *summary)
{
    struct aimss_runtime_options options = { .nodes_as = layout->nodes, .arena_bytes = 64 << 20 };
    struct aimss_runtime *rt = NULL;
    struct work work = { 0 };

    EXPECT(aimss_runtime_attach(MPI_COMM_WORLD, &options, &rt) == AIMSS_OK);
    memset(&path, 0, sizeof path);
    summary->role = aimss_runtime_role(rt);
    if (summary->role == AIMSS_ROLE_COMPUTE)
        compute(rt, layout->records, &work);
    path_counts_allocations = summary->role != AIMSS_ROLE_COMPUTE; /* it serves in there */
    EXPECT(aimss_runtime_destroy(rt) == AIMSS_OK);
    path_counts_allocations = false;
    summary->path = path;
    summary->seen = work.seen;
    summary->in_arena = work.in_arena;
}

static uint64_t moved_to(const struct summary *all, int ranks, int rank)
{
    uint64_t bytes = 0;

    for (int r = 0; r < ranks; r++)
        bytes += all[r].path.bytes_to[rank];
    return bytes;
}

/* The same for both ways. */
static void check_rank(const struct path_counters *p)
{
    EXPECT(p->atomics == 0 && p->other == 0);
    EXPECT(p->send_bytes <= CONTROL_BYTES_MAX);
    EXPECT(p->collectives <= 1 && p->after_collective == 0); /* that all agree on the outcome */
}

static void check_near(const struct summary *s)
{
    EXPECT(s->path.put_count == 0 && s->path.flush_count == 0);
    EXPECT(s->in_arena == s->seen);
}

/* Headers of records and chunks, lane entries, tails and credits come on top. */
static void check_far(const struct summary *s, uint64_t payload_bytes)
{
    EXPECT(s->path.put_bytes >= payload_bytes);
    EXPECT(s->path.put_bytes <= payload_bytes + payload_bytes / 20);
    EXPECT(s->in_arena == 0);
}

static void check(const struct layout *layout, const struct summary *all, int ranks)
{
    uint64_t payload = layout->records * VALUE_BYTES, seen = 0, writers = 0;

    for (int r = 0; r < ranks; r++) {
        seen += all[r].seen;
        writers += all[r].role == AIMSS_ROLE_COMPUTE;
        check_rank(&all[r].path);
    }
    EXPECT(seen == writers * layout->records);
    EXPECT(all[0].path.put_count == 0 && moved_to(all, ranks, 0) <= 2 * CONTROL_BYTES_MAX);
    for (int r = 1; r < ranks; r++) {
        if (layout->nodes == 1)
            check_near(&all[r]);
        else
            check_far(&all[r], all[r].role == AIMSS_ROLE_BROKER ? writers * payload : payload);
        if (all[r].role == AIMSS_ROLE_COMPUTE)
            EXPECT(all[r].path.allocations == 0);
    }
}

static void show(const struct layout *layout, const struct summary *all, int ranks)
{
    static const char *const roles[] = { [AIMSS_ROLE_COORDINATOR] = "coordinator",
                                         [AIMSS_ROLE_BROKER] = "broker",
                                         [AIMSS_ROLE_COMPUTE] = "compute" };

    for (int r = 0; r < ranks; r++) {
        const struct path_counters *p = &all[r].path;

        printf("%s, %llu records, rank %d, %s: Put %llu times %llu bytes, flushed %llu, sent %llu "
               "times %llu bytes, got %llu bytes, %llu allocations, read %llu, in arena %llu\n",
               layout->name, (unsigned long long)layout->records, r, roles[all[r].role],
               (unsigned long long)p->put_count, (unsigned long long)p->put_bytes,
               (unsigned long long)p->flush_count, (unsigned long long)p->send_count,
               (unsigned long long)p->send_bytes, (unsigned long long)moved_to(all, ranks, r),
               (unsigned long long)p->allocations, (unsigned long long)all[r].seen,
               (unsigned long long)all[r].in_arena);
    }
}

/* What serves may allocate for a start, but no more for more data. */
static void check_growth(const struct summary *few, const struct summary *many, int ranks)
{
    for (int r = 0; r < ranks; r++)
        if (many[r].role != AIMSS_ROLE_COMPUTE)
            EXPECT(many[r].path.allocations <= few[r].path.allocations + SERVER_MORE_MAX);
}

static void prove(const char *name, unsigned nodes, int rank, int ranks)
{
    static struct summary own, all[2][PATH_RANKS_MAX];

    layout_name = name;
    for (int i = 0; i < 2; i++) {
        struct layout layout = { name, nodes, i == 0 ? FEW : MANY };

        run(&layout, &own);
        PMPI_Gather(&own, sizeof own, MPI_BYTE, all[i], sizeof own, MPI_BYTE, 0, MPI_COMM_WORLD);
        if (rank != 0)
            continue;
        show(&layout, all[i], ranks);
        check(&layout, all[i], ranks);
    }
    if (rank == 0)
        check_growth(all[0], all[1], ranks);
}

int main(int argc, char **argv)
{
    int level, rank, ranks, all;

    path_mpi_thread = true;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    prove("near", 1, rank, ranks);
    prove("far", (unsigned)ranks, rank, ranks);
    PMPI_Allreduce(&errors, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Finalize();
    return all != 0;
}
