/*
 * TLS on a conn, and looking at bytes before it is known who reads them, see net/conn.h. Called by net/conn.c
 * when a conn is not plain, and by the thread's loop, which shares out its turns among handshakes. Each side
 * of OpenSSL may have to wait for the other direction of the socket; whoever is then called first goes on
 * with both.
 */
#include "net/internal.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    RECORDS_PER_READ = 8,
    HANDSHAKES_US = 1000 /* of a turn are for handshakes even if nothing else took as long */
};

/* Where small pieces are put together: one record costs the same whatever it holds. */
static _Thread_local char staging[TLS_RECORD_MAX];

/* --- looking --- */

void conn_watch(struct conn *conn)
{
    CHECK(conn->mode == MODE_PLAIN && conn->rx == NULL);
    conn->mode = MODE_WATCH;
}

void conn_unwatch(struct conn *conn)
{
    CHECK(conn->mode == MODE_WATCH);
    conn->mode = MODE_PLAIN;
}

size_t conn_peek(struct conn *conn, void *at, size_t room)
{
    ssize_t got = recv(conn->fd, at, room, MSG_PEEK);
    return got > 0 ? (size_t)got : 0;
}

bool conn_skip(struct conn *conn, size_t len)
{
    char taken[256];
    while (len > 0) {
        ssize_t got = recv(conn->fd, taken, len < sizeof taken ? len : sizeof taken, 0);
        if (got <= 0)
            return false;
        len -= (size_t)got;
    }
    return true;
}

static void look(struct conn *conn)
{
    char first;
    ssize_t got = recv(conn->fd, &first, 1, MSG_PEEK);
    if (got > 0)
        conn_tell(conn, CONN_RX);
    else if (got == 0)
        conn_end_rx(conn);
    else if (errno != EAGAIN && errno != EINTR)
        conn_fail(conn, errno);
}

/* --- the handshake --- */

static bool is_alive(const struct conn *conn)
{
    return conn->fd >= 0 && conn->error == 0;
}

static void on_open(struct conn *conn)
{
    conn->mode = MODE_TLS;
    conn_wait_writable(conn, false);
    if (conn->tx || conn->want_drained || conn->shut_after_flush)
        task_wake(&conn->flush_task);
    conn_tell(conn, CONN_OPEN);
    if (is_alive(conn) && tls_has_pending(conn->secret->tls))
        task_wake(&conn->secret->read_task);
}

static void shake(struct conn *conn)
{
    switch (tls_handshake(conn->secret->tls)) {
    case TLS_OK: on_open(conn); break;
    case TLS_WANT_READ: conn_wait_writable(conn, false); break;
    case TLS_WANT_WRITE: conn_wait_writable(conn, true); break;
    case TLS_END:
    case TLS_FAILED: conn_fail(conn, tls_refusal(conn->secret->tls)); break;
    }
}

/* A client's handshake costs us far more than the client, so it waits for its turn; our own to an upstream
 * belongs to a request. The socket goes on saying that it is readable: told twice, it is not listened to. */
void conn_secret_shake(struct conn *conn)
{
    struct conn_secret *secret = conn->secret;
    if (!secret->accepting) {
        shake(conn);
    } else if (!list_linked(&secret->turn)) {
        list_append(&conn->loop->handshakes, &secret->turn);
    } else if (!secret->muted) {
        secret->muted = true;
        event_del(&conn->read_event);
        conn_wait_writable(conn, false);
    }
}

bool conn_awaits_handshake(const struct conn *conn)
{
    return conn->secret && list_linked(&conn->secret->turn);
}

static void take_handshake(struct conn_secret *secret)
{
    struct conn *conn = secret->conn;
    if (secret->muted)
        event_add(&conn->read_event, NULL);
    secret->muted = false;
    if (secret->tls == NULL) {
        secret->tls = tls_accept(secret->server, conn->fd);
        tls_context_unref(&secret->server);
    }
    if (secret->tls)
        shake(conn);
    else
        conn_fail(conn, ENOMEM);
    if (is_alive(conn) && conn->mode == MODE_HANDSHAKE)
        conn_tell(conn, CONN_RX);
}

void conn_take_handshakes(struct loop *loop)
{
    uint64_t turn_us = clock_now_us(&loop->clock), begun_us = clock_monotonic_us();
    uint64_t others_us = begun_us > turn_us ? begun_us - turn_us : 0;
    uint64_t share_us = others_us > HANDSHAKES_US ? others_us : HANDSHAKES_US;
    struct list_node *node;
    while ((node = list_pop(&loop->handshakes)) != NULL) {
        take_handshake(CONTAINER_OF(node, conn_secret, turn));
        if (clock_monotonic_us() - begun_us >= share_us)
            return;
    }
}

enum fault conn_dial_fault(const struct conn *conn)
{
    switch (conn->error) {
    case ENOENT:
    case ECONNREFUSED: return FAULT_connect_refused;
    case ETIMEDOUT: return FAULT_connect_timeout;
    case EKEYEXPIRED: return FAULT_upstream_certificate_expired;
    case EKEYREJECTED: return FAULT_upstream_certificate_untrusted;
    case ENOKEY: return FAULT_upstream_certificate_name;
    default: return conn->secret && !conn->connecting ? FAULT_upstream_tls_failed : FAULT_connect_failed;
    }
}

/* --- reading --- */

/* Reads records while they are full ones, so that a small request costs no read that finds nothing. Gives the
 * last result and how many bytes there were. */
static enum tls_result read_records(struct conn *conn, size_t *total_out)
{
    enum tls_result result = TLS_OK;
    size_t total = 0, got = 0, room = 0;
    conn_make_room(conn);
    struct block *block = conn->rx;
    for (int records = 0; records < RECORDS_PER_READ; records++) {
        room = block->capacity - block->used;
        if (room == 0)
            break;
        result = tls_read(conn->secret->tls, block->data + block->used, room, &got);
        block->used += (uint32_t)got;
        total += got;
        if (result != TLS_OK || (got < TLS_RECORD_MAX && !tls_has_pending(conn->secret->tls)))
            break;
    }
    tls_settle(conn->secret->tls);
    if (total > 0)
        appetite_note(&conn->appetite, total, block->used == block->capacity);
    *total_out = total;
    return result;
}

/* After bytes have been told, the end or a failure is told by a read of its own, when the owner wants to
 * read. */
static void after_bytes(struct conn *conn, enum tls_result result)
{
    struct conn_secret *secret = conn->secret;
    bool is_over = result == TLS_END || result == TLS_FAILED;
    secret->has_more = is_over || (result == TLS_OK && tls_has_pending(secret->tls));
    conn_tell(conn, CONN_RX);
    if (is_alive(conn) && secret->has_more && !conn->paused)
        task_wake(&secret->read_task);
}

static void read_some(struct conn *conn)
{
    struct conn_secret *secret = conn->secret;
    size_t total = 0;
    bool flush_waits = secret->write_wants_read;
    secret->read_wants_write = secret->write_wants_read = secret->has_more = false;
    enum tls_result result = read_records(conn, &total);
    if (result == TLS_WANT_WRITE) {
        secret->read_wants_write = true;
        conn_wait_writable(conn, true);
    }
    if (flush_waits)
        task_wake(&conn->flush_task);
    if (total > 0)
        after_bytes(conn, result);
    else if (result == TLS_END)
        conn_end_rx(conn);
    else if (result == TLS_FAILED)
        conn_fail(conn, EPROTO);
    else
        conn_rest(conn);
}

void conn_secret_readable(struct conn *conn)
{
    if (conn->mode == MODE_WATCH)
        look(conn);
    else if (conn->mode == MODE_HANDSHAKE)
        conn_secret_shake(conn);
    else
        read_some(conn);
}

static void run_read(struct task *task)
{
    struct conn_secret *secret = CONTAINER_OF(task, conn_secret, read_task);
    struct conn *conn = secret->conn;
    if (is_alive(conn) && !conn->paused && !conn->eof)
        conn_secret_readable(conn);
}

void conn_secret_resume(struct conn *conn)
{
    if (conn->mode == MODE_TLS && (conn->secret->has_more || tls_has_pending(conn->secret->tls)))
        task_wake(&conn->secret->read_task);
}

/* --- writing --- */

/* The bytes of the next record: of a large slice as they lie, else of as many slices as a record holds. */
static struct slice next_record(const struct tx_queue *tx)
{
    const struct span *span = &tx->spans[tx->first];
    if (tx->count == 1 || span->len >= TLS_RECORD_MAX)
        return slice_make(span->block->data + span->offset,
                          span->len < TLS_RECORD_MAX ? span->len : TLS_RECORD_MAX);
    size_t len = 0;
    for (uint32_t i = 0; i < tx->count && len < sizeof staging; i++) {
        span = &tx->spans[(tx->first + i) % CONN_TX_SPANS];
        size_t part = span->len < sizeof staging - len ? span->len : sizeof staging - len;
        memcpy(staging + len, span->block->data + span->offset, part);
        len += part;
    }
    return slice_make(staging, len);
}

static enum tls_result write_owed(struct conn *conn)
{
    struct conn_secret *secret = conn->secret;
    enum tls_result result = tls_flush(secret->tls);
    if (result == TLS_OK) {
        conn->tx_total += secret->owed;
        secret->owed = 0;
    }
    return result;
}

static enum tls_result write_record(struct conn *conn)
{
    struct conn_secret *secret = conn->secret;
    struct slice record = next_record(conn->tx);
    size_t taken = 0;
    enum tls_result result = tls_write(secret->tls, record, conn->tx->bytes > record.len, &taken);
    conn_tx_sent(conn, taken);
    if (result == TLS_OK)
        conn->tx_total += taken;
    else
        secret->owed = (uint32_t)taken;
    return result;
}

bool conn_secret_write(struct conn *conn, bool *blocked_out)
{
    struct conn_secret *secret = conn->secret;
    if (secret->read_wants_write)
        task_wake(&secret->read_task);
    enum tls_result result = write_owed(conn);
    while (result == TLS_OK && conn->tx)
        result = write_record(conn);
    secret->write_wants_read = result == TLS_WANT_READ;
    *blocked_out = result == TLS_WANT_WRITE || secret->read_wants_write;
    if (result == TLS_WANT_WRITE)
        conn_tx_wait(conn);
    if (result != TLS_FAILED && result != TLS_END)
        return true;
    conn_fail_after_reading(conn, EPIPE);
    return false;
}

/* --- birth and death --- */

static struct conn_secret *start(struct conn *conn)
{
    CHECK(conn->secret == NULL && conn->rx == NULL);
    struct conn_secret *secret = calloc(1, sizeof *secret);
    CHECK(secret != NULL);
    secret->conn = conn;
    task_init(&secret->read_task, &conn->loop->tasks, run_read, false);
    conn->secret = secret;
    conn->mode = MODE_HANDSHAKE;
    return secret;
}

void conn_start_tls(struct conn *conn, struct tls_context *server)
{
    struct conn_secret *secret = start(conn);
    secret->accepting = true;
    secret->server = tls_context_ref(server);
    list_append(&conn->loop->handshakes, &secret->turn);
}

bool conn_dial_tls(struct conn *conn, struct tls_dialer *dialer)
{
    CHECK(conn->connecting);
    struct tls *tls = tls_connect(dialer, conn->fd);
    if (tls == NULL)
        return false;
    start(conn)->tls = tls;
    return true;
}

struct tls_facts conn_tls_facts(struct conn *conn)
{
    return conn->mode == MODE_TLS ? tls_facts(conn->secret->tls) : (struct tls_facts){.h2 = false};
}

void conn_secret_free(struct conn *conn, bool politely)
{
    if (conn->secret == NULL)
        return;
    if (politely && conn->error == 0 && conn->secret->tls)
        tls_end(conn->secret->tls);
    tls_free(&conn->secret->tls);
    tls_context_unref(&conn->secret->server);
    task_cancel(&conn->secret->read_task);
    list_remove(&conn->loop->handshakes, &conn->secret->turn);
    free(conn->secret);
    conn->secret = NULL;
}
