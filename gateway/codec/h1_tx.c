/*
 * A message from head and body into a conn's queue, see codec/h1_tx.h. Called by h1_inbound and h1_outbound
 * on behalf of the owner of their stream; knows neither side's rules.
 */
#include "codec/h1_tx.h"

#include "base/check.h"

enum { TX_MUCH = 32 * 1024 }; /* bytes queued after which more is read only when they have left */

static void start(struct h1_tx *tx, const struct framing *framing)
{
    *tx =
        (struct h1_tx){.kind = framing->kind, .left = framing->kind == FRAMING_LENGTH ? framing->length : 0};
}

void h1_tx_request(struct h1_tx *tx, struct conn *conn, const struct message *head,
                   enum h1_connection connection)
{
    char *out = conn_tx_reserve(conn, h1_head_bound(head));
    conn_tx_commit(conn, h1_write_request(head, connection, out));
    start(tx, &head->framing);
}

void h1_tx_response(struct h1_tx *tx, struct conn *conn, const struct message *head,
                    enum h1_connection connection)
{
    char *out = conn_tx_reserve(conn, h1_head_bound(head));
    conn_tx_commit(conn, h1_write_response(head, connection, out));
    start(tx, &head->framing);
}

/* Bytes in a pipe leave at once or not yet. */
static uint32_t send_piped(struct h1_tx *tx, struct conn *conn, struct body *body)
{
    CHECK(tx->kind == FRAMING_LENGTH && body_first(body)->len <= tx->left);
    uint32_t sent = (uint32_t)conn_splice_out(conn, body->pipe, body_first(body)->len);
    tx->left -= sent;
    return sent;
}

static uint32_t send_block(struct h1_tx *tx, struct conn *conn, const struct body_piece *piece)
{
    if (tx->kind == FRAMING_LENGTH) {
        CHECK(piece->len <= tx->left);
        tx->left -= piece->len;
    } else if (tx->kind == FRAMING_STREAM) {
        char *out = conn_tx_reserve(conn, H1_CHUNK_HEAD_MAX);
        conn_tx_commit(conn, h1_write_chunk_head(piece->len, !tx->chunk_open, out));
        tx->chunk_open = true;
    }
    conn_tx_slice(conn, piece->block, piece->offset, piece->len);
    return piece->len;
}

static void end(struct h1_tx *tx, struct conn *conn, const struct fields *trailers)
{
    CHECK(tx->left == 0);
    if (tx->kind == FRAMING_STREAM) {
        char *out = conn_tx_reserve(conn, h1_last_chunk_bound(trailers));
        conn_tx_commit(conn, h1_write_last_chunk(trailers, !tx->chunk_open, out));
    }
    if (tx->kind == FRAMING_TUNNEL)
        conn_shutdown_tx(conn);
    tx->ended = true;
}

void h1_tx_body(struct h1_tx *tx, struct conn *conn, struct stream *stream, struct body *body,
                const struct fields *trailers)
{
    const struct body_piece *piece;
    while ((piece = body_first(body)) != NULL && conn_tx_has_room(conn)) {
        uint32_t len = piece->len;
        uint32_t sent = piece->block ? send_block(tx, conn, piece) : send_piped(tx, conn, body);
        stream->tx_bytes += sent;
        body_consume(body, sent);
        if (sent < len)
            break;
    }
    if (body_is_done(body) && !tx->ended)
        end(tx, conn, trailers);
    stream->tx_waits = !conn_tx_has_room(conn) || conn_tx_queued(conn) >= TX_MUCH;
    if (piece != NULL || stream->tx_waits)
        conn_want_drained(conn);
}
