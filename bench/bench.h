/* bench.h: what our bench programs share beyond <aimss.h>: start, options, keyed records.
 *
 * Each program is an MPI program as a user would write it: every rank starts the runtime, compute
 * ranks do their part, all end in aimss_runtime_destroy(). Clock, steady state and histogram are
 * those of the references (ref/measure.h). A program prints one JSON object per line.
 */
#ifndef BENCH_H
#define BENCH_H

#include <aimss.h>

#include "ref/measure.h"

enum { POOL_BYTES = 4096, VALUE_MAX_BYTES = 16 << 10 };

#define KEY_STEP 0x9E3779B97F4A7C15u     /* the key of record i is i times this */

/* Ends the program with the library's own sentence if a call failed. */
static inline aimss_status_t need(aimss_status_t status, const char *call)
{
    if (status < 0)
        die("%s: %s: %s", call, aimss_status_string(status), aimss_error_text());
    return status;
}

/* Takes `--name VALUE` out of argv; the default if it is not there. */
static inline const char *option_take(int *argc, char **argv, const char *name,
                                      const char *value_default)
{
    for (int i = 1; i + 1 < *argc; i++) {
        const char *value = argv[i + 1];

        if (strncmp(argv[i], "--", 2) != 0 || strcmp(argv[i] + 2, name) != 0)
            continue;
        memmove(&argv[i], &argv[i + 2], (size_t)(*argc - i - 1) * sizeof *argv);
        *argc -= 2;
        return value;
    }
    return value_default;
}

static inline void options_end(int argc, char **argv)
{
    if (argc > 1)
        die("%s: unknown argument %s; see the top of its source", argv[0], argv[1]);
}

/* What values are cut from: the same bytes, hot in L1, as in the references. */
static inline uint8_t *pool_create(void)
{
    uint8_t *pool = aligned_alloc(64, POOL_BYTES + VALUE_MAX_BYTES);
    uint64_t x = 88172645463325252u;

    if (!pool)
        die("out of memory");
    for (size_t i = 0; i < POOL_BYTES + VALUE_MAX_BYTES; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        pool[i] = (uint8_t)x;
    }
    return pool;
}

static inline uint64_t load_u64(const void *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

/* Opens a stream of keyed records in one streamlet of 8 MiB segments that ends when its one
 * writer has closed. Every compute rank calls it. */
static inline struct aimss_stream *keyed_stream(struct aimss_runtime *rt, const char *name)
{
    struct aimss_stream *stream;

    need(aimss_stream_create(rt, name,
                             &(struct aimss_stream_options){
                                 .format = AIMSS_FORMAT_KEYED, .streamlet_count = 1,
                                 .writer_count = 1, .segment_bytes = 8 << 20,
                                 .segment_first_bytes = 8 << 20, .chunk_bytes = 16 << 10 },
                             &stream),
         "aimss_stream_create");
    return stream;
}

#endif
