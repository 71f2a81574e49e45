/*
 * How an exchange asks the policies: what they may know of the request, and how long a delay lasts. What a
 * verdict leads to is decided in exchange.c.
 */
#include "base/log.h"
#include "exchange/deadline.h"

/* Whether who asked used TLS: only a trusted proxy is believed about its own client. */
static bool is_secure(const struct exchange *x)
{
    if (x->proto.len > 0)
        return slice_equal_nocase(x->proto, SLICE("https"));
    return x->in->client->tls != NULL;
}

void admit_begin(struct exchange *x)
{
    struct policy_call *call = &x->call;
    call->loop = x->home->loop;
    call->task = &x->task;
    call->arena = x->arena;
    call->scratch = x->home->scratch;
    call->connection = x->in->client;
    call->remote = x->remote;
    call->client = x->record.client;
    call->secure = is_secure(x);
    call->request_id = x->record.request_id;
    call->request = &x->in->rx_head;
    call->target = &x->target;
    call->authority = &x->authority;
    admit_enter(x, &x->pin->config->defaults);
}

void admit_enter(struct exchange *x, const struct config_scope *scope)
{
    x->call.site = x->site;
    x->call.route = x->route;
    pipeline_enter(&x->call, x->pin->pipeline, scope);
}

enum policy_verdict admit_judge(struct exchange *x)
{
    if (x->call.delay_us > 0 && !x->expired)
        return POLICY_DELAY;
    if (x->call.delay_us > 0)
        deadline_set(x, x->terms.write_timeout_us);
    x->call.delay_us = 0;
    enum policy_verdict verdict = pipeline_judge(&x->call);
    if (verdict == POLICY_DELAY)
        deadline_set(x, x->call.delay_us);
    if (x->call.notice.len > 0)
        log_warn("policy", "%.*s", SLICE_ARGS(x->call.notice));
    x->call.notice = slice_make(NULL, 0);
    if (x->call.report.len > 0)
        log_report("%.*s", SLICE_ARGS(x->call.report));
    x->call.report = slice_make(NULL, 0);
    x->record.limit = x->call.limit;
    x->record.limit_outcome = slice_of(x->call.limit_outcome);
    return verdict;
}
