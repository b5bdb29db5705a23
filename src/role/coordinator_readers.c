/* coordinator_readers.c: consumer groups: who joins, leaves, and when all is read.
 *
 * The first member of a group is answered when all brokers have heard of the
 * group: what is written from then on is kept for it.
 */
#include "role/coordinator_internal.h"

static aimss_status_t tell_end(struct coordinator *c, struct catalog_stream *stream,
                               unsigned number)
{
    struct catalog_group *group = &stream->groups[number];
    aimss_status_t status = AIMSS_OK;

    if (!catalog_end_due(stream, number))
        return AIMSS_OK;
    for (unsigned m = 0; m < group->member_count && status == AIMSS_OK; m++) {
        coordinator_begin(c, WIRE_READER_END);
        c->out.a = stream->info.id;
        c->out.b = number;
        status = coordinator_send(c, group->members[m].rank);
    }
    return status;
}

static aimss_status_t answer_join(struct coordinator *c, unsigned rank,
                                  struct catalog_stream *stream)
{
    struct join_view *join = &c->views[rank].join;
    aimss_status_t status;

    join->waits = false;
    coordinator_begin(c, WIRE_READER_INFO);
    c->out.request = join->request;
    c->out.a = join->stream;
    c->out.b = join->number;
    c->out.c = join->join;
    status = coordinator_send(c, rank);
    return status == AIMSS_OK ? tell_end(c, stream, join->number) : status;
}

/* A broker that has not heard of a group yet frees what the others have read. */
static aimss_status_t announce_group(struct coordinator *c, struct catalog_stream *stream,
                                     unsigned number)
{
    aimss_status_t status = coordinator_log_group(c, stream, number);

    if (status != AIMSS_OK)
        return status;
    stream->groups[number].announced = true;
    stream->groups[number].brokers_missing = c->config.net->broker_count;
    coordinator_begin(c, WIRE_GROUP_NEW);
    c->out.a = stream->info.id;
    c->out.b = number;
    return coordinator_send_brokers(c);
}

/* Brokers may push before the answer arrives; the asker's inbox lets that wait. */
aimss_status_t coordinator_on_reader_join(struct coordinator *c)
{
    struct catalog_stream *stream = coordinator_stream(c);
    struct join_view join = { .waits = true, .request = c->in.request, .stream = stream->info.id };
    unsigned rank = c->in.from;
    struct catalog_joining joining = { .group = c->in.text, .rank = rank,
                                       .members_wanted = (unsigned)c->in.b };
    aimss_status_t status = catalog_join(c->catalog, stream, &joining, &join.number, &join.join);

    if (status != AIMSS_OK)
        return coordinator_answer(c, WIRE_READER_INFO, status, stream);
    c->views[rank].join = join;
    if (!stream->groups[join.number].announced)
        status = announce_group(c, stream, join.number);
    if (status == AIMSS_OK && stream->groups[join.number].brokers_missing == 0)
        status = answer_join(c, rank, stream);
    return status;
}

aimss_status_t coordinator_on_group_known(struct coordinator *c)
{
    struct catalog_stream *stream = coordinator_stream(c);
    unsigned number = (unsigned)c->in.b;
    aimss_status_t status = AIMSS_OK;

    if (--stream->groups[number].brokers_missing > 0)
        return AIMSS_OK;
    for (unsigned r = 0; r < c->config.net->rank_count && status == AIMSS_OK; r++) {
        const struct join_view *join = &c->views[r].join;

        if (join->waits && join->stream == stream->info.id && join->number == number)
            status = answer_join(c, r, stream);
    }
    return status;
}

aimss_status_t coordinator_on_reader_leave(struct coordinator *c)
{
    struct catalog_stream *stream = coordinator_stream(c);
    aimss_status_t status = catalog_leave(c->catalog, stream, (unsigned)c->in.b, c->in.from);

    return status == AIMSS_OK ? coordinator_answer(c, WIRE_READER_INFO, AIMSS_OK, stream) : status;
}

aimss_status_t coordinator_on_revoked(struct coordinator *c)
{
    struct catalog_stream *stream = coordinator_stream(c);

    return catalog_revoked(c->catalog, stream, (unsigned)c->in.c, (uint32_t)c->in.b,
                           (uint32_t)c->in.d);
}

aimss_status_t coordinator_on_ended(struct coordinator *c)
{
    struct catalog_stream *stream = coordinator_stream(c);

    catalog_ended(stream, (unsigned)c->in.c, (uint32_t)c->in.b);
    return tell_end(c, stream, (unsigned)c->in.c);
}
