/*
 * What goes out on an HTTP/2 connection to an endpoint: the operations of its streams, called by their
 * owners, and the pump that moves frames into the conn while it has room, see codec/h2_calls.h. What the
 * windows do not let through stays with the call up to a mark, and beyond it with the owner.
 */
#include "codec/h2_calls.h"

#include "base/check.h"

static struct h2_call *call_of(struct stream *stream)
{
    struct h2_call *call = CONTAINER_OF(stream, h2_call, stream);
    (void)MAGIC_CAST(h2_outbound, call->session, H2_OUTBOUND_MAGIC);
    return call;
}

static bool can_send(const struct h2_call *call)
{
    return call->open && call->session->ng != NULL;
}

/* --- content, asked for by nghttp2 --- */

static ssize_t read_content(nghttp2_session *ng, int32_t id, uint8_t *buffer, size_t most, uint32_t *flags,
                            nghttp2_data_source *source, void *arg)
{
    (void)ng, (void)id, (void)buffer, (void)arg;
    struct h2_call *call = source->ptr;
    const struct body *tx = &call->tx;
    if (tx->queued == 0 && !tx->ended) {
        call->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t len = h2_content_frame_len(tx, most);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (len < tx->queued || !tx->ended)
        return (ssize_t)len;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (call->trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        call->trailers_due = call->owned;
        h2_call_due(call);
    }
    return (ssize_t)len;
}

static int send_content(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *header, size_t len,
                        nghttp2_data_source *source, void *arg)
{
    (void)ng, (void)frame;
    struct h2_outbound *session = MAGIC_CAST(h2_outbound, arg, H2_OUTBOUND_MAGIC);
    struct h2_call *call = source->ptr;
    if (!conn_tx_has_room(session->conn))
        return NGHTTP2_ERR_WOULDBLOCK;
    h2_content_put(session->conn, &call->tx, header, len);
    if (call->tx_blocked && call->tx.queued < H2_CALL_TX_LOW && call->owned) {
        call->tx_blocked = false;
        stream_tell(&call->stream, STREAM_ROOM);
    }
    return 0;
}

/* --- what has been sent --- */

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_outbound *session = MAGIC_CAST(h2_outbound, arg, H2_OUTBOUND_MAGIC);
    int32_t id = frame->hd.stream_id;
    bool message = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
        session->goaway_sent = true;
    struct h2_call *call = id ? nghttp2_session_get_stream_user_data(ng, id) : NULL;
    if (message && call && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        call->end_sent = true;
    return 0;
}

static struct h2_call *find_call(struct h2_outbound *session, int32_t id)
{
    for (struct list_node *node = list_first(&session->calls); node;
         node = list_next(&session->calls, node)) {
        struct h2_call *call = CONTAINER_OF(node, h2_call, node);
        if (call->id == id)
            return call;
    }
    return NULL;
}

/* A request that GOAWAY or its own reset overtook; nghttp2 may or may not have made a stream for it. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *arg)
{
    (void)ng, (void)error;
    struct h2_outbound *session = MAGIC_CAST(h2_outbound, arg, H2_OUTBOUND_MAGIC);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct h2_call *call = find_call(session, frame->hd.stream_id);
    if (call == NULL || !call->open)
        return 0;
    call->unsent = true;
    stream_fail(&call->stream, FAULT_upstream_refused_stream, FAULT_NONE);
    h2_call_due(call);
    return 0;
}

void h2_call_tx_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_content);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
}

/* --- the pump --- */

static bool pump_once(struct h2_outbound *session)
{
    while (conn_tx_has_room(session->conn)) {
        const uint8_t *frame;
        ssize_t len = nghttp2_session_mem_send(session->ng, &frame);
        if (len < 0)
            return false;
        if (len == 0)
            break;
        memcpy(conn_tx_reserve(session->conn, (size_t)len), frame, (size_t)len);
        conn_tx_commit(session->conn, (size_t)len);
    }
    return true;
}

bool h2_outbound_pump(struct h2_outbound *session)
{
    do {
        h2_outbound_settle(session);
        if (!pump_once(session))
            return false;
    } while (session->due.count > 0 && conn_tx_has_room(session->conn));
    if (nghttp2_session_want_write(session->ng))
        conn_want_drained(session->conn);
    return true;
}

/* --- the stream's operations, called by its owner --- */

static bool may_submit(const struct h2_call *call)
{
    const struct h2_outbound *session = call->session;
    return session->state == H2_OUT_SERVING && session->submitted < h2_outbound_allowed(session);
}

/* RFC 8441 section 3: a server says so before anybody asks it. */
static bool takes_websockets(const struct h2_outbound *session)
{
    return nghttp2_session_get_remote_settings(session->ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

static void tx_head(struct stream *stream, const struct message *head)
{
    struct h2_call *call = call_of(stream);
    struct h2_outbound *session = call->session;
    if (call->id || (stream->facts & STREAM_FAILED))
        return;
    if (!may_submit(call)) {
        stream_fail(stream, FAULT_upstream_refused_stream, FAULT_NONE);
        return;
    }
    if (head->wants_upgrade && !takes_websockets(session)) {
        stream_fail(stream, FAULT_upstream_bad_upgrade, FAULT_NONE);
        return;
    }
    struct h2_text text;
    struct slice scheme = session->secure ? SLICE("https") : SLICE("http");
    nghttp2_nv *fields = arena_alloc(stream->arena, h2_request_bound(head) * sizeof *fields);
    size_t count = h2_write_request(head, scheme, &text, fields);
    nghttp2_data_provider content = {.source.ptr = call, .read_callback = read_content};
    bool bodiless = head->framing.kind == FRAMING_NONE && !head->wants_upgrade;
    int32_t id = nghttp2_submit_request(session->ng, NULL, fields, count, bodiless ? NULL : &content, call);
    if (id < 0) { /* no id is left, RFC 9113 section 5.1.1 */
        session->state = H2_OUT_LEAVING;
        task_wake(session->watcher);
        stream_fail(stream, FAULT_upstream_refused_stream, FAULT_NONE);
        return;
    }
    call->id = id;
    call->open = true;
    call->tx.ended = bodiless;
    call->method = head->wants_upgrade ? METHOD_CONNECT : head->method;
    session->submitted++;
    stream->tx_started = true;
    task_wake(&session->flush_task);
}

static void take_trailers(struct h2_call *call, const struct fields *trailers)
{
    if (trailers == NULL || trailers->count == 0)
        return;
    nghttp2_nv *out = arena_alloc(call->stream.arena, trailers->count * sizeof *out);
    call->trailer_count = h2_write_trailers(trailers, out);
    call->trailers = call->trailer_count > 0 ? out : NULL;
}

static void tx_body(struct stream *stream, struct body *body, const struct fields *trailers)
{
    struct h2_call *call = call_of(stream);
    if (!can_send(call) || call->tx.ended)
        return;
    uint32_t moved = body_move(&call->tx, body, H2_CALL_TX_MARK);
    call->tx_blocked = body->queued > 0;
    stream->tx_bytes += moved;
    if (body_is_done(body)) {
        take_trailers(call, trailers);
        call->tx.ended = true;
    }
    if (moved == 0 && !call->tx.ended)
        return;
    if (call->deferred)
        nghttp2_session_resume_data(call->session->ng, call->id);
    call->deferred = false;
    task_wake(&call->session->flush_task);
}

static void rx_resume(struct stream *stream)
{
    struct h2_call *call = call_of(stream);
    if (call->interim_held)
        h2_call_next_head(call);
    h2_call_credit(call);
}

/* A stream whose messages have both ended needs no reset, even if the server's END_STREAM is still to come.
 */
static void close_stream(struct stream *stream, enum fault fault)
{
    struct h2_call *call = call_of(stream);
    struct h2_outbound *session = call->session;
    bool complete = !fault && stream->rx.ended && call->end_sent;
    stream->owner = NULL;
    call->owned = false;
    call->trailers_due = false;
    call->trailers = NULL;
    session->lent--;
    if (can_send(call) && !complete && !call->reset_code) {
        call->reset_due = true;
        call->reset_code = NGHTTP2_CANCEL;
        h2_call_due(call);
    }
    body_fini(&stream->rx);
    h2_call_credit(call);
    stream->arena = NULL;
    task_wake(session->watcher);
    h2_call_release(call);
}

const struct stream_ops h2_call_ops = {.tx_head = tx_head,
                                       .tx_body = tx_body,
                                       .rx_resume = rx_resume,
                                       .close = close_stream};
