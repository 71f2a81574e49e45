/*
 * Bodies between the two streams of an exchange, each way bounded by the body's marks: what the taking side
 * has no room for stays queued, and what is queued stops the giving side's reading.
 */
#include "exchange/deadline.h"

/* Moves what fits; true when something moved. While the taking side waits for its socket nothing more is
 * read: a slow reader holds one block. Whether all has been handed over is known before more is asked for:
 * that may bring content, or the end, which the taking side has not been told of. */
static bool pump(struct stream *from, struct stream *to, const struct fields *trailers, bool *done_out)
{
    uint32_t before = from->rx.queued;
    if (before > 0 || from->rx.ended)
        to->ops->tx_body(to, &from->rx, trailers);
    bool moved = from->rx.queued < before;
    *done_out = body_is_done(&from->rx);
    if ((moved || !from->rx.ended) && from->rx.queued < BODY_LOW_MARK && !to->tx_waits)
        from->ops->rx_resume(from);
    return moved;
}

enum fault relay_up(struct exchange *x)
{
    struct stream *in = x->in;
    if (x->uploaded || x->out == NULL)
        return FAULT_NONE;
    if (!x->tunnel && x->terms.max_body && in->rx.total > x->terms.max_body)
        return FAULT_body_too_large;
    bool no_trailers = in->rx.ended && x->call.drops_trailers; /* before the end none are asked for */
    if (pump(in, x->out, no_trailers ? NULL : &in->rx_trailers, &x->uploaded))
        deadline_progress(x);
    if (x->uploaded)
        x->record.upload_us = record_elapsed_us(x);
    return FAULT_NONE;
}

void relay_down(struct exchange *x)
{
    if (x->downloaded)
        return;
    if (pump(x->out, x->in, &x->out->rx_trailers, &x->downloaded) || (x->in->facts & STREAM_ROOM))
        deadline_progress(x);
    x->in->facts &= ~(unsigned)STREAM_ROOM;
    if (x->downloaded && !x->tunnel) {
        pool_give(&x->outbound, FAULT_NONE);
        x->out = NULL;
    }
}
