/* broker.h: a broker as a state machine: one step does what can be done now.
 *
 * Commits of writers in, leases out, ingestion on, pushes out, credits in; the
 * coordinator's messages in between. No MPI in sight: all goes through net.
 */
#ifndef AIMSS_ROLE_BROKER_H
#define AIMSS_ROLE_BROKER_H

#include "env/env.h"
#include "mem/arena.h"
#include "net/net.h"

struct broker;

struct broker_config {
    struct env *env;
    struct net *net;
    struct arena *arena;
    unsigned io_threads;
    uint64_t record_max_bytes;
};

aimss_status_t broker_create(const struct broker_config *config, struct broker **broker);
void broker_destroy(struct broker *broker);

/* control: look at messages too. AIMSS_OK, or AIMSS_END when the coordinator
 * has said stop; broker_outcome() then tells how the run ended. An error of
 * the broker's own goes to the coordinator, which stops the run. */
aimss_status_t broker_step(struct broker *broker, bool control, bool *busy);
aimss_status_t broker_outcome(const struct broker *broker, const char **text);

/* Seals what the writers of a suspected rank hold open, between two steps; how
 * many groups that were. They learn it with their next commit. */
unsigned broker_revoke_writer(struct broker *broker, unsigned rank);

#endif
