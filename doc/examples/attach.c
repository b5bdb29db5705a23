/* attach.c: AIMSS inside an MPI program, on some of its ranks and more than once.
 *
 * All ranks but the first two move records through AIMSS; those two go on with
 * MPI of their own. In the end all of them meet. Run: mpirun -n 6 ./attach */
#include <aimss_mpi.h>
#include <stdio.h>
#include <string.h>

static void must(aimss_status_t status)
{
    if (status < 0 && fprintf(stderr, "attach: %s\n", aimss_error_text()))
        MPI_Abort(MPI_COMM_WORLD, 1);
}

static int add(void *sum, const struct aimss_record *record)
{
    long number;
    memcpy(&number, record->value.data, sizeof number);
    *(long *)sum += number;
    return 0;
}

static void move_numbers(struct aimss_runtime *rt, long from, long *sum)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_FIXED,
                                            .record_bytes = sizeof from };
    struct aimss_stream *stream;
    struct aimss_reader *reader;
    struct aimss_writer *writer;

    aimss_runtime_compute_rank(rt, NULL, &options.writer_count); /* all of them write */
    must(aimss_stream_create(rt, "numbers", &options, &stream));
    must(aimss_read_from(stream, NULL, &reader));
    must(aimss_writer_open(stream, NULL, &writer));
    for (long i = from; i < from + 1000; i++)
        must(aimss_writer_put(writer, AIMSS_NO_BYTES, (struct aimss_bytes){ &i, sizeof i }));
    must(aimss_writer_close(writer));
    must(aimss_reader_apply(reader, add, sum));
    must(aimss_reader_close(reader));
    aimss_stream_destroy(stream);
}

int main(int argc, char **argv)
{
    int provided, rank;
    long sum = 0, all;
    MPI_Comm part;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_split(MPI_COMM_WORLD, rank < 2, rank, &part);
    for (long round = 0; round < 2 && rank >= 2; round++) {
        struct aimss_runtime *rt;
        must(aimss_runtime_attach(part, NULL, &rt));
        if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE)
            stream_numbers(rt, 1000 * round, &sum);
        must(aimss_runtime_destroy(rt)); /* MPI stays */
    }
    if (rank < 2)
        MPI_Barrier(part); /* stands for what these two do meanwhile */
    MPI_Reduce(&sum, &all, 1, MPI_LONG, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0)
        printf("sum of all records: %ld\n", all);
    return MPI_Finalize();
}
