/*
 * What a conn has to send: a queue of slices of blocks that exists only while there is something in it, see
 * net/conn.h. Called by the sessions of codec/ and by net/conn.c, which decides when it is sent.
 */
#include "net/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static struct tx_queue *tx_open(struct conn *conn)
{
    if (conn->tx == NULL) {
        conn->loop->tx_queues.size = sizeof *conn->tx;
        conn->tx = freelist_take(&conn->loop->tx_queues);
        conn->tx->first = conn->tx->count = 0;
        conn->tx->bytes = 0;
    }
    return conn->tx;
}

void conn_tx_close(struct conn *conn)
{
    struct tx_queue *tx = conn->tx;
    if (tx == NULL)
        return;
    for (uint32_t i = 0; i < tx->count; i++)
        block_unref(&tx->spans[(tx->first + i) % CONN_TX_SPANS].block);
    freelist_put(&conn->loop->tx_queues, tx);
    conn->tx = NULL;
}

bool conn_tx_has_room(const struct conn *conn)
{
    if (conn_tx_queued(conn) == 0)
        return true;
    const struct tx_queue *tx = conn->tx;
    return !conn->writing && (!tx || (tx->bytes < CONN_TX_MARK && tx->count + 4 <= CONN_TX_SPANS));
}

size_t conn_tx_queued(const struct conn *conn)
{
    return (conn->tx ? conn->tx->bytes : 0) + (conn->secret ? conn->secret->owed : 0);
}

uint64_t conn_tx_total(const struct conn *conn)
{
    return conn->tx_total;
}

void conn_tx_slice(struct conn *conn, struct block *block, uint32_t offset, uint32_t len)
{
    if (len == 0 || conn->error)
        return;
    struct tx_queue *tx = tx_open(conn);
    struct span *last = tx->count ? &tx->spans[(tx->first + tx->count - 1) % CONN_TX_SPANS] : NULL;
    if (last && last->block == block && last->offset + last->len == offset) {
        last->len += len;
    } else {
        CHECK(tx->count < CONN_TX_SPANS);
        tx->spans[(tx->first + tx->count++) % CONN_TX_SPANS] = (struct span){block_ref(block), offset, len};
    }
    tx->bytes += len;
    if (!conn->writing && !conn->connecting)
        task_wake(&conn->flush_task);
}

/* All conns of a thread compose in one block, so that a turn's heads lie together; when no head is on its way
 * any more, it is filled from the start again. */
char *conn_tx_reserve(struct conn *conn, size_t len)
{
    struct loop *loop = conn->loop;
    if (loop->text && loop->text->refs == 1)
        loop->text->used = 0;
    if (loop->text && loop->text->capacity - loop->text->used < len)
        block_unref(&loop->text);
    if (loop->text == NULL)
        loop->text = block_new(&loop->blocks, len);
    return loop->text->data + loop->text->used;
}

void conn_tx_commit(struct conn *conn, size_t len)
{
    struct block *text = conn->loop->text;
    CHECK(text != NULL && len <= text->capacity - text->used);
    uint32_t offset = text->used;
    text->used += (uint32_t)len;
    conn_tx_slice(conn, text, offset, (uint32_t)len);
}

void conn_tx_sent(struct conn *conn, size_t sent)
{
    struct tx_queue *tx = conn->tx;
    tx->bytes -= sent;
    if (tx->bytes == 0) {
        conn_tx_close(conn);
        return;
    }
    while (sent > 0) {
        struct span *span = &tx->spans[tx->first];
        uint32_t part = sent < span->len ? (uint32_t)sent : span->len;
        span->offset += part;
        span->len -= part;
        sent -= part;
        if (span->len == 0) {
            block_unref(&span->block);
            tx->first = (tx->first + 1) % CONN_TX_SPANS;
            tx->count--;
        }
    }
}

void conn_tx_wait(struct conn *conn)
{
    struct tx_queue *tx = conn->tx;
    struct span *span = tx ? &tx->spans[tx->first] : NULL;
    if (span == NULL || span->len > BLOCK_SIZE || span->block->capacity <= BLOCK_SIZE ||
        span->block->refs > 1)
        return;
    struct block *small = block_new(&conn->loop->blocks, span->len);
    memcpy(small->data, span->block->data + span->offset, span->len);
    small->used = span->len;
    block_unref(&span->block);
    *span = (struct span){small, 0, span->len};
}

/* What is queued, as few bytes as a head and a short body have, in one piece: cheaper than a list of pieces.
 */
static size_t gather(const struct tx_queue *tx, char *into)
{
    size_t len = 0;
    for (uint32_t i = 0; i < tx->count; i++) {
        const struct span *span = &tx->spans[(tx->first + i) % CONN_TX_SPANS];
        memcpy(into + len, span->block->data + span->offset, span->len);
        len += span->len;
    }
    return len;
}

static ssize_t send_spans(int fd, const struct tx_queue *tx)
{
    struct iovec iov[CONN_TX_SPANS];
    for (uint32_t i = 0; i < tx->count; i++) {
        const struct span *span = &tx->spans[(tx->first + i) % CONN_TX_SPANS];
        iov[i] = (struct iovec){span->block->data + span->offset, span->len};
    }
    if (tx->count == 1)
        return send(fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL);
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = tx->count};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

int conn_tx_send(struct conn *conn)
{
    struct tx_queue *tx = conn->tx;
    ssize_t sent;
    if (tx->count > 1 && tx->bytes <= GATHER_MAX) {
        char whole[GATHER_MAX];
        sent = send(conn->fd, whole, gather(tx, whole), MSG_NOSIGNAL);
    } else {
        sent = send_spans(conn->fd, tx);
    }
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : errno;
    conn->tx_total += (uint64_t)sent;
    conn_tx_sent(conn, (size_t)sent);
    return 0;
}
