/*
 * What comes in on an HTTP/2 connection to an endpoint: nghttp2's callbacks fill calls and mark what must
 * follow, see codec/h2_calls.h. They never call nghttp2, except for its map from streams to calls. Knows
 * neither the conn nor what is sent.
 */
#include "codec/h2_calls.h"

#include "base/check.h"

static struct h2_outbound *session_of(void *arg)
{
    return MAGIC_CAST(h2_outbound, arg, H2_OUTBOUND_MAGIC);
}

static struct h2_call *call_of(nghttp2_session *ng, int32_t id)
{
    return id ? nghttp2_session_get_stream_user_data(ng, id) : NULL;
}

static struct slice text_of(const uint8_t *at, size_t len)
{
    return slice_make((const char *)at, len);
}

/* --- heads --- */

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_outbound *session = session_of(arg);
    struct h2_call *call = call_of(ng, frame->hd.stream_id);
    if (call == NULL || !call->h2.owned)
        return 0;
    if (call->responded)
        h2_head_start(&call->head, call->h2.stream.arena, &session->limits, true);
    else
        h2_head_start_response(&call->head, call->h2.stream.arena, &session->limits);
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    (void)flags;
    struct h2_outbound *session = session_of(arg);
    struct h2_call *call = call_of(ng, frame->hd.stream_id);
    if (call == NULL || !call->h2.owned)
        return 0;
    h2_head_add(&call->head, text_of(name, name_len), text_of(value, value_len));
    if (call->head.verdict != H2_BOMB)
        return 0;
    session->bomb = true;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* By default nghttp2 drops what is invalid and goes on; RFC 9113 section 8.2.1 wants the stream to end. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *arg)
{
    (void)name, (void)name_len, (void)value, (void)value_len, (void)flags, (void)arg;
    struct h2_call *call = call_of(ng, frame->hd.stream_id);
    if (call)
        h2_call_refuse(call, FAULT_upstream_malformed, FAULT_bad_field_value);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void show_head(struct h2_call *call, const struct message *head)
{
    call->h2.stream.rx_head = *head;
    call->interim_held = head->status < 200;
    stream_tell(&call->h2.stream, STREAM_HEAD);
}

/* Several heads can come at once; the owner sees one at a time. */
static void push_head(struct h2_call *call, const struct message *head)
{
    if (!call->interim_held) {
        show_head(call, head);
        return;
    }
    struct h2_waiting_head *waiting = arena_zalloc(call->h2.stream.arena, sizeof *waiting);
    struct h2_waiting_head **end = &call->waiting;
    while (*end)
        end = &(*end)->next;
    waiting->head = *head;
    *end = waiting;
}

void h2_call_next_head(struct h2_call *call)
{
    struct h2_waiting_head *waiting = call->waiting;
    call->interim_held = false;
    if (waiting == NULL)
        return;
    call->waiting = waiting->next;
    show_head(call, &waiting->head);
}

static void take_response(struct h2_call *call, bool end_stream)
{
    struct message head;
    enum h2_verdict verdict = h2_head_end_response(&call->head, end_stream, call->method, &head);
    if (verdict != H2_FINE) {
        bool malformed = verdict == H2_MALFORMED;
        h2_call_refuse(call, malformed ? FAULT_upstream_malformed : FAULT_upstream_head_too_large,
                       call->head.fault);
        return;
    }
    if (head.status < 200 && ++call->interims > H2_CALL_INTERIMS_MAX) {
        h2_call_refuse(call, FAULT_too_many_interim, FAULT_NONE);
        return;
    }
    if (head.status >= 200) {
        const struct framing *framing = &head.framing;
        call->responded = true;
        call->length_left = framing->kind == FRAMING_LENGTH ? framing->length : 0;
        call->has_length = framing->kind == FRAMING_LENGTH;
        call->h2.stream.rx.ended = end_stream || framing->kind == FRAMING_NONE;
    }
    push_head(call, &head);
}

/* END_STREAM has come: what is queued is all. */
static void end_content(struct h2_call *call)
{
    struct stream *stream = &call->h2.stream;
    if (!call->h2.owned || !call->responded || stream->rx.ended || (stream->facts & STREAM_FAILED))
        return;
    if (call->length_left > 0) {
        h2_call_refuse(call, FAULT_upstream_malformed, FAULT_bad_content_length);
        return;
    }
    stream->rx.ended = true;
    stream_tell(stream, STREAM_BODY);
}

static void take_trailers(struct h2_call *call)
{
    if (call->head.verdict != H2_FINE) {
        h2_call_refuse(call, FAULT_upstream_malformed, FAULT_bad_trailer);
        return;
    }
    call->h2.stream.rx_trailers = call->head.fields;
    end_content(call);
}

static void end_headers(struct h2_call *call, bool end_stream)
{
    if (!call->h2.owned || (call->h2.stream.facts & STREAM_FAILED))
        return;
    if (call->head.trailers)
        take_trailers(call);
    else
        take_response(call, end_stream);
}

/* --- content --- */

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                         void *arg)
{
    (void)flags;
    struct h2_outbound *session = session_of(arg);
    struct h2_call *call = call_of(ng, id);
    bool wanted = call && call->h2.owned && call->responded && !(call->h2.stream.facts & STREAM_FAILED);
    bool beyond = wanted && (call->h2.stream.rx.ended || (call->has_length && len > call->length_left));
    if (beyond)
        h2_call_refuse(call, FAULT_upstream_malformed, FAULT_bad_content_length);
    if (!wanted || beyond) {
        session->wire.discarded += len;
        return 0;
    }
    struct stream *stream = &call->h2.stream;
    call->length_left -= call->has_length ? len : 0;
    h2_stream_gather(&call->h2, &stream->rx, text_of(data, len));
    stream_tell(stream, STREAM_BODY);
    return 0;
}

/* --- other frames --- */

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_outbound *session = session_of(arg);
    struct h2_call *call = call_of(ng, frame->hd.stream_id);
    bool end_stream = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (call)
            end_headers(call, end_stream);
        break;
    case NGHTTP2_DATA:
        if (call && end_stream)
            end_content(call);
        break;
    case NGHTTP2_RST_STREAM:
        if (call)
            call->server_reset = true;
        break;
    case NGHTTP2_SETTINGS:
        session->greeted = session->greeted || !(frame->hd.flags & NGHTTP2_FLAG_ACK);
        break;
    case NGHTTP2_GOAWAY: session->goaway_seen = true; break;
    default: break;
    }
    return 0;
}

/* Why a stream ended before its response did. */
static enum fault fault_of_close(const struct h2_call *call, uint32_t code)
{
    bool refused = code == NGHTTP2_REFUSED_STREAM && !call->responded;
    if (call->unsent || refused) /* RFC 9113 section 8.7 */
        return FAULT_upstream_refused_stream;
    if (!call->server_reset) /* nghttp2 has found it malformed */
        return FAULT_upstream_malformed;
    return call->responded ? FAULT_upstream_truncated : FAULT_upstream_stream_reset;
}

/* The stream has ended on the wire: well, or because one side reset it. */
static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    struct h2_outbound *session = session_of(arg);
    struct h2_call *call = call_of(ng, id);
    if (call == NULL)
        return 0;
    CHECK(call->session == session);
    if (call->h2.owned && !call->h2.stream.rx.ended) {
        enum fault fault = fault_of_close(call, code);
        bool content = fault == FAULT_upstream_malformed && call->responded;
        stream_fail(&call->h2.stream, fault, content ? FAULT_bad_content_length : FAULT_NONE);
    }
    h2_call_gone(call);
    return 0;
}

void h2_call_rx_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}
