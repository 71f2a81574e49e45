/*
 * A conn as the files of this folder see it: conn.c has the socket and the plain path, conn_tls.c what is
 * between it and the owner on a secure or not yet opened connection.
 */
#ifndef PORTICO_NET_INTERNAL_H
#define PORTICO_NET_INTERNAL_H

#include "base/check.h"
#include "base/prefetch.h"
#include "net/appetite.h"
#include "net/conn.h"
#include "net/tls.h"

#include <event2/event_struct.h>

/* What the files agree on. */
enum {
    CONN_MAGIC = 0x434f4e4e,
    ROOM_MIN = 4 * 1024, /* a block with less room than this is not read into again */
    SALVAGE_READS = 4,   /* after a failed write */
    OWNER_NEAR = 192,    /* bytes at the beginning of an owner that it touches when bytes have come */
    PICK_MAX = 256,      /* bytes that are rather copied than hold a block */
    GATHER_MAX = 1024    /* bytes in several pieces that are copied into one to be sent */
};

/* What stands between the socket and the owner. */
enum conn_mode {
    MODE_PLAIN,     /* nothing */
    MODE_WATCH,     /* the owner looks at bytes that are not read yet */
    MODE_HANDSHAKE, /* TLS that is being set up */
    MODE_TLS
};

/* A slice on its way out. */
struct span {
    struct block *block;
    uint32_t offset, len;
};

/* What is queued for writing; exists only while something is. */
struct tx_queue {
    uint32_t first, count;
    size_t bytes;
    struct span spans[CONN_TX_SPANS]; /* ring */
};

/* What a secure conn has besides. */
struct conn_secret {
    struct tls *tls;            /* NULL until the server's handshake has had its first turn */
    struct tls_context *server; /* what it will be made from */
    struct conn *conn;
    struct list_node turn; /* loop->handshakes: a step of the server's handshake can be taken */
    bool accepting;        /* we are the server: its handshake waits for its turn */
    bool muted;            /* the read event is off until the turn comes */
    struct task read_task; /* reads what the socket will not announce again */
    bool read_wants_write; /* OpenSSL must write before it can read on */
    bool write_wants_read; /* and the other way round */
    bool has_more;         /* the last read ended before everything was told */
    uint32_t owed;         /* bytes of the record of which not all has left; they count as queued */
};

/* See net/conn.h. There is one for each connection that idles: every byte counts. What writing touches stands
 * together. */
struct conn {
    uint32_t magic;
    uint32_t rx_at; /* offset of the first unread byte */
    struct event read_event;
    int fd;
    int error;
    struct loop *loop;
    struct conn_owner owner;
    struct task flush_task; /* in the end frees the conn */
    struct block *rx;       /* NULL when nothing is unread and nothing more is being filled */
    uint8_t mode;           /* enum conn_mode */
    struct appetite appetite;
    bool connecting : 1, paused : 1, deaf : 1, eof : 1, writing : 1, want_drained : 1, shut_after_flush : 1;
    bool leaves_unread : 1; /* the owner moves bytes itself, see conn_splice_in() */
    bool splice_ended : 1;  /* it has found the end */
    uint8_t splice_error;   /* errno with which that has failed, to be told */
    struct tx_queue *tx;
    uint64_t tx_total;
    struct conn_secret *secret; /* MODE_HANDSHAKE and MODE_TLS */
    struct event *write_event;  /* NULL until a write could not be completed */
    struct crowd_place place;   /* of a client's connection */
};

/* --- conn.c --- */

/* Tells the owner. */
void conn_tell(struct conn *conn, unsigned facts);

/* The socket is dead; the owner is told. */
void conn_fail(struct conn *conn, int error);

/* Makes room behind the unread bytes. */
void conn_make_room(struct conn *conn);

/* The other side has closed its sending side; the owner is told. */
void conn_end_rx(struct conn *conn);

/* Begins or ends waiting for the socket to take more. */
void conn_wait_writable(struct conn *conn, bool wait);

/* A write failed: what the other side sent before it stopped listening is read, then the conn fails. */
void conn_fail_after_reading(struct conn *conn, int error);

/* --- conn_tx.c --- */

/* Sends what is queued, as far as the socket takes it; gives an errno, or 0. */
int conn_tx_send(struct conn *conn);

/* Takes what has left off the queue, and gives the queue back when that was all. */
void conn_tx_sent(struct conn *conn, size_t sent);

/* The socket takes nothing for now: what little is left of a large block moves to a small one. */
void conn_tx_wait(struct conn *conn);

/* Drops the queue and what is in it. Accepts a conn without. */
void conn_tx_close(struct conn *conn);

/* --- conn_splice.c --- */

/* The socket is readable, and its owner moves the bytes. */
void conn_splice_readable(struct conn *conn);

/* --- conn_tls.c --- */

/* The socket is readable, and the mode is not MODE_PLAIN. */
void conn_secret_readable(struct conn *conn);

/* The socket is writable in MODE_HANDSHAKE. */
void conn_secret_shake(struct conn *conn);

/* Writes what is queued; false when the conn has failed (and the owner been told). `blocked_out` says whether
 * the socket must become writable first. */
bool conn_secret_write(struct conn *conn, bool *blocked_out);

/* Reading goes on after a pause. */
void conn_secret_resume(struct conn *conn);

/* Gives up TLS, having said so to the other side if `politely`. Accepts a conn without. */
void conn_secret_free(struct conn *conn, bool politely);

#endif
