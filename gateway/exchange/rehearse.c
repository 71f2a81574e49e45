/*
 * The rehearsal of exchange/rehearse.h: an exchange that is made for the decisions alone and never runs. The
 * order of the calls is that of the steps begin, route and admit in exchange.c.
 */
#include "exchange/rehearse.h"

#include "exchange/internal.h"

static enum fault judge(struct exchange *x, const struct rehearsal *rehearsal)
{
    record_request(x);
    admit_begin(x);
    x->call.trace = rehearsal->trace;
    x->call.trace_arg = rehearsal->trace_arg;
    enum fault fault = request_read_target(x);
    if (!fault && x->in->client->redirects)
        fault = redirect_answer(x);
    if (!fault && x->call.answer.status != 0)
        return FAULT_NONE;
    if (!fault)
        fault = request_route(x);
    if (fault)
        return fault;
    enum policy_verdict verdict = admit_judge(x);
    if (verdict == POLICY_REFUSE)
        return x->call.fault;
    return verdict == POLICY_PASS ? request_prepare(x) : FAULT_NONE;
}

enum fault exchange_rehearse(struct rehearsal *rehearsal)
{
    struct arena *arena = rehearsal->inbound->arena;
    struct loop *loop = arena_zalloc(arena, sizeof *loop);
    struct exchange_home home = {.loop = loop, .scratch = rehearsal->scratch};
    struct pin pin = {
        .config = rehearsal->config, .router = rehearsal->router, .pipeline = rehearsal->pipeline};
    pin.clusters = arena_zalloc(arena, (rehearsal->config->upstream_count + 1) * sizeof(struct cluster *));
    random_init(&home.random);
    struct exchange *x = arena_zalloc(arena, sizeof *x);
    x->magic = EXCHANGE_MAGIC;
    x->home = &home;
    x->pin = &pin;
    x->arena = arena;
    x->in = rehearsal->inbound;
    enum fault fault = judge(x, rehearsal);
    rehearsal->asker = x->record.client;
    rehearsal->trusted = x->trusted;
    rehearsal->target = x->target;
    rehearsal->authority = x->authority;
    rehearsal->site = x->site;
    rehearsal->route = x->route;
    rehearsal->answer = x->call.answer;
    unsigned answered = x->call.answer.status ? x->call.answer.status : 200;
    rehearsal->response.status = fault ? (unsigned)fault_row(fault)->status : answered;
    request_suppose_site(x);
    pipeline_respond(&x->call, &rehearsal->response);
    return fault;
}
