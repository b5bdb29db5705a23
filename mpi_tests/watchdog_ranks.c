/* watchdog_ranks: a flush that never returns, on one rank of a job that moves
 * data between nodes.
 *
 * The rank in BLOCKED_RANK stands still in its 50th MPI_Win_flush, as over a
 * network that is gone. The job never ends by itself: what ends it is to be
 * seen from outside. Each broker prints its process and which files under
 * /dev/shm it uses: a crash leaves the arena behind, which the caller removes.
 */
#include <aimss_mpi.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLUSHES_BEFORE = 50, READS_TO_TELL = 100 };

static int world_rank(void)
{
    int rank;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}

static bool is_blocked_rank(void)
{
    const char *text = getenv("BLOCKED_RANK");

    return text != NULL && world_rank() == atoi(text);
}

int MPI_Win_flush(int rank, MPI_Win win)
{
    static int count;

    if (is_blocked_rank() && ++count > FLUSHES_BEFORE)
        for (;;)
            pause();
    return PMPI_Win_flush(rank, win);
}

static void print_broker(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long inode;
    char line[512];

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "/dev/shm/") != NULL && sscanf(line, "%*s %*s %*s %*s %lu", &inode) == 1)
            printf("inode %lu\n", inode);
    printf("broker rank %d pid %d\n", world_rank(), (int)getpid());
    fflush(stdout);
    if (maps != NULL)
        fclose(maps);
}

static void write_for_ever(struct aimss_runtime *rt)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED };
    struct aimss_stream *stream;
    struct aimss_reader *reader;
    struct aimss_writer *writer;
    struct aimss_buffer *buffer;
    static char value[1000];
    aimss_status_t status;
    int reads = 0;

    if (aimss_stream_create(rt, "endless", &options, &stream) != AIMSS_OK ||
        aimss_read_from(stream, NULL, &reader) != AIMSS_OK ||
        aimss_writer_open(stream, NULL, &writer) != AIMSS_OK)
        return;
    for (uint64_t key = 0;; key++) {
        status = aimss_writer_put(writer, (struct aimss_bytes){ &key, sizeof key },
                                  (struct aimss_bytes){ value, sizeof value });
        if (status != AIMSS_OK)
            return;
        if (aimss_reader_next(reader, 0, &buffer) != AIMSS_OK)
            continue;
        aimss_buffer_release(buffer);
        if (++reads == READS_TO_TELL) {
            printf("data flows\n");
            fflush(stdout);
        }
    }
}

int main(int argc, char **argv)
{
    struct aimss_runtime *rt;

    if (aimss_runtime_create(&argc, &argv, NULL, &rt) != AIMSS_OK) {
        fprintf(stderr, "%s\n", aimss_error_text());
        return 1;
    }
    if (aimss_runtime_role(rt) == AIMSS_ROLE_BROKER)
        print_broker();
    if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE)
        write_for_ever(rt);
    return aimss_runtime_destroy(rt) != AIMSS_OK;
}
