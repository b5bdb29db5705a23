/* catalog.c: see catalog.h. Rank 0's MPI thread only. */
#include "store/catalog.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

struct catalog {
    catalog_move_fn *move;
    void *arg;
    uint32_t joins;
    unsigned stream_count;
    struct catalog_stream *streams[CATALOG_STREAMS_MAX];
};

aimss_status_t catalog_create(catalog_move_fn *move, void *arg, struct catalog **catalog)
{
    struct catalog *c = calloc(1, sizeof *c);

    if (c == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the catalog");
    c->move = move;
    c->arg = arg;
    *catalog = c;
    return AIMSS_OK;
}

static void destroy_stream(struct catalog_stream *stream)
{
    for (unsigned g = 0; g < stream->group_count; g++) {
        free(stream->groups[g].members);
        free(stream->groups[g].places);
    }
    free(stream);
}

void catalog_destroy(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (unsigned s = 0; s < catalog->stream_count; s++)
        destroy_stream(catalog->streams[s]);
    free(catalog);
}

struct catalog_stream *catalog_find(struct catalog *catalog, const char *name)
{
    for (unsigned s = 0; s < catalog->stream_count; s++)
        if (strcmp(catalog->streams[s]->info.name, name) == 0)
            return catalog->streams[s];
    return NULL;
}

/* Ids count from 1, so that 0 can stand for no parent. */
struct catalog_stream *catalog_at(struct catalog *catalog, uint64_t id)
{
    return id >= 1 && id <= catalog->stream_count ? catalog->streams[id - 1] : NULL;
}

static bool same_options(const struct wire_stream *a, const struct wire_stream *b)
{
    return a->parent == b->parent && a->streamlet_count == b->streamlet_count &&
           a->writer_count == b->writer_count && a->format == b->format &&
           a->record_bytes == b->record_bytes && a->segment_bytes == b->segment_bytes &&
           a->segment_first_bytes == b->segment_first_bytes && a->chunk_bytes == b->chunk_bytes &&
           strcmp(a->source, b->source) == 0;
}

aimss_status_t catalog_add(struct catalog *catalog, const struct wire_stream *info,
                           struct catalog_stream **stream, bool *added)
{
    struct catalog_stream *found = catalog_find(catalog, info->name);

    *added = false;
    if (found != NULL && !same_options(&found->info, info))
        return error_set(AIMSS_E_EXISTS, "stream %s exists with other options; use another name, "
                         "or the same options on each rank", info->name);
    if (found == NULL) {
        if (catalog->stream_count == CATALOG_STREAMS_MAX)
            return error_set(AIMSS_E_LIMIT, "stream %s is one too many: a job has %d at most",
                             info->name, CATALOG_STREAMS_MAX);
        found = calloc(1, sizeof *found);
        if (found == NULL)
            return error_set(AIMSS_E_NO_MEMORY, "no memory for stream %s", info->name);
        found->info = *info;
        catalog->streams[catalog->stream_count++] = found;
        found->info.id = catalog->stream_count;
        *added = true;
    }
    *stream = found;
    return AIMSS_OK;
}

static struct catalog_group *find_group(struct catalog_stream *stream, const char *name)
{
    for (unsigned g = 0; g < stream->group_count; g++)
        if (strcmp(stream->groups[g].name, name) == 0)
            return &stream->groups[g];
    return NULL;
}

static aimss_status_t add_group(struct catalog_stream *stream, const char *name,
                                struct catalog_group **group)
{
    struct catalog_group *made = &stream->groups[stream->group_count];
    uint32_t count = stream->info.streamlet_count;

    if (stream->group_count == CATALOG_GROUPS_MAX)
        return error_set(AIMSS_E_LIMIT, "stream %s has %d consumer groups, which is the limit",
                         stream->info.name, CATALOG_GROUPS_MAX);
    made->places = calloc(count, sizeof *made->places);
    if (made->places == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for consumer group %s", name);
    for (uint32_t s = 0; s < count; s++)
        made->places[s].owner = CATALOG_NOBODY;
    strncpy(made->name, name, sizeof made->name - 1);
    stream->group_count++;
    *group = made;
    return AIMSS_OK;
}

static aimss_status_t move(struct catalog *catalog, struct catalog_stream *stream, unsigned number,
                           uint32_t streamlet, enum catalog_move what,
                           struct catalog_member member)
{
    return catalog->move(catalog->arg, stream, number, streamlet, what, member.rank, member.join);
}

/* Brings one streamlet nearer to whom it should belong. */
static aimss_status_t settle(struct catalog *catalog, struct catalog_stream *stream,
                             unsigned number, uint32_t streamlet)
{
    struct catalog_group *group = &stream->groups[number];
    struct catalog_place *place = &group->places[streamlet];
    struct catalog_member target = { .rank = CATALOG_NOBODY };

    if (!group->complete)
        return AIMSS_OK;
    if (group->member_count > 0)
        target = group->members[streamlet % group->member_count];
    if (place->revoking || place->ended || place->owner == target.rank)
        return AIMSS_OK;
    if (place->owner == CATALOG_NOBODY) {
        place->owner = target.rank;
        return move(catalog, stream, number, streamlet, CATALOG_ASSIGN, target);
    }
    place->revoking = true;
    return move(catalog, stream, number, streamlet, CATALOG_REVOKE,
                (struct catalog_member){ .rank = place->owner });
}

static aimss_status_t settle_all(struct catalog *catalog, struct catalog_stream *stream,
                                 unsigned number)
{
    aimss_status_t status = AIMSS_OK;

    for (uint32_t s = 0; s < stream->info.streamlet_count && status == AIMSS_OK; s++)
        status = settle(catalog, stream, number, s);
    return status;
}

static aimss_status_t add_member(struct catalog_group *group, struct catalog_member member)
{
    unsigned at = group->member_count;
    struct catalog_member *members;

    if (at == CATALOG_MEMBERS_MAX)
        return error_set(AIMSS_E_LIMIT, "consumer group %s has %d members, which is the limit",
                         group->name, CATALOG_MEMBERS_MAX);
    members = realloc(group->members, sizeof *members * (at + 1));
    if (members == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the members of %s", group->name);
    while (at > 0 && members[at - 1].rank > member.rank) {
        members[at] = members[at - 1];
        at--;
    }
    members[at] = member;
    group->members = members;
    group->member_count++;
    return AIMSS_OK;
}

aimss_status_t catalog_join(struct catalog *catalog, struct catalog_stream *stream,
                            const struct catalog_joining *joining, unsigned *number,
                            uint32_t *join)
{
    struct catalog_group *group = find_group(stream, joining->group);
    uint32_t rank = joining->rank;
    aimss_status_t status = AIMSS_OK;

    if (group == NULL)
        status = add_group(stream, joining->group, &group);
    for (unsigned m = 0; status == AIMSS_OK && m < group->member_count; m++)
        if (group->members[m].rank == rank)
            status = error_set(AIMSS_E_EXISTS, "rank %u reads stream %s in consumer group %s "
                               "already", rank, stream->info.name, joining->group);
    if (status != AIMSS_OK)
        return status;
    *number = (unsigned)(group - stream->groups);
    *join = ++catalog->joins;
    status = add_member(group, (struct catalog_member){ .rank = rank, .join = *join });
    group->end_told = false;
    if (joining->members_wanted > group->members_wanted)
        group->members_wanted = joining->members_wanted;
    if (group->member_count >= group->members_wanted)
        group->complete = true;
    return status == AIMSS_OK ? settle_all(catalog, stream, *number) : status;
}

aimss_status_t catalog_leave(struct catalog *catalog, struct catalog_stream *stream,
                             unsigned number, uint32_t rank)
{
    struct catalog_group *group = &stream->groups[number];
    unsigned kept = 0;

    for (unsigned m = 0; m < group->member_count; m++)
        if (group->members[m].rank != rank)
            group->members[kept++] = group->members[m];
    group->member_count = kept;
    return settle_all(catalog, stream, number);
}

aimss_status_t catalog_revoked(struct catalog *catalog, struct catalog_stream *stream,
                               unsigned number, uint32_t streamlet, uint32_t rank)
{
    struct catalog_group *group = &stream->groups[number];
    struct catalog_place *place = &group->places[streamlet];

    if (place->owner != rank)
        return AIMSS_OK; /* said twice: it has moved on since */
    place->owner = CATALOG_NOBODY;
    place->revoking = false;
    return settle(catalog, stream, number, streamlet);
}

void catalog_ended(struct catalog_stream *stream, unsigned number, uint32_t streamlet)
{
    struct catalog_group *group = &stream->groups[number];

    if (!group->places[streamlet].ended)
        group->ended_count++;
    group->places[streamlet].ended = true;
    group->places[streamlet].revoking = false; /* nothing is left to move */
}

bool catalog_end_due(struct catalog_stream *stream, unsigned number)
{
    struct catalog_group *group = &stream->groups[number];

    if (group->end_told || group->ended_count < stream->info.streamlet_count)
        return false;
    group->end_told = true;
    return true;
}
