/* bench_push: records per second when the consumer is on another node; see pipeline.h.
 *
 * The ranks count as two nodes by turns: 0 and 2, 1 and 3. The broker is rank 1, so the writer is
 * rank 3, its neighbour (compute rank 1), and the consumer rank 2, whom only Put reaches.
 * Reference: the bare pipeline of ref/ref_push.c.
 *
 * usage: aimss launch -n 4 bench_push [--record BYTES] [--seconds S]
 */
#include "pipeline.h"

int main(int argc, char **argv)
{
    return pipeline_main(argc, argv,
                         (struct pipeline){ .bench = "push", .nodes_as = 2, .writer = 1 });
}
