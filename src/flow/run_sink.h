/* run_sink.h: writing the ordered lines of all ranks into one file.
 *
 * Each rank learns from the lengths of the parts before it where its own part
 * begins, and writes and syncs only that.
 */
#ifndef AIMSS_FLOW_RUN_SINK_H
#define AIMSS_FLOW_RUN_SINK_H

#include "connect/sink_tsv.h"
#include "flow/graph.h"
#include "flow/run_stages.h"

struct run_sink;

struct run_sink_options {
    struct env *env;
    struct shuffle *shuffle;
    const char *out_dir, *file, *temporary_suffix; /* copied */
    unsigned index;
};

aimss_status_t run_sink_create(const struct run_sink_options *options, struct run_sink **sink);
void run_sink_destroy(struct run_sink *sink);

/* What to write; the lines stay until run_sink_step() says AIMSS_END. */
void run_sink_lines(struct run_sink *sink, const struct aimss_counted *lines, size_t count);

/* As stages_step(): AIMSS_END when this rank's part is complete and synced. */
aimss_status_t run_sink_step(struct run_sink *sink, bool *busy);

void run_sink_part(const struct run_sink *sink, struct sink_part *part);

#endif
