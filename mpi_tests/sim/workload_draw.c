/* workload_draw.c: which job a seed stands for.
 *
 * Small sizes make the rare things common: segments of one page, arenas that
 * hold little more than what is open, slots for a few chunks, records larger
 * than a chunk. The arena always holds what all writers can have open at once,
 * since less than that is no job but a wrong option.
 */
#include "sim/workload.h"

#include "net/lane.h"

#include <inttypes.h>
#include <string.h>

enum { KIB = 1024 };

static void draw_nodes(struct sim_config *sim, uint64_t *random)
{
    unsigned kind = (unsigned)sim_below(random, 3);

    for (unsigned r = 0; r < sim->rank_count; r++)
        sim->node_of[r] = kind == 0 ? 0 : kind == 1 ? r : (unsigned)sim_below(random, 2);
}

static void draw_sizes(struct workload *load, uint64_t *random)
{
    load->segment_bytes = (uint64_t)(4 * KIB) << sim_below(random, 4);
    load->segment_first_bytes = sim_one_in(random, 3) ? load->segment_bytes : 4 * KIB;
    load->chunk_bytes = (uint64_t)(4 * KIB) << sim_below(random, 3);
    if (load->chunk_bytes > load->segment_bytes)
        load->chunk_bytes = load->segment_bytes;
    load->record_count = 10 + sim_below(random, 90);
    load->streamlet_count = 1 + (unsigned)sim_below(random, 5);
    load->flush_every = sim_one_in(random, 2) ? 1 + (unsigned)sim_below(random, 30) : 0;
    load->hold_max = (unsigned)sim_below(random, 6);
    if (sim_one_in(random, 40)) { /* enough to fill lanes, with an entry for each record */
        load->record_count += 1000;
        load->lazy = sim_one_in(random, 2);
        load->flush_every = load->lazy;
    }
}

/* One reader stays from start to end; in a blocking job it is the last rank. */
static void draw_reading(struct workload *load, unsigned group, uint64_t *random)
{
    unsigned computes = load->compute_count;
    unsigned stays = load->blocking ? computes - 1 : (unsigned)sim_below(random, computes);

    for (unsigned c = 0; c < computes; c++) {
        enum workload_reading reading = (enum workload_reading)sim_below(random, 5);

        if (c == stays)
            reading = WORKLOAD_FROM_START;
        else if (load->blocking && load->parts[c].writes)
            reading = WORKLOAD_NEVER;
        load->parts[c].reading[group] = reading;
    }
}

/* Ranks that wait for ever while they write do not read, lest they wait for
 * memory that only their own reading frees. */
static void draw_parts(struct workload *load, uint64_t *random)
{
    unsigned computes = load->compute_count;

    load->blocking = computes > 1 && sim_one_in(random, 2);
    for (unsigned c = 0; c < computes; c++) {
        load->parts[c].writes = load->blocking ? c + 1 < computes && !sim_one_in(random, 3)
                                               : !sim_one_in(random, 4);
        load->parts[c].change_after =
            1 + (unsigned)sim_below(random, sim_one_in(random, 2) ? 3 : 12);
    }
    load->parts[0].writes = true;
    for (unsigned c = 0; c < computes; c++)
        load->writer_count += load->parts[c].writes;
    load->group_count = 1 + sim_one_in(random, 3);
    for (unsigned g = 0; g < load->group_count; g++)
        draw_reading(load, g, random);
}

static void count_joins(struct workload *load)
{
    unsigned computes = load->compute_count;

    for (unsigned c = 0; c < computes; c++) {
        for (unsigned g = 0; g < load->group_count; g++)
            load->joins_first += load->parts[c].reading[g] != WORKLOAD_NEVER &&
                                 load->parts[c].reading[g] != WORKLOAD_LATE;
        load->joins_first += load->has_text;
    }
}

/* A segment in use, one granted ahead and one of the last group, for each
 * writer and streamlet, and a large record; what a source has ahead; and little
 * more. */
static void size_memory(struct workload *load, uint64_t *random)
{
    struct sim_config *sim = &load->sim;
    unsigned brokers = sim->broker_count;
    uint64_t own = (load->streamlet_count + brokers - 1) / brokers;

    sim->arena_bytes = (3 * own * load->writer_count + 1 + sim_below(random, 12)) *
                       load->segment_bytes;
    sim->arena_bytes += own * load->writer_count *
                        (load->ledger.large_bytes & ~(load->segment_bytes - 1));
    if (load->lazy)
        sim->arena_bytes += 2048 * KIB;
    if (load->has_text)
        sim->arena_bytes += 6 * 32 * KIB * sim->io_threads;
    sim->slot_bytes = brokers * LANE_SLOT_MAX_BYTES * (1 + sim_below(random, 2));
}

static void draw_trouble(struct workload *load, uint64_t *random)
{
    struct sim_config *sim = &load->sim;
    unsigned computes = load->compute_count;

    switch (sim_below(random, 8)) {
    case 0:
        sim->crash_step = 1 + sim_below(random, 40000);
        sim->crash_rank = (unsigned)sim_below(random, sim->rank_count);
        break;
    case 1:
        sim->arena_bytes += 4096 * KIB; /* what is revoked rests until the end */
        sim->stop_step = 1 + sim_below(random, 20000);
        sim->stop_rank = 1 + sim->broker_count + (unsigned)sim_below(random, computes);
        break;
    case 2:
        sim->fail_read = load->has_text ? 1 + sim_below(random, 100) : 0;
        break;
    default:
        break;
    }
    sim->short_reads = sim_one_in(random, 2);
}

void workload_draw(struct workload *load, uint64_t seed)
{
    const struct ledger_text *text = load->ledger.text;
    struct sim_config given = load->sim, *sim = &load->sim;
    uint64_t random = seed;

    memset(load, 0, sizeof *load);
    load->ledger.text = text;
    ledger_start(&load->ledger, seed);
    *sim = (struct sim_config){ .options = given.options, .fault = given.fault,
                                .trace = given.trace };
    sim->seed = seed;
    sim->broker_count = 1 + (unsigned)sim_below(&random, 3);
    load->compute_count = 1 + (unsigned)sim_below(&random, 4);
    sim->rank_count = 1 + sim->broker_count + load->compute_count;
    sim->record_max_bytes = 1024 * KIB;
    sim->io_threads = 1 + (unsigned)sim_below(&random, 2);
    sim->files = &text->file;
    sim->file_count = 1;
    sim->app = workload_run;
    sim->app_arg = load;
    draw_nodes(sim, &random);
    draw_sizes(load, &random);
    draw_parts(load, &random);
    load->has_text = text != NULL && sim_one_in(&random, 8);
    count_joins(load);
    size_memory(load, &random);
    draw_trouble(load, &random);
}

void workload_print(const struct workload *load)
{
    static const char *const readings[] = { "never", "from start", "late", "leaves", "returns" };
    const struct sim_config *sim = &load->sim;

    printf("%u brokers, %u compute ranks, %u streamlets, segments %" PRIu64 " to %" PRIu64
           ", chunks %" PRIu64 ", arenas %" PRIu64 ", slots %" PRIu64 "\n", sim->broker_count,
           load->compute_count, load->streamlet_count, load->segment_first_bytes,
           load->segment_bytes, load->chunk_bytes, sim->arena_bytes, sim->slot_bytes);
    printf("%" PRIu64 " records each of %u writers%s, flushed every %u, %u keys, %u held%s\n",
           load->record_count, load->writer_count, load->blocking ? " that wait for ever" : "",
           load->flush_every, load->ledger.key_count, load->hold_max,
           load->has_text ? ", and a text" : "");
    for (unsigned c = 0; c < load->compute_count; c++) {
        const struct workload_part *part = &load->parts[c];

        printf("rank %u on node %u %s, group 0: %s, group 1: %s, changes in turn %u\n",
               1 + sim->broker_count + c, sim->node_of[1 + sim->broker_count + c],
               part->writes ? "writes" : "does not write", readings[part->reading[0]],
               load->group_count > 1 ? readings[part->reading[1]] : "none", part->change_after);
    }
    printf("crash of rank %u at step %" PRIu64 ", stop of rank %u at step %" PRIu64 ", read %"
           PRIu64 " fails%s\n", sim->crash_rank, sim->crash_step, sim->stop_rank, sim->stop_step,
           sim->fail_read, sim->short_reads ? ", short reads" : "");
}
