/*
 * The server side of HTTP/1.1, see codec/h1_inbound.h. Between a conn below and the streams it gives birth
 * to; parses and writes through h1_parse, h1_rx and h1_tx; never knows routes, upstreams or policies. One
 * request at a time: pipelined ones wait unread.
 */
#include "codec/h1_inbound.h"

#include "base/check.h"
#include "codec/h1_rx.h"
#include "codec/h1_tx.h"
#include "codec/h2_inbound.h"

#include <stdlib.h>

enum {
    INBOUND_MAGIC = 0x48314942,
    REQUEST_PAGE = 6144, /* first page of an exchange's arena */
    SPARE_REQUESTS = 128,
    LINGER_US = 2 * 1000 * 1000,
    LINGER_BYTES = 64 * 1024
};

/* What the connection is doing. */
enum inbound_state {
    INBOUND_FRESH,  /* accepted, no byte yet: head_timeout runs */
    INBOUND_IDLE,   /* between requests: keep_alive_timeout runs */
    INBOUND_HEAD,   /* part of a head is there: head_timeout runs */
    INBOUND_ACTIVE, /* a request is with its owner */
    INBOUND_LINGER  /* answered and shut down for sending: what still comes is discarded */
};

/* One request while it lasts: its stream, its memory, its reading and writing. */
struct h1_request {
    struct h1_inbound *session;
    struct h1_rx rx;
    struct h1_tx tx;
    struct stream stream;
    struct list_node node; /* home->spare_requests */
    struct arena arena;
    _Alignas(16) char page[REQUEST_PAGE];
};

struct h1_inbound {
    uint32_t magic;
    uint8_t state;     /* enum inbound_state */
    bool first;        /* no request yet, on a connection that may turn out to speak HTTP/2 */
    bool draining;     /* it takes no new requests */
    bool close_after;  /* the connection ends with this response */
    struct conn *conn; /* NULL once it has failed while a request was with its owner */
    struct h1_request *request;
    struct session_home *home;
    struct h1_scan scan;
    uint32_t discarded; /* bytes, while it lingers */
    struct timer timer; /* ends the state */
    struct session session;
};

static const struct stream_ops inbound_stream_ops;
static void read_head(struct h1_inbound *session);

/* --- requests --- */

static struct h1_request *request_new(struct h1_inbound *session)
{
    struct list_node *spare = list_pop(&session->home->spare_requests);
    struct h1_request *request = spare ? CONTAINER_OF(spare, h1_request, node) : malloc(sizeof *request);
    CHECK(request != NULL);
    memset(request, 0, offsetof(struct h1_request, arena));
    arena_init(&request->arena, request->page, sizeof request->page);
    request->session = session;
    request->stream.ops = &inbound_stream_ops;
    request->stream.client = &session->session.client;
    request->stream.arena = &request->arena;
    request->stream.tx_pipes = conn_is_spliceable(session->conn);
    session->request = request;
    return request;
}

static void request_free(struct session_home *home, struct h1_request *request)
{
    body_fini(&request->stream.rx);
    arena_fini(&request->arena);
    if (home->spare_requests.count < SPARE_REQUESTS)
        list_prepend(&home->spare_requests, &request->node);
    else
        free(request);
}

void h1_inbound_free_spares(struct session_home *home)
{
    struct list_node *node;
    while ((node = list_pop(&home->spare_requests)) != NULL)
        free(CONTAINER_OF(node, h1_request, node));
}

/* --- the connection's life --- */

static void session_free(struct h1_inbound *session)
{
    CHECK(session->request == NULL);
    conn_close(&session->conn);
    timer_clear(session->home->loop->timers, &session->timer);
    session_leave(session->home, &session->session);
}

static uint64_t state_timeout_us(const struct h1_inbound *session)
{
    const struct session_settings *settings = &session->home->settings;
    bool waits = session->state == INBOUND_FRESH || session->state == INBOUND_IDLE;
    if (waits && session->home->draining)
        return SESSION_LAST_CHANCE_US;
    switch ((enum inbound_state)session->state) {
    case INBOUND_FRESH:
    case INBOUND_HEAD: return settings->head_timeout_us;
    case INBOUND_LINGER: return LINGER_US;
    case INBOUND_IDLE:
    case INBOUND_ACTIVE: break;
    }
    return settings->keep_alive_timeout_us;
}

static void enter(struct h1_inbound *session, enum inbound_state state)
{
    session->state = (uint8_t)state;
    if (state == INBOUND_FRESH || state == INBOUND_IDLE)
        session_rest(session->home, &session->session);
    else
        session_stir(session->home, &session->session);
    if (state == INBOUND_ACTIVE)
        return;
    timer_set(session->home->loop->timers, &session->timer, state_timeout_us(session));
}

static void start_linger(struct h1_inbound *session)
{
    if (session->conn == NULL || conn_at_eof(session->conn)) {
        session_free(session);
        return;
    }
    conn_consume(session->conn, conn_unread(session->conn).len);
    conn_leave_unread(session->conn, false);
    conn_shutdown_tx(session->conn);
    conn_resume(session->conn);
    enter(session, INBOUND_LINGER);
}

static void discard(struct h1_inbound *session)
{
    size_t len = conn_unread(session->conn).len;
    conn_consume(session->conn, len);
    session->discarded += (uint32_t)len;
    if (session->discarded > LINGER_BYTES)
        session_free(session);
}

/* --- reading --- */

static void give_birth(struct h1_inbound *session, struct h1_request *request, enum fault fault)
{
    struct stream *stream = &request->stream;
    stream->fault = fault;
    session->close_after = fault != FAULT_NONE || session->draining || !stream->rx_head.keep_alive;
    if (fault)
        h1_rx_start(&request->rx, stream, &(struct framing){FRAMING_NONE, false, 0});
    else
        h1_rx_start(&request->rx, stream, &stream->rx_head.framing);
    enter(session, INBOUND_ACTIVE);
    stream->facts = STREAM_OPEN | STREAM_HEAD;
    if (conn_at_eof(session->conn) && stream->rx.ended)
        stream->facts |= STREAM_HALF;
    session->home->on_stream(session->home->arg, stream);
}

static void refuse(struct h1_inbound *session, enum fault fault)
{
    give_birth(session, request_new(session), fault);
}

static void broken_body(struct h1_request *request, enum fault fault)
{
    request->session->close_after = true;
    stream_fail(&request->stream, fault, FAULT_NONE);
}

static void read_body(struct h1_inbound *session)
{
    struct h1_request *request = session->request;
    struct stream *stream = &request->stream;
    if (stream->rx.ended || (stream->facts & STREAM_FAILED)) {
        conn_pause(session->conn); /* pipelined requests wait for their turn */
        return;
    }
    uint64_t before = stream->rx_bytes;
    enum fault fault = h1_rx_feed(&request->rx, session->conn, stream);
    if (fault)
        broken_body(request, fault);
    else if (stream->rx_bytes != before || stream->rx.ended)
        stream_tell(stream, STREAM_BODY);
    conn_rest(session->conn);
}

static void take_head(struct h1_inbound *session, size_t len)
{
    struct h1_request *request = request_new(session);
    const char *head = arena_copy(&request->arena, slice_make(conn_unread(session->conn).at, len));
    enum fault fault = h1_parse_request(slice_make(head, len), &request->arena, &request->stream.rx_head);
    conn_consume(session->conn, len);
    give_birth(session, request, fault);
    if (!request->stream.rx.ended && conn_unread(session->conn).len > 0)
        read_body(session);
    conn_rest(session->conn);
}

/* RFC 9113 section 3.3: a client may know that HTTP/2 is spoken here, and begin with its preface. */
static void become_h2(struct h1_inbound *session)
{
    struct conn *conn = session->conn;
    struct stream_client client = session_give_client(&session->session);
    session->conn = NULL;
    h2_inbound_open(session->home, conn, &client);
    session_free(session);
}

/* Whether the connection's first bytes are, or may become, the preface of HTTP/2; then they are no head. */
static bool is_preface(struct h1_inbound *session)
{
    enum h2_preface preface = h2_preface_of(conn_unread(session->conn));
    session->first = preface == H2_PREFACE_PART;
    if (preface == H2_PREFACE_WHOLE)
        become_h2(session);
    else if (preface == H2_PREFACE_PART && session->state != INBOUND_HEAD)
        enter(session, INBOUND_HEAD);
    return preface != H2_PREFACE_NO;
}

static void read_head(struct h1_inbound *session)
{
    struct conn *conn = session->conn;
    if (session->first && conn_unread(conn).len > 0 && is_preface(session))
        return;
    if (session->state != INBOUND_HEAD)
        conn_consume(conn, h1_skip_empty_lines(conn_unread(conn)));
    struct slice unread = conn_unread(conn);
    if (unread.len == 0) {
        conn_rest(conn);
        return;
    }
    if (session->state != INBOUND_HEAD && unread.len == 1 && unread.at[0] == '\r')
        return; /* half of an empty line, to be skipped whole (RFC 9112 section 2.2) */
    if (session->state != INBOUND_HEAD)
        session->scan = (struct h1_scan){0};
    size_t len = 0;
    enum fault fault = h1_head_scan(unread, &session->home->settings.limits, &session->scan, &len);
    if (fault)
        refuse(session, fault);
    else if (len > 0)
        take_head(session, len);
    else if (session->state != INBOUND_HEAD)
        enter(session, INBOUND_HEAD);
}

/* Nothing more will come, and what is there is no whole request. */
static bool is_spent(const struct h1_inbound *session)
{
    return session->state != INBOUND_ACTIVE && conn_at_eof(session->conn);
}

static void on_eof(struct h1_inbound *session)
{
    if (session->state != INBOUND_ACTIVE) {
        session_free(session);
        return;
    }
    struct h1_request *request = session->request;
    if (request->stream.rx.ended)
        stream_tell(&request->stream, STREAM_HALF);
    else if (h1_rx_eof(&request->rx, &request->stream))
        stream_tell(&request->stream, STREAM_BODY);
    else
        stream_fail(&request->stream, FAULT_client_gone, FAULT_NONE);
}

static void on_failed(struct h1_inbound *session)
{
    if (session->state != INBOUND_ACTIVE) {
        session_free(session);
        return;
    }
    conn_close(&session->conn);
    session->request->stream.facts &= ~(unsigned)STREAM_FAILED;
    stream_fail(&session->request->stream, FAULT_client_gone, FAULT_NONE);
}

static void on_drained(struct h1_inbound *session)
{
    if (session->state != INBOUND_ACTIVE)
        return;
    struct h1_request *request = session->request;
    request->stream.tx_waits = false;
    stream_tell(&request->stream, request->tx.ended ? STREAM_ROOM | STREAM_SENT : STREAM_ROOM);
}

static void on_rx(struct h1_inbound *session)
{
    if (session->state == INBOUND_ACTIVE)
        read_body(session);
    else if (session->state == INBOUND_LINGER)
        discard(session);
    else
        read_head(session);
}

static void on_facts(void *owner, unsigned facts)
{
    struct h1_inbound *session = MAGIC_CAST(h1_inbound, owner, INBOUND_MAGIC);
    if (facts & CONN_FAILED)
        on_failed(session);
    else if (facts & CONN_RX)
        on_rx(session);
    else if (facts & CONN_EOF)
        on_eof(session);
    else if (facts & CONN_DRAINED)
        on_drained(session);
}

static void on_timer(struct timer *timer)
{
    struct h1_inbound *session = CONTAINER_OF(timer, h1_inbound, timer);
    if (session->state == INBOUND_ACTIVE)
        return; /* left from the state before */
    if (session->state == INBOUND_HEAD)
        refuse(session, FAULT_head_timeout);
    else
        session_free(session);
}

/* --- the stream's operations, called by its owner --- */

static struct h1_request *request_of(struct stream *stream)
{
    struct h1_request *request = CONTAINER_OF(stream, h1_request, stream);
    (void)MAGIC_CAST(h1_inbound, request->session, INBOUND_MAGIC);
    return request;
}

/* RFC 9112 section 9.3: what the Connection field of this response says. */
static enum h1_connection connection_option(struct h1_request *request, const struct message *head)
{
    struct h1_inbound *session = request->session;
    if (head->status == 101)
        return H1_UPGRADE;
    if (head->status < 200)
        return H1_KEEP_ALIVE;
    bool unread = conn_unread(session->conn).len > 0;
    if (!head->keep_alive || !request->stream.rx.ended || session->draining)
        session->close_after = true;
    if (head->framing.kind == FRAMING_UNTIL_CLOSE)
        session->close_after = true;
    if (unread ? request->stream.rx_head.wants_upgrade : conn_at_eof(session->conn))
        session->close_after =
            true; /* what follows a refused upgrade is no request; after EOF nothing follows */
    if (session->close_after)
        return H1_CLOSE;
    return request->stream.rx_head.version_minor == 0 ? H1_KEEP_ALIVE_SAID : H1_KEEP_ALIVE;
}

/* From now on all bytes are content; some, and their end, may have come behind the request. */
static void open_tunnel(struct h1_inbound *session, struct h1_request *request)
{
    request->stream.rx.ended = false;
    request->rx.kind = FRAMING_TUNNEL;
    conn_resume(session->conn);
    if (conn_unread(session->conn).len > 0)
        read_body(session);
    if (conn_at_eof(session->conn) && conn_unread(session->conn).len == 0)
        on_eof(session);
}

/* Only HTTP/1.0 clients take a content that ends with the connection, and they know no other without a
 * length. */
static enum framing_kind framing_for(const struct stream *stream, enum framing_kind kind)
{
    if (kind != FRAMING_UNTIL_CLOSE && kind != FRAMING_STREAM)
        return kind;
    bool old_client = stream->rx_head.version_minor == 0 && stream->fault == FAULT_NONE;
    return old_client ? FRAMING_UNTIL_CLOSE : FRAMING_STREAM;
}

static void tx_head(struct stream *stream, const struct message *head)
{
    struct h1_request *request = request_of(stream);
    struct h1_inbound *session = request->session;
    if (session->conn == NULL)
        return;
    struct message framed;
    enum framing_kind kind = framing_for(stream, head->framing.kind);
    if (kind != head->framing.kind) {
        framed = *head;
        framed.framing.kind = kind;
        head = &framed;
    }
    h1_tx_response(&request->tx, session->conn, head, connection_option(request, head));
    stream->tx_started = true;
    if (head->status == 101)
        open_tunnel(session, request);
}

static void tx_body(struct stream *stream, struct body *body, const struct fields *trailers)
{
    struct h1_request *request = request_of(stream);
    struct conn *conn = request->session->conn;
    if (conn == NULL)
        return;
    h1_tx_body(&request->tx, conn, stream, body, trailers);
    if (request->tx.ended)
        conn_want_drained(conn);
}

static void rx_resume(struct stream *stream)
{
    struct h1_request *request = request_of(stream);
    struct h1_inbound *session = request->session;
    if (session->conn == NULL || stream->rx.ended || !conn_is_paused(session->conn))
        return;
    conn_resume(session->conn);
    if (conn_unread(session->conn).len > 0)
        read_body(session);
    if (conn_at_eof(session->conn) && conn_unread(session->conn).len == 0 && !stream->rx.ended)
        on_eof(session);
}

static void go_idle(struct h1_inbound *session)
{
    enter(session, INBOUND_IDLE);
    conn_resume(session->conn);
    read_head(session);
    if (is_spent(session))
        session_free(session);
}

static void close_stream(struct stream *stream, enum fault fault)
{
    struct h1_request *request = request_of(stream);
    struct h1_inbound *session = request->session;
    bool complete = request->tx.ended && stream->rx.ended;
    bool lives_on = fault == FAULT_NONE && complete && !session->close_after && !session->draining;
    bool cut_short = !request->tx.ended && stream->tx_started && request->tx.kind == FRAMING_UNTIL_CLOSE;
    stream->owner = NULL;
    session->request = NULL;
    request_free(session->home, request);
    if (session->conn == NULL)
        session_free(session);
    else if (lives_on)
        go_idle(session);
    else if (cut_short)
        conn_reset(&session->conn), session_free(session);
    else
        start_linger(session);
}

static const struct stream_ops inbound_stream_ops = {.tx_head = tx_head,
                                                     .tx_body = tx_body,
                                                     .rx_resume = rx_resume,
                                                     .close = close_stream};

/* --- the session's operations --- */

/* When the gateway stops, a request may be on its way already; a connection that has lost its client's trust
 * takes none. */
static void drain_session(struct session *base)
{
    struct h1_inbound *session = CONTAINER_OF(base, h1_inbound, session);
    session->draining = true;
    if (session->state != INBOUND_IDLE && session->state != INBOUND_FRESH)
        return;
    if (session->home->draining)
        enter(session, session->state);
    else
        session_free(session);
}

static void kill_session(struct session *base)
{
    struct h1_inbound *session = CONTAINER_OF(base, h1_inbound, session);
    if (session->state != INBOUND_ACTIVE) {
        session_free(session);
        return;
    }
    conn_close(&session->conn);
    stream_fail(&session->request->stream, FAULT_shutdown, FAULT_NONE);
}

static bool shed_session(struct session *base)
{
    struct h1_inbound *session = CONTAINER_OF(base, h1_inbound, session);
    if (!conn_is_quiet(session->conn))
        return false;
    session_free(session);
    return true;
}

static void free_session(struct session *base)
{
    struct h1_inbound *session = CONTAINER_OF(base, h1_inbound, session);
    session->magic = 0;
    free(session);
}

static const struct session_ops inbound_session_ops = {.drain = drain_session,
                                                       .kill = kill_session,
                                                       .shed = shed_session,
                                                       .free = free_session};

void h1_inbound_open(struct session_home *home, struct conn *conn, const struct stream_client *client)
{
    struct h1_inbound *session = calloc(1, sizeof *session);
    CHECK(session != NULL);
    session->magic = INBOUND_MAGIC;
    session->home = home;
    session->session.ops = &inbound_session_ops;
    session->draining = home->draining;
    session->timer.fire = on_timer;
    session->conn = conn;
    session->first = client->tls == NULL;
    session_join(home, &session->session, client);
    conn_hand_over(conn, (struct conn_owner){on_facts, session});
    enter(session, INBOUND_FRESH);
    if (conn_unread(conn).len > 0)
        read_head(session);
}
