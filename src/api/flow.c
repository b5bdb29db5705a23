/* flow.c: declaring a graph, and what a callback may call.
 *
 * Each call adds one node behind the flow that it gets; a graph is one chain,
 * so a flow can be continued once. The first error stays with the job.
 */
#include "api/job.h"
#include "flow/task.h"

static struct aimss_flow *add(struct aimss_job *job, const struct graph_node *node)
{
    aimss_status_t status = graph_add(&job->graph, node);
    if (status != AIMSS_OK) {
        job_failed(job, status);
        return NULL;
    }
    unsigned at = job->graph.node_count - 1;
    job->flows[at] = (struct aimss_flow){ job, at };
    return &job->flows[at];
}

static struct aimss_flow *add_after(struct aimss_flow *flow, const struct graph_node *node)
{
    if (flow == NULL)
        return NULL;
    if (flow->node + 1 != flow->job->graph.node_count) {
        job_failed(flow->job, error_set(AIMSS_E_INVALID, "a flow was continued twice; a job is "
                                        "one chain: continue the flow that was returned last"));
        return NULL;
    }
    return add(flow->job, node);
}

struct aimss_flow *aimss_flow_source(struct aimss_job *job, const char *source)
{
    if (job == NULL)
        return NULL;
    return add(job, &(struct graph_node){ .kind = GRAPH_SOURCE, .name = source });
}

struct aimss_flow *aimss_flow_apply(struct aimss_flow *flow, aimss_apply_fn *fn)
{
    return add_after(flow, &(struct graph_node){ .kind = GRAPH_APPLY, .apply = fn });
}

struct aimss_flow *aimss_flow_arg(struct aimss_flow *flow, void *arg)
{
    if (flow == NULL)
        return NULL;
    struct graph_node *node = &flow->job->graph.nodes[flow->node];
    if (node->kind != GRAPH_APPLY) {
        job_failed(flow->job, error_set(AIMSS_E_INVALID, "aimss_flow_arg follows aimss_flow_apply; "
                                        "nothing else takes an argument"));
        return NULL;
    }
    node->arg = arg;
    return flow;
}

struct aimss_flow *aimss_flow_shuffle(struct aimss_flow *flow, enum aimss_shuffle_by how)
{
    return add_after(flow, &(struct graph_node){ .kind = GRAPH_SHUFFLE, .shuffle = how });
}

struct aimss_flow *aimss_flow_count(struct aimss_flow *flow)
{
    return add_after(flow, &(struct graph_node){ .kind = GRAPH_COUNT });
}

struct aimss_flow *aimss_flow_sink(struct aimss_flow *flow, const char *file,
                                   const struct aimss_sink_options *options)
{
    struct graph_node node = { .kind = GRAPH_SINK, .name = file };
    if (options != NULL)
        node.sink = *options;
    return add_after(flow, &node);
}

void *aimss_task_arg(const struct aimss_task *task)
{
    return task->chain->args[task->depth];
}

aimss_status_t aimss_task_emit(struct aimss_task *task, struct aimss_bytes key,
                               struct aimss_bytes value)
{
    return task->emit(task, key, value);
}

aimss_status_t aimss_task_state(struct aimss_task *task, struct aimss_bytes key,
                                size_t len_bytes, void **ptr)
{
    return task_state(task, key, len_bytes, ptr);
}
