/*
 * One HTTP/2 connection and its requests as the h2_ files of this folder see them; nobody else includes this.
 * h2_session.c owns their lives, h2_rx.c fills them from nghttp2's callbacks, h2_tx.c empties them into the
 * conn, h2_inbound.c faces the conn and the thread. Callbacks MUST only fill and mark: nghttp2 is called
 * again after it has returned (h2_session_settle()).
 */
#ifndef PORTICO_CODEC_H2_SESSION_H
#define PORTICO_CODEC_H2_SESSION_H

#include "codec/h2_fields.h"
#include "codec/h2_limits.h"
#include "codec/h2_stream.h"
#include "codec/session.h"

/* Bounds of one connection and its requests. */
enum {
    H2_INBOUND_MAGIC = 0x48324942,
    H2_REQUEST_PAGE = 4096 /* first page of an exchange's arena */
};

/* What the connection is doing. */
enum h2_state {
    H2_SERVING,
    H2_NOTICED, /* drain: the shutdown notice is out, a PING ack or a second is awaited */
    H2_LEAVING, /* drain: the last GOAWAY is out; closes when no stream is left */
    H2_LINGER,  /* shut down for sending: what still comes is discarded */
    H2_DEAD     /* no socket any more; waits for its streams' owners */
};

/* One connection; below. */
struct h2_inbound;

/* One request. It lives until its owner has closed it and nghttp2 has no stream for it any more. */
struct h2_request {
    struct list_node node;   /* session->requests, or home->spare_streams */
    struct list_node ending; /* session->ending, while the end of the response is on its way to the socket */
    struct h2_stream h2;
    struct h2_inbound *session;
    bool asked_tunnel, tunnel;
    bool rx_closed;           /* END_STREAM has come */
    bool responded, bodiless; /* the final head was submitted; with END_STREAM */
    bool prioritized;         /* the client has said how (RFC 9218) */
    bool reset_by_owner;      /* RST_STREAM is no fault of the client's */
    uint64_t length_left;     /* FRAMING_LENGTH: content still to come */
    uint64_t end_at;          /* with `ending`: conn_tx_total() at which the response has left */
    struct body early;        /* what came on a tunnel before it was granted */
    struct h2_head head;
    struct arena arena;
    _Alignas(16) char page[H2_REQUEST_PAGE];
};

/* One connection. */
struct h2_inbound {
    uint32_t magic;
    enum h2_state state;
    struct session session;
    struct session_home *home;
    struct h2_wire wire;
    struct list requests;
    struct list ending;
    uint32_t owned;                    /* requests with their owner */
    uint32_t streams;                  /* requests ever */
    uint32_t heads_begun, strays_paid; /* heads and trailers of open streams; other ones */
    int32_t last_id;
    struct h2_limits budgets;
    struct h2_frames frames;
    enum close_reason reason; /* set by callbacks: the connection must end */
    bool ping_acked;          /* set by callbacks: the answer to the drain's PING */
    bool client_gone;         /* the client has closed its sending side */
    uint64_t head_since_us;   /* when a head began that has not ended; 0: none has */
    uint64_t idle_since_us;   /* when the last request ended; the beginning before the first */
    uint64_t state_since_us;
    struct timer timer;
};

/* --- h2_session.c: lives --- */

/* The nghttp2 session with its options, callbacks and first SETTINGS. */
nghttp2_session *h2_session_new(struct h2_inbound *session);

/* A request for a stream that begins. */
struct h2_request *h2_request_new(struct h2_inbound *session, int32_t id);

/* Frees the request if neither side needs it any more. */
void h2_request_release(struct h2_request *request);

/* Asks nghttp2 for what callbacks and owners have marked: resets, trailers, windows. */
void h2_session_settle(struct h2_inbound *session);

/* Gives back the window of what has left the request's bodies. */
void h2_request_credit(struct h2_request *request);

/* Says nothing more to nghttp2: every stream that has an owner fails with `fault`. */
void h2_session_mute(struct h2_inbound *session, enum fault fault);

/* Ends the connection for a reason: logged and counted once, GOAWAY with `code`. */
void h2_session_abort(struct h2_inbound *session, enum close_reason reason, uint32_t code);

/* Flushes, closes the sending side, and waits a moment for the client to do the same. */
void h2_session_linger(struct h2_inbound *session);

/* Closes the socket; the session goes when its last stream has. */
void h2_session_die(struct h2_inbound *session);

/* The last GOAWAY: streams that have begun are finished. */
void h2_session_leave(struct h2_inbound *session);

/* A state whose deadline begins now. */
void h2_session_enter(struct h2_inbound *session, enum h2_state state, uint64_t timeout_us);

/* The time of this turn. */
static inline uint64_t h2_now_us(const struct h2_inbound *session)
{
    return clock_now_us(&session->home->loop->clock);
}

/* --- h2_rx.c: what comes in --- */

/* The callbacks that fill requests. */
void h2_rx_set_callbacks(nghttp2_session_callbacks *callbacks);

/* --- h2_tx.c: what goes out --- */

/* The callbacks that take from requests. */
void h2_tx_set_callbacks(nghttp2_session_callbacks *callbacks);

/* Moves frames to the conn while it has room, and tells owners whose response has left. */
void h2_tx_pump(struct h2_inbound *session);

/* Tells owners whose response has left for the socket. */
void h2_tx_tell_sent(struct h2_inbound *session);

/* The operations of a request's stream. */
extern const struct stream_ops h2_stream_ops;

#endif
