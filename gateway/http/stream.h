/*
 * One HTTP message exchange as one side of the gateway sees it: what was received (rx) and what is to be sent
 * (tx), of no particular HTTP version. An exchange owns two: the inbound stream (the client's) and the
 * outbound stream (the endpoint's). Implemented by the codecs: h1_inbound, h1_outbound.
 *
 * The implementation fills rx and facts and wakes `owner`; it never decides what happens next. The owner MUST
 * call ops only from its own task, never from inside a wake. Everything belongs to one thread.
 */
#ifndef PORTICO_HTTP_STREAM_H
#define PORTICO_HTTP_STREAM_H

#include "base/address.h"
#include "base/fault.h"
#include "base/task.h"
#include "http/body.h"
#include "http/message.h"

/* What TLS has told of an inbound connection. */
struct stream_tls {
    struct slice server_name;         /* that the handshake asked for, lower case; empty when none */
    struct slice version, cipher;     /* "TLSv1.3", OpenSSL's name */
    struct slice certificate_subject; /* of the verified client certificate; empty when there is none */
};

/* Who is at the other end of an inbound connection, and how it came in; lives as long as the connection.
 * There is one for each connection that idles: every byte counts. */
struct stream_client {
    const struct stream_tls *tls; /* NULL: in clear */
    struct remote_address address;
    uint16_t refusal; /* enum fault, of every request on this connection; FAULT_NONE: none is */
    bool redirects;   /* its listener sends everything to https */
};

/* The same without TLS: everything is empty. */
static inline const struct stream_tls *stream_told(const struct stream_client *client)
{
    static const struct stream_tls nothing;
    return client->tls ? client->tls : &nothing;
}

/* What has happened on a stream; bits stay set until the owner clears them, except those marked (state). */
enum stream_fact {
    STREAM_OPEN = 1,   /* (state) the connection stands, a head may be sent */
    STREAM_HEAD = 2,   /* a head is in rx_head: the request, an interim or the final response */
    STREAM_BODY = 4,   /* rx has changed: bytes were added or its end was seen */
    STREAM_ROOM = 8,   /* earlier tx bytes have left: tx takes more */
    STREAM_SENT = 16,  /* (state) inbound: the whole response has left for the socket's buffer */
    STREAM_HALF = 32,  /* (state) the client has closed its sending side while a request is under way */
    STREAM_FAILED = 64 /* (state) rx is broken, `fault` says why. Outbound: only close is allowed. Inbound:
                          what is sent still goes out, unless the client is gone */
};

struct stream;

/* What the owner may ask of a stream. */
struct stream_ops {
    /* Sends a head; tx framing follows head->framing. A response with a status < 200 may be followed by
     * others; 101 ends HTTP and turns both ways into bytes until closed. head and its slices are read at once
     * and not kept. */
    void (*tx_head)(struct stream *stream, const struct message *head);
    /* Takes bytes from `body` as far as the socket side has room and, when the body is done, ends the message
     * with `trailers` (may be NULL). Call again on STREAM_ROOM or when the body has grown, but not after the
     * body was done. Bytes beyond a declared length are a CHECK. */
    void (*tx_body)(struct stream *stream, struct body *body, const struct fields *trailers);
    /* Go on reading: the owner has consumed from rx, or is done with an interim head. */
    void (*rx_resume)(struct stream *stream);
    /* The owner is done with the stream and forgets it; rx is given back. `fault` FAULT_NONE: the exchange
     * ended well, a connection that may live on does; otherwise the connection is closed under that name once
     * tx has been flushed. */
    void (*close)(struct stream *stream, enum fault fault);
};

/* A stream. The implementation embeds it; the owner reads it and clears facts. What each chunk of content
 * touches stands in front. */
struct stream {
    const struct stream_ops *ops;
    const struct stream_client *client; /* inbound only */
    struct task *owner;                 /* woken whenever facts are set; NULL once closed */
    unsigned facts;                     /* enum stream_fact */
    enum fault fault; /* with STREAM_FAILED, or with STREAM_HEAD when a request head was refused: answer it */
    enum fault detail; /* the parser's fault behind upstream_malformed, else FAULT_NONE */
    struct arena *
        arena; /* the exchange's; inbound streams bring it, the owner lends it to outbound ones until close */
    bool reused;     /* outbound: the connection has carried an exchange before */
    bool tx_pipes;   /* tx_body takes bytes out of a pipe */
    bool tx_waits;   /* much of what tx_body took has not left yet; STREAM_ROOM follows when all has */
    bool tx_started; /* any byte of tx has been handed to the socket */
    uint64_t rx_bytes, tx_bytes; /* content bytes, framing not counted */
    struct body rx;
    struct message rx_head;
    struct fields rx_trailers; /* complete when rx.ended */
};

/* Sets facts and wakes the owner. For implementations. */
static inline void stream_tell(struct stream *stream, unsigned facts)
{
    stream->facts |= facts;
    if (stream->owner)
        task_wake(stream->owner);
}

/* Ends the stream from within: the fault becomes final and the owner is told. For implementations. */
static inline void stream_fail(struct stream *stream, enum fault fault, enum fault detail)
{
    if (stream->facts & STREAM_FAILED)
        return;
    stream->fault = fault;
    stream->detail = detail;
    stream_tell(stream, STREAM_FAILED);
}

#endif
