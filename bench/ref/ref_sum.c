/* ref_sum: two processes sum one file through a page-cached mmap, each its half.
 *
 * The loops are those of sum.h, which bench-sum runs on what the brokers push. Both processes
 * go over their halves again and again for --seconds; the rate is the sum of both steady rates.
 * Each process compares the sum of every pass with that of its first, and the parent compares
 * the total with the one that --make wrote beside the file, so that no pass goes unseen.
 *
 * The yardstick is a copy of the same halves by the same two processes into a hot 16 KiB buffer.
 *
 * usage: ref_sum --file PATH [--loop plain|wide|binary] [--seconds S] [--cpus A,B]
 *        ref_sum --file PATH --make MIB [--loop binary]
 */
#include <getopt.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "measure.h"
#include "sum.h"

enum { PIECE_BYTES = 16 << 10, PROCESS_COUNT = 2 };

typedef uint64_t sum_fn(const uint8_t *at, size_t len_bytes);

struct options {
    const char *path, *loop;
    double seconds;
    unsigned make_mib;
    int cpus[PROCESS_COUNT];
};

struct half {
    double bytes_per_s;
    uint64_t sum;                        /* of one pass */
};

static uint64_t copy_pieces(const uint8_t *at, size_t len_bytes)
{
    static uint8_t piece[PIECE_BYTES];

    memcpy(piece, at, len_bytes);
    __asm__ volatile("" : : "r"(piece) : "memory");
    return 0;
}

static sum_fn *loop_of(const char *name)
{
    if (strcmp(name, "plain") == 0)
        return text_sum_plain;
    if (strcmp(name, "wide") == 0)
        return text_sum_wide;
    if (strcmp(name, "binary") == 0)
        return binary_sum;
    die("--loop %s: give plain, wide or binary", name);
}

static const uint8_t *file_map(const char *path, size_t *len_bytes)
{
    int fd = open(path, O_RDONLY);
    struct stat info;
    void *base = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &info) == 0)
        base = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (base == MAP_FAILED)
        die("%s: %s", path, strerror(errno));
    close(fd);
    *len_bytes = (size_t)info.st_size;
    if (*len_bytes == 0 || *len_bytes % (PROCESS_COUNT * PIECE_BYTES) != 0)
        die("%s: %zu bytes, expected a multiple of %d; make it with --make", path, *len_bytes,
            PROCESS_COUNT * PIECE_BYTES);
    return base;
}

/* One pass over a half; ticks after every 64 pieces. Returns the sum. */
static uint64_t half_pass(const uint8_t *at, size_t len_bytes, sum_fn *loop,
                          struct steady *steady)
{
    uint64_t sum = 0, done = steady->last_count;

    for (size_t from = 0; from < len_bytes; from += PIECE_BYTES) {
        sum += loop(at + from, PIECE_BYTES);
        done += PIECE_BYTES;
        if (done % (64 * PIECE_BYTES) == 0)
            steady_tick(steady, done);
    }
    steady_tick(steady, done);
    return sum;
}

/* Whole passes until the time is over. */
static struct half half_run(const uint8_t *at, size_t len_bytes, sum_fn *loop, double seconds)
{
    struct steady steady = steady_start(seconds);
    struct half half = { .sum = half_pass(at, len_bytes, loop, &steady) };

    while (steady.last_ns < steady.end_at_ns) {
        uint64_t sum = half_pass(at, len_bytes, loop, &steady);

        if (sum != half.sum)
            die("a pass gave %" PRIu64 ", the first gave %" PRIu64, sum, half.sum);
    }
    half.bytes_per_s = steady_rate_per_s(&steady);
    return half;
}

/* Both processes at once; returns bytes/s in aggregate. */
static double halves_run(const struct options *options, sum_fn *loop, double seconds,
                         uint64_t *sum)
{
    struct half *half = shared_map_private_name(PROCESS_COUNT * sizeof *half);
    pid_t child[PROCESS_COUNT];
    double bytes_per_s = 0;
    size_t len_bytes;
    int status;

    for (int i = 0; i < PROCESS_COUNT; i++) {
        child[i] = fork_bound();
        if (child[i] == 0) {
            const uint8_t *base = file_map(options->path, &len_bytes);

            pin_to_cpu(options->cpus[i]);
            half[i] = half_run(base + (size_t)i * (len_bytes / PROCESS_COUNT),
                               len_bytes / PROCESS_COUNT, loop, seconds);
            _exit(0);
        }
    }
    *sum = 0;
    for (int i = 0; i < PROCESS_COUNT; i++) {
        if (waitpid(child[i], &status, 0) < 0 || status != 0)
            die("process %d ended with status %d", i, status);
        bytes_per_s += half[i].bytes_per_s;
        *sum += half[i].sum;
    }
    munmap(half, PROCESS_COUNT * sizeof *half);
    return bytes_per_s;
}

static void sum_file_name(char *name, size_t room, const char *path)
{
    if ((size_t)snprintf(name, room, "%s.sum", path) >= room)
        die("%s: the name is too long", path);
}

/* The sum beside the file is taken from the numbers written, not by the loops that are timed. */
static void file_make(const struct options *options)
{
    bool binary = strcmp(options->loop, "binary") == 0;
    FILE *file = fopen(options->path, "w"), *beside;
    uint64_t x = 88172645463325252u, sum = 0;
    char name[4096];

    sum_file_name(name, sizeof name, options->path);
    beside = fopen(name, "w");
    if (!file || !beside)
        die("%s: %s", options->path, strerror(errno));
    for (uint64_t i = 0; i < (uint64_t)options->make_mib << 20; i += binary ? 8 : LINE_BYTES) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        sum += binary ? x : x % 1000000000000000u;
        if (binary)
            fwrite(&x, sizeof x, 1, file);
        else
            fprintf(file, "%015" PRIu64 "\n", x % 1000000000000000u);
    }
    fprintf(beside, "%" PRIu64 "\n", sum);
    if (ferror(file) || fclose(file) != 0 || fclose(beside) != 0)
        die("%s: %s", options->path, strerror(errno));
}

static void measure(const struct options *options)
{
    uint64_t sum, copied, expected;
    char name[4096], more[64];
    double rate, copy;
    FILE *beside;

    sum_file_name(name, sizeof name, options->path);
    beside = fopen(name, "r");
    if (!beside || fscanf(beside, "%" SCNu64, &expected) != 1)
        die("%s: %s; make it with --make", name, strerror(errno));
    fclose(beside);
    copy = halves_run(options, copy_pieces, options->seconds / 4, &copied);
    rate = halves_run(options, loop_of(options->loop), options->seconds, &sum);
    if (sum != expected)
        die("%s: sum %" PRIu64 ", expected %" PRIu64, options->path, sum, expected);
    snprintf(more, sizeof more, ", \"sum\": %" PRIu64, sum);
    result_print(&(struct result){
        .bench = "sum", .case_name = options->loop, .value = rate / 1e6, .unit = "MB/s",
        .yardstick = "copy MB/s", .yardstick_value = copy / 1e6, .share = rate / copy,
        .more = more });
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        { "file", required_argument, NULL, 'f' }, { "loop", required_argument, NULL, 'l' },
        { "seconds", required_argument, NULL, 's' }, { "make", required_argument, NULL, 'm' },
        { "cpus", required_argument, NULL, 'c' }, { 0 },
    };
    struct options options = { .loop = "wide", .seconds = 1.6, .cpus = { -1, -1 } };

    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (option) {
        case 'f': options.path = optarg; break;
        case 'l': options.loop = optarg; break;
        case 's': options.seconds = atof(optarg); break;
        case 'm': options.make_mib = (unsigned)atoi(optarg); break;
        case 'c':
            if (sscanf(optarg, "%d,%d", &options.cpus[0], &options.cpus[1]) != PROCESS_COUNT)
                die("--cpus %s: give two, as in 0,1", optarg);
            break;
        default: return 2;
        }
    }
    if (!options.path)
        die("usage: ref_sum --file PATH [--loop plain|wide|binary] [--make MIB]");
    loop_of(options.loop);
    if (options.make_mib > 0)
        file_make(&options);
    else
        measure(&options);
    return 0;
}
