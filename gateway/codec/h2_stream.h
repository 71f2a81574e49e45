/*
 * What both sides of the gateway have in common in HTTP/2: a connection as nghttp2 and the conn see it
 * ("wire"), and the content of its streams between struct bodies and DATA frames, with its windows (RFC 9113
 * section 5.2). What the windows do not let out stays with the stream up to a mark, and beyond it with the
 * owner. Knows no heads, and not what an end means. nghttp2's callbacks MUST only fill and mark: it is asked
 * again after it has returned.
 */
#ifndef PORTICO_CODEC_H2_STREAM_H
#define PORTICO_CODEC_H2_STREAM_H

#include "http/stream.h"
#include "net/conn.h"

#include <nghttp2/nghttp2.h>

/* One connection. */
struct h2_wire {
    struct loop *loop;
    struct conn *conn;      /* NULL once dead */
    nghttp2_session *ng;    /* NULL once nothing more may be said */
    struct list due;        /* streams of which something must be asked of nghttp2 */
    size_t discarded;       /* set by callbacks: DATA that nobody takes, its window to be given back */
    bool goaway_sent;       /* set by callbacks: nghttp2 has found an error of the connection */
    struct task flush_task; /* empties the streams into the conn at the end of a turn */
};

/* One stream; a part of what each side keeps of it. */
struct h2_stream {
    struct stream stream; /* its arena is of no use once the owner has closed it */
    struct h2_wire *wire;
    struct list_node due; /* wire->due */
    int32_t id;
    bool open;         /* nghttp2 has, or will have, a stream */
    bool owned;        /* with its owner, who has not closed it */
    bool deferred;     /* nghttp2 waits until it is told that tx has something */
    bool tx_blocked;   /* the owner has more than was taken */
    bool end_sent;     /* END_STREAM has been queued on the conn */
    bool trailers_due; /* for h2_stream_settle() */
    bool reset_due;    /* the same */
    uint32_t reset_code;
    uint64_t received, credited; /* bytes of DATA, and those whose window was given back */
    struct block *tail;          /* where received content is gathered */
    struct body tx;              /* what is on its way out; tx.ended: the owner has handed over everything */
    nghttp2_nv *trailers;        /* in the arena; NULL when none follow */
    size_t trailer_count;
};

/* Whether anything may be sent on it. */
static inline bool h2_stream_is_open(const struct h2_stream *h2)
{
    return h2->open && h2->wire->ng != NULL;
}

/* nghttp2 shall hear something about the stream, after its callbacks. */
void h2_stream_due(struct h2_stream *h2);

/* The stream shall be reset. */
void h2_stream_reset(struct h2_stream *h2, uint32_t code);

/* Asks nghttp2 for the trailers and the reset that were marked. */
void h2_stream_settle(struct h2_stream *h2);

/* Nobody needs the stream any more: gives back what it holds. */
void h2_stream_fini(struct h2_stream *h2);

/* --- content that comes in --- */

/* Appends received bytes to `rx`. They are copied behind each other into blocks of the stream's own: a block
 * of the conn holds frames of many streams, and one slow stream must not pin it. */
void h2_stream_gather(struct h2_stream *h2, struct body *rx, struct slice bytes);

/* Gives back the window of what has left the stream's bodies, which hold `held` bytes. */
void h2_stream_credit(struct h2_stream *h2, uint64_t held);

/* Gives back the window of what was discarded. */
void h2_wire_credit(struct h2_wire *wire);

/* --- content that goes out --- */

/* Takes of `body` what fits below the mark; `trailers` (may be NULL) when that is the end. */
void h2_stream_take(struct h2_stream *h2, struct body *body, const struct fields *trailers);

/* Where nghttp2 finds the content of the stream. */
nghttp2_data_provider h2_stream_content(struct h2_stream *h2);

/* nghttp2's callback of that name: a DATA frame is queued on the conn, the owner is told of the room. */
int h2_stream_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *header, size_t len,
                        nghttp2_data_source *source, void *arg);

/* Moves frames to the conn while it has room; false when nghttp2 cannot go on. */
bool h2_wire_pump(struct h2_wire *wire);

#endif
