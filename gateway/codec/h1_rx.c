/*
 * Body bytes from a conn into a stream, see codec/h1_rx.h. Called by h1_inbound and h1_outbound when bytes
 * have come or room has been made; knows neither side's rules.
 */
#include "codec/h1_rx.h"

enum { PIPE_WORTH = 32 * 1024 }; /* bytes of a body to come, from which on a pipe pays */

void h1_rx_start(struct h1_rx *rx, struct stream *stream, const struct framing *framing)
{
    *rx = (struct h1_rx){.kind = framing->kind, .left = framing->length};
    stream->rx.ended = framing->kind == FRAMING_NONE;
}

/* What a body keeps waiting behind other bytes stays where it is, so that slow ones hold few blocks. */
static void move(struct conn *conn, struct stream *stream, size_t skip, size_t len)
{
    uint32_t offset;
    stream->rx_bytes += len;
    if (stream->rx.count == 0) {
        struct block *block = conn_rx_pick(conn, skip, len, &offset);
        body_append(&stream->rx, block, offset, (uint32_t)len);
    } else {
        struct block *block = conn_rx_block(conn, &offset);
        body_append(&stream->rx, block, offset + (uint32_t)skip, (uint32_t)len);
    }
}

static void feed_length(struct h1_rx *rx, struct conn *conn, struct stream *stream)
{
    size_t unread = conn_unread(conn).len;
    size_t len = unread < rx->left ? unread : (size_t)rx->left;
    move(conn, stream, 0, len);
    conn_consume(conn, len);
    rx->left -= len;
    stream->rx.ended = rx->left == 0;
}

static void feed_bytes(struct conn *conn, struct stream *stream)
{
    size_t len = conn_unread(conn).len;
    move(conn, stream, 0, len);
    conn_consume(conn, len);
}

static enum fault feed_trailers(struct h1_rx *rx, struct conn *conn, struct stream *stream, bool *more_out)
{
    size_t len = 0;
    struct slice unread = conn_unread(conn);
    enum fault fault = h1_trailer_scan(unread, &rx->trailers, &len);
    *more_out = !fault && len == 0;
    if (fault || len == 0)
        return fault;
    char *copy = arena_copy(stream->arena, slice_make(unread.at, len));
    fault = h1_parse_trailers(slice_make(copy, len), stream->arena, &stream->rx_trailers);
    conn_consume(conn, len);
    stream->rx.ended = !fault;
    return fault;
}

static enum fault feed_chunks(struct h1_rx *rx, struct conn *conn, struct stream *stream, bool *more_out)
{
    if (rx->in_trailers)
        return feed_trailers(rx, conn, stream, more_out);
    struct slice unread = conn_unread(conn), data = {NULL, 0};
    enum h1_chunk_event event = H1_CHUNK_MORE;
    size_t consumed = 0;
    enum fault fault = h1_chunks_next(&rx->chunks, unread, &event, &consumed, &data);
    if (fault)
        return fault;
    if (event == H1_CHUNK_DATA)
        move(conn, stream, (size_t)(data.at - unread.at), data.len);
    conn_consume(conn, consumed);
    rx->in_trailers = event == H1_CHUNK_TRAILERS;
    return FAULT_NONE;
}

/* A long body whose consumer takes bytes out of a pipe need not be read, as long as it comes in large parts.
 */
static bool splices(const struct h1_rx *rx, struct conn *conn, struct stream *stream)
{
    if (rx->kind != FRAMING_LENGTH || stream->rx.ended || !stream->rx.may_pipe)
        return false;
    if (!conn_is_spliceable(conn) || !conn_is_bulk(conn))
        return false;
    if (stream->rx.pipe == NULL && rx->left < PIPE_WORTH)
        return false;
    if (stream->rx.pipe == NULL)
        stream->rx.pipe = conn_take_pipe(conn);
    return stream->rx.pipe != NULL;
}

static void feed_piped(struct h1_rx *rx, struct conn *conn, struct stream *stream)
{
    if (!body_has_room(&stream->rx)) {
        conn_pause(conn);
        return;
    }
    size_t len = conn_splice_in(conn, stream->rx.pipe, rx->left);
    body_append_piped(&stream->rx, (uint32_t)len);
    stream->rx_bytes += len;
    rx->left -= len;
    stream->rx.ended = rx->left == 0;
}

enum fault h1_rx_feed(struct h1_rx *rx, struct conn *conn, struct stream *stream)
{
    bool more = false;
    enum fault fault = FAULT_NONE;
    while (!fault && !more && !stream->rx.ended && conn_unread(conn).len > 0) {
        if (!body_has_room(&stream->rx)) {
            conn_pause(conn);
            return FAULT_NONE;
        }
        if (rx->kind == FRAMING_LENGTH)
            feed_length(rx, conn, stream);
        else if (rx->kind == FRAMING_STREAM)
            fault = feed_chunks(rx, conn, stream, &more);
        else
            feed_bytes(conn, stream);
    }
    if (conn_unread(conn).len > 0)
        return fault;
    bool piped = splices(rx, conn, stream);
    if (piped || conn_leaves_unread(conn)) {
        feed_piped(rx, conn, stream);
        piped = splices(rx, conn, stream);
    }
    conn_leave_unread(conn, piped);
    if (!stream->rx.ended && !conn_leaves_unread(conn) && !body_has_room(&stream->rx))
        conn_pause(conn);
    return fault;
}

bool h1_rx_eof(struct h1_rx *rx, struct stream *stream)
{
    if (rx->kind == FRAMING_UNTIL_CLOSE || rx->kind == FRAMING_TUNNEL)
        stream->rx.ended = true;
    return stream->rx.ended;
}
