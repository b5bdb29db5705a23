/* push_roundtrip: records go in through writers and come out of readers, each
 * once, in the order of its writer and key, with the bytes that were put.
 *
 * Every compute rank writes and reads at the same time; where memory is short a
 * put gives up for a while, so that the rank reads. The content of a record
 * follows from writer and number, so that a reader can check it without being
 * told. Takes the options of aimss: --nodes-as K makes it use the other path.
 * PUSH_RECORDS of each writer, PUSH_STREAMLETS for each compute rank; with
 * PUSH_STUMBLES brokers stop anywhere for a moment, again and again.
 */
#include <aimss.h>
#include <mpi.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

enum { RECORDS = 200000, STREAMLETS = 3, KEYS = 97, VALUE_MAX = 300, WRITERS_MAX = 64 };
static const uint64_t patience_ns = 20000000;

static int errors;
static uint64_t records;

#define EXPECT(condition)                                                             \
    do {                                                                              \
        if (!(condition) && errors++ < 20)                                            \
            fprintf(stderr, "%s:%d: not true: %s (%s)\n", __FILE__, __LINE__,         \
                    #condition, aimss_error_text());                                  \
    } while (0)

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    return (x ^ (x >> 29)) * UINT64_C(0xc4ceb9fe1a85ec53);
}

/* Now and then one that no chunk can hold. */
static size_t value_bytes(unsigned writer, uint64_t number)
{
    uint64_t random = mix(number * WRITERS_MAX + writer);

    if (random % 20011 == 0)
        return 700000 + random % 1000;
    if (random % 997 == 0)
        return 20000 + random % 5000;
    return 16 + random % VALUE_MAX;
}

static void fill(unsigned char *value, size_t len, unsigned writer, uint64_t number)
{
    uint64_t head[2] = { writer, number };

    memcpy(value, head, sizeof head);
    memset(value + sizeof head, (int)(mix(number + writer) & 0xff), len - sizeof head);
}

static uint64_t key_of(uint64_t number)
{
    return mix(number) % KEYS;
}

struct seen {
    uint64_t count[WRITERS_MAX];
    uint64_t last[WRITERS_MAX][KEYS]; /* number + 1 */
};

static int check(void *arg, const struct aimss_record *record)
{
    struct seen *seen = arg;
    uint64_t head[2], key;
    static unsigned char expected[800000];

    EXPECT(record->key.len_bytes == sizeof key && record->value.len_bytes >= sizeof head);
    memcpy(&key, record->key.data, sizeof key);
    memcpy(head, record->value.data, sizeof head);
    EXPECT(head[0] < WRITERS_MAX && head[1] < records && key == key_of(head[1]));
    EXPECT(record->value.len_bytes == value_bytes((unsigned)head[0], head[1]));
    fill(expected, record->value.len_bytes, (unsigned)head[0], head[1]);
    EXPECT(memcmp(expected, record->value.data, record->value.len_bytes) == 0);
    EXPECT(seen->last[head[0]][key] < head[1] + 1); /* order, and no second time */
    seen->last[head[0]][key] = head[1] + 1;
    seen->count[head[0]]++;
    return errors > 20;
}

/* Whether there was a buffer. */
static int take(struct aimss_reader *reader, struct seen *seen, uint64_t timeout, int *ended)
{
    struct aimss_buffer *buffer;
    struct aimss_record record;
    uint64_t cursor = 0;
    aimss_status_t status = aimss_reader_next(reader, timeout, &buffer);

    if (status == AIMSS_END)
        *ended = 1;
    EXPECT(status >= 0);
    if (status < 0)
        *ended = 1;
    if (status != AIMSS_OK)
        return 0;
    while ((status = aimss_buffer_record(buffer, &cursor, &record)) == AIMSS_OK)
        check(seen, &record);
    EXPECT(status == AIMSS_END);
    aimss_buffer_release(buffer);
    return 1;
}

static void put(struct aimss_writer *writer, struct aimss_reader *reader, unsigned index,
                uint64_t number, struct seen *seen, int *ended)
{
    static unsigned char value[800000];
    uint64_t key = key_of(number);
    size_t len = value_bytes(index, number);
    aimss_status_t status;

    fill(value, len, index, number);
    while ((status = aimss_writer_put(writer, (struct aimss_bytes){ &key, sizeof key },
                                      (struct aimss_bytes){ value, len })) == AIMSS_TIMEOUT)
        while (take(reader, seen, 0, ended))
            ;
    EXPECT(status == AIMSS_OK);
}

static uint32_t setting(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? (uint32_t)atoi(text) : otherwise;
}

static void compute(struct aimss_runtime *rt, struct seen *seen)
{
    struct aimss_stream *stream = NULL;
    struct aimss_reader *reader = NULL;
    struct aimss_writer *writer = NULL;
    unsigned index, count;
    int ended = 0;

    aimss_runtime_compute_rank(rt, &index, &count);
    struct aimss_stream_options options = { .format = AIMSS_FORMAT_KEYED, .writer_count = count,
                                            .streamlet_count = count *
                                            setting("PUSH_STREAMLETS", STREAMLETS) };
    struct aimss_writer_options patient = { .timeout_ns = patience_ns };

    EXPECT(aimss_stream_create(rt, "records", &options, &stream) == AIMSS_OK);
    EXPECT(aimss_read_from(stream, NULL, &reader) == AIMSS_OK);
    EXPECT(aimss_writer_open(stream, &patient, &writer) == AIMSS_OK);
    for (uint64_t number = 0; number < records && errors == 0; number++) {
        put(writer, reader, index, number, seen, &ended);
        if (number % 64 == 0)
            take(reader, seen, 0, &ended);
    }
    EXPECT(aimss_writer_close(writer) == AIMSS_OK);
    while (!ended && errors == 0)
        take(reader, seen, AIMSS_FOREVER, &ended);
    EXPECT(aimss_reader_close(reader) == AIMSS_OK);
    aimss_stream_destroy(stream);
}

static void stumble(int signal)
{
    (void)signal;
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* What the others do meanwhile comes as a surprise between any two instructions. */
static void start_stumbling(void)
{
    struct sigaction action = { .sa_handler = stumble, .sa_flags = SA_RESTART };
    struct itimerval timer = { { .tv_usec = 1300 }, { .tv_usec = 1300 } };

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

int main(int argc, char **argv)
{
    struct aimss_runtime *rt;
    static struct seen seen;
    uint64_t total[WRITERS_MAX];
    unsigned count;
    int all, compute_count;

    records = setting("PUSH_RECORDS", RECORDS);
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &all);
    if (aimss_runtime_create(&argc, &argv, NULL, &rt) != AIMSS_OK) {
        fprintf(stderr, "%s\n", aimss_error_text());
        MPI_Finalize();
        return 1;
    }
    aimss_runtime_compute_rank(rt, NULL, &count);
    compute_count = (int)count;
    if (aimss_runtime_role(rt) == AIMSS_ROLE_BROKER && setting("PUSH_STUMBLES", 0) != 0)
        start_stumbling();
    if (aimss_runtime_role(rt) == AIMSS_ROLE_COMPUTE)
        compute(rt, &seen);
    EXPECT(aimss_runtime_destroy(rt) == AIMSS_OK);
    MPI_Allreduce(seen.count, total, WRITERS_MAX, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    for (int w = 0; w < compute_count; w++)
        EXPECT(total[w] == records);
    MPI_Allreduce(&errors, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Finalize();
    return all != 0;
}
