/* ref_latency: a bare relay of three processes beside bench-latency.
 *
 * The writer builds one 100-byte record at each tick of its clock, stamps it, and pushes a
 * 64-byte descriptor through a lane; the relay pushes a descriptor on through a second lane; the
 * consumer reads the record where the writer put it. Latency is from the stamp to the reading.
 * Waiting is that of wait.h; the writer waits for its tick by spinning, then yielding (measure.h).
 *
 * The yardstick is one hop through a pipe to a blocking reader at the same pace (median): share is
 * two such hops over the p50 found, so above 1 beats the kernel's own relay.
 *
 * usage: ref_latency [--rate RECORDS_PER_S] [--seconds S] [--cpus A,B,C]
 */
#include <getopt.h>
#include <sys/wait.h>

#include "wait.h"

enum { LANE_SLOTS = 1024, RECORD_SLOTS = 4096, RECORD_BYTES = 128, KEY_BYTES = 8,
       VALUE_BYTES = 92 };

enum process { PROCESS_WRITER, PROCESS_RELAY, PROCESS_CONSUMER, PROCESS_COUNT };

struct descriptor {
    uint64_t offset;                     /* of the record */
    uint32_t len_bytes, group, lease, writer;
    uint64_t ordinal;
    uint64_t reserved[4];
};
_Static_assert(sizeof(struct descriptor) == 64, "a descriptor is one cache line");

/* One sender, one receiver. Tail and head only grow. */
struct lane {
    _Alignas(64) _Atomic uint64_t tail;  /* by the sender */
    _Alignas(64) _Atomic uint64_t head;  /* by the receiver */
    _Alignas(64) struct descriptor slot[LANE_SLOTS];
};

struct record {
    uint32_t value_len;
    uint16_t key_len;
    uint8_t flags, zero;
    uint64_t key;
    uint64_t stamp_ns;                   /* the value's first eight bytes */
    uint8_t rest[RECORD_BYTES - 24];
};
_Static_assert(sizeof(struct record) == RECORD_BYTES, "two cache lines");

struct shared {
    struct lane to_relay, to_consumer;
    struct bell bell[PROCESS_COUNT];
    struct record record[RECORD_SLOTS];  /* more than both lanes hold: none is overwritten */
};

static void lane_push(struct lane *lane, const struct descriptor *descriptor, struct bell *bell)
{
    uint64_t tail = atomic_load_explicit(&lane->tail, memory_order_relaxed);

    while (tail - atomic_load_explicit(&lane->head, memory_order_acquire) >= LANE_SLOTS)
        sched_yield();
    lane->slot[tail % LANE_SLOTS] = *descriptor;
    atomic_store_explicit(&lane->tail, tail + 1, memory_order_release);
    bell_ring(bell);
}

static void write_records(struct shared *shared, uint64_t count, double rate)
{
    uint64_t start_ns = now_ns();

    for (uint64_t i = 0; i < count; i++) {
        struct record *record = &shared->record[i % RECORD_SLOTS];
        struct descriptor descriptor = {
            .offset = (uint64_t)((uint8_t *)record - (uint8_t *)shared),
            .len_bytes = RECORD_BYTES, .ordinal = i,
        };

        pace_until(start_ns + (uint64_t)((double)i * 1e9 / rate));
        record->value_len = VALUE_BYTES;
        record->key_len = KEY_BYTES;
        record->key = i;
        memset(record->rest, (int)i, VALUE_BYTES - 8);
        record->stamp_ns = now_ns();
        lane_push(&shared->to_relay, &descriptor, &shared->bell[PROCESS_RELAY]);
    }
}

static void relay_records(struct shared *shared, uint64_t count)
{
    struct lane *lane = &shared->to_relay;

    for (uint64_t head = 0; head < count;) {
        bell_wait(&shared->bell[PROCESS_RELAY], &lane->tail, head);
        for (uint64_t tail = atomic_load(&lane->tail); head < tail; head++)
            lane_push(&shared->to_consumer, &lane->slot[head % LANE_SLOTS],
                      &shared->bell[PROCESS_CONSUMER]);
        atomic_store_explicit(&lane->head, head, memory_order_release);
    }
}

static void consume_records(struct shared *shared, uint64_t count, struct histogram *histogram)
{
    struct lane *lane = &shared->to_consumer;
    uint64_t seen = 0;

    for (uint64_t head = 0; head < count;) {
        bell_wait(&shared->bell[PROCESS_CONSUMER], &lane->tail, head);
        for (uint64_t tail = atomic_load(&lane->tail); head < tail; head++) {
            const struct descriptor *descriptor = &lane->slot[head % LANE_SLOTS];
            const struct record *record = (const void *)((uint8_t *)shared + descriptor->offset);
            uint64_t stamp_ns = record->stamp_ns, now = now_ns();

            if (record->key != head || descriptor->ordinal != head)
                die("record %llu where %llu was expected", (unsigned long long)record->key,
                    (unsigned long long)head);
            seen += record->rest[0];
            if (head >= count / 4)
                histogram_add(histogram, now - stamp_ns);
        }
        atomic_store_explicit(&lane->head, head, memory_order_release);
    }
    if (seen == UINT64_MAX)
        die("no records seen");
}

/* Median of one paced hop through a pipe, microseconds. */
static double pipe_hop_us(uint64_t count, double rate)
{
    struct histogram *histogram = calloc(1, sizeof *histogram);
    uint64_t start_ns, stamp_ns;
    double hop_us;
    int ends[2];

    if (!histogram || pipe(ends) != 0)
        die("pipe: %s", strerror(errno));
    start_ns = now_ns();
    pid_t child = fork_bound();
    if (child == 0) {
        for (uint64_t i = 0; i < count; i++) {
            pace_until(start_ns + (uint64_t)((double)i * 1e9 / rate));
            stamp_ns = now_ns();
            if (write(ends[1], &stamp_ns, sizeof stamp_ns) != sizeof stamp_ns)
                die("pipe: %s", strerror(errno));
        }
        _exit(0);
    }
    close(ends[1]);
    for (uint64_t i = 0; read(ends[0], &stamp_ns, sizeof stamp_ns) == sizeof stamp_ns; i++)
        if (i >= count / 4)
            histogram_add(histogram, now_ns() - stamp_ns);
    hop_us = (double)histogram_quantile(histogram, 0.5) / 1e3;
    close(ends[0]);
    waitpid(child, NULL, 0);
    free(histogram);
    return hop_us;
}

static void run(struct shared *shared, uint64_t count, double rate, const int *cpus)
{
    struct histogram *histogram = calloc(1, sizeof *histogram);
    char name[32], more[160];
    double hop_us = pipe_hop_us(count / 4, rate), p50_us;
    pid_t child[2];
    int status;

    for (int i = 0; i < 2; i++) {
        child[i] = fork_bound();
        if (child[i] == 0) {
            pin_to_cpu(cpus[i]);
            if (i == PROCESS_WRITER)
                write_records(shared, count, rate);
            else
                relay_records(shared, count);
            _exit(0);
        }
    }
    pin_to_cpu(cpus[PROCESS_CONSUMER]);
    consume_records(shared, count, histogram);
    for (int i = 0; i < 2; i++)
        if (waitpid(child[i], &status, 0) < 0 || status != 0)
            die("process %d of the relay ended with status %d", i, status);
    p50_us = (double)histogram_quantile(histogram, 0.5) / 1e3;
    snprintf(name, sizeof name, "%.0fk", rate / 1e3);
    snprintf(more, sizeof more, ", \"p50_us\": %.4g, \"p99_us\": %.4g, \"samples\": %llu", p50_us,
             (double)histogram_quantile(histogram, 0.99) / 1e3,
             (unsigned long long)histogram->total);
    result_print(&(struct result){
        .bench = "latency", .case_name = name, .value = p50_us, .unit = "us",
        .yardstick = "pipe hop us", .yardstick_value = hop_us, .share = 2 * hop_us / p50_us,
        .more = more });
    free(histogram);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "rate", required_argument, NULL, 'r' }, { "seconds", required_argument, NULL, 's' },
        { "cpus", required_argument, NULL, 'c' }, { 0 },
    };
    double rate = 10000, seconds = 3;
    int cpus[PROCESS_COUNT] = { -1, -1, -1 };

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'r': rate = atof(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'c':
            if (sscanf(optarg, "%d,%d,%d", &cpus[0], &cpus[1], &cpus[2]) != PROCESS_COUNT)
                die("--cpus %s: give three, as in 0,1,1", optarg);
            break;
        default: return 2;
        }
    }
    if (rate < 1 || rate * seconds < 100)
        die("--rate %g for %g s: give at least 100 records", rate, seconds);
    run(shared_map_private_name(sizeof(struct shared)), (uint64_t)(rate * seconds), rate, cpus);
    return 0;
}
