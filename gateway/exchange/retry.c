/*
 * Whether a failed attempt may be repeated (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1): the failure says
 * so, nothing of the request's content is gone, nothing has come back, and the upstream cannot have acted on
 * it twice. What an HTTP/2 server has not looked at may be repeated whatever it is (RFC 9113 section 8.7).
 */
#include "exchange/internal.h"

bool retry_may(const struct exchange *x, enum fault fault)
{
    if (!fault_row(fault)->retries || x->record.attempts >= EXCHANGE_ATTEMPTS_MAX || x->interims > 0)
        return false;
    if (x->in->rx.total > x->in->rx.queued)
        return false; /* some of the content has been handed on */
    bool sent = x->out != NULL && x->out->tx_started;
    if (fault_row(fault)->unseen)
        return true;
    if (!sent)
        return x->cluster->endpoints.count > x->record.attempts; /* each endpoint is dialled once */
    return x->out->reused && method_is_idempotent(x->in->rx_head.method);
}
