/*
 * The moving of bytes behind codec/h2_content.h. Called by the HTTP/2 codec from nghttp2's callbacks; decides
 * neither when a frame is sent nor what its end means.
 */
#include "codec/h2_content.h"

enum { COPY_MAX = 1024, FRAME_HEADER = 9 };

size_t h2_content_frame_len(const struct body *tx, size_t most)
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

void h2_content_put(struct conn *conn, struct body *tx, const uint8_t *header, size_t len)
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

void h2_content_gather(struct block_pool *pool, struct block **tail_at, struct body *rx, struct slice bytes)
{
    while (bytes.len > 0) {
        struct block *tail = *tail_at;
        if (tail && tail->refs == 1)
            tail->used = 0;
        if (tail && tail->used == tail->capacity)
            block_unref(tail_at);
        if (*tail_at == NULL)
            *tail_at = block_new(pool, BLOCK_SIZE);
        tail = *tail_at;
        uint32_t room = tail->capacity - tail->used;
        uint32_t part = bytes.len < room ? (uint32_t)bytes.len : room;
        memcpy(tail->data + tail->used, bytes.at, part);
        body_append(rx, tail, tail->used, part);
        tail->used += part;
        bytes = slice_after(bytes, part);
    }
}
