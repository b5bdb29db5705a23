/* compute.h: a compute rank as a state machine: inbox, writers, requests.
 *
 * The application's calls end here. A pass takes control messages, what was
 * pushed, grants and due commits; a call that has to wait makes passes until
 * its condition holds, its deadline is over or the run is stopped. No MPI in
 * sight.
 */
#ifndef AIMSS_ROLE_COMPUTE_H
#define AIMSS_ROLE_COMPUTE_H

#include "env/env.h"
#include "flow/inbox.h"
#include "flow/writer.h"
#include "net/net.h"

struct compute;
struct run;

struct compute_config {
    struct env *env;
    struct net *net;
    uint64_t record_max_bytes;
    uint64_t slot_bytes;
};

aimss_status_t compute_create(const struct compute_config *config, struct compute **compute);
void compute_destroy(struct compute *compute);

struct inbox *compute_inbox(struct compute *compute);
struct writers *compute_writers(struct compute *compute);

/* WIRE_ROUND messages go to this run while it is set. */
void compute_set_run(struct compute *compute, struct run *run);

/* One pass. AIMSS_OK, or the status of a run that was stopped. */
aimss_status_t compute_step(struct compute *compute, bool *busy);

/* One pass and then, if it found nothing, a turn of waiting; deadline_ns on
 * the env's clock. */
aimss_status_t compute_wait(struct compute *compute, uint64_t deadline_ns);

/* A turn of waiting alone, after a pass of the caller's own. */
void compute_turn(struct compute *compute, bool busy, uint64_t timeout_ns);

/* Sends a request to the coordinator and waits for its answer, which is
 * message afterwards; a failed request's status and text are reported. */
aimss_status_t compute_request(struct compute *compute, struct wire_message *message);
/* Without an answer. */
aimss_status_t compute_tell(struct compute *compute, const struct wire_message *message);

/* Reports an error of this rank, which stops the run, once. */
void compute_fail(struct compute *compute, aimss_status_t status);

/* Says goodbye and works until the coordinator ends the run; its outcome. */
aimss_status_t compute_finish(struct compute *compute);

#endif
