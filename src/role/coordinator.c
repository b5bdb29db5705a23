/* coordinator.c: see coordinator.h. One handler for each kind of message, in a
 * table; those of readers are in coordinator_readers.c. Requests of a rank are
 * answered in the order in which they came. */
#include "role/coordinator_internal.h"

#include "base/crc_combine.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTROL_PER_STEP = 64, STREAMLETS_MAX = 65536 };

aimss_status_t coordinator_send(struct coordinator *c, unsigned rank)
{
    return c->config.net->ops->send(c->config.net, rank, &c->out);
}

aimss_status_t coordinator_send_brokers(struct coordinator *c)
{
    aimss_status_t status = AIMSS_OK;

    for (unsigned b = 0; b < c->config.net->broker_count && status == AIMSS_OK; b++)
        status = coordinator_send(c, c->config.net->broker_ranks[b]);
    return status;
}

static unsigned broker_of(const struct coordinator *c, const struct catalog_stream *stream,
                          uint32_t streamlet)
{
    const struct net *net = c->config.net;
    uint64_t number = (uint64_t)streamlet * net->broker_count / stream->info.streamlet_count;

    return net->broker_ranks[number];
}

void coordinator_begin(struct coordinator *c, enum wire_kind kind)
{
    memset(&c->out, 0, offsetof(struct wire_message, text));
    c->out.kind = (uint16_t)kind;
}

static aimss_status_t move_streamlet(void *arg, const struct catalog_stream *stream,
                                     unsigned group, uint32_t streamlet, enum catalog_move move,
                                     uint32_t rank, uint32_t join)
{
    struct coordinator *c = arg;

    coordinator_begin(c, move == CATALOG_ASSIGN ? WIRE_ASSIGN : WIRE_REVOKE);
    c->out.a = stream->info.id;
    c->out.b = streamlet;
    c->out.c = group;
    c->out.d = rank;
    c->out.e = join;
    return coordinator_send(c, broker_of(c, stream, streamlet));
}

static void destroy_feed(struct feed_plan *feed)
{
    if (feed != NULL)
        input_list_clear(&feed->inputs);
    free(feed);
}

aimss_status_t coordinator_create(const struct coordinator_config *config,
                                  struct coordinator **coordinator)
{
    struct coordinator *c = calloc(1, sizeof *c);
    aimss_status_t status = AIMSS_E_NO_MEMORY;

    if (c == NULL)
        goto fail;
    c->config = *config;
    c->views = calloc(config->net->rank_count, sizeof *c->views);
    if (c->views == NULL)
        goto fail;
    status = catalog_create(move_streamlet, c, &c->catalog);
    if (status != AIMSS_OK)
        goto fail;
    *coordinator = c;
    return AIMSS_OK;

fail:
    coordinator_destroy(c);
    return status == AIMSS_E_NO_MEMORY ? error_set(status, "no memory for the coordinator")
                                       : status;
}

void coordinator_destroy(struct coordinator *coordinator)
{
    if (coordinator == NULL)
        return;
    for (unsigned r = 0; coordinator->views != NULL && r < coordinator->config.net->rank_count; r++)
        input_list_clear(&coordinator->views[r].inputs);
    for (unsigned s = 0; s < CATALOG_STREAMS_MAX; s++)
        destroy_feed(coordinator->feeds[s]);
    catalog_destroy(coordinator->catalog);
    free(coordinator->views);
    free(coordinator);
}

/* ---- requests and their answers */

/* status of the request, and its text if it failed, go back to the asker. */
aimss_status_t coordinator_answer(struct coordinator *c, enum wire_kind kind,
                                  aimss_status_t status, const struct catalog_stream *stream)
{
    coordinator_begin(c, kind);
    c->out.request = c->in.request;
    c->out.status = status;
    if (stream != NULL) {
        c->out.stream = stream->info;
        c->out.a = stream->info.id;
    }
    if (status != AIMSS_OK)
        c->out.text_bytes = (uint32_t)snprintf(c->out.text, ERROR_TEXT_BYTES, "%s", error_text());
    return coordinator_send(c, c->in.from);
}

static aimss_status_t list_words(struct input_list *list, const char *text, uint32_t len_bytes)
{
    aimss_status_t status = AIMSS_OK;

    for (uint32_t at = 0; at < len_bytes && status == AIMSS_OK;
         at += (uint32_t)strlen(text + at) + 1)
        status = input_list_add(list, text + at);
    return status;
}

static aimss_status_t list_inputs(struct coordinator *c, bool by_job, struct input_list *list)
{
    struct compute_view *view = &c->views[c->in.from];
    aimss_status_t status = AIMSS_OK;

    if (by_job && c->config.job_dir != NULL)
        input_list_skip(list, c->config.job_dir);
    for (size_t i = 0; by_job && i < c->config.input_count && status == AIMSS_OK; i++)
        status = input_list_add(list, c->config.inputs[i]);
    if (!by_job) {
        *list = view->inputs;
        view->inputs = (struct input_list){ 0 };
    }
    return status;
}

/* Several readers for each broker and compute rank, so that all end together. */
static aimss_status_t plan_feed(struct coordinator *c, const char *stream, bool by_job,
                                struct feed_plan **plan)
{
    struct feed_plan *feed = calloc(1, sizeof *feed);
    const struct net *net = c->config.net;
    aimss_status_t status;

    if (feed == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for the inputs of %s", stream);
    status = list_inputs(c, by_job, &feed->inputs);
    if (status != AIMSS_OK) {
        destroy_feed(feed);
        return status;
    }
    partition_plan_start(&feed->plan, &feed->inputs, 2 * (net->broker_count + net->compute_count));
    *plan = feed;
    return AIMSS_OK;
}

static void set_defaults(const struct coordinator *c, struct wire_stream *info)
{
    const struct net *net = c->config.net;

    if (info->streamlet_count == 0)
        info->streamlet_count = info->source[0] != '\0' ? net->broker_count * net->compute_count
                                                        : net->compute_count;
}

static aimss_status_t find_parent(struct coordinator *c, struct wire_stream *info)
{
    const struct catalog_stream *parent;

    if (info->parent_name[0] == '\0')
        return AIMSS_OK;
    parent = catalog_find(c->catalog, info->parent_name);
    if (parent == NULL)
        return error_set(AIMSS_E_NOT_FOUND, "stream %s: its parent %s does not exist", info->name,
                         info->parent_name);
    info->parent = parent->info.id;
    return AIMSS_OK;
}

static aimss_status_t check_stream(const struct wire_stream *info)
{
    if (info->source[0] != '\0' && source_find(info->source) == NULL)
        return error_set(AIMSS_E_NOT_FOUND, "stream %s: there is no source \"%s\"; known: text",
                         info->name, info->source);
    if (info->streamlet_count > STREAMLETS_MAX)
        return error_set(AIMSS_E_LIMIT, "stream %s: %u streamlets; the limit is %d", info->name,
                         info->streamlet_count, STREAMLETS_MAX);
    return AIMSS_OK;
}

/* Inputs come first: were one refused, no other rank must find the stream. */
static aimss_status_t create_stream(struct coordinator *c, struct catalog_stream **stream)
{
    struct wire_stream *info = &c->in.stream;
    struct feed_plan *feed = NULL;
    bool added = false;
    aimss_status_t status = find_parent(c, info);

    set_defaults(c, info);
    if (status == AIMSS_OK)
        status = check_stream(info);
    if (status == AIMSS_OK && info->source[0] != '\0' &&
        catalog_find(c->catalog, info->name) == NULL)
        status = plan_feed(c, info->name, c->in.a != 0, &feed);
    if (status == AIMSS_OK)
        status = catalog_add(c->catalog, info, stream, &added);
    if (!added)
        destroy_feed(feed);
    if (status != AIMSS_OK || !added)
        return status;
    c->feeds[(*stream)->info.id - 1] = feed;
    status = coordinator_log_stream(c, &(*stream)->info);
    if (status != AIMSS_OK)
        return status;
    coordinator_begin(c, WIRE_STREAM_NEW);
    c->out.stream = (*stream)->info;
    return coordinator_send_brokers(c);
}

/* An input that cannot be read is no error of the run but of this request;
 * in a job it ends the run, because the compute rank then fails. */
static aimss_status_t on_stream_create(struct coordinator *c)
{
    struct catalog_stream *stream = NULL;
    aimss_status_t status = create_stream(c, &stream);

    input_list_clear(&c->views[c->in.from].inputs);
    return coordinator_answer(c, WIRE_STREAM_INFO, status, status == AIMSS_OK ? stream : NULL);
}

static aimss_status_t on_stream_input(struct coordinator *c)
{
    aimss_status_t status = list_words(&c->views[c->in.from].inputs, c->in.text, c->in.text_bytes);

    return coordinator_answer(c, WIRE_STREAM_INFO, status, NULL);
}

static aimss_status_t on_stream_open(struct coordinator *c)
{
    struct catalog_stream *stream = catalog_find(c->catalog, c->in.stream.name);
    aimss_status_t status = AIMSS_OK;

    if (stream == NULL)
        status = error_set(AIMSS_E_NOT_FOUND, "there is no stream %s (yet); create it, or open it "
                           "after its creator has", c->in.stream.name);
    return coordinator_answer(c, WIRE_STREAM_INFO, status, stream);
}

struct catalog_stream *coordinator_stream(struct coordinator *c)
{
    return catalog_at(c->catalog, c->in.a);
}

/* Brokers are told when no writer is left that could still put something. */
static aimss_status_t seal_if_due(struct coordinator *c, struct catalog_stream *stream)
{
    if (!stream->seal_wanted || stream->sealed || stream->writers_closed < stream->writers_opened)
        return AIMSS_OK;
    stream->sealed = true;
    coordinator_begin(c, WIRE_SEAL);
    c->out.a = stream->info.id;
    return coordinator_send_brokers(c);
}

static aimss_status_t on_stream_seal(struct coordinator *c)
{
    struct catalog_stream *stream = coordinator_stream(c);
    aimss_status_t status;

    stream->seal_wanted = true;
    status = seal_if_due(c, stream);
    return status == AIMSS_OK ? coordinator_answer(c, WIRE_STREAM_INFO, AIMSS_OK, stream) : status;
}

static aimss_status_t on_writer_open(struct coordinator *c)
{
    struct catalog_stream *stream = coordinator_stream(c);
    aimss_status_t status = AIMSS_OK;

    if (stream->seal_wanted)
        status = error_set(AIMSS_E_STATE, "stream %s is sealed, or all its %u writers have closed; "
                           "no writer opens any more", stream->info.name,
                           stream->info.writer_count);
    else
        stream->writers_opened++;
    return coordinator_answer(c, WIRE_STREAM_INFO, status, stream);
}

static aimss_status_t on_writer_closed(struct coordinator *c)
{
    struct catalog_stream *stream = coordinator_stream(c);

    stream->writers_closed++;
    if (stream->info.writer_count > 0 && stream->writers_closed >= stream->info.writer_count)
        stream->seal_wanted = true;
    return seal_if_due(c, stream);
}

static aimss_status_t on_partition_next(struct coordinator *c)
{
    struct catalog_stream *stream = coordinator_stream(c);
    struct partition partition;
    struct feed_plan *feed = c->feeds[stream->info.id - 1];
    bool more = partition_plan_next(&feed->plan, &partition) == AIMSS_OK;

    coordinator_begin(c, more ? WIRE_PARTITION : WIRE_PARTITION_NONE);
    c->out.a = stream->info.id;
    if (more) {
        c->out.b = partition.number;
        c->out.c = partition.file;
        c->out.d = partition.begin;
        c->out.e = partition.end;
        c->out.text_bytes = (uint32_t)snprintf(c->out.text, sizeof c->out.text, "%s",
                                               feed->inputs.files[partition.file].path) + 1;
    }
    return coordinator_send(c, c->in.from);
}

static aimss_status_t on_progress(struct coordinator *c)
{
    c->views[c->in.from].records = c->in.a;
    c->views[c->in.from].bytes = c->in.b;
    return AIMSS_OK;
}

/* a: offset, b: bytes, c: lines, d: crc32c; text: the file's name. */
static aimss_status_t on_result(struct coordinator *c)
{
    struct compute_view *view = &c->views[c->in.from];

    view->has_result = true;
    view->part_offset = c->in.a;
    view->part_bytes = c->in.b;
    view->part_lines = c->in.c;
    view->part_crc32c = (uint32_t)c->in.d;
    snprintf(c->sink_file, sizeof c->sink_file, "%.*s", (int)sizeof c->sink_file - 1, c->in.text);
    c->results++;
    return AIMSS_OK;
}

static aimss_status_t on_failed(struct coordinator *c)
{
    coordinator_stop(c, (aimss_status_t)(int64_t)c->in.a, c->in.text);
    return AIMSS_OK;
}

static aimss_status_t on_bye(struct coordinator *c)
{
    if (!c->views[c->in.from].bye)
        c->byes++;
    c->views[c->in.from].bye = true;
    return AIMSS_OK;
}

typedef aimss_status_t handler_fn(struct coordinator *c);

static const struct {
    uint16_t kind;
    bool names_stream; /* a is a stream's id */
    handler_fn *handle;
} handlers[] = {
    { WIRE_STREAM_CREATE, false, on_stream_create },
    { WIRE_STREAM_INPUT, false, on_stream_input },
    { WIRE_STREAM_OPEN, false, on_stream_open },
    { WIRE_STREAM_SEAL, true, on_stream_seal },
    { WIRE_WRITER_OPEN, true, on_writer_open },
    { WIRE_WRITER_CLOSED, true, on_writer_closed },
    { WIRE_READER_JOIN, true, coordinator_on_reader_join },
    { WIRE_READER_LEAVE, true, coordinator_on_reader_leave },
    { WIRE_REVOKED, true, coordinator_on_revoked },
    { WIRE_ENDED, true, coordinator_on_ended },
    { WIRE_GROUP_KNOWN, true, coordinator_on_group_known },
    { WIRE_PARTITION_NEXT, true, on_partition_next },
    { WIRE_PARTITION_DONE, true, coordinator_on_partition_done },
    { WIRE_PROGRESS, false, on_progress },
    { WIRE_RESULT, false, on_result },
    { WIRE_FAILED, false, on_failed },
    { WIRE_BYE, false, on_bye },
};

static aimss_status_t handle(struct coordinator *c)
{
    for (size_t h = 0; h < sizeof handlers / sizeof handlers[0]; h++) {
        if (handlers[h].kind != c->in.kind)
            continue;
        if (handlers[h].names_stream && coordinator_stream(c) == NULL)
            return error_set(AIMSS_E_NOT_FOUND, "message %u of rank %u names stream %llu, which "
                             "does not exist", c->in.kind, c->in.from,
                             (unsigned long long)c->in.a);
        return handlers[h].handle(c);
    }
    return error_set(AIMSS_E_STATE, "the coordinator got message %u, which is none for it",
                     c->in.kind);
}

/* ---- the run's end */

static void broadcast_stop(struct coordinator *c)
{
    coordinator_begin(c, WIRE_STOP);
    c->out.a = (uint64_t)(int64_t)c->outcome;
    c->out.text_bytes = (uint32_t)snprintf(c->out.text, ERROR_TEXT_BYTES, "%s", c->outcome_text);
    for (unsigned r = 1; r < c->config.net->rank_count; r++)
        coordinator_send(c, r);
}

/* The first reason counts. Everybody is told at once; compute ranks answer
 * with their goodbye. */
void coordinator_stop(struct coordinator *c, aimss_status_t status, const char *text)
{
    if (c->outcome != AIMSS_OK || c->stopping)
        return;
    c->outcome = status;
    snprintf(c->outcome_text, sizeof c->outcome_text, "%.*s", ERROR_TEXT_BYTES - 1, text);
    c->stopping = true;
    broadcast_stop(c);
}

static aimss_status_t take_control(struct coordinator *c, bool *busy)
{
    struct net *net = c->config.net;
    aimss_status_t status = AIMSS_OK;

    for (unsigned n = 0; n < CONTROL_PER_STEP && status == AIMSS_OK; n++) {
        if (!net->ops->receive(net, &c->in))
            break;
        c->in.text[c->in.text_bytes < WIRE_TEXT_BYTES ? c->in.text_bytes : WIRE_TEXT_BYTES - 1] = 0;
        status = handle(c);
        *busy = true;
    }
    return status;
}

aimss_status_t coordinator_step(struct coordinator *c, bool *busy)
{
    aimss_status_t status;

    *busy = false;
    status = take_control(c, busy);
    if (status != AIMSS_OK)
        coordinator_stop(c, status, error_text());
    if (c->byes < c->config.net->compute_count)
        return AIMSS_OK;
    if (!c->stopping) {
        c->stopping = true;
        broadcast_stop(c);
    }
    return AIMSS_END;
}

void coordinator_report(const struct coordinator *c, struct coordinator_report *report)
{
    struct coordinator_report r = { .outcome = c->outcome, .text = c->outcome_text,
                                    .bytes_read = c->bytes_read, .results = c->results };

    for (unsigned s = 0; s < CATALOG_STREAMS_MAX; s++)
        r.bytes_total += c->feeds[s] != NULL ? c->feeds[s]->inputs.total_bytes : 0;
    for (unsigned i = 0; i < c->config.net->rank_count; i++) {
        const struct compute_view *view = &c->views[i];

        r.records_done += view->records;
        r.bytes_done += view->bytes;
        r.sink_bytes += view->part_bytes;
        r.sink_lines += view->part_lines;
    }
    r.sink_file = c->sink_file[0] != '\0' ? c->sink_file : NULL;
    *report = r;
}

/* Parts lie in the file in the order of compute ranks. */
uint32_t coordinator_sink_crc32c(const struct coordinator *c)
{
    const struct net *net = c->config.net;
    uint32_t crc = 0;

    for (unsigned i = 0; i < net->compute_count; i++) {
        const struct compute_view *view = &c->views[net->compute_ranks[i]];

        if (view->has_result && view->part_bytes > 0)
            crc = crc32c_combine(crc, view->part_crc32c, view->part_bytes);
    }
    return crc;
}
