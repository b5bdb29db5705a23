/* graph.h: the operator graph of a job, as declared. Every rank declares the
 * same; no state of a run is in here.
 *
 * A graph is one chain: source, any number of apply, and then either nothing,
 * or shuffle, any number of apply, count, sink. graph_check() refuses what
 * cannot run, before anything starts.
 */
#ifndef AIMSS_FLOW_GRAPH_H
#define AIMSS_FLOW_GRAPH_H

#include <aimss.h>

enum { GRAPH_NODES_MAX = 32 };

enum graph_kind { GRAPH_SOURCE, GRAPH_APPLY, GRAPH_SHUFFLE, GRAPH_COUNT, GRAPH_SINK };

struct graph_node {
    enum graph_kind kind;
    const char *name;            /* source: its name; sink: the file's */
    aimss_apply_fn *apply;
    void *arg;                   /* of apply */
    enum aimss_shuffle_by shuffle;
    struct aimss_sink_options sink;
};

struct graph {
    unsigned node_count;
    struct graph_node nodes[GRAPH_NODES_MAX];
};

/* Appends a node; AIMSS_E_LIMIT, AIMSS_E_INVALID. */
aimss_status_t graph_add(struct graph *graph, const struct graph_node *node);
/* Whether the chain as a whole can run; names what is missing. */
aimss_status_t graph_check(const struct graph *graph);

#endif
