/* ref_ingest: the two bare loops beside bench-ingest, each alone on its core.
 *
 *   append    builds keyed records into 16 KiB chunks with a CRC, in 8 MiB segments of a
 *             32 MiB working set that is a shared file in /dev/shm
 *   consume   checks the CRC of the same chunks and reads every record in place
 *
 * Two forms of each are plausible and the faster is the reference, so --form auto (the default)
 * tries both for a moment and measures the better one:
 *
 *   append    `place` builds in the segment; `copy` builds in a private chunk and copies that
 *   consume   `plain` runs through; `ahead` prefetches 4 KiB ahead of the CRC
 *
 * usage: ref_ingest append|consume [--record BYTES] [--cpu N] [--seconds S] [--form NAME]
 */
#include <getopt.h>

#include "records.h"

enum form { FORM_PLACE, FORM_COPY, FORM_PLAIN, FORM_AHEAD, FORM_AUTO };

static const char *const form_names[] = { "place", "copy", "plain", "ahead", "auto" };

struct loop {
    struct shape shape;
    uint8_t *base;                       /* the working set */
    uint8_t *chunk;                      /* a private chunk for FORM_COPY and the yardstick */
    const uint8_t *pool;
    uint64_t seen;                       /* keeps the reads alive */
};

static void append_chunk(struct loop *loop, enum form form, uint64_t number)
{
    uint8_t *at = chunk_at(loop->base, &loop->shape, number);

    if (form == FORM_PLACE) {
        chunk_build(at, &loop->shape, loop->pool, number);
    } else {
        chunk_build(loop->chunk, &loop->shape, loop->pool, number);
        memcpy(at, loop->chunk, loop->shape.chunk_bytes);
    }
}

static double append_records_per_s(struct loop *loop, enum form form, double seconds)
{
    struct steady steady = steady_start(seconds);
    uint64_t number = 0;

    while (steady_tick(&steady, number))
        for (int i = 0; i < 64; i++, number++)
            append_chunk(loop, form, number);
    return steady_rate_per_s(&steady) * loop->shape.chunk_records;
}

static double consume_records_per_s(struct loop *loop, enum form form, double seconds)
{
    struct steady steady;
    uint64_t done = 0;

    for (uint64_t number = 0; number < loop->shape.chunk_count; number++)
        append_chunk(loop, FORM_PLACE, number);
    steady = steady_start(seconds);
    while (steady_tick(&steady, done)) {
        for (int i = 0; i < 64; i++, done++) {
            uint64_t number = done % loop->shape.chunk_count;

            loop->seen ^= chunk_consume(chunk_at(loop->base, &loop->shape, number), number,
                                        form == FORM_AHEAD);
        }
    }
    return steady_rate_per_s(&steady) * loop->shape.chunk_records;
}

typedef double loop_fn(struct loop *loop, enum form form, double seconds);

static enum form faster_form(struct loop *loop, loop_fn *run, enum form first)
{
    double one = run(loop, first, 0.3), other = run(loop, first + 1, 0.3);

    return one >= other ? first : first + 1;
}

static enum form form_of(const char *name)
{
    for (enum form form = FORM_PLACE; form <= FORM_AUTO; form++)
        if (strcmp(name, form_names[form]) == 0)
            return form;
    die("--form %s: give place, copy, plain, ahead or auto", name);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "record", required_argument, NULL, 'r' }, { "cpu", required_argument, NULL, 'c' },
        { "seconds", required_argument, NULL, 's' }, { "form", required_argument, NULL, 'f' },
        { 0 },
    };
    uint32_t payload_bytes = 100;
    double seconds = 1.6, rate, copy, moved;
    enum form form = FORM_AUTO;
    struct loop loop = { 0 };
    char name[32], more[96];
    int cpu = -1;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'r': payload_bytes = (uint32_t)atoi(optarg); break;
        case 'c': cpu = atoi(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'f': form = form_of(optarg); break;
        default: return 2;
        }
    }
    if (optind != argc - 1 ||
        (strcmp(argv[optind], "append") != 0 && strcmp(argv[optind], "consume") != 0))
        die("usage: ref_ingest append|consume [--record BYTES] [--cpu N] [--seconds S]");
    bool append = strcmp(argv[optind], "append") == 0;
    loop_fn *run = append ? append_records_per_s : consume_records_per_s;

    pin_to_cpu(cpu);
    loop.shape = shape_of(payload_bytes);
    loop.base = shared_map_private_name((size_t)SEGMENT_COUNT * SEGMENT_BYTES);
    loop.chunk = aligned_alloc(64, CHUNK_BYTES);
    loop.pool = pool_create();
    memset(loop.chunk, 1, CHUNK_BYTES);
    if (form == FORM_AUTO)
        form = faster_form(&loop, run, append ? FORM_PLACE : FORM_PLAIN);
    copy = memcpy_gb_per_s(loop.base, loop.chunk, 0.4);
    rate = run(&loop, form, seconds);
    moved = rate * loop.shape.chunk_bytes / loop.shape.chunk_records / 1e9;
    snprintf(name, sizeof name, "%s-%u", argv[optind], payload_bytes);
    snprintf(more, sizeof more, ", \"gb_per_s\": %.4g, \"form\": \"%s\", \"seen\": %u", moved,
             form_names[form], (unsigned)loop.seen & 255);
    result_print(&(struct result){
        .bench = "ingest", .case_name = name, .value = rate / 1e6, .unit = "M records/s",
        .yardstick = "memcpy GB/s", .yardstick_value = copy, .share = moved / copy, .more = more });
    return 0;
}
