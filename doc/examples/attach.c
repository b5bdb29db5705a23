/* attach.c: AIMSS on some ranks of an MPI program, and more than once. The other
 * two ranks go on with MPI of their own. Run: mpirun -n 6 ./attach */
#include <aimss_mpi.h>
#include <stdio.h>

static void must(aimss_status_t status)
{
    if (status >= 0)
        return;
    fprintf(stderr, "attach: %s\n", aimss_error_text());
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static int count(void *records, const struct aimss_record *record)
{
    *(long *)records += record->value.len_bytes == sizeof(long);
    return 0;
}

static void move_numbers(struct aimss_runtime *rt, long *records)
{
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED };
    struct aimss_stream *stream;
    struct aimss_reader *reader;
    struct aimss_writer *writer;
    aimss_runtime_compute_rank(rt, NULL, &options.writer_count); /* all of them write */
    must(aimss_stream_create(rt, "numbers", &options, &stream));
    must(aimss_read_from(stream, NULL, &reader));
    must(aimss_writer_open(stream, NULL, &writer));
    for (long i = 0; i < 1000; i++)
        must(aimss_writer_put(writer, AIMSS_NO_BYTES, (struct aimss_bytes){ &i, sizeof i }));
    must(aimss_writer_close(writer));
    must(aimss_reader_apply(reader, count, records));
    must(aimss_reader_close(reader));
    aimss_stream_destroy(stream);
}

int main(int argc, char **argv)
{
    int provided, rank;
    long records = 0, all = 0;
    MPI_Comm part;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_split(MPI_COMM_WORLD, rank < 2, rank, &part);
    for (int round = 0; round < 2 && rank >= 2; round++) {
        struct aimss_runtime *rt;
        must(aimss_runtime_attach(part, NULL, &rt));
        if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE)
            move_numbers(rt, &records);
        must(aimss_runtime_destroy(rt)); /* MPI stays */
    }
    if (rank < 2)
        MPI_Barrier(part); /* stands for what these two do meanwhile */
    MPI_Reduce(&records, &all, 1, MPI_LONG, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%ld records\n", all);
    return MPI_Finalize();
}
