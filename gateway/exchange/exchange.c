/*
 * The life of a request, top to bottom. A step does its part and returns the next step, WAIT (facts on a
 * stream or the deadline will run it again) or DONE. Leaf modules answer; only this file decides what comes
 * next.
 */
#include "exchange/exchange.h"

#include "exchange/deadline.h"
#include "exchange/internal.h"
#include "http/websocket.h"
#include "upstream/balancer.h"

/* The exchange cannot go on as meant: answer the client if nothing has been sent yet, else break off. */
static enum step fail(struct exchange *x, enum fault fault, enum fault detail)
{
    if (!x->cause) {
        x->cause = fault;
        x->detail = detail;
    }
    pool_leave(&x->claim);
    pool_give(&x->outbound, fault);
    x->out = NULL;
    int status = fault_row(fault)->status;
    bool can_answer = status != 0 && status != 499 && !x->responding;
    return can_answer ? STEP_reply : STEP_finish;
}

/* The client's stream has failed. What the client did wrong is answered, where that has not begun; under a
 * connection that was closed for the gateway's sake nothing is. */
static enum step broken_off(struct exchange *x)
{
    enum fault fault = x->in->fault;
    bool is_closed = fault_row(fault)->blame != BLAME_CLIENT;
    if (x->cause == fault && !is_closed)
        return x->step;
    enum step next = fail(x, fault, FAULT_NONE);
    return is_closed ? STEP_finish : next;
}

/* Another attempt if the request allows it, else the end. */
static enum step attempt_failed(struct exchange *x, enum fault fault, enum fault detail)
{
    bool again = retry_may(x, fault);
    x->claim.fresh = x->out != NULL && x->out->reused;
    x->queued_at_us = 0;
    if (!again)
        return fail(x, fault, detail);
    pool_give(&x->outbound, fault);
    x->out = NULL;
    x->uploaded = false; /* the next one has to be told of the end, too */
    counters_add(x->home->loop->counters, COUNTER_upstream_retries, 1);
    return STEP_pick;
}

static enum step step_begin(struct exchange *x)
{
    record_request(x);
    check_scene.request = x->record.request_id.at;
    admit_begin(x);
    terms_of_client(x);
    deadline_start(x);
    counters_add(x->home->loop->counters, COUNTER_requests, 1);
    if (x->in->facts & STREAM_FAILED)
        return broken_off(x);
    return x->in->fault ? fail(x, x->in->fault, FAULT_NONE) : STEP_route;
}

static enum step step_route(struct exchange *x)
{
    enum fault fault = request_read_target(x);
    if (!fault && x->in->client->redirects)
        fault = redirect_answer(x);
    if (!fault && x->call.answer.status != 0)
        return STEP_reply;
    if (!fault)
        fault = request_route(x);
    return fault ? fail(x, fault, FAULT_NONE) : STEP_admit;
}

static enum step step_admit(struct exchange *x)
{
    if (x->expired && x->call.delay_us == 0)
        return fail(x, FAULT_policy_timeout, FAULT_NONE);
    enum policy_verdict verdict = admit_judge(x);
    if (verdict == POLICY_REFUSE)
        return fail(x, x->call.fault, FAULT_NONE);
    if (verdict == POLICY_ASK)
        return STEP_ask;
    if (verdict != POLICY_PASS)
        return verdict == POLICY_ANSWER ? STEP_reply : STEP_WAIT;
    enum fault fault = request_prepare(x);
    return fault ? fail(x, fault, FAULT_NONE) : STEP_pick;
}

static enum step step_ask(struct exchange *x)
{
    return ask_go_on(x) ? STEP_admit : STEP_WAIT;
}

static enum step step_pick(struct exchange *x)
{
    enum fault fault = balancer_pick(x->cluster, &x->claim, &x->endpoint);
    if (fault)
        return fail(x, fault, FAULT_NONE);
    return x->endpoint ? STEP_connect : STEP_queue;
}

/* All connections that the upstream may have are taken. Nothing is kept for a client that has closed its
 * sending side: it has most likely gone. */
static enum step step_queue(struct exchange *x)
{
    if (x->queued_at_us == 0) {
        x->queued_at_us = clock_now_us(&x->home->loop->clock);
        counters_add(x->home->loop->counters, COUNTER_queued, 1);
        deadline_set(x, x->cluster->queue_timeout_us);
    }
    x->record.queue_us = clock_now_us(&x->home->loop->clock) - x->queued_at_us;
    if (!claim_waits(&x->claim))
        return STEP_pick;
    if (x->half_closed)
        return fail(x, FAULT_client_gone, FAULT_NONE);
    return x->expired ? fail(x, FAULT_queue_timeout, FAULT_NONE) : STEP_WAIT;
}

static enum step step_connect(struct exchange *x)
{
    if (x->outbound == NULL) {
        x->record.attempts++;
        endpoint_ref(&x->tried, x->endpoint);
        x->record.endpoint = x->tried->text;
        enum fault fault = pool_take(x->endpoint, &x->claim, x->arena, &x->outbound);
        if (fault)
            return attempt_failed(x, fault, FAULT_NONE);
        x->out = x->outbound->stream;
        deadline_set(x, x->cluster->connect_timeout_us);
    }
    if (x->out->facts & STREAM_OPEN)
        return STEP_forward;
    if (!(x->out->facts & STREAM_FAILED) && !x->expired)
        return STEP_WAIT;
    balancer_connect_failed(x->outbound->endpoint);
    return attempt_failed(x, x->expired ? FAULT_connect_timeout : x->out->fault, FAULT_NONE);
}

static enum step step_forward(struct exchange *x)
{
    bool reused = x->out->reused;
    counters_add(x->home->loop->counters, reused ? COUNTER_upstream_reuses : COUNTER_upstream_connects, 1);
    x->record.reused = reused;
    x->record.connect_us = record_elapsed_us(x);
    x->in->rx.may_pipe = x->out->tx_pipes;
    x->out->rx.may_pipe = x->in->tx_pipes;
    x->out->ops->tx_head(x->out, &x->in->rx_head);
    deadline_upload(x, x->terms.between_bytes_timeout_us);
    return STEP_respond;
}

/* What the deadline means while a response is awaited. */
static enum fault respond_expired(const struct exchange *x)
{
    if (deadline_awaits_client(x))
        return FAULT_body_too_slow;
    return x->in->rx.queued > 0 || x->out->tx_waits ? FAULT_upstream_write_timeout : FAULT_first_byte_timeout;
}

/* An interim head (RFC 9110 section 15.2) goes to clients that know them; the next head is awaited. */
static enum step pass_interim(struct exchange *x)
{
    if (++x->interims > EXCHANGE_INTERIMS_MAX)
        return fail(x, FAULT_too_many_interim, FAULT_NONE);
    enum fault detail = response_prepare(x);
    if (detail)
        return fail(x, FAULT_upstream_malformed, detail);
    if (x->in->rx_head.version_minor > 0)
        x->in->ops->tx_head(x->in, &x->out->rx_head);
    x->out->ops->rx_resume(x->out);
    return STEP_respond;
}

/* A final head goes to the client, whoever has made it; but no success to one that would take it for its
 * tunnel (RFC 8441 section 5). */
static enum fault send_head(struct exchange *x, struct message *head)
{
    if (x->in->rx_head.needs_upgrade && head->status / 100 == 2)
        return x->reply ? FAULT_no_websocket : FAULT_upstream_bad_upgrade;
    pipeline_respond(&x->call, head);
    x->in->ops->tx_head(x->in, head);
    x->responding = true;
    x->record.status = head->status;
    return FAULT_NONE;
}

/* The final head has come: it goes to the client, and the bodies follow. */
static enum step begin_response(struct exchange *x)
{
    struct message *head = &x->out->rx_head;
    x->record.first_byte_us = record_elapsed_us(x);
    enum fault detail = response_prepare(x);
    if (detail)
        return fail(x, FAULT_upstream_malformed, detail);
    bool good = head->status != 101 || websocket_accepts(&x->in->rx_head.fields, &head->fields);
    enum fault fault = good ? send_head(x, head) : FAULT_upstream_bad_upgrade;
    if (fault)
        return fail(x, fault, FAULT_NONE);
    if (x->pin != x->home->pin)
        pin_let_go(x);
    deadline_set(x, x->terms.between_bytes_timeout_us);
    return head->status == 101 ? STEP_tunnel : STEP_relay;
}

static enum step step_respond(struct exchange *x)
{
    if (x->out->facts & STREAM_HEAD) {
        x->out->facts &= ~(unsigned)STREAM_HEAD;
        bool interim = x->out->rx_head.status < 200 && x->out->rx_head.status != 101;
        return interim ? pass_interim(x) : begin_response(x);
    }
    if (x->out->facts & STREAM_FAILED)
        return attempt_failed(x, x->out->fault, x->out->detail);
    if (x->starved || x->expired)
        return fail(x, x->starved ? FAULT_body_too_slow : respond_expired(x), FAULT_NONE);
    bool uploaded = x->uploaded;
    enum fault fault = relay_up(x);
    if (fault)
        return fail(x, fault, FAULT_NONE);
    if (x->uploaded && !uploaded)
        deadline_set(x, x->route->scope.first_byte_timeout_us);
    return STEP_WAIT;
}

/* All that the upstream has sent is on its way. */
static bool client_waits(const struct exchange *x)
{
    return x->out && x->out->rx.queued == 0 && !x->in->tx_waits;
}

static enum step step_relay(struct exchange *x)
{
    if (x->expired)
        return fail(x, client_waits(x) ? FAULT_between_bytes_timeout : FAULT_client_stalled, FAULT_NONE);
    enum fault fault = relay_up(x);
    if (fault)
        return fail(x, fault, FAULT_NONE);
    relay_down(x);
    if (x->out && x->out->rx.queued == 0 && (x->out->facts & STREAM_FAILED))
        return fail(x, x->out->fault, x->out->detail);
    deadline_limit(x, client_waits(x) ? x->terms.between_bytes_timeout_us : x->terms.write_timeout_us);
    return x->in->facts & STREAM_SENT ? STEP_finish : STEP_WAIT;
}

static enum step step_tunnel(struct exchange *x)
{
    if (x->tunnel == NULL) {
        tunnel_open(x);
        x->uploaded = false;
        deadline_set(x, x->terms.idle_timeout_us);
        leave_late(x);
    }
    if (x->expired)
        return fail(x, FAULT_tunnel_idle, FAULT_NONE);
    tunnel_follow(x);
    if (x->leaving) {
        deadline_set(x, x->terms.write_timeout_us);
        return STEP_leave;
    }
    if (relay_up(x))
        return fail(x, FAULT_body_too_large, FAULT_NONE);
    relay_down(x);
    if ((x->out->facts & STREAM_FAILED) && x->out->rx.queued == 0)
        return fail(x, x->out->fault, FAULT_NONE);
    return x->uploaded && (x->in->facts & STREAM_SENT) ? STEP_finish : STEP_WAIT;
}

static enum step step_leave(struct exchange *x)
{
    tunnel_follow(x);
    bool broken = (x->out->facts & STREAM_FAILED) && x->out->rx.queued == 0;
    bool over = x->expired || broken || relay_up(x) || tunnel_say_goodbye(x);
    if (!over) /* who reads slowly may take its time, who has read must answer */
        deadline_limit(x, x->in->facts & STREAM_SENT ? EXCHANGE_GOODBYE_US : x->terms.write_timeout_us);
    return over ? fail(x, x->leave_why, FAULT_NONE) : STEP_WAIT;
}

static enum step step_reply(struct exchange *x)
{
    if (!x->responding) {
        reply_build(x);
        enum fault fault = send_head(x, &x->reply->head);
        if (fault)
            return fail(x, fault, FAULT_NONE);
        x->in->ops->tx_body(x->in, &x->reply->body, NULL);
        deadline_set(x, x->terms.write_timeout_us);
    } else if (x->reply->body.queued > 0) {
        x->in->ops->tx_body(x->in, &x->reply->body, NULL);
    }
    if (x->expired)
        return fail(x, FAULT_client_stalled, FAULT_NONE);
    return x->in->facts & STREAM_SENT ? STEP_finish : STEP_WAIT;
}

static enum step step_finish(struct exchange *x)
{
    struct stream *in = x->in;
    struct pin *pin = x->pin;
    bool replied = x->reply && (in->facts & STREAM_SENT);
    bool lives_on = x->cause == FAULT_NONE || (replied && !fault_row(x->cause)->closes);
    deadline_stop(x);
    record_end(x);
    endpoint_unref(&x->tried);
    if (pin)
        pipeline_finish(&x->call, x->record.status);
    pool_give(&x->outbound, x->cause);
    ask_end(x, x->cause);
    if (x->reply)
        body_fini(&x->reply->body);
    tunnel_close(x);
    list_remove(&x->home->exchanges, &x->node);
    task_cancel(&x->task);
    in->ops->close(in, lives_on ? FAULT_NONE : x->cause); /* frees the arena, and with it the exchange */
    pin_unref(&pin);
    return STEP_DONE;
}

/* A switch, not a table of functions: each step is called here alone, and so becomes part of the loop. */
static enum step take_step(struct exchange *x)
{
    switch (x->step) {
#define STEP(name, doc)           \
    case STEP_##name:             \
        check_scene.step = #name; \
        return step_##name(x);
#include "tables/steps.def"
#undef STEP
    case STEP_COUNT:
    case STEP_WAIT:
    case STEP_DONE: break;
    }
    CHECK(!"a step");
    return STEP_DONE;
}

/* The client can break off at any step: its body is broken, its connection ends, or it closed its sending
 * side and nothing has moved for a while since, except that a policy delays it. Otherwise the step goes on.
 */
static enum step interrupted(struct exchange *x)
{
    struct stream *in = x->in;
    bool delayed = x->call.delay_us > 0;
    if ((in->facts & STREAM_HALF) && !x->half_closed) {
        x->half_closed = true;
        if (!delayed)
            deadline_set(x, x->limit_us);
    }
    if (x->expired && x->half_closed && !delayed)
        return fail(x, FAULT_client_gone, FAULT_NONE);
    if (x->leaving && !x->tunnel && x->cause == FAULT_NONE)
        return fail(x, x->leave_why, FAULT_NONE);
    return in->facts & STREAM_FAILED ? broken_off(x) : x->step;
}

static void exchange_run(struct task *task)
{
    struct exchange *x = MAGIC_CAST(exchange, CONTAINER_OF(task, exchange, task), EXCHANGE_MAGIC);
    enum step next = x->step == STEP_begin ? STEP_begin : interrupted(x);
    check_scene.request = x->record.request_id.at;
    while (next < STEP_COUNT) {
        x->step = next;
        next = take_step(x);
    }
    if (next == STEP_WAIT)
        deadline_watch(x);
    check_scene = (struct check_scene){NULL, NULL};
}

void exchange_begin(void *home_pointer, struct stream *inbound)
{
    struct exchange_home *home = home_pointer;
    struct exchange *x = arena_zalloc(inbound->arena, sizeof *x);
    x->magic = EXCHANGE_MAGIC;
    x->step = STEP_begin;
    x->home = home;
    x->pin = home->pin;
    x->pin->refs++;
    x->arena = inbound->arena;
    x->in = inbound;
    list_append(&home->exchanges, &x->node);
    task_init(&x->task, &home->loop->tasks, exchange_run, false);
    x->claim.task = &x->task;
    inbound->owner = &x->task;
    task_wake(&x->task);
}
