/*
 * The client side of HTTP/1.1, see codec/h1_outbound.h. Between a conn below and the one stream it carries;
 * never knows which upstream it belongs to, how it was chosen, or how long anybody waits.
 */
#include "codec/h1_outbound.h"

#include "base/check.h"
#include "codec/h1_rx.h"
#include "codec/h1_tx.h"

#include <errno.h>
#include <stdlib.h>

enum { OUTBOUND_MAGIC = 0x48314f42, RESPONSE_LINE_MAX = 8 * 1024 };

/* What the connection is doing. */
enum outbound_state {
    OUTBOUND_CONNECTING,
    OUTBOUND_RESTING, /* no exchange; also before the first one */
    OUTBOUND_HEAD,    /* request under way, the (next) response head is awaited */
    OUTBOUND_INTERIM, /* an interim head is with the owner */
    OUTBOUND_BODY,    /* the final head has arrived */
    OUTBOUND_DEAD
};

struct h1_outbound {
    uint32_t magic;
    enum outbound_state state;
    struct conn *conn;
    struct h1_rx rx;
    struct h1_tx tx;
    struct stream stream;
    struct loop *loop;
    struct h1_limits limits;
    enum method method;
    bool asked_upgrade;
    bool broken; /* the conn has failed, but what it brought before is still being read */
    struct h1_scan scan;
    struct grave grave;
};

static void die(struct h1_outbound *session, enum fault fault, enum fault detail)
{
    session->state = OUTBOUND_DEAD;
    conn_close(&session->conn);
    stream_fail(&session->stream, fault, detail);
}

static void malformed(struct h1_outbound *session, enum fault detail)
{
    bool too_large =
        detail == FAULT_head_too_large || detail == FAULT_too_many_fields || detail == FAULT_target_too_long;
    die(session, too_large ? FAULT_upstream_head_too_large : FAULT_upstream_malformed, detail);
}

/* --- reading --- */

static void read_body(struct h1_outbound *session)
{
    struct stream *stream = &session->stream;
    uint64_t before = stream->rx_bytes;
    enum fault fault = h1_rx_feed(&session->rx, session->conn, stream);
    if (fault) {
        malformed(session, fault);
        return;
    }
    if (stream->rx_bytes != before || stream->rx.ended)
        stream_tell(stream, STREAM_BODY);
    conn_rest(session->conn);
}

/* RFC 9110 section 15.2: heads below 200 announce others, except 101, which must answer an upgrade that was
 * asked for. */
static void take_head(struct h1_outbound *session, size_t len)
{
    struct stream *stream = &session->stream;
    const char *head = arena_copy(stream->arena, slice_make(conn_unread(session->conn).at, len));
    conn_consume(session->conn, len);
    if (stream->rx_head.status != 0) /* an interim one came before */
        stream->rx_head = (struct message){.status = 0};
    enum fault fault =
        h1_parse_response(slice_make(head, len), session->method, stream->arena, &stream->rx_head);
    unsigned status = stream->rx_head.status;
    if (fault == FAULT_bad_upgrade || (status == 101 && !session->asked_upgrade)) {
        die(session, FAULT_upstream_bad_upgrade, FAULT_NONE);
        return;
    }
    if (fault) {
        malformed(session, fault);
        return;
    }
    session->scan = (struct h1_scan){0};
    session->state = status < 200 && status != 101 ? OUTBOUND_INTERIM : OUTBOUND_BODY;
    if (session->state == OUTBOUND_BODY)
        h1_rx_start(&session->rx, stream, &stream->rx_head.framing);
    stream_tell(stream, STREAM_HEAD);
    if (session->state == OUTBOUND_BODY && !stream->rx.ended && conn_unread(session->conn).len > 0)
        read_body(session);
}

static void read_head(struct h1_outbound *session)
{
    struct slice unread = conn_unread(session->conn);
    size_t len = 0;
    if (unread.len == 0)
        return;
    enum fault fault = h1_head_scan(unread, &session->limits, &session->scan, &len);
    if (fault)
        malformed(session, fault);
    else if (len > 0)
        take_head(session, len);
    if (session->conn)
        conn_rest(session->conn);
}

static void on_rx(struct h1_outbound *session)
{
    if (session->state == OUTBOUND_HEAD)
        read_head(session);
    else if (session->state == OUTBOUND_BODY && !session->stream.rx.ended)
        read_body(session);
    else if (session->state == OUTBOUND_RESTING)
        die(session, FAULT_upstream_closed, FAULT_NONE); /* bytes nobody asked for (A18) */
    else
        conn_pause(session->conn);
}

/* Whether any byte of the awaited response has arrived. */
static bool has_begun(const struct h1_outbound *session)
{
    return session->state == OUTBOUND_BODY || conn_unread(session->conn).len > 0;
}

/* Whether bytes have arrived that the owner has not asked for yet: they come before the connection's end,
 * which rx_resume() looks at again. */
static bool has_more(const struct h1_outbound *session)
{
    bool waits =
        session->state == OUTBOUND_INTERIM || (session->state == OUTBOUND_BODY && !session->stream.rx.ended);
    return waits && conn_unread(session->conn).len > 0;
}

static void on_eof(struct h1_outbound *session)
{
    struct stream *stream = &session->stream;
    if (has_more(session))
        return;
    if (session->state == OUTBOUND_BODY && stream->rx.ended)
        return; /* complete; h1_outbound_rest() sees the EOF */
    if (session->state == OUTBOUND_BODY && h1_rx_eof(&session->rx, stream))
        stream_tell(stream, STREAM_BODY);
    else
        die(session, has_begun(session) ? FAULT_upstream_truncated : FAULT_upstream_closed, FAULT_NONE);
}

static enum fault fault_of_failure(const struct h1_outbound *session)
{
    if (session->state == OUTBOUND_CONNECTING)
        return conn_dial_fault(session->conn);
    return has_begun(session) ? FAULT_upstream_truncated : FAULT_upstream_reset;
}

static void on_facts(void *owner, unsigned facts)
{
    struct h1_outbound *session = MAGIC_CAST(h1_outbound, owner, OUTBOUND_MAGIC);
    struct stream *stream = &session->stream;
    if (facts & CONN_FAILED) {
        session->broken = true;
        if (!has_more(session))
            die(session, fault_of_failure(session), FAULT_NONE);
    } else if (facts & CONN_OPEN) {
        session->state = OUTBOUND_RESTING;
        stream_tell(stream, STREAM_OPEN);
    } else if (facts & CONN_RX) {
        on_rx(session);
    } else if (facts & CONN_EOF) {
        on_eof(session);
    } else if (facts & CONN_DRAINED) {
        stream->tx_waits = false;
        stream_tell(stream, session->tx.ended ? STREAM_ROOM | STREAM_SENT : STREAM_ROOM);
    }
}

/* --- the stream's operations, called by its owner --- */

static struct h1_outbound *session_of(struct stream *stream)
{
    return MAGIC_CAST(h1_outbound, CONTAINER_OF(stream, h1_outbound, stream), OUTBOUND_MAGIC);
}

static void tx_head(struct stream *stream, const struct message *head)
{
    struct h1_outbound *session = session_of(stream);
    if (session->state != OUTBOUND_RESTING)
        return;
    session->state = OUTBOUND_HEAD;
    session->method = head->method;
    session->asked_upgrade = head->wants_upgrade;
    h1_tx_request(&session->tx, session->conn, head, head->wants_upgrade ? H1_UPGRADE : H1_KEEP_ALIVE);
    stream->tx_started = true;
}

static void tx_body(struct stream *stream, struct body *body, const struct fields *trailers)
{
    struct h1_outbound *session = session_of(stream);
    if (session->conn == NULL)
        return;
    if (session->rx.kind == FRAMING_TUNNEL && session->tx.kind != FRAMING_TUNNEL)
        session->tx = (struct h1_tx){.kind = FRAMING_TUNNEL};
    h1_tx_body(&session->tx, session->conn, stream, body, trailers);
}

static void rx_resume(struct stream *stream)
{
    struct h1_outbound *session = session_of(stream);
    if (session->conn == NULL)
        return;
    if (session->state == OUTBOUND_INTERIM) {
        session->state = OUTBOUND_HEAD;
        conn_resume(session->conn);
        read_head(session);
    } else if (session->state == OUTBOUND_BODY && !stream->rx.ended && conn_is_paused(session->conn)) {
        conn_resume(session->conn);
        if (conn_unread(session->conn).len > 0)
            read_body(session);
    }
    if (session->conn == NULL || stream->rx.ended || has_more(session))
        return;
    if (session->broken)
        die(session, fault_of_failure(session), FAULT_NONE);
    else if (conn_at_eof(session->conn))
        on_eof(session);
}

static void bury_session(struct grave *grave)
{
    struct h1_outbound *session = CONTAINER_OF(grave, h1_outbound, grave);
    session->magic = 0;
    free(session);
}

static void close_stream(struct stream *stream, enum fault fault)
{
    (void)fault;
    struct h1_outbound *session = session_of(stream);
    stream->owner = NULL;
    body_fini(&stream->rx);
    conn_close(&session->conn);
    task_bury(&session->loop->tasks, &session->grave, bury_session);
}

static const struct stream_ops outbound_stream_ops = {.tx_head = tx_head,
                                                      .tx_body = tx_body,
                                                      .rx_resume = rx_resume,
                                                      .close = close_stream};

/* --- between exchanges --- */

bool h1_outbound_rest(struct stream *stream)
{
    struct h1_outbound *session = session_of(stream);
    bool complete =
        session->state == OUTBOUND_BODY && stream->rx.ended && stream->rx.queued == 0 && session->tx.ended;
    if (!complete || !stream->rx_head.keep_alive || session->rx.kind == FRAMING_TUNNEL)
        return false;
    if (session->broken || conn_at_eof(session->conn))
        return false;
    if (conn_unread(session->conn).len > 0 || conn_tx_queued(session->conn) > 0)
        return false;
    session->state = OUTBOUND_RESTING;
    body_fini(&stream->rx);
    stream->arena = NULL;
    conn_rest(session->conn);
    conn_resume(session->conn);
    return true;
}

void h1_outbound_reuse(struct stream *stream)
{
    struct h1_outbound *session = session_of(stream);
    CHECK(session->state == OUTBOUND_RESTING);
    *stream = (struct stream){.ops = &outbound_stream_ops,
                              .facts = STREAM_OPEN,
                              .reused = true,
                              .tx_pipes = conn_is_spliceable(session->conn)};
    session->scan = (struct h1_scan){0};
    session->rx = (struct h1_rx){0};
}

struct stream *h1_outbound_open(struct loop *loop, const struct address *address,
                                const struct h1_outbound_settings *settings)
{
    struct h1_outbound *session = calloc(1, sizeof *session);
    CHECK(session != NULL);
    session->magic = OUTBOUND_MAGIC;
    session->loop = loop;
    session->limits = (struct h1_limits){RESPONSE_LINE_MAX, settings->head_max, settings->fields_max};
    session->stream.ops = &outbound_stream_ops;
    session->conn = conn_dial(loop, address, (struct conn_owner){on_facts, session});
    if (session->conn == NULL) {
        int error = errno;
        free(session);
        errno = error;
        return NULL;
    }
    if (settings->tls)
        CHECK(conn_dial_tls(session->conn, settings->tls));
    session->stream.tx_pipes = conn_is_spliceable(session->conn);
    return &session->stream;
}
