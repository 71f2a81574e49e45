/*
 * One HTTP/2 connection to an endpoint and its streams ("calls") as the h2_outbound and h2_call_ files see
 * them; nobody else includes this. h2_outbound.c owns their lives, h2_call_rx.c fills them from nghttp2's
 * callbacks, h2_call_tx.c empties them into the conn. Callbacks MUST only fill and mark: nghttp2 is asked
 * again after it has returned (h2_outbound_settle()).
 */
#ifndef PORTICO_CODEC_H2_CALLS_H
#define PORTICO_CODEC_H2_CALLS_H

#include "codec/h2_fields.h"
#include "codec/h2_outbound.h"
#include "codec/h2_stream.h"

/* Bounds of one connection and its streams. */
enum {
    H2_OUTBOUND_MAGIC = 0x48324f42,
    H2_CALLS_MAX = 100,       /* streams at a time, however many more the server takes */
    H2_CALL_WINDOW = 65535,   /* bytes of a response under way; no more than a struct body holds */
    H2_CALL_INTERIMS_MAX = 16 /* heads that may wait for the owner */
};

/* What the connection is doing. */
enum h2_outbound_state {
    H2_OUT_CONNECTING,
    H2_OUT_GREETING, /* our preface is out, the server's SETTINGS are awaited */
    H2_OUT_SERVING,
    H2_OUT_LEAVING, /* the server has said GOAWAY */
    H2_OUT_DEAD
};

/* A head that waits until the owner is done with the one before it. */
struct h2_waiting_head {
    struct h2_waiting_head *next;
    struct message head;
};

/* One stream. It lives until its owner has closed it and nghttp2 has no stream for it any more. */
struct h2_call {
    struct list_node node; /* session->calls */
    struct h2_stream h2;   /* its id: 0 until the request was submitted */
    struct h2_outbound *session;
    enum method method;
    bool interim_held; /* an interim head is with the owner, others wait */
    bool responded;    /* the final head has come */
    bool has_length;   /* its content-length counts down in length_left */
    bool unsent;       /* the request could not be sent any more */
    bool server_reset; /* RST_STREAM has come */
    uint8_t interims;
    uint64_t length_left;            /* content still to come */
    struct h2_waiting_head *waiting; /* the oldest first, in the owner's arena */
    struct h2_head head;
};

/* One connection. */
struct h2_outbound {
    uint32_t magic;
    enum h2_outbound_state state;
    struct h2_wire wire; /* its flush_task frees this in the end */
    struct task *watcher;
    struct h1_limits limits;
    struct list calls;
    uint32_t lent, ever, submitted, streams_max;
    bool secure;       /* over TLS */
    bool greeted;      /* set by callbacks: SETTINGS have come */
    bool goaway_seen;  /* set by callbacks */
    bool bomb;         /* set by callbacks: a head is far beyond the limits */
    bool pinged;       /* a PING has not been answered */
    uint64_t heard_us; /* when something last came */
    struct timer timer;
};

/* --- h2_outbound.c: lives --- */

/* Frees the call if neither side needs it any more. */
void h2_call_release(struct h2_call *call);

/* nghttp2 has no stream for it any more. */
void h2_call_gone(struct h2_call *call);

/* The stream shall be reset; its owner is told `fault`. */
void h2_call_refuse(struct h2_call *call, enum fault fault, enum fault detail);

/* Asks nghttp2 for what callbacks and owners have marked. */
void h2_outbound_settle(struct h2_outbound *session);

/* How many streams may be open at a time. */
uint32_t h2_outbound_allowed(const struct h2_outbound *session);

/* --- h2_call_rx.c: what comes in --- */

/* The callbacks that fill calls. */
void h2_call_rx_set_callbacks(nghttp2_session_callbacks *callbacks);

/* The owner is done with an interim head: the next one is its turn. */
void h2_call_next_head(struct h2_call *call);

/* --- h2_call_tx.c: what goes out --- */

/* The callbacks that take from calls. */
void h2_call_tx_set_callbacks(nghttp2_session_callbacks *callbacks);

/* Moves frames to the conn while it has room; false when nghttp2 cannot go on. */
bool h2_outbound_pump(struct h2_outbound *session);

/* The operations of a call's stream. */
extern const struct stream_ops h2_call_ops;

#endif
