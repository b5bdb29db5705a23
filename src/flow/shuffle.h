/* shuffle.h: exchanges among the compute ranks, in rounds of bounded size.
 *
 * In a round every compute rank takes part. Each packs at most round_bytes for
 * each rank; counts and flags go by an all-to-all, the bytes by an
 * all-to-all-v, then they are delivered. What goes from one rank to another is
 * a stream of entries that rounds cut anywhere, so an entry may be larger than
 * a round. Packing and delivering run on a thread of their own; the MPI thread
 * only starts exchanges and looks whether they are done.
 *
 * An exchange of a few words between all ranks goes through the same object,
 * because the network does one exchange at a time.
 */
#ifndef AIMSS_FLOW_SHUFFLE_H
#define AIMSS_FLOW_SHUFFLE_H

#include "env/env.h"
#include "flow/run_failure.h"
#include "net/net.h"
#include <stdbool.h>

enum { SHUFFLE_WORDS_MAX = 4 };

/* On the wire, in front of each entry: key, then value. */
struct shuffle_entry {
    uint32_t key_bytes;
    uint32_t value_bytes;
    uint64_t count; /* of a counted key; 0: a record */
};

struct shuffle;

/* Who fills rounds and takes what arrives; both on the exchange's thread. What
 * is delivered may be read by blocks_copy(). */
struct shuffle_client {
    /* Puts entries until shuffle_put() says that an outlet is full; true when
     * there is nothing left to put. */
    bool (*pack)(void *arg, struct shuffle *shuffle);
    aimss_status_t (*deliver)(void *arg, unsigned source, const struct shuffle_entry *entry,
                              const char *bytes);
    void *arg;
};

struct shuffle_options {
    struct env *env;
    struct net *net;
    struct failure *failure;
    unsigned index, count;
    uint64_t round_bytes;
};

aimss_status_t shuffle_create(const struct shuffle_options *options, struct shuffle **shuffle);
void shuffle_destroy(struct shuffle *shuffle);

/* Starts a round; needs an idle shuffle. The flags are told to all if nothing
 * was left behind: they are about what follows this round. */
void shuffle_begin(struct shuffle *shuffle, const struct shuffle_client *client, uint64_t flags);

/* Starts an exchange of words: width for each rank, at words[rank * width]. */
aimss_status_t shuffle_words(struct shuffle *shuffle, const uint64_t *words, unsigned width);

/* Runs a function on the exchange's thread; needs an idle shuffle. */
void shuffle_run(struct shuffle *shuffle, aimss_status_t (*fn)(void *arg), void *arg);

/* Does what can be done now; *busy as run_step(). */
aimss_status_t shuffle_step(struct shuffle *shuffle, bool *busy);
bool shuffle_idle(const struct shuffle *shuffle);

/* Of the last round: flags that all ranks have set. */
uint64_t shuffle_flags(const struct shuffle *shuffle);
/* Of the last exchange of words: width from each rank. */
const uint64_t *shuffle_received(const struct shuffle *shuffle);
/* Rounds that are complete. */
uint64_t shuffle_round(const struct shuffle *shuffle);

/* In pack: an entry for a rank. False: its outlet is full now; the entry is
 * taken nevertheless, and its bytes must stay until the next round. A key with
 * a count lies where blocks_copy() may read it. */
bool shuffle_put(struct shuffle *shuffle, unsigned rank, const struct shuffle_entry *entry,
                 const void *key, const void *value);
unsigned shuffle_rank_count(const struct shuffle *shuffle);
unsigned shuffle_rank_index(const struct shuffle *shuffle); /* the own one */

#endif
