/*
 * The socket behind net/conn.h. One read event stays registered for the conn's life; the write event exists
 * only after a write could not be completed. Called by the sessions of codec/; calls nobody but its owner's
 * on_facts.
 */
#include "net/internal.h"

#include "base/counters.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

void conn_tell(struct conn *conn, unsigned facts)
{
    conn->owner.on_facts(conn->owner.owner, facts);
}

void conn_fail(struct conn *conn, int error)
{
    conn->error = error ? error : EPIPE;
    event_del(&conn->read_event);
    if (conn->write_event)
        event_del(conn->write_event);
    task_cancel(&conn->flush_task);
    if (conn->secret)
        task_cancel(&conn->secret->read_task);
    conn_tell(conn, CONN_FAILED);
}

/* --- reading --- */

struct slice conn_unread(const struct conn *conn)
{
    if (conn->rx == NULL)
        return slice_make(NULL, 0);
    return slice_make(conn->rx->data + conn->rx_at, conn->rx->used - conn->rx_at);
}

struct block *conn_rx_block(const struct conn *conn, uint32_t *offset_out)
{
    *offset_out = conn->rx_at;
    return conn->rx;
}

struct block *conn_rx_pick(struct conn *conn, size_t skip, size_t len, uint32_t *offset_out)
{
    *offset_out = conn->rx_at + (uint32_t)skip;
    if (len > PICK_MAX)
        return conn->rx;
    char *copy = conn_tx_reserve(conn, len);
    memcpy(copy, conn->rx->data + *offset_out, len);
    struct block *text = conn->loop->text;
    *offset_out = text->used;
    text->used += (uint32_t)len;
    return text;
}

void conn_consume(struct conn *conn, size_t len)
{
    CHECK(len == 0 || (conn->rx && len <= conn->rx->used - conn->rx_at));
    conn->rx_at += (uint32_t)len;
}

void conn_rest(struct conn *conn)
{
    if (conn->rx && conn->rx_at == conn->rx->used) {
        block_unref(&conn->rx);
        conn->rx_at = 0;
    }
}

bool conn_at_eof(const struct conn *conn)
{
    return conn->eof;
}

/* Makes room behind the unread bytes: in the same block while it has some, else in a new one that they are
 * moved to. */
void conn_make_room(struct conn *conn)
{
    struct block *old = conn->rx;
    size_t unread = conn_unread(conn).len;
    if (old && unread == 0 && old->refs == 1)
        old->used = conn->rx_at = 0;
    size_t wanted = appetite_block(&conn->appetite);
    if (old && old->capacity - old->used >= ROOM_MIN && old->capacity >= wanted)
        return;
    if (wanted < unread + ROOM_MIN)
        wanted = unread + BLOCK_SIZE_LARGE / 4;
    struct block *block = block_new(&conn->loop->blocks, wanted);
    if (unread)
        memcpy(block->data, old->data + conn->rx_at, unread);
    block->used = (uint32_t)unread;
    block_unref(&conn->rx);
    conn->rx = block;
    conn->rx_at = 0;
}

void conn_end_rx(struct conn *conn)
{
    conn->eof = true;
    event_del(&conn->read_event);
    conn_tell(conn, CONN_EOF);
}

/* One read; facts are CONN_RX, CONN_EOF or none. The kernel is asked again only if it filled all the room
 * there was. */
static void read_once(struct conn *conn)
{
    conn_make_room(conn);
    struct block *block = conn->rx;
    size_t room = appetite_next(&conn->appetite, block->capacity - block->used);
    prefetch(conn->owner.owner, OWNER_NEAR); /* comes while the kernel copies */
    ssize_t got = recv(conn->fd, block->data + block->used, room, 0);
    if (got > 0) {
        block->used += (uint32_t)got;
        appetite_note(&conn->appetite, (size_t)got, (size_t)got == room);
        conn_tell(conn, CONN_RX);
    } else if (got == 0) {
        conn_end_rx(conn);
    } else if (errno != EAGAIN && errno != EINTR) {
        conn_fail(conn, errno);
    } else {
        conn_rest(conn);
    }
}

/* The owner has not resumed by the time the next bytes are there, so the event is taken off. Most pauses are
 * over in the same turn of the loop and cost no system call. */
static void go_deaf(struct conn *conn)
{
    conn->deaf = true;
    if (!conn->leaves_unread)
        appetite_spoil(&conn->appetite);
    event_del(&conn->read_event);
}

/* What brings much is passed on before other conns are read: it is still in the cache, and its block serves
 * the next. Little is passed on at the end of the turn, with what else the turn brings. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct conn *conn = MAGIC_CAST(conn, arg, CONN_MAGIC);
    conn->appetite.much = false;
    if (__builtin_expect(conn->paused, 0))
        go_deaf(conn);
    else if (__builtin_expect(conn->leaves_unread, 0))
        conn_splice_readable(conn);
    else if (__builtin_expect(conn->mode == MODE_PLAIN, 1))
        read_once(conn);
    else
        conn_secret_readable(conn);
    if (conn->appetite.much)
        task_drain(&conn->loop->tasks);
}

bool conn_is_quiet(const struct conn *conn)
{
    char byte;
    return conn_unread(conn).len == 0 && conn_tx_queued(conn) == 0 &&
           recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void conn_pause(struct conn *conn)
{
    conn->paused = true;
}

void conn_resume(struct conn *conn)
{
    if (!conn->paused)
        return;
    conn->paused = false;
    if (conn->deaf && !conn->eof && !conn->error)
        event_add(&conn->read_event, NULL);
    conn->deaf = false;
    if (conn->secret && !conn->eof && !conn->error)
        conn_secret_resume(conn);
}

bool conn_is_paused(const struct conn *conn)
{
    return conn->paused;
}

/* --- writing --- */

static void on_writable(evutil_socket_t fd, short what, void *arg);

void conn_wait_writable(struct conn *conn, bool wait)
{
    if (wait == conn->writing)
        return;
    conn->writing = wait;
    if (!wait) {
        event_del(conn->write_event);
        return;
    }
    if (conn->write_event == NULL) {
        conn->write_event = event_new(conn->loop->base, conn->fd, EV_WRITE | EV_PERSIST, on_writable, conn);
        CHECK(conn->write_event != NULL);
    }
    event_add(conn->write_event, NULL);
}

/* The other side may have answered before it stopped listening (an early 413, say). */
void conn_fail_after_reading(struct conn *conn, int error)
{
    for (int reads = 0; reads < SALVAGE_READS && conn->fd >= 0 && !conn->eof && !conn->error; reads++) {
        if (conn->mode == MODE_PLAIN)
            read_once(conn);
        else
            conn_secret_readable(conn);
    }
    if (conn->fd >= 0 && !conn->error)
        conn_fail(conn, error);
}

/* Writes what is queued; false when the conn has failed (and the owner been told). */
static bool write_queue(struct conn *conn)
{
    int error = conn_tx_send(conn);
    if (error)
        conn_fail_after_reading(conn, error);
    return !error;
}

static void drained(struct conn *conn)
{
    if (conn->shut_after_flush) {
        conn->shut_after_flush = false;
        if (conn->secret)
            tls_end(conn->secret->tls);
        shutdown(conn->fd, SHUT_WR);
    }
    if (conn->want_drained) {
        conn->want_drained = false;
        conn_tell(conn, CONN_DRAINED);
    }
}

static void flush_secret(struct conn *conn)
{
    bool blocked = false;
    if (conn->mode != MODE_TLS || !conn_secret_write(conn, &blocked))
        return;
    conn_wait_writable(conn, blocked);
    if (conn_tx_queued(conn) == 0)
        drained(conn);
}

static void flush(struct conn *conn)
{
    if (conn->connecting || conn->error)
        return;
    if (__builtin_expect(conn->mode != MODE_PLAIN, 0)) {
        flush_secret(conn);
        return;
    }
    if (conn->splice_error) {
        conn_fail_after_reading(conn, conn->splice_error);
        return;
    }
    if (conn->tx && !write_queue(conn))
        return;
    conn_wait_writable(conn, conn->tx != NULL);
    if (conn->tx == NULL)
        drained(conn);
}

static void run_flush(struct task *task)
{
    flush(CONTAINER_OF(task, conn, flush_task));
}

void conn_want_drained(struct conn *conn)
{
    conn->want_drained = true;
    if (!conn->writing && !conn->connecting && !conn->error)
        task_wake(&conn->flush_task);
}

void conn_shutdown_tx(struct conn *conn)
{
    conn->shut_after_flush = true;
    if (!conn->writing && !conn->connecting && !conn->error)
        task_wake(&conn->flush_task);
}

/* --- birth and death --- */

static struct conn *conn_new(struct loop *loop, int fd, struct conn_owner owner)
{
    struct conn *conn = calloc(1, sizeof *conn);
    CHECK(conn != NULL);
    conn->magic = CONN_MAGIC;
    conn->fd = fd;
    conn->loop = loop;
    conn->owner = owner;
    task_init(&conn->flush_task, &loop->tasks, run_flush, true);
    counters_add(loop->counters, COUNTER_sockets_opened, 1);
    CHECK(event_assign(&conn->read_event, loop->base, fd, EV_READ | EV_PERSIST, on_readable, conn) == 0);
    return conn;
}

static void free_conn(struct task *task)
{
    struct conn *conn = CONTAINER_OF(task, conn, flush_task);
    if (conn->write_event)
        event_free(conn->write_event);
    conn->magic = 0;
    free(conn);
}

void conn_close(struct conn **conn_at)
{
    struct conn *conn = *conn_at;
    *conn_at = NULL;
    if (conn == NULL)
        return;
    event_del(&conn->read_event);
    if (conn->write_event)
        event_del(conn->write_event);
    conn_tx_close(conn);
    block_unref(&conn->rx);
    conn_secret_free(conn, true);
    close(conn->fd);
    conn->fd = -1;
    counters_add(conn->loop->counters, COUNTER_sockets_closed, 1);
    crowd_leave(&conn->place);
    task_end(&conn->loop->tasks, &conn->flush_task, free_conn);
}

struct crowd_place *conn_place(struct conn *conn)
{
    return &conn->place;
}

void conn_reset(struct conn **conn)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    conn_secret_free(*conn, false);
    setsockopt((*conn)->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    conn_close(conn);
}

struct conn *conn_accept(struct loop *loop, int fd, struct conn_owner owner)
{
    struct conn *conn = conn_new(loop, fd, owner);
    if (event_add(&conn->read_event, NULL) != 0)
        conn_close(&conn);
    return conn;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct conn *conn = MAGIC_CAST(conn, arg, CONN_MAGIC);
    if (!conn->connecting) {
        if (conn->mode == MODE_HANDSHAKE)
            conn_secret_shake(conn);
        else
            flush(conn);
        return;
    }
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error) {
        conn_fail(conn, error);
        return;
    }
    conn->connecting = false;
    conn_wait_writable(conn, false);
    event_add(&conn->read_event, NULL);
    if (conn->tx || conn->want_drained || conn->shut_after_flush)
        task_wake(&conn->flush_task); /* what was queued meanwhile */
    if (conn->secret)
        conn_secret_shake(conn);
    else
        conn_tell(conn, CONN_OPEN);
}

void conn_hand_over(struct conn *conn, struct conn_owner owner)
{
    conn->owner = owner;
}

/* On this machine nothing is lost and nothing is slow: what the system prefers for the way to clients, like
 * the timers by which BBR paces each send, only costs. Where it is not allowed, that stays. */
static void prefer_reno(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", sizeof "reno" - 1);
}

struct conn *conn_dial(struct loop *loop, const struct address *address, struct conn_owner owner)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    if (address_is_loopback(address))
        prefer_reno(fd);
    if (connect(fd, &address->any, address->len) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        errno = error;
        return NULL;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct conn *conn = conn_new(loop, fd, owner);
    conn->connecting = true;
    conn_wait_writable(conn, true);
    return conn;
}

int conn_error(const struct conn *conn)
{
    return conn->error;
}
