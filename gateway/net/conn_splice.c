/*
 * Bytes that go from one conn's socket to another's through a pipe, and never enter the program, see
 * net/conn.h. Called by the codecs on behalf of long bodies, and by net/conn.c when such a socket is
 * readable. Nothing is told from inside the owner's own call.
 */
#include "net/internal.h"

#include <errno.h>
#include <fcntl.h>

bool conn_is_spliceable(const struct conn *conn)
{
    return conn->mode == MODE_PLAIN;
}

bool conn_is_bulk(const struct conn *conn)
{
    return conn->appetite.large > 0;
}

struct pipe *conn_take_pipe(struct conn *conn)
{
    return pipe_take(&conn->loop->pipes);
}

void conn_leave_unread(struct conn *conn, bool leave)
{
    CHECK(!leave || (conn->mode == MODE_PLAIN && conn_unread(conn).len == 0));
    conn->leaves_unread = leave;
}

bool conn_leaves_unread(const struct conn *conn)
{
    return conn->leaves_unread;
}

static ssize_t splice_some(int from, int to, size_t len)
{
    return splice(from, NULL, to, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

/* Nothing moves either when the socket is empty or when the pipe is full. */
size_t conn_splice_in(struct conn *conn, struct pipe *pipe, size_t len)
{
    ssize_t got = splice_some(conn->fd, pipe->in, len < pipe->capacity ? len : pipe->capacity);
    if (got > 0) {
        pipe->held += (uint32_t)got;
        appetite_note_spliced(&conn->appetite, (size_t)got);
        return (size_t)got;
    }
    if (got == 0)
        conn->splice_ended = true;
    else if (errno == EAGAIN && pipe->held > 0)
        conn_pause(conn);
    else if (errno != EAGAIN && errno != EINTR)
        conn->splice_error = (uint8_t)errno;
    return 0;
}

void conn_splice_readable(struct conn *conn)
{
    conn_tell(conn, CONN_RX);
    if (conn->fd < 0 || conn->error)
        return;
    if (conn->splice_error)
        conn_fail(conn, conn->splice_error);
    else if (conn->splice_ended)
        conn_end_rx(conn);
}

/* What is queued goes first. False when the socket takes nothing more for now. */
static bool send_queued(struct conn *conn)
{
    if (conn->tx == NULL)
        return true;
    conn->splice_error = (uint8_t)conn_tx_send(conn);
    if (!conn->splice_error)
        conn_wait_writable(conn, conn->tx != NULL);
    return !conn->splice_error && !conn->writing;
}

/* A failure is told by the flush. */
size_t conn_splice_out(struct conn *conn, struct pipe *pipe, size_t len)
{
    if (conn->error || conn->splice_error || conn->writing || conn->connecting || !send_queued(conn)) {
        conn_want_drained(conn);
        return 0;
    }
    ssize_t sent = splice_some(pipe->out, conn->fd, len);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        conn->splice_error = (uint8_t)errno;
        task_wake(&conn->flush_task);
        return 0;
    }
    size_t moved = sent > 0 ? (size_t)sent : 0;
    pipe->held -= (uint32_t)moved;
    conn->tx_total += moved;
    if (moved < len) {
        conn->want_drained = true;
        task_cancel(&conn->flush_task);
        conn_wait_writable(conn, true);
    }
    return moved;
}
