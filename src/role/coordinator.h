/* coordinator.h: rank 0 as a state machine: metadata, assignment, the outcome.
 *
 * Off every data path: it answers requests, hands out partitions, counts what
 * is reported, and ends the run when all compute ranks have said goodbye or
 * one rank has failed. No MPI in sight.
 */
#ifndef AIMSS_ROLE_COORDINATOR_H
#define AIMSS_ROLE_COORDINATOR_H

#include "env/env.h"
#include "net/net.h"
#include "store/catalog.h"
#include "store/offsets_log.h"

struct coordinator;

struct coordinator_config {
    struct env *env;
    struct net *net;
    /* What a job's own source reads: streams created with inputs "by job". */
    const char *const *inputs;
    size_t input_count;
    const char *job_dir;    /* what a job writes is none of its inputs; NULL: no directory */
};

aimss_status_t coordinator_create(const struct coordinator_config *config,
                                  struct coordinator **coordinator);
void coordinator_destroy(struct coordinator *coordinator);

/* Streams, consumer groups and partitions go into this log from now on; it is
 * the caller's. NULL: no longer. */
void coordinator_set_log(struct coordinator *coordinator, struct offsets_log *log);

/* AIMSS_OK, or AIMSS_END when the run is over and everybody was told. */
aimss_status_t coordinator_step(struct coordinator *coordinator, bool *busy);

/* Ends the run with a status and a reason, as if a rank had failed. */
void coordinator_stop(struct coordinator *coordinator, aimss_status_t status, const char *text);

/* How it stands: the run's outcome, and what was read and done. */
struct coordinator_report {
    aimss_status_t outcome;
    const char *text;
    uint64_t bytes_total;            /* of all inputs */
    uint64_t bytes_read;             /* by brokers, partitions completed */
    uint64_t records_done, bytes_done; /* by compute ranks */
    unsigned results;                /* compute ranks whose sink part is complete */
    const char *sink_file;           /* NULL: no sink */
    uint64_t sink_bytes, sink_lines;
};
void coordinator_report(const struct coordinator *coordinator, struct coordinator_report *report);

/* CRC32C of the sink's file from the parts, in their order. */
uint32_t coordinator_sink_crc32c(const struct coordinator *coordinator);

#endif
