/*
 * A tunnel that the gateway must end before its two sides want to: the client is told so with a WebSocket
 * Close frame, 1001, behind the frame that is on its way (RFC 6455 section 7.4.1). For that the frames are
 * counted from the beginning. Called by exchange.c.
 */
#include "exchange/internal.h"

/* Counts what has come since the last look; all of it still lies in the body. */
static void follow(struct websocket_frames *frames, const struct body *body)
{
    uint64_t skip = body->queued - (body->total - frames->seen);
    for (unsigned i = 0; i < body->count && body->total > frames->seen; i++) {
        const struct body_piece *piece = &body->pieces[(body->first + i) % BODY_PIECES];
        uint32_t known = skip < piece->len ? (uint32_t)skip : piece->len;
        skip -= known;
        websocket_frames_follow(frames,
                                slice_make(piece->block->data + piece->offset + known, piece->len - known));
    }
}

void tunnel_follow(struct exchange *x)
{
    follow(&x->tunnel.up, &x->in->rx);
    follow(&x->tunnel.down, &x->out->rx);
}

/* Moves at most `most` bytes. */
static void move(struct body *to, struct body *from, uint64_t most)
{
    const struct body_piece *piece;
    while (most > 0 && body_has_room(to) && (piece = body_first(from)) != NULL) {
        uint32_t part = most < piece->len ? (uint32_t)most : piece->len;
        body_append(to, piece->block, piece->offset, part);
        body_consume(from, part);
        most -= part;
    }
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

/* Hands over the rest of the frame under way, which may have to come first, then ours. */
static void hand_over(struct exchange *x, struct body *last)
{
    struct body *down = &x->out->rx;
    uint64_t *ends_at = &x->tunnel.ends_at, left;
    if (*ends_at == 0 && websocket_frames_until_end(&x->tunnel.down, &left))
        *ends_at = x->tunnel.down.seen + left;
    uint64_t until = *ends_at ? *ends_at : x->tunnel.down.seen;
    move(last, down, until - (down->total - down->queued));
    bool is_whole = down->total - down->queued == until && (*ends_at || until == 0);
    if (is_whole && body_has_room(last))
        append_close(x, last);
    else if (down->queued < BODY_LOW_MARK)
        x->out->ops->rx_resume(x->out);
}

/* What the service still says is not for the client any more. */
static void discard(struct exchange *x)
{
    body_consume(&x->out->rx, x->out->rx.queued);
    x->out->ops->rx_resume(x->out);
}

bool tunnel_say_goodbye(struct exchange *x)
{
    struct body *last = &x->reply.body;
    if (!last->ended)
        hand_over(x, last);
    if (!x->tunnel.said)
        x->in->ops->tx_body(x->in, last, NULL);
    x->tunnel.said = body_is_done(last);
    if (x->tunnel.said)
        discard(x);
    bool agreed = x->tunnel.up.closed && (x->tunnel.down.closed || x->out->rx.ended);
    return x->tunnel.said && (agreed || x->uploaded) && (x->in->facts & STREAM_SENT);
}
