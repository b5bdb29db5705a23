/* bench_ingest: records per second from writer to consumer on one node; see pipeline.h.
 *
 * All ranks are neighbours, so the consumer works in the broker's segment. References: the bare
 * loops of ref/ref_ingest.c, append alone and consume alone; the slower one counts.
 *
 * usage: aimss launch -n 4 bench_ingest [--record BYTES] [--seconds S]
 */
#include "pipeline.h"

int main(int argc, char **argv)
{
    return pipeline_main(argc, argv, (struct pipeline){ .bench = "ingest", .writer = 0 });
}
