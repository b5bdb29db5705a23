/* compute.c: see compute.h. */
#include "role/compute.h"

#include "base/error.h"
#include "flow/run.h"
#include "role/pacer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTROL_PER_STEP = 16 };

struct compute {
    struct compute_config config;
    struct lanes *lanes;
    struct inbox *inbox;
    struct writers *writers;
    struct run *run;
    struct pacer pacer;
    uint32_t requests;
    bool answered, stopped, failed;
    aimss_status_t outcome;
    char outcome_text[ERROR_TEXT_BYTES];
    struct wire_message in, answer;
};

static aimss_status_t wait_for_writer(void *arg, uint64_t deadline_ns)
{
    return compute_wait(arg, deadline_ns);
}

aimss_status_t compute_create(const struct compute_config *config, struct compute **compute)
{
    struct compute *c = calloc(1, sizeof *c);
    struct writers_config writers = { .env = config->env, .net = config->net,
                                      .record_max_bytes = config->record_max_bytes,
                                      .wait = wait_for_writer, .wait_arg = c };
    aimss_status_t status;

    if (c == NULL)
        return error_set(AIMSS_E_NO_MEMORY, "no memory for a compute rank");
    c->config = *config;
    status = lanes_create(config->net, config->slot_bytes, &c->lanes);
    writers.lanes = c->lanes;
    if (status == AIMSS_OK)
        status = inbox_create(config->net, c->lanes, config->record_max_bytes, &c->inbox);
    if (status == AIMSS_OK)
        status = writers_create(&writers, &c->writers);
    if (status != AIMSS_OK) {
        compute_destroy(c);
        return status;
    }
    *compute = c;
    return AIMSS_OK;
}

void compute_destroy(struct compute *compute)
{
    if (compute == NULL)
        return;
    writers_destroy(compute->writers);
    inbox_destroy(compute->inbox);
    lanes_destroy(compute->lanes);
    free(compute);
}

struct inbox *compute_inbox(struct compute *compute)
{
    return compute->inbox;
}

struct writers *compute_writers(struct compute *compute)
{
    return compute->writers;
}

void compute_set_run(struct compute *compute, struct run *run)
{
    compute->run = run;
}

static void take_stop(struct compute *c)
{
    c->stopped = true;
    c->outcome = (aimss_status_t)(int64_t)c->in.a;
    snprintf(c->outcome_text, sizeof c->outcome_text, "%.*s", (int)c->in.text_bytes, c->in.text);
}

static aimss_status_t handle(struct compute *c)
{
    switch (c->in.kind) {
    case WIRE_LANE_OPEN:
    case WIRE_LANE_OPENED:
        return lanes_handle(c->lanes, &c->in);
    case WIRE_STREAM_INFO:
    case WIRE_READER_INFO:
        if (c->in.request == c->requests) {
            c->answer = c->in;
            c->answered = true;
        }
        return AIMSS_OK;
    case WIRE_READER_END:
    case WIRE_READER_STOPPED:
        inbox_handle(c->inbox, &c->in);
        return AIMSS_OK;
    case WIRE_ROUND:
        if (c->run != NULL)
            run_round_wanted(c->run, c->in.a);
        return AIMSS_OK;
    case WIRE_STOP:
        take_stop(c);
        return AIMSS_OK;
    default:
        return error_set(AIMSS_E_STATE, "a compute rank got message %u, which is none for it",
                         c->in.kind);
    }
}

/* Stops behind an answer: what follows it may be for the object that the asker
 * only now makes of it (a reader's end, right behind its join). */
static aimss_status_t take_control(struct compute *c, bool *busy)
{
    bool waits = !c->answered;
    aimss_status_t status = AIMSS_OK;

    for (unsigned n = 0; n < CONTROL_PER_STEP && status == AIMSS_OK; n++) {
        if (!c->config.net->ops->receive(c->config.net, &c->in))
            break;
        status = handle(c);
        *busy = true;
        if (waits && c->answered)
            break;
    }
    return status;
}

/* What a stopped run's calls return: its outcome, or that it is over. */
static aimss_status_t stopped_status(const struct compute *c)
{
    if (c->outcome == AIMSS_OK)
        return error_set(AIMSS_E_STATE, "the run is over");
    return error_set(c->outcome, "%s", c->outcome_text);
}

aimss_status_t compute_step(struct compute *c, bool *busy)
{
    aimss_status_t status = AIMSS_OK;

    *busy = false;
    if (pacer_control_due(&c->pacer))
        status = take_control(c, busy);
    if (c->stopped)
        return stopped_status(c);
    if (status == AIMSS_OK)
        status = inbox_step(c->inbox, busy);
    if (status == AIMSS_OK)
        status = writers_step(c->writers, busy);
    return status;
}

aimss_status_t compute_wait(struct compute *c, uint64_t deadline_ns)
{
    bool busy;
    aimss_status_t status = compute_step(c, &busy);
    uint64_t timeout = UINT64_MAX;

    if (!busy && deadline_ns != UINT64_MAX) {
        uint64_t now = env_now_ns(c->config.env);

        timeout = deadline_ns > now ? deadline_ns - now : 0;
    }
    if (status == AIMSS_OK && timeout > 0)
        pacer_turn(&c->pacer, c->config.net, busy, timeout);
    return status;
}

void compute_turn(struct compute *c, bool busy, uint64_t timeout_ns)
{
    pacer_turn(&c->pacer, c->config.net, busy, timeout_ns);
}

aimss_status_t compute_tell(struct compute *c, const struct wire_message *message)
{
    return c->config.net->ops->send(c->config.net, 0, message);
}

aimss_status_t compute_request(struct compute *c, struct wire_message *message)
{
    aimss_status_t status;

    message->request = ++c->requests;
    c->answered = false;
    status = compute_tell(c, message);
    while (status == AIMSS_OK && !c->answered)
        status = compute_wait(c, UINT64_MAX);
    if (status != AIMSS_OK)
        return status;
    *message = c->answer;
    if (message->status != AIMSS_OK)
        return error_set((aimss_status_t)message->status, "%.*s", (int)message->text_bytes,
                         message->text);
    return AIMSS_OK;
}

void compute_fail(struct compute *c, aimss_status_t status)
{
    struct wire_message message = { .kind = WIRE_FAILED, .a = (uint64_t)(int64_t)status };

    if (c->failed || c->stopped)
        return;
    c->failed = true;
    message.text_bytes = (uint32_t)snprintf(message.text, ERROR_TEXT_BYTES, "%s", error_text());
    compute_tell(c, &message);
}

aimss_status_t compute_finish(struct compute *c)
{
    struct wire_message message = { .kind = WIRE_BYE };
    struct net *net = c->config.net;
    aimss_status_t status = compute_tell(c, &message);

    while (status == AIMSS_OK && !c->stopped) {
        bool busy = false;

        status = take_control(c, &busy);
        if (status == AIMSS_OK && !c->failed)
            status = inbox_step(c->inbox, &busy); /* lets markers through, for others' sake */
        pacer_turn(&c->pacer, net, busy, UINT64_MAX);
    }
    if (status != AIMSS_OK)
        return status;
    return c->outcome == AIMSS_OK ? AIMSS_OK : error_set(c->outcome, "%s", c->outcome_text);
}
