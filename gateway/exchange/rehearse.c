/*
 * The rehearsal of exchange/rehearse.h: an exchange that is made for the decisions alone and never runs. The
 * order of the calls is that of the steps begin, route and admit in exchange.c.
 */
#include "exchange/rehearse.h"

#include "exchange/internal.h"

static enum fault judge(struct exchange *x)
{
    record_request(x);
    enum fault fault = request_read_target(x);
    if (!fault)
        fault = request_route(x);
    if (!fault)
        fault = request_prepare(x);
    return fault;
}

enum fault exchange_rehearse(struct rehearsal *rehearsal)
{
    struct arena *arena = rehearsal->inbound->arena;
    struct loop *loop = arena_zalloc(arena, sizeof *loop);
    struct exchange_home home = {.loop = loop, .scratch = rehearsal->scratch};
    struct pin pin = {.config = rehearsal->config, .router = rehearsal->router};
    pin.clusters = arena_zalloc(arena, (rehearsal->config->upstream_count + 1) * sizeof(struct cluster *));
    random_init(&home.random);
    struct exchange *x = arena_zalloc(arena, sizeof *x);
    x->magic = EXCHANGE_MAGIC;
    x->home = &home;
    x->pin = &pin;
    x->arena = arena;
    x->in = rehearsal->inbound;
    enum fault fault = judge(x);
    rehearsal->asker = x->record.client;
    rehearsal->trusted = x->trusted;
    rehearsal->target = x->target;
    rehearsal->authority = x->authority;
    rehearsal->site = x->site;
    rehearsal->route = x->route;
    return fault;
}
