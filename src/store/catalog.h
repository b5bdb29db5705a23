/* catalog.h: rank 0's metadata: streams, their consumer groups, who reads what.
 *
 * Decides assignments and says so through a callback; knows no messages. A
 * streamlet has one consumer per group at a time: before it goes to another
 * member its present one is revoked, and only the broker's word that all is
 * consumed frees it.
 */
#ifndef AIMSS_STORE_CATALOG_H
#define AIMSS_STORE_CATALOG_H

#include "net/wire.h"
#include <aimss/types.h>
#include <stdbool.h>

enum { CATALOG_STREAMS_MAX = 256, CATALOG_GROUPS_MAX = 4, CATALOG_MEMBERS_MAX = 1024 };

enum catalog_move { CATALOG_ASSIGN, CATALOG_REVOKE };

/* Where one streamlet stands in one consumer group. */
struct catalog_place {
    uint32_t owner;     /* rank, or CATALOG_NOBODY */
    bool revoking, ended;
};
#define CATALOG_NOBODY UINT32_MAX

struct catalog_member {
    uint32_t rank, join; /* join: number of this joining, unique in the run */
};

struct catalog_group {
    char name[WIRE_NAME_BYTES];
    unsigned member_count;
    unsigned members_wanted;        /* nothing is assigned before so many have joined, */
    bool complete;                  /* which they once had */
    struct catalog_member *members; /* ascending by rank */
    struct catalog_place *places;   /* [streamlet_count] */
    uint32_t ended_count;
    bool end_told;
    bool announced;           /* the brokers were told of the group; */
    unsigned brokers_missing; /* so many have not said that they know it */
};

struct catalog_stream {
    struct wire_stream info;
    uint32_t writers_opened, writers_closed;
    bool seal_wanted, sealed;
    unsigned group_count;
    struct catalog_group groups[CATALOG_GROUPS_MAX];
};

struct catalog;

typedef aimss_status_t catalog_move_fn(void *arg, const struct catalog_stream *stream,
                                       unsigned group, uint32_t streamlet,
                                       enum catalog_move move, uint32_t rank, uint32_t join);

aimss_status_t catalog_create(catalog_move_fn *move, void *arg, struct catalog **catalog);
void catalog_destroy(struct catalog *catalog);

/* Adds a stream; info is complete but for its id. Same name: AIMSS_OK with the
 * one that is there if the options are equal, else AIMSS_E_EXISTS. */
aimss_status_t catalog_add(struct catalog *catalog, const struct wire_stream *info,
                           struct catalog_stream **stream, bool *added);
struct catalog_stream *catalog_find(struct catalog *catalog, const char *name);
struct catalog_stream *catalog_at(struct catalog *catalog, uint64_t id);

/* A rank joins or leaves a consumer group; it may ask that nothing is assigned
 * before members_wanted have joined (0: no wish); moves follow through the callback.
 * number: of the group within the stream. */
struct catalog_joining {
    const char *group;
    uint32_t rank;
    unsigned members_wanted;
};
aimss_status_t catalog_join(struct catalog *catalog, struct catalog_stream *stream,
                            const struct catalog_joining *joining, unsigned *number,
                            uint32_t *join);
aimss_status_t catalog_leave(struct catalog *catalog, struct catalog_stream *stream,
                             unsigned number, uint32_t rank);

/* A broker says: the streamlet is free again. Its reader: all of it was handed to
 * the application. */
aimss_status_t catalog_revoked(struct catalog *catalog, struct catalog_stream *stream,
                               unsigned number, uint32_t streamlet, uint32_t rank);
void catalog_ended(struct catalog_stream *stream, unsigned number, uint32_t streamlet);

/* All streamlets have ended for the group, and nobody was told yet. */
bool catalog_end_due(struct catalog_stream *stream, unsigned number);

#endif
