/* graph.c: see graph.h. What may follow what is a table: for each kind of node
 * the kinds that may stand before it.
 */
#include "flow/graph.h"

#include "base/error.h"
#include <stdbool.h>
#include <string.h>

#define BIT(kind) (1u << (kind))

static const struct {
    const char *name;
    unsigned after; /* kinds that may stand before it; 0: none may */
    const char *expected;
} kinds[] = {
    [GRAPH_SOURCE] = { "a source", 0, "nothing, it begins the graph" },
    [GRAPH_APPLY] = { "an apply", BIT(GRAPH_SOURCE) | BIT(GRAPH_APPLY) | BIT(GRAPH_SHUFFLE),
                      "a source, an apply or a shuffle" },
    [GRAPH_SHUFFLE] = { "a shuffle", BIT(GRAPH_SOURCE) | BIT(GRAPH_APPLY), "a source or an apply" },
    [GRAPH_COUNT] = { "a count", BIT(GRAPH_SHUFFLE) | BIT(GRAPH_APPLY),
                      "a shuffle, or an apply after one" },
    [GRAPH_SINK] = { "a sink", BIT(GRAPH_COUNT), "a count" },
};

static const char *name_before(const struct graph *graph)
{
    return graph->node_count == 0 ? "nothing"
                                  : kinds[graph->nodes[graph->node_count - 1].kind].name;
}

static bool has_kind(const struct graph *graph, enum graph_kind kind)
{
    for (unsigned i = 0; i < graph->node_count; i++) {
        if (graph->nodes[i].kind == kind)
            return true;
    }
    return false;
}

static bool may_follow(const struct graph *graph, enum graph_kind kind)
{
    if (graph->node_count == 0)
        return kinds[kind].after == 0;
    if (kind == GRAPH_SHUFFLE && has_kind(graph, GRAPH_SHUFFLE))
        return false;
    if (kind == GRAPH_COUNT && !has_kind(graph, GRAPH_SHUFFLE))
        return false;
    return (kinds[kind].after & BIT(graph->nodes[graph->node_count - 1].kind)) != 0;
}

/* The name becomes a path below DIR/out: it must not lead out of there. */
static aimss_status_t check_sink(const struct graph_node *node)
{
    const char *file = node->name;
    if (file == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_flow_sink got no file name");
    if (file[0] == '\0' || file[0] == '.' || strchr(file, '/') != NULL)
        return error_set(AIMSS_E_INVALID, "the sink's file is called \"%s\"; expected a name "
                         "without '/' that does not begin with '.'", file);
    return AIMSS_OK;
}

static aimss_status_t check_node(const struct graph_node *node)
{
    if (node->kind == GRAPH_SINK)
        return check_sink(node);
    if (node->kind == GRAPH_APPLY && node->apply == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_flow_apply got no function");
    if (node->kind == GRAPH_SOURCE && node->name == NULL)
        return error_set(AIMSS_E_INVALID, "aimss_flow_source got no name; \"text\" is one");
    if (node->kind == GRAPH_SHUFFLE && node->shuffle != AIMSS_BY_HASH)
        return error_set(AIMSS_E_INVALID, "aimss_flow_shuffle got %d; expected AIMSS_BY_HASH",
                         (int)node->shuffle);
    return AIMSS_OK;
}

aimss_status_t graph_add(struct graph *graph, const struct graph_node *node)
{
    if (graph->node_count == GRAPH_NODES_MAX)
        return error_set(AIMSS_E_LIMIT, "the graph has %d nodes, which is the most; join some of "
                         "its functions", GRAPH_NODES_MAX);
    if (node->kind == GRAPH_SHUFFLE && has_kind(graph, GRAPH_SHUFFLE))
        return error_set(AIMSS_E_INVALID, "a second shuffle was declared; a job has one");
    if (!may_follow(graph, node->kind))
        return error_set(AIMSS_E_INVALID, "%s was declared after %s; expected after %s",
                         kinds[node->kind].name, name_before(graph), kinds[node->kind].expected);
    aimss_status_t status = check_node(node);
    if (status == AIMSS_OK)
        graph->nodes[graph->node_count++] = *node;
    return status;
}

aimss_status_t graph_check(const struct graph *graph)
{
    if (graph->node_count == 0)
        return error_set(AIMSS_E_INVALID, "the job declares no graph; begin with "
                         "aimss_flow_source()");
    enum graph_kind last = graph->nodes[graph->node_count - 1].kind;
    if (last == GRAPH_SHUFFLE)
        return error_set(AIMSS_E_INVALID, "the graph ends with a shuffle; add an apply or a "
                         "count");
    if (last == GRAPH_COUNT)
        return error_set(AIMSS_E_INVALID, "the graph ends with a count, so nobody would see the "
                         "result; add a sink");
    if (last == GRAPH_SOURCE)
        return error_set(AIMSS_E_INVALID, "the graph is a source alone; add an apply");
    return AIMSS_OK;
}
