/*
 * What comes in on an HTTP/2 connection: nghttp2's callbacks fill requests and mark what must follow, see
 * codec/h2_session.h. They never call nghttp2, except for its map from streams to requests. Knows neither the
 * conn nor what is sent.
 */
#include "codec/h2_session.h"

#include "base/check.h"

static struct h2_inbound *session_of(void *arg)
{
    return MAGIC_CAST(h2_inbound, arg, H2_INBOUND_MAGIC);
}

static struct h2_request *request_of(nghttp2_session *ng, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ng, id);
}

static struct slice text_of(const uint8_t *at, size_t len)
{
    return slice_make((const char *)at, len);
}

/* --- heads --- */

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_inbound *session = session_of(arg);
    struct h2_request *request = request_of(ng, frame->hd.stream_id);
    bool trailers = frame->headers.cat != NGHTTP2_HCAT_REQUEST;
    session->heads_begun++;
    if (!trailers) {
        request = h2_request_new(session, frame->hd.stream_id);
        nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, request);
        session->last_id = frame->hd.stream_id;
        session->streams++;
    }
    bool dead = request == NULL || (trailers && !request->h2.owned); /* its arena is gone */
    if (!dead)
        h2_head_start(&request->head, &request->arena, &session->home->settings.limits, trailers);
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    (void)flags;
    struct h2_inbound *session = session_of(arg);
    struct h2_request *request = request_of(ng, frame->hd.stream_id);
    if (request == NULL || (request->head.trailers && !request->h2.owned))
        return 0;
    h2_head_add(&request->head, text_of(name, name_len), text_of(value, value_len));
    if (request->head.verdict != H2_BOMB)
        return 0;
    session->reason = CLOSE_header_bomb;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* By default nghttp2 drops what is invalid and goes on; RFC 9113 section 8.2.1 wants the stream to end. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *arg)
{
    (void)ng, (void)frame, (void)name, (void)name_len, (void)value, (void)value_len, (void)flags, (void)arg;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void give_birth(struct h2_request *request, enum fault fault)
{
    struct h2_inbound *session = request->session;
    struct stream *stream = &request->h2.stream;
    struct framing *framing = &stream->rx_head.framing;
    stream->fault = fault;
    request->asked_tunnel = !fault && stream->rx_head.wants_upgrade;
    request->length_left = framing->kind == FRAMING_LENGTH ? framing->length : 0;
    stream->rx.ended = fault || request->rx_closed || framing->kind == FRAMING_NONE;
    request->h2.owned = true;
    session->owned++;
    session_stir(session->home, &session->session);
    stream->facts = STREAM_OPEN | STREAM_HEAD;
    session->home->on_stream(session->home->arg, stream);
}

static void end_request(struct h2_request *request, bool end_stream)
{
    struct h2_head *head = &request->head;
    enum h2_verdict verdict = h2_head_end(head, end_stream, &request->h2.stream.rx_head);
    request->rx_closed = end_stream;
    request->prioritized = request->prioritized || head->prioritized;
    if (verdict == H2_MALFORMED)
        h2_stream_reset(&request->h2, NGHTTP2_PROTOCOL_ERROR);
    else if (request->session->owned >= H2_STREAMS_MAX) /* a slot is free when its exchange has ended (A20) */
        h2_stream_reset(&request->h2, NGHTTP2_REFUSED_STREAM);
    else
        give_birth(request, verdict == H2_REFUSED ? head->fault : FAULT_NONE);
}

/* END_STREAM has come: what is queued is all. */
static void end_content(struct h2_request *request)
{
    struct stream *stream = &request->h2.stream;
    request->rx_closed = true;
    if (!request->h2.owned || (stream->rx.ended && !request->tunnel) || request->h2.reset_due)
        return;
    if (request->length_left > 0) {
        h2_stream_reset(&request->h2, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    stream->rx.ended = true;
    stream_tell(stream, STREAM_BODY);
}

static void end_trailers(struct h2_request *request)
{
    if (!request->h2.owned)
        return;
    if (request->head.verdict != H2_FINE) {
        h2_stream_reset(&request->h2, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    request->h2.stream.rx_trailers = request->head.fields;
    end_content(request);
}

static void end_headers(struct h2_request *request, const nghttp2_frame *frame)
{
    if (request == NULL)
        return;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        end_request(request, frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    else
        end_trailers(request);
}

/* --- content --- */

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                         void *arg)
{
    (void)flags;
    struct h2_inbound *session = session_of(arg);
    struct h2_request *request = request_of(ng, id);
    bool early = request && request->h2.owned && request->asked_tunnel && !request->tunnel;
    if (request == NULL || !request->h2.owned || (request->h2.stream.rx.ended && !early)) {
        session->wire.discarded += len;
        return 0;
    }
    struct stream *stream = &request->h2.stream;
    if (stream->rx_head.framing.kind == FRAMING_LENGTH && len > request->length_left) {
        session->wire.discarded += len;
        h2_stream_reset(&request->h2, NGHTTP2_PROTOCOL_ERROR);
        return 0;
    }
    if (stream->rx_head.framing.kind == FRAMING_LENGTH)
        request->length_left -= len;
    h2_stream_gather(&request->h2, early ? &request->early : &stream->rx, text_of(data, len));
    if (!early)
        stream_tell(stream, STREAM_BODY);
    return 0;
}

/* --- other frames --- */

static void note_priority(nghttp2_session *ng, const nghttp2_frame *frame)
{
    const nghttp2_ext_priority_update *update = frame->ext.payload;
    struct h2_request *request = request_of(ng, update->stream_id);
    if (request)
        request->prioritized = true;
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_inbound *session = session_of(arg);
    struct h2_request *request = frame->hd.stream_id ? request_of(ng, frame->hd.stream_id) : NULL;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS: end_headers(request, frame); break;
    case NGHTTP2_DATA:
        if (request && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            end_content(request);
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            session->ping_acked = true;
        break;
    case NGHTTP2_PRIORITY_UPDATE: note_priority(ng, frame); break;
    default: break;
    }
    return 0;
}

/* The stream has ended on the wire: well, or because one side reset it. */
static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    (void)code;
    struct h2_inbound *session = session_of(arg);
    struct h2_request *request = request_of(ng, id);
    if (request == NULL)
        return 0;
    CHECK(request->session == session);
    request->h2.open = false;
    request->h2.reset_due = request->h2.trailers_due = false;
    if (request->h2.owned && !request->h2.end_sent)
        stream_fail(&request->h2.stream, FAULT_client_gone, FAULT_NONE);
    h2_request_release(request);
    return 0;
}

void h2_rx_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}
