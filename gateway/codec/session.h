/*
 * What all inbound sessions of a thread share: their settings, the list of them, and the one upward edge by
 * which a request is born. Sessions of any version are listed, so that draining does not ask which. Belongs
 * to one thread.
 */
#ifndef PORTICO_CODEC_SESSION_H
#define PORTICO_CODEC_SESSION_H

#include "base/loop.h"
#include "codec/h1_parse.h"
#include "http/stream.h"
#include "net/conn.h"

/* What a client may send and how long it may take. Durations in microseconds. */
struct session_settings {
    struct h1_limits limits;
    uint64_t head_timeout_us;
    uint64_t keep_alive_timeout_us;
    uint32_t openings_max;         /* connections that have not come to HTTP yet */
    uint32_t refused_max;          /* connections in which every request is refused for want of room */
    const struct network *trusted; /* whose PROXY protocol headers are believed */
    uint32_t trusted_count;
};

/* What a listener asks of its connections before HTTP begins. */
struct session_entrance {
    bool tls;            /* a handshake comes first */
    bool proxy_protocol; /* the PROXY protocol's header comes before everything */
    bool redirects;      /* requests are answered with their https address */
};

/* A request is born: its head is in stream->rx_head, or stream->fault says why it was refused. The callee
 * sets stream->owner before it returns. */
typedef void session_stream_fn(void *arg, struct stream *stream);

struct session;

/* What a session can be asked, whatever its version. */
struct session_ops {
    void (*drain)(struct session *session); /* no new requests: close when idle for SESSION_LAST_CHANCE_US,
                                               else after the response */
    void (*kill)(struct session *session);  /* close now; streams under way fail */
    bool (*shed)(struct session *session);  /* nobody is owed an answer: close; false when just now something
                                               has come, or it closes anyway */
    void (*free)(struct session *session);  /* the end of session_leave() */
};

/* One inbound session; embedded in the codec's own struct. There is one for each connection that idles: every
 * byte counts. */
struct session {
    struct list_node node;  /* home->busy, home->idle or home->dead */
    uint64_t idle_since_us; /* 0: it is not among the idle */
    const struct session_ops *ops;
    struct stream_client client; /* who is at the other end; its `tls` is the session's own */
};

/* A thread's inbound sessions. */
struct session_home {
    struct loop *loop;
    struct session_settings settings; /* in force for heads that begin from now on */
    session_stream_fn *on_stream;
    void *arg;
    struct tls_context *tls;  /* for handshakes that begin from now on; NULL when no listener needs it */
    struct list busy;         /* sessions that owe somebody an answer, or are going to end */
    struct list idle;         /* sessions that owe nobody an answer, the longest first */
    struct list dead;         /* sessions that have left and are freed at the end of the turn */
    struct grave burial;      /* of the dead */
    struct list openings;     /* those of the sessions that have not come to HTTP yet; who has kept us
                                 waiting longest first */
    uint64_t refusal_said_us; /* when it was last said that there are too many of them */
    uint32_t refused;         /* of the sessions, those for which there is no room */
    bool draining;
    struct list spare_requests; /* for h1_inbound */
    struct list spare_streams;  /* for h2_inbound */
};

/* Makes an empty home. `settings` may be changed later by assigning to it between two loop turns. */
void session_home_init(struct session_home *home, struct loop *loop, session_stream_fn *on_stream, void *arg);

/* Frees what is kept for reuse and the reference to the TLS context. No session may be left. */
void session_home_fini(struct session_home *home);

/* Takes a reference to the context for handshakes that begin from now on; NULL for none. Sessions of clients
 * that were verified by a rule that is no more (another authority, say) are drained: what is under way ends,
 * nothing more begins. */
void session_home_set_tls(struct session_home *home, struct tls_context *server);

/* How many sessions there are. */
static inline size_t session_home_count(const struct session_home *home)
{
    return home->busy.count + home->idle.count;
}

/* Takes over an accepted, non-blocking socket of a listener, and its place. */
void session_open(struct session_home *home, const struct session_entrance *entrance, int fd,
                  const struct address *remote, struct crowd_place place);

/* For sessions: adds one to the thread's, of this client, whose `tls` becomes its own. */
void session_join(struct session_home *home, struct session *session, const struct stream_client *client);

/* Takes it out again, and frees it at the end of the turn. */
void session_leave(struct session_home *home, struct session *session);

/* HTTP begins on the conn: chooses the version, the only place that does. `client->tls` becomes the new
 * session's. `h2`: ALPN says so. */
void session_speak(struct session_home *home, struct conn *conn, const struct stream_client *client, bool h2);

/* The session's client, for one that goes on in its place: what TLS has told is not this one's any more. */
struct stream_client session_give_client(struct session *session);

/* Keeps what TLS has told of the client. */
void session_note_tls(struct session *session, const struct tls_facts *facts);

/* Whether the certificate that the client has shown, if any, was verified as it would be now. */
bool session_is_verified(const struct session_home *home, const struct session *session);

/* The session owes nobody an answer from now on. */
void session_rest(struct session_home *home, struct session *session);

/* It does, or it is going to end. */
void session_stir(struct session_home *home, struct session *session);

/* The gateway is overloaded: closes an eighth of the sessions that owe nobody an answer, the longest idle
 * first; who has been so for less than a second is left a moment. */
void session_home_shed(struct session_home *home);

/* How long a drained session waits for a request that may be on its way already: to close at once would drop
 * it. */
enum { SESSION_LAST_CHANCE_US = 250 * 1000 };

/* Every session closes as soon as it owes nobody an answer and has had its last chance to be asked; new ones
 * close after their first response. */
void session_home_drain(struct session_home *home);

/* Closes every session now. */
void session_home_kill(struct session_home *home);

#endif
