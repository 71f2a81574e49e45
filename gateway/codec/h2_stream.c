/*
 * The moving of content behind codec/h2_stream.h, called by the HTTP/2 codec, half of it from nghttp2's
 * callbacks. Small pieces are copied, large ones travel as slices of their blocks.
 */
#include "codec/h2_stream.h"

#include "codec/h2_fields.h"

enum {
    COPY_MAX = 1024,
    FRAME_HEADER = 9,
    TX_MARK = 32 * 1024, /* bytes that wait for the windows; the owner keeps the rest */
    TX_LOW = 8 * 1024    /* below this the owner is told that there is room */
};

void h2_stream_due(struct h2_stream *h2)
{
    if (!list_linked(&h2->due))
        list_append(&h2->wire->due, &h2->due);
    task_wake(&h2->wire->flush_task);
}

void h2_stream_reset(struct h2_stream *h2, uint32_t code)
{
    h2->reset_due = true;
    h2->reset_code = code;
    h2_stream_due(h2);
}

void h2_stream_settle(struct h2_stream *h2)
{
    if (h2->trailers_due)
        nghttp2_submit_trailer(h2->wire->ng, h2->id, h2->trailers, h2->trailer_count);
    if (h2->reset_due && h2->open)
        nghttp2_submit_rst_stream(h2->wire->ng, NGHTTP2_FLAG_NONE, h2->id, h2->reset_code);
    h2->trailers_due = h2->reset_due = false;
}

void h2_stream_fini(struct h2_stream *h2)
{
    list_remove(&h2->wire->due, &h2->due);
    body_fini(&h2->stream.rx);
    body_fini(&h2->tx);
    block_unref(&h2->tail);
}

/* --- content that comes in --- */

void h2_stream_gather(struct h2_stream *h2, struct body *rx, struct slice bytes)
{
    h2->received += bytes.len;
    h2->stream.rx_bytes += bytes.len;
    while (bytes.len > 0) {
        if (h2->tail && h2->tail->refs == 1)
            h2->tail->used = 0;
        if (h2->tail && h2->tail->used == h2->tail->capacity)
            block_unref(&h2->tail);
        if (h2->tail == NULL)
            h2->tail = block_new(&h2->wire->loop->blocks, BLOCK_SIZE);
        struct block *tail = h2->tail;
        uint32_t room = tail->capacity - tail->used;
        uint32_t part = bytes.len < room ? (uint32_t)bytes.len : room;
        memcpy(tail->data + tail->used, bytes.at, part);
        body_append(rx, tail, tail->used, part);
        tail->used += part;
        bytes = slice_after(bytes, part);
    }
}

void h2_stream_credit(struct h2_stream *h2, uint64_t held)
{
    struct h2_wire *wire = h2->wire;
    uint64_t give = h2->received - held - h2->credited;
    if (give == 0)
        return;
    h2->credited += give;
    if (held == 0)
        block_unref(&h2->tail);
    if (wire->ng == NULL)
        return;
    if (h2->open)
        nghttp2_session_consume(wire->ng, h2->id, (size_t)give);
    else
        nghttp2_session_consume_connection(wire->ng, (size_t)give);
    task_wake(&wire->flush_task);
}

void h2_wire_credit(struct h2_wire *wire)
{
    if (wire->discarded > 0)
        nghttp2_session_consume_connection(wire->ng, wire->discarded);
    wire->discarded = 0;
}

/* --- content that goes out --- */

static void take_trailers(struct h2_stream *h2, const struct fields *trailers)
{
    if (trailers == NULL || trailers->count == 0)
        return;
    nghttp2_nv *out = arena_alloc(h2->stream.arena, trailers->count * sizeof *out);
    h2->trailer_count = h2_write_trailers(trailers, out);
    h2->trailers = h2->trailer_count > 0 ? out : NULL;
}

void h2_stream_take(struct h2_stream *h2, struct body *body, const struct fields *trailers)
{
    if (!h2_stream_is_open(h2) || h2->tx.ended)
        return;
    uint32_t moved = body_move(&h2->tx, body, TX_MARK);
    h2->tx_blocked = body->queued > 0;
    h2->stream.tx_bytes += moved;
    if (body_is_done(body)) {
        take_trailers(h2, trailers);
        h2->tx.ended = true;
    }
    if (moved == 0 && !h2->tx.ended)
        return;
    if (h2->deferred)
        nghttp2_session_resume_data(h2->wire->ng, h2->id);
    h2->deferred = false;
    task_wake(&h2->wire->flush_task);
}

/* How much of `tx` goes into the next DATA frame, at most `most`: one large slice, or small ones together. */
static size_t frame_len(const struct body *tx, size_t most)
{
    size_t len = 0;
    for (unsigned i = 0; i < tx->count && len < most; i++) {
        const struct body_piece *piece = &tx->pieces[(tx->first + i) % BODY_PIECES];
        if (piece->len > COPY_MAX)
            return len > 0 ? len : piece->len < most ? piece->len : most;
        len += piece->len;
    }
    return len < most ? len : most;
}

static ssize_t read_content(nghttp2_session *ng, int32_t id, uint8_t *buffer, size_t most, uint32_t *flags,
                            nghttp2_data_source *source, void *arg)
{
    (void)ng, (void)id, (void)buffer, (void)arg;
    struct h2_stream *h2 = source->ptr;
    const struct body *tx = &h2->tx;
    if (tx->queued == 0 && !tx->ended) {
        h2->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t len = frame_len(tx, most);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (len < tx->queued || !tx->ended)
        return (ssize_t)len;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (h2->trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        h2->trailers_due = h2->owned;
        h2_stream_due(h2);
    }
    return (ssize_t)len;
}

nghttp2_data_provider h2_stream_content(struct h2_stream *h2)
{
    return (nghttp2_data_provider){.source.ptr = h2, .read_callback = read_content};
}

static void copy_out(struct body *tx, char *out, size_t len)
{
    while (len > 0) {
        const struct body_piece *piece = body_first(tx);
        uint32_t part = piece->len < len ? piece->len : (uint32_t)len;
        memcpy(out, piece->block->data + piece->offset, part);
        body_consume(tx, part);
        out += part;
        len -= part;
    }
}

/* A DATA frame: its header as nghttp2 made it, and `len` bytes, as frame_len() gave them. */
static void put_frame(struct conn *conn, struct body *tx, const uint8_t *header, size_t len)
{
    const struct body_piece *piece = body_first(tx);
    bool copied = len == 0 || piece->len <= COPY_MAX;
    size_t text_len = FRAME_HEADER + (copied ? len : 0);
    char *out = conn_tx_reserve(conn, text_len);
    memcpy(out, header, FRAME_HEADER);
    if (copied)
        copy_out(tx, out + FRAME_HEADER, len);
    conn_tx_commit(conn, text_len);
    if (copied)
        return;
    conn_tx_slice(conn, piece->block, piece->offset, (uint32_t)len);
    body_consume(tx, (uint32_t)len);
}

int h2_stream_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *header, size_t len,
                        nghttp2_data_source *source, void *arg)
{
    (void)ng, (void)frame, (void)arg;
    struct h2_stream *h2 = source->ptr;
    if (!conn_tx_has_room(h2->wire->conn))
        return NGHTTP2_ERR_WOULDBLOCK;
    put_frame(h2->wire->conn, &h2->tx, header, len);
    if (h2->tx_blocked && h2->tx.queued < TX_LOW && h2->owned) {
        h2->tx_blocked = false;
        stream_tell(&h2->stream, STREAM_ROOM);
    }
    return 0;
}

bool h2_wire_pump(struct h2_wire *wire)
{
    while (conn_tx_has_room(wire->conn)) {
        const uint8_t *frame;
        ssize_t len = nghttp2_session_mem_send(wire->ng, &frame);
        if (len < 0)
            return false;
        if (len == 0)
            break;
        memcpy(conn_tx_reserve(wire->conn, (size_t)len), frame, (size_t)len);
        conn_tx_commit(wire->conn, (size_t)len);
    }
    return true;
}
