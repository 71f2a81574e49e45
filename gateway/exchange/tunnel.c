/*
 * A tunnel that the gateway must end before its two sides want to: the client is told so with a WebSocket
 * Close frame, 1001, behind the frame that is on its way (RFC 6455 section 7.4.1). For that the frames are
 * counted from the beginning. Called by exchange.c.
 */
#include "exchange/internal.h"

/* Counts what has come since the last look; all of it still lies in the body. */
static void follow(struct websocket_frames *frames, const struct body *body)
{
    if (frames->seen == body->total)
        return;
    uint64_t skip = body->queued - (body->total - frames->seen);
    for (unsigned i = 0; i < body->count && body->total > frames->seen; i++) {
        const struct body_piece *piece = &body->pieces[(body->first + i) % BODY_PIECES];
        uint32_t known = skip < piece->len ? (uint32_t)skip : piece->len;
        skip -= known;
        websocket_frames_follow(frames,
                                slice_make(piece->block->data + piece->offset + known, piece->len - known));
    }
}

void tunnel_open(struct exchange *x)
{
    x->tunnel = arena_zalloc(x->arena, sizeof *x->tunnel);
    x->record.tunneled = true;
    counters_add(x->home->loop->counters, COUNTER_tunnels, 1);
}

void tunnel_close(struct exchange *x)
{
    if (x->tunnel)
        body_fini(&x->tunnel->last);
}

void tunnel_follow(struct exchange *x)
{
    follow(&x->tunnel->up, &x->in->rx);
    follow(&x->tunnel->down, &x->out->rx);
}

static void append_close(struct exchange *x, struct body *body)
{
    struct block *block = block_new(&x->home->loop->blocks, WEBSOCKET_GOING_AWAY.len);
    memcpy(block->data, WEBSOCKET_GOING_AWAY.at, WEBSOCKET_GOING_AWAY.len);
    block->used = (uint32_t)WEBSOCKET_GOING_AWAY.len;
    body_append(body, block, 0, block->used);
    block_unref(&block);
    body->ended = true;
}

/* Hands over the rest of the frame under way, which may have to come first, then ours. A frame of which
 * nothing has left yet is left out: nobody knows whether it will be completed. */
static void hand_over(struct exchange *x, struct tunnel *tunnel)
{
    struct body *down = &x->out->rx;
    uint64_t given = down->total - down->queued;
    if (!tunnel->decided)
        tunnel->decided = websocket_frames_gap(&tunnel->down, given, &tunnel->ends_at);
    uint64_t until = tunnel->decided ? tunnel->ends_at : tunnel->down.seen;
    given += body_move(&tunnel->last, down, tunnel->last.queued + until - given);
    if (tunnel->decided && given == until && body_has_room(&tunnel->last))
        append_close(x, &tunnel->last);
    else if (down->queued < BODY_LOW_MARK)
        x->out->ops->rx_resume(x->out);
}

/* What the service still says is not for the client any more. */
static void discard(struct exchange *x)
{
    body_consume(&x->out->rx, x->out->rx.queued);
    x->out->ops->rx_resume(x->out);
}

/* The service has ended within the frame: what is said there would be taken for its content. */
static bool is_cut_short(const struct tunnel *tunnel, const struct body *down)
{
    return !tunnel->last.ended && down->ended && !(tunnel->decided && down->total >= tunnel->ends_at);
}

bool tunnel_say_goodbye(struct exchange *x)
{
    struct tunnel *tunnel = x->tunnel;
    if (!tunnel->last.ended)
        hand_over(x, tunnel);
    if (is_cut_short(tunnel, &x->out->rx))
        return true;
    if (!tunnel->said)
        x->in->ops->tx_body(x->in, &tunnel->last, NULL);
    tunnel->said = body_is_done(&tunnel->last);
    if (tunnel->said)
        discard(x);
    bool agreed = tunnel->up.closed && (tunnel->down.closed || x->out->rx.ended);
    return tunnel->said && (agreed || x->uploaded) && (x->in->facts & STREAM_SENT);
}
