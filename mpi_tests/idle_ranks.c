/* idle_ranks: ranks that have nothing to do cost almost nothing.
 *
 * A little work first, so that lanes are open; then coordinator and brokers
 * serve, compute ranks let the runtime work, and nothing happens. The last rank
 * adds up the CPU time of all threads of all ranks meanwhile, as the kernel has
 * counted it. IDLE_SECONDS: how long. All ranks are on one machine; --nodes-as
 * makes them far from each other.
 */
#include <aimss.h>
#include <mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RANKS_MAX = 64, RECORDS = 1000, SETTLE_MS = 500 };
static const double core_share_max = 0.05;

static int errors;

#define EXPECT(condition)                                                             \
    do {                                                                              \
        if (!(condition) && errors++ < 20)                                            \
            fprintf(stderr, "%s:%d: not true: %s (%s)\n", __FILE__, __LINE__,         \
                    #condition, aimss_error_text());                                  \
    } while (0)

/* CPU seconds of a process, all threads. */
static double cpu_s(int pid)
{
    char path[64], line[1024] = "", *at;
    unsigned long user = 0, system = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    file = fopen(path, "r");
    if (file != NULL && fgets(line, sizeof line, file) != NULL && (at = strrchr(line, ')')) != NULL)
        EXPECT(sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                      &system) == 2);
    if (file != NULL)
        fclose(file);
    EXPECT(user + system > 0);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double all_cpu_s(const int *pids, int ranks, double *each)
{
    double sum = 0;

    for (int r = 0; r < ranks; r++)
        sum += each[r] = cpu_s(pids[r]);
    return sum;
}

static void some_work(struct aimss_runtime *rt)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED };
    struct aimss_stream *stream = NULL;
    struct aimss_reader *reader = NULL;
    struct aimss_writer *writer = NULL;
    struct aimss_buffer *buffer;
    aimss_status_t status;

    aimss_runtime_compute_rank(rt, NULL, &options.writer_count);
    EXPECT(aimss_stream_create(rt, "records", &options, &stream) == AIMSS_OK);
    EXPECT(aimss_read_from(stream, NULL, &reader) == AIMSS_OK);
    EXPECT(aimss_writer_open(stream, NULL, &writer) == AIMSS_OK);
    for (uint64_t key = 0; key < RECORDS && errors == 0; key++)
        EXPECT(aimss_writer_put(writer, (struct aimss_bytes){ &key, sizeof key },
                                (struct aimss_bytes){ &key, sizeof key }) == AIMSS_OK);
    EXPECT(aimss_writer_close(writer) == AIMSS_OK);
    while ((status = aimss_reader_next(reader, AIMSS_FOREVER, &buffer)) == AIMSS_OK)
        aimss_buffer_release(buffer);
    EXPECT(status == AIMSS_END);
    EXPECT(aimss_reader_close(reader) == AIMSS_OK);
    aimss_stream_destroy(stream);
}

static void stay_idle(struct aimss_runtime *rt, double seconds)
{
    EXPECT(aimss_runtime_progress(rt, (uint64_t)(seconds * 1e9)) == AIMSS_OK);
}

static void watch(struct aimss_runtime *rt, const int *pids, int ranks, double seconds)
{
    static double before[RANKS_MAX], after[RANKS_MAX];
    double used;

    stay_idle(rt, SETTLE_MS / 1e3);
    used = -all_cpu_s(pids, ranks, before);
    stay_idle(rt, seconds);
    used += all_cpu_s(pids, ranks, after);
    printf("%d idle ranks took %.2f %% of a core for %.0f s:", ranks, 100 * used / seconds,
           seconds);
    for (int r = 0; r < ranks; r++)
        printf(" %.2f", after[r] - before[r]);
    printf(" s\n");
    EXPECT(used < core_share_max * seconds);
}

int main(int argc, char **argv)
{
    const char *text = getenv("IDLE_SECONDS");
    double seconds = text != NULL ? atof(text) : 10;
    int pids[RANKS_MAX], pid = (int)getpid(), level, rank, ranks, all;
    struct aimss_runtime *rt;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Allgather(&pid, 1, MPI_INT, pids, 1, MPI_INT, MPI_COMM_WORLD);
    if (aimss_runtime_create(&argc, &argv, NULL, &rt) != AIMSS_OK) {
        fprintf(stderr, "%s\n", aimss_error_text());
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE) {
        some_work(rt);
        if (rank == ranks - 1)
            watch(rt, pids, ranks, seconds);
        else
            stay_idle(rt, seconds + 2 * SETTLE_MS / 1e3);
    }
    EXPECT(aimss_runtime_destroy(rt) == AIMSS_OK);
    MPI_Allreduce(&errors, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Finalize();
    return all != 0;
}
