/* measure.h: how the benches measure: clock, steady state, histogram, pinning, one line of JSON.
 *
 * Every reference in bench/ref/ and every program of ours in bench/ includes this file, so both
 * sides of a ratio use one clock and one rule for the steady state. It knows nothing of AIMSS.
 *
 * A rate is taken over the last three quarters of a run, because the first quarter holds page
 * faults, cold caches and processes that still look for a core. Each function belongs to the
 * thread that calls it; nothing here is shared between threads or processes.
 */
#ifndef BENCH_REF_MEASURE_H
#define BENCH_REF_MEASURE_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* Ends the program with a message that names what failed. */
__attribute__((format(printf, 1, 2), noreturn))
static inline void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static inline uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void spin_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* A paced writer's wait for its next tick: a short spin, then yields, so it costs no other
 * process its core. Late ticks are not made up for by the clock: the caller stamps on return. */
static inline void pace_until(uint64_t tick_ns)
{
    for (unsigned looks = 0; now_ns() < tick_ns; looks++) {
        if (looks < 64)
            spin_pause();
        else
            sched_yield();
    }
}

/* Pins the calling thread; a negative CPU leaves it to the scheduler. */
static inline void pin_to_cpu(int cpu)
{
    cpu_set_t set;

    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        die("cannot pin to CPU %d: %s; give --cpu one that this process may use", cpu,
            strerror(errno));
}

/* The run that counts: from a quarter of its time to the first tick after its end. */
struct steady {
    uint64_t mark_at_ns, end_at_ns;      /* planned */
    uint64_t mark_ns, mark_count;        /* first tick at or after mark_at_ns */
    uint64_t last_ns, last_count;        /* latest tick */
};

static inline struct steady steady_start(double seconds)
{
    uint64_t start_ns = now_ns(), run_ns = (uint64_t)(seconds * 1e9);

    return (struct steady){ .mark_at_ns = start_ns + run_ns / 4, .end_at_ns = start_ns + run_ns };
}

/* Notes the count so far; false once the time is over, and later ticks change nothing. Call it
 * every 10 to 1000 us. */
static inline bool steady_tick(struct steady *steady, uint64_t count)
{
    uint64_t now;

    if (steady->last_ns >= steady->end_at_ns)
        return false;
    now = now_ns();
    if (steady->mark_ns == 0 && now >= steady->mark_at_ns) {
        steady->mark_ns = now;
        steady->mark_count = count;
    }
    steady->last_ns = now;
    steady->last_count = count;
    return now < steady->end_at_ns;
}

static inline double steady_rate_per_s(const struct steady *steady)
{
    if (steady->mark_ns == 0 || steady->last_ns <= steady->mark_ns)
        die("the run ended before its steady state; give --seconds a larger value");
    return 1e9 * (double)(steady->last_count - steady->mark_count) /
           (double)(steady->last_ns - steady->mark_ns);
}

/* Log-linear: 64 buckets for each power of two, so a quantile is within 1.6 per cent. */
enum { HISTOGRAM_SUB_BITS = 6, HISTOGRAM_SUB = 1 << HISTOGRAM_SUB_BITS,
       HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS + 1) * HISTOGRAM_SUB };

struct histogram {
    uint64_t total;
    uint64_t count[HISTOGRAM_BUCKETS];
};

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    int shift = 63 - __builtin_clzll(value | HISTOGRAM_SUB) - HISTOGRAM_SUB_BITS;

    histogram->count[(size_t)shift * HISTOGRAM_SUB + (size_t)(value >> shift)]++;
    histogram->total++;
}

/* The least value of the bucket in which the given part (0.5: the median) of all values lies. */
static inline uint64_t histogram_quantile(const struct histogram *histogram, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)histogram->total), seen = 0;
    size_t bucket = 0;

    for (; bucket < HISTOGRAM_BUCKETS - 1; bucket++) {
        seen += histogram->count[bucket];
        if (seen > wanted)
            break;
    }
    if (bucket < 2 * HISTOGRAM_SUB)
        return bucket;
    return (uint64_t)(bucket % HISTOGRAM_SUB + HISTOGRAM_SUB) << (bucket / HISTOGRAM_SUB - 1);
}

/* fork(), with a child that does not outlive its parent. */
static inline pid_t fork_bound(void)
{
    pid_t parent = getpid(), child = fork();

    if (child < 0)
        die("fork: %s", strerror(errno));
    if (child == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent))
        _exit(1);
    return child;
}

/* Maps a file under /dev/shm, reserved and touched. Whoever creates it unlinks it. */
static inline void *shared_map(const char *path, size_t len_bytes, bool create)
{
    int fd = open(path, create ? O_RDWR | O_CREAT | O_EXCL : O_RDWR, 0600);
    int error = fd >= 0 && create ? posix_fallocate(fd, 0, (off_t)len_bytes) : 0;
    void *base = MAP_FAILED;

    if (fd >= 0 && error == 0)
        base = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (base == MAP_FAILED)
        die("%s: cannot map %zu bytes: %s", path, len_bytes, strerror(error != 0 ? error : errno));
    close(fd);
    return base;
}

/* The same for a process and the children that it forks: no name stays behind. */
static inline void *shared_map_private_name(size_t len_bytes)
{
    char path[64];
    void *base;

    snprintf(path, sizeof path, "/dev/shm/aimss-ref-%ld", (long)getpid());
    base = shared_map(path, len_bytes, true);
    unlink(path);
    return base;
}

/* What one run found. The yardstick is measured in the same run; share is the part reached. */
struct result {
    const char *bench, *case_name, *unit, *yardstick;
    double value, yardstick_value, share;
    const char *more;                    /* further members, each with a leading comma, or NULL */
};

static inline void result_print(const struct result *result)
{
    printf("{\"bench\": \"%s\", \"case\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", "
           "\"yardstick\": \"%s\", \"yardstick_value\": %.6g, \"share\": %.4g%s}\n",
           result->bench, result->case_name, result->value, result->unit, result->yardstick,
           result->yardstick_value, result->share, result->more ? result->more : "");
    fflush(stdout);
}

#endif
