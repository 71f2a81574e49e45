/*
 * What goes out on an HTTP/2 connection: the operations of its streams, called by their owners, and the pump
 * that moves frames into the conn while it has room, see codec/h2_session.h. Which stream comes next is
 * nghttp2's choice (RFC 9218); what the windows do not let through stays with the request up to a mark, and
 * beyond it with the owner.
 */
#include "codec/h2_session.h"

#include "base/check.h"

enum { UPDATES_PER_FRAME = 4 };

static struct h2_request *request_of(struct stream *stream)
{
    struct h2_request *request = CONTAINER_OF(stream, h2_request, h2.stream);
    (void)MAGIC_CAST(h2_inbound, request->session, H2_INBOUND_MAGIC);
    return request;
}

static int send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *header, size_t len,
                     nghttp2_data_source *source, void *arg)
{
    struct h2_inbound *session = MAGIC_CAST(h2_inbound, arg, H2_INBOUND_MAGIC);
    int error = h2_stream_send_data(ng, frame, header, len, source, arg);
    if (error)
        return error;
    h2_limits_earn(&session->budgets, CLOSE_window_update_flood, UPDATES_PER_FRAME);
    h2_limits_earn(&session->budgets, CLOSE_ping_flood, 1); /* gRPC measures each round trip of a download */
    return 0;
}

/* --- what has been sent --- */

/* A reset that its owner did not ask for was provoked by the client (CVE-2025-8671). */
static void count_reset(struct h2_inbound *session, const struct h2_request *request)
{
    if (request && request->reset_by_owner)
        return;
    if (!h2_limits_take(&session->budgets, CLOSE_provoked_resets, h2_now_us(session)))
        session->reason = CLOSE_provoked_resets;
}

static void end_sent(struct h2_inbound *session, struct h2_request *request)
{
    request->h2.end_sent = true;
    request->end_at = conn_tx_total(session->wire.conn) + conn_tx_queued(session->wire.conn);
    if (request->h2.owned)
        list_append(&session->ending, &request->ending);
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_inbound *session = MAGIC_CAST(h2_inbound, arg, H2_INBOUND_MAGIC);
    int32_t id = frame->hd.stream_id;
    struct h2_request *request = id ? nghttp2_session_get_stream_user_data(ng, id) : NULL;
    bool message = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        count_reset(session, request);
    else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
        session->wire.goaway_sent = true;
    else if (message && request && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        end_sent(session, request);
    return 0;
}

/* A head that nghttp2 could not send leaves its stream without an answer. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *arg)
{
    (void)error, (void)arg;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct h2_request *request = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
    if (request && request->h2.open) {
        request->reset_by_owner = true;
        h2_stream_reset(&request->h2, NGHTTP2_INTERNAL_ERROR);
    }
    return 0;
}

void h2_tx_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
}

/* --- the pump --- */

void h2_tx_tell_sent(struct h2_inbound *session)
{
    struct list_node *node;
    uint64_t sent = conn_tx_total(session->wire.conn);
    while ((node = list_first(&session->ending)) != NULL) {
        struct h2_request *request = CONTAINER_OF(node, h2_request, ending);
        if (request->end_at > sent)
            return;
        list_remove(&session->ending, node);
        stream_tell(&request->h2.stream, STREAM_ROOM | STREAM_SENT);
    }
}

void h2_tx_pump(struct h2_inbound *session)
{
    h2_tx_tell_sent(session); /* the conn may never be empty while others send */
    do {
        h2_session_settle(session);
        if (!h2_wire_pump(&session->wire))
            session->reason = CLOSE_protocol_error;
    } while (!session->reason && session->wire.due.count > 0 && conn_tx_has_room(session->wire.conn));
    if (session->reason)
        h2_session_abort(session, session->reason, NGHTTP2_ENHANCE_YOUR_CALM);
    else if (session->wire.goaway_sent)
        h2_session_abort(session, CLOSE_protocol_error, NGHTTP2_PROTOCOL_ERROR);
    else if (session->ending.count > 0 || nghttp2_session_want_write(session->wire.ng))
        conn_want_drained(session->wire.conn);
}

/* --- the stream's operations, called by its owner --- */

/* The answer to an extended CONNECT was yes: from now on content flows both ways until END_STREAM. */
static void open_tunnel(struct h2_request *request)
{
    struct stream *stream = &request->h2.stream;
    request->tunnel = true;
    stream->rx = request->early;
    stream->rx.ended = request->rx_closed;
    body_init(&request->early);
    stream_tell(stream, STREAM_BODY);
}

/* RFC 9218 section 10: who has said nothing shares the connection with the others instead of waiting for
 * them. */
static void share(struct h2_request *request)
{
    const nghttp2_extpri priority = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
    if (!request->prioritized)
        nghttp2_session_change_extpri_stream_priority(request->session->wire.ng, request->h2.id, &priority,
                                                      0);
}

static void tx_head(struct stream *stream, const struct message *head)
{
    struct h2_request *request = request_of(stream);
    nghttp2_session *ng = request->session->wire.ng;
    if (!h2_stream_is_open(&request->h2))
        return;
    struct h2_text text;
    nghttp2_nv *fields = arena_alloc(&request->arena, h2_response_bound(head) * sizeof *fields);
    size_t count = h2_write_response(head, &text, fields);
    stream->tx_started = true;
    task_wake(&request->session->wire.flush_task);
    if (head->status < 200 && head->status != 101) {
        nghttp2_submit_headers(ng, NGHTTP2_FLAG_NONE, request->h2.id, NULL, fields, count, NULL);
        return;
    }
    nghttp2_data_provider content = h2_stream_content(&request->h2);
    request->bodiless = head->status != 101 && head->framing.kind == FRAMING_NONE;
    request->responded = true;
    share(request);
    nghttp2_submit_response(ng, request->h2.id, fields, count, request->bodiless ? NULL : &content);
    if (head->status == 101)
        open_tunnel(request);
}

static void tx_body(struct stream *stream, struct body *body, const struct fields *trailers)
{
    struct h2_request *request = request_of(stream);
    if (request->responded && !request->bodiless)
        h2_stream_take(&request->h2, body, request->tunnel ? NULL : trailers);
}

static void rx_resume(struct stream *stream)
{
    h2_request_credit(request_of(stream));
}

/* RFC 9113 section 7 and 8.1: what a stream that has not ended is told. */
static uint32_t reset_code_of(const struct h2_request *request, enum fault fault)
{
    if (request->h2.end_sent)
        return NGHTTP2_NO_ERROR;
    if (fault == FAULT_shutdown && !request->h2.stream.tx_started)
        return NGHTTP2_REFUSED_STREAM;
    enum fault_blame blame = fault_row(fault)->blame;
    bool broken = blame == BLAME_UPSTREAM || blame == BLAME_GATEWAY;
    return broken ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL;
}

static void close_stream(struct stream *stream, enum fault fault)
{
    struct h2_request *request = request_of(stream);
    struct h2_inbound *session = request->session;
    stream->owner = NULL;
    request->h2.owned = false;
    if (--session->owned == 0)
        session_rest(session->home, &session->session);
    list_remove(&session->ending, &request->ending);
    request->h2.trailers_due = false;
    if (h2_stream_is_open(&request->h2) && !(request->h2.end_sent && request->rx_closed)) {
        request->reset_by_owner = true;
        h2_stream_reset(&request->h2, reset_code_of(request, fault));
    }
    body_fini(&stream->rx);
    body_fini(&request->early);
    h2_request_credit(request);
    arena_fini(&request->arena);
    session->idle_since_us = h2_now_us(session);
    if (session->owned == 0 && session->state == H2_SERVING && session->head_since_us == 0)
        h2_session_enter(session, H2_SERVING, session->home->settings.keep_alive_timeout_us);
    task_wake(&session->wire.flush_task);
    h2_request_release(request);
}

const struct stream_ops h2_stream_ops = {.tx_head = tx_head,
                                         .tx_body = tx_body,
                                         .rx_resume = rx_resume,
                                         .close = close_stream};
