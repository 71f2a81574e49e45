/*
 * One HTTP/2 connection to an endpoint and its streams ("calls") as the h2_outbound and h2_call_ files see
 * them; nobody else includes this. h2_outbound.c owns their lives, h2_call_rx.c fills them from nghttp2's
 * callbacks, h2_call_tx.c empties them into the conn. Callbacks MUST only fill and mark: nghttp2 is asked
 * again after it has returned (h2_outbound_settle()).
 */
#ifndef PORTICO_CODEC_H2_CALLS_H
#define PORTICO_CODEC_H2_CALLS_H

#include "codec/h2_content.h"
#include "codec/h2_fields.h"
#include "codec/h2_outbound.h"
#include "net/conn.h"

/* Bounds of one connection and its streams. */
enum {
    H2_OUTBOUND_MAGIC = 0x48324f42,
    H2_CALLS_MAX = 100,          /* streams at a time, however many more the server takes */
    H2_CALL_WINDOW = 65535,      /* bytes of a response under way; no more than a struct body holds */
    H2_CALL_TX_MARK = 32 * 1024, /* bytes of a request that wait for the windows; its owner keeps the rest */
    H2_CALL_TX_LOW = 8 * 1024,   /* below this the owner is told that there is room */
    H2_CALL_INTERIMS_MAX = 16    /* heads that may wait for the owner */
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
    struct list_node due;  /* session->due, while something must be asked of nghttp2 */
    struct stream stream;
    struct h2_outbound *session;
    int32_t id; /* 0 until the request was submitted */
    enum method method;
    bool open;         /* nghttp2 has, or will have, a stream */
    bool owned;        /* lent and not closed by the owner */
    bool interim_held; /* an interim head is with the owner, others wait */
    bool responded;    /* the final head has come */
    bool has_length;   /* its content-length counts down in length_left */
    bool deferred;     /* nghttp2 waits until it is told that tx has something */
    bool tx_blocked;   /* the owner has more than was taken */
    bool end_sent;     /* END_STREAM has been queued on the conn */
    bool unsent;       /* the request could not be sent any more */
    bool server_reset; /* RST_STREAM has come */
    bool trailers_due, reset_due;
    uint8_t interims;
    uint32_t reset_code;
    uint64_t length_left;        /* content still to come */
    uint64_t received, credited; /* bytes of DATA, and those whose window was given back */
    struct block *tail;          /* where received content is gathered */
    struct body tx;              /* what is on its way out; tx.ended: the owner has handed over everything */
    nghttp2_nv *trailers;        /* in the owner's arena; NULL when none follow */
    size_t trailer_count;
    struct h2_waiting_head *waiting; /* the oldest first, in the owner's arena */
    struct h2_head head;
};

/* One connection. */
struct h2_outbound {
    uint32_t magic;
    enum h2_outbound_state state;
    struct loop *loop;
    struct conn *conn;   /* NULL once dead */
    nghttp2_session *ng; /* NULL once nothing more may be said */
    struct task *watcher;
    struct h1_limits limits;
    struct list calls;
    struct list due;
    uint32_t lent, ever, submitted, streams_max;
    size_t discarded;       /* set by callbacks: DATA that nobody takes, its window to be given back */
    bool secure;            /* over TLS */
    bool greeted;           /* set by callbacks: SETTINGS have come */
    bool goaway_seen;       /* set by callbacks */
    bool goaway_sent;       /* set by callbacks: nghttp2 has found an error of the connection */
    bool bomb;              /* set by callbacks: a head is far beyond the limits */
    bool pinged;            /* a PING has not been answered */
    uint64_t heard_us;      /* when something last came */
    struct task flush_task; /* in the end frees this */
    struct timer timer;
};

/* --- h2_outbound.c: lives --- */

/* Frees the call if neither side needs it any more. */
void h2_call_release(struct h2_call *call);

/* nghttp2 has no stream for it any more. */
void h2_call_gone(struct h2_call *call);

/* nghttp2 shall hear something about the call, after its callbacks. */
void h2_call_due(struct h2_call *call);

/* The stream shall be reset; its owner is told `fault`. */
void h2_call_refuse(struct h2_call *call, enum fault fault, enum fault detail);

/* Gives back the window of what has left the call's body. */
void h2_call_credit(struct h2_call *call);

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
