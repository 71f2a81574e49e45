/*
 * What goes out on an HTTP/2 connection to an endpoint: the operations of its streams, called by their
 * owners, and the pump that moves frames into the conn while it has room, see codec/h2_calls.h. What the
 * windows do not let through stays with the call up to a mark, and beyond it with the owner.
 */
#include "codec/h2_calls.h"

#include "base/check.h"

static struct h2_call *call_of(struct stream *stream)
{
    struct h2_call *call = CONTAINER_OF(stream, h2_call, h2.stream);
    (void)MAGIC_CAST(h2_outbound, call->session, H2_OUTBOUND_MAGIC);
    return call;
}

/* --- what has been sent --- */

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_outbound *session = MAGIC_CAST(h2_outbound, arg, H2_OUTBOUND_MAGIC);
    int32_t id = frame->hd.stream_id;
    bool message = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
        session->wire.goaway_sent = true;
    struct h2_call *call = id ? nghttp2_session_get_stream_user_data(ng, id) : NULL;
    if (message && call && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        call->h2.end_sent = true;
    return 0;
}

static struct h2_call *find_call(struct h2_outbound *session, int32_t id)
{
    for (struct list_node *node = list_first(&session->calls); node;
         node = list_next(&session->calls, node)) {
        struct h2_call *call = CONTAINER_OF(node, h2_call, node);
        if (call->h2.id == id)
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
    if (call == NULL || !call->h2.open)
        return 0;
    call->unsent = true;
    stream_fail(&call->h2.stream, FAULT_upstream_refused_stream, FAULT_NONE);
    h2_stream_due(&call->h2);
    return 0;
}

void h2_call_tx_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, h2_stream_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
}

/* --- the pump --- */

bool h2_outbound_pump(struct h2_outbound *session)
{
    do {
        h2_outbound_settle(session);
        if (!h2_wire_pump(&session->wire))
            return false;
    } while (session->wire.due.count > 0 && conn_tx_has_room(session->wire.conn));
    if (nghttp2_session_want_write(session->wire.ng))
        conn_want_drained(session->wire.conn);
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
    return nghttp2_session_get_remote_settings(session->wire.ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) ==
           1;
}

static void tx_head(struct stream *stream, const struct message *head)
{
    struct h2_call *call = call_of(stream);
    struct h2_outbound *session = call->session;
    if (call->h2.id || (stream->facts & STREAM_FAILED))
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
    nghttp2_data_provider content = h2_stream_content(&call->h2);
    bool bodiless = head->framing.kind == FRAMING_NONE && !head->wants_upgrade;
    int32_t id =
        nghttp2_submit_request(session->wire.ng, NULL, fields, count, bodiless ? NULL : &content, call);
    if (id < 0) { /* no id is left, RFC 9113 section 5.1.1 */
        session->state = H2_OUT_LEAVING;
        task_wake(session->watcher);
        stream_fail(stream, FAULT_upstream_refused_stream, FAULT_NONE);
        return;
    }
    call->h2.id = id;
    call->h2.open = true;
    call->h2.tx.ended = bodiless;
    call->method = head->wants_upgrade ? METHOD_CONNECT : head->method;
    session->submitted++;
    stream->tx_started = true;
    task_wake(&session->wire.flush_task);
}

static void tx_body(struct stream *stream, struct body *body, const struct fields *trailers)
{
    h2_stream_take(&call_of(stream)->h2, body, trailers);
}

static void rx_resume(struct stream *stream)
{
    struct h2_call *call = call_of(stream);
    if (call->interim_held)
        h2_call_next_head(call);
    h2_stream_credit(&call->h2, stream->rx.queued);
}

/* A stream whose messages have both ended needs no reset, even if the server's END_STREAM is still to come.
 */
static void close_stream(struct stream *stream, enum fault fault)
{
    struct h2_call *call = call_of(stream);
    struct h2_outbound *session = call->session;
    bool complete = !fault && stream->rx.ended && call->h2.end_sent;
    stream->owner = NULL;
    call->h2.owned = false;
    call->h2.trailers_due = false;
    call->h2.trailers = NULL;
    session->lent--;
    if (h2_stream_is_open(&call->h2) && !complete && !call->h2.reset_code)
        h2_stream_reset(&call->h2, NGHTTP2_CANCEL);
    body_fini(&stream->rx);
    h2_stream_credit(&call->h2, stream->rx.queued);
    stream->arena = NULL;
    task_wake(session->watcher);
    h2_call_release(call);
}

const struct stream_ops h2_call_ops = {.tx_head = tx_head,
                                       .tx_body = tx_body,
                                       .rx_resume = rx_resume,
                                       .close = close_stream};
