/* run_stages.h: work that alternates between a thread and all ranks, as a list.
 *
 * Ordering and writing a result take turns: work on the exchange's thread, a
 * few words from all ranks, rounds of entries. Each is one line of a list that
 * every rank walks in the same order. The MPI thread walks it.
 */
#ifndef AIMSS_FLOW_RUN_STAGES_H
#define AIMSS_FLOW_RUN_STAGES_H

#include "flow/shuffle.h"

enum stage_kind {
    STAGE_WORK,   /* act on the exchange's thread */
    STAGE_WORDS,  /* act on the MPI thread: fills words, `width` for each rank */
    STAGE_ROUNDS  /* act on the MPI thread prepares; then rounds until all have packed all */
};

struct stage {
    enum stage_kind kind;
    aimss_status_t (*act)(void *arg);
    unsigned width;
    bool (*pack)(void *arg, struct shuffle *shuffle);
    aimss_status_t (*deliver)(void *arg, unsigned source, const struct shuffle_entry *entry,
                              const char *bytes);
};

struct stages {
    const struct stage *list;
    unsigned count, at;
    bool started;       /* the stage in progress */
    void *arg;
    uint64_t *words;    /* for STAGE_WORDS: SHUFFLE_WORDS_MAX for each rank, the owner's */
    struct shuffle *shuffle;
    struct shuffle_client client;
};

/* Does what can be done now: AIMSS_OK, AIMSS_END after the last stage, or the
 * error of a stage. */
aimss_status_t stages_step(struct stages *stages, bool *busy);

#endif
