/*
 * One connected stream socket and its bytes: reading into blocks, a bounded queue of slices to write, and
 * facts for the one session that owns it. Writes are gathered: what is queued during a turn leaves in one
 * writev at its end. An idle conn holds no buffer. Knows bytes and time, never HTTP. Belongs to one thread;
 * freed at the end of the turn it is closed in.
 */
#ifndef PORTICO_NET_CONN_H
#define PORTICO_NET_CONN_H

#include "base/address.h"
#include "base/fault.h"
#include "base/loop.h"
#include "net/crowd.h"
#include "net/tls.h"

/* What has happened on the socket. */
enum conn_fact {
    CONN_OPEN = 1,    /* connect() has succeeded, or the TLS handshake after conn_start_tls() */
    CONN_RX = 2,      /* unread bytes are there; in a handshake as the server: it is a step further */
    CONN_EOF = 4,     /* the other side has closed its sending side; conn_unread() may still hold bytes */
    CONN_DRAINED = 8, /* everything queued has left for the socket */
    CONN_FAILED = 16  /* the socket is dead, see conn_error(); only conn_close() is allowed */
};

/* The bounds of what is queued for writing. */
enum {
    CONN_TX_MARK = 64 * 1024, /* bytes queued beyond which conn_tx_has_room() is false */
    CONN_TX_SPANS = 32        /* slices that can be queued */
};

struct conn;

/* Told about facts, from the socket callback or from the flush at the end of the turn. It may use and close
 * the conn, but must not decide anything about requests: it parses and sets facts of its own. */
typedef void conn_facts_fn(void *owner, unsigned facts);

/* Who a conn reports to. */
struct conn_owner {
    conn_facts_fn *on_facts;
    void *owner;
};

/* Takes over a connected socket as a listener gives it. NULL (the socket is closed) when it cannot be
 * registered. */
struct conn *conn_accept(struct loop *loop, int fd, struct conn_owner owner);

/* What the conn holds among its like, given up when it is closed; nothing at first. */
struct crowd_place *conn_place(struct conn *conn);

/* Starts connecting. CONN_OPEN or CONN_FAILED follows, never from inside this call. NULL when no socket could
 * be made: errno tells why. */
struct conn *conn_dial(struct loop *loop, const struct address *address, struct conn_owner owner);

/* Speaks TLS as the client as soon as a conn that has just been dialled is connected: CONN_OPEN follows the
 * handshake. False when memory is short. */
bool conn_dial_tls(struct conn *conn, struct tls_dialer *dialer);

/* Why a conn that was dialled failed before CONN_OPEN. */
enum fault conn_dial_fault(const struct conn *conn);

/* Hands the conn to the session that speaks the version its first bytes asked for; once, before any request.
 */
void conn_hand_over(struct conn *conn, struct conn_owner owner);

/* From now on nothing is read: CONN_RX says that bytes are there to be looked at, again and again. Only for a
 * conn that has just been accepted. */
void conn_watch(struct conn *conn);

/* Copies bytes that conn_watch() keeps unread; gives how many, 0 if there are none. */
size_t conn_peek(struct conn *conn, void *at, size_t room);

/* Takes `len` of the bytes that conn_peek() has shown off the socket; false when that fails. */
bool conn_skip(struct conn *conn, size_t len);

/* Ends conn_watch(): bytes are read as usual. */
void conn_unwatch(struct conn *conn);

/* Speaks TLS as the server from now on, instead of conn_watch(); takes a reference to the context. CONN_OPEN
 * or CONN_FAILED follows, never from inside this call; the rest of the conn is the same, only that the bytes
 * are the plaintext. */
void conn_start_tls(struct conn *conn, struct tls_context *server);

/* Whether a handshake after conn_start_tls() could go on and waits for conn_take_handshakes(). */
bool conn_awaits_handshake(const struct conn *conn);

/* Takes steps of the handshakes that clients have begun, in the order in which their bytes came: for a
 * millisecond, or as long as the turn's other work has taken. So a flood of them costs whoever is served
 * already a millisecond a turn or half of the thread. Once a turn, when the tasks have run. */
void conn_take_handshakes(struct loop *loop);

/* What the handshake has agreed on; all empty on a conn without TLS. The texts live as long as the conn. */
struct tls_facts conn_tls_facts(struct conn *conn);

/* Closes the socket at once and stores NULL; queued bytes are lost. Accepts NULL. No fact follows. */
void conn_close(struct conn **conn);

/* Closes the socket at once with a reset, so that nobody takes what was sent for complete; stores NULL. */
void conn_reset(struct conn **conn);

/* Flushes, then closes the sending side; the conn goes on reading. */
void conn_shutdown_tx(struct conn *conn);

/* The bytes read and not yet consumed; contiguous. They stay where they are while more is read, unless the
 * block is full. */
struct slice conn_unread(const struct conn *conn);

/* The block that holds the unread bytes and the offset of the first; valid while there are unread bytes. */
struct block *conn_rx_block(const struct conn *conn, uint32_t *offset_out);

/* The block in which `len` unread bytes from `skip` on lie, and where. A few bytes are copied to where all
 * conns of the thread put theirs, so that what they were read into is free, and still cached, for the next
 * conn: then nothing may be joined to them in place. */
struct block *conn_rx_pick(struct conn *conn, size_t skip, size_t len, uint32_t *offset_out);

/* Drops the first `len` unread bytes. */
void conn_consume(struct conn *conn, size_t len);

/* Whether conn_splice_in() and conn_splice_out() can be used: there is no TLS in between. */
bool conn_is_spliceable(const struct conn *conn);

/* Whether much has come at a time lately. */
bool conn_is_bulk(const struct conn *conn);

/* A pipe of the conn's thread, or NULL when there is none to be had. */
struct pipe *conn_take_pipe(struct conn *conn);

/* From now on bytes stay in the socket: CONN_RX says that there are some. False ends that. Nothing may be
 * unread. */
void conn_leave_unread(struct conn *conn, bool leave);

/* Whether that is in force. */
bool conn_leaves_unread(const struct conn *conn);

/* With conn_leave_unread(): moves at most `len` bytes from the socket into the pipe, and gives how many. An
 * end or a failure is told later, never from inside this call; a pipe that is full pauses the conn. */
size_t conn_splice_in(struct conn *conn, struct pipe *pipe, size_t len);

/* Moves at most `len` bytes of the pipe into the socket, at once and behind what is queued, and gives how
 * many. If not all, CONN_DRAINED follows when it can go on, or CONN_FAILED; never from inside this call. */
size_t conn_splice_out(struct conn *conn, struct pipe *pipe, size_t len);

/* Whether the other side has closed its sending side. */
bool conn_at_eof(const struct conn *conn);

/* Whether nothing is unread, here or in the kernel, and nothing queued: who closes it now loses nothing. */
bool conn_is_quiet(const struct conn *conn);

/* Stops reading until conn_resume(): the kernel's buffer fills and the sender stops. */
void conn_pause(struct conn *conn);

/* Reads on after conn_pause(). */
void conn_resume(struct conn *conn);

/* Whether conn_pause() is in force. */
bool conn_is_paused(const struct conn *conn);

/* Whether another slice may be queued without passing the marks. */
bool conn_tx_has_room(const struct conn *conn);

/* Bytes that are queued and have not left. */
size_t conn_tx_queued(const struct conn *conn);

/* `len` contiguous bytes to write text into; conn_tx_commit() queues what was used of
 * them. Nothing else may be reserved in between, on this or another conn. */
char *conn_tx_reserve(struct conn *conn, size_t len);

/* Queues the first `len` bytes of the last conn_tx_reserve(). */
void conn_tx_commit(struct conn *conn, size_t len);

/* Queues a slice of a block, which gets a reference until it has left. */
void conn_tx_slice(struct conn *conn, struct block *block, uint32_t offset, uint32_t len);

/* Bytes that this socket has taken, ever. */
uint64_t conn_tx_total(const struct conn *conn);

/* Tells CONN_DRAINED once everything queued by then has left (at once, at the end of the turn, if nothing
 * is). */
void conn_want_drained(struct conn *conn);

/* Gives back the read buffer if nothing is unread in it: called when the owner expects nothing soon. */
void conn_rest(struct conn *conn);

/* errno of the failure behind CONN_FAILED, 0 otherwise. */
int conn_error(const struct conn *conn);

#endif
