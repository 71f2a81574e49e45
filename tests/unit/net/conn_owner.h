/*
 * For the tests of net/conn.h: an owner that writes down what it is told, one letter a fact, and does what a
 * test wants done inside of the telling.
 */
#ifndef PORTICO_TESTS_UNIT_NET_CONN_OWNER_H
#define PORTICO_TESTS_UNIT_NET_CONN_OWNER_H

#include "net/conn.h"

#include "../turning.h"

enum { FACTS_MAX = 256 };

struct owner {
    struct conn *conn;
    int other; /* the other end of its connection */
    struct heard heard;
    unsigned close_on, pause_on; /* facts */
    bool keeps_bytes;            /* does not consume what is read */
    size_t read;
    unsigned told;
    char facts[FACTS_MAX + 1];       /* O R E D F */
    unsigned char next_in, next_out; /* bytes that count up */
};

static inline char fact_letter(unsigned facts)
{
    switch (facts) {
    case CONN_OPEN: return 'O';
    case CONN_RX: return 'R';
    case CONN_EOF: return 'E';
    case CONN_DRAINED: return 'D';
    case CONN_FAILED: return 'F';
    default: return '?';
    }
}

static inline void on_facts(void *arg, unsigned facts)
{
    struct owner *owner = arg;
    assert_non_null(owner->conn);
    assert_true(owner->told < FACTS_MAX);
    owner->facts[owner->told++] = fact_letter(facts);
    if (facts == CONN_RX) {
        assert_true(conn_unread(owner->conn).len > 0);
        owner->read += conn_unread(owner->conn).len;
        if (!owner->keeps_bytes)
            conn_consume(owner->conn, conn_unread(owner->conn).len);
    }
    if (facts & owner->pause_on)
        conn_pause(owner->conn);
    if (facts & owner->close_on)
        conn_close(&owner->conn);
}

static inline void told(struct owner *owner, const char *facts)
{
    assert_string_equal(owner->facts, facts);
    owner->told = 0;
    memset(owner->facts, 0, sizeof owner->facts);
}

/* Turns the loop until the owner has been told exactly this. */
#define TOLD(owner, expected)                                                              \
    do {                                                                                   \
        for (uint64_t end_ = clock_monotonic_us() + PATIENCE_US;                           \
             (owner)->told < strlen(expected) && clock_monotonic_us() < end_; usleep(100)) \
            turn();                                                                        \
        turn();                                                                            \
        told(owner, expected);                                                             \
    } while (0)

static inline void own(struct owner *owner, const int ends[2])
{
    owner->other = ends[1];
    owner->conn = conn_accept(&loop, ends[0], (struct conn_owner){on_facts, owner});
    assert_non_null(owner->conn);
}

static inline void own_pair(struct owner *owner)
{
    int ends[2];
    make_pair(ends);
    own(owner, ends);
}

static inline void own_tcp(struct owner *owner)
{
    int ends[2];
    make_tcp_pair(ends);
    own(owner, ends);
}

/* The smallest buffer that the kernel allows, so that writes block soon. */
static inline void narrow(int fd)
{
    int least = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
}

static inline void own_narrow(struct owner *owner)
{
    int ends[2];
    make_pair(ends);
    narrow(ends[0]);
    own(owner, ends);
}

/* Both ends, and what is freed at the end of the turn. */
static inline void disown(struct owner *owner)
{
    conn_close(&owner->conn);
    if (owner->other >= 0)
        close(owner->other);
    owner->other = -1;
    turn();
}

/* --- writing --- */

static inline void put_text(struct owner *owner, const char *text)
{
    char *out = conn_tx_reserve(owner->conn, strlen(text));
    memcpy(out, text, strlen(text));
    conn_tx_commit(owner->conn, strlen(text));
}

/* A block of bytes that count up, one reference. */
static inline struct block *counting_block(struct owner *owner, uint32_t len)
{
    struct block *block = block_new(&loop.blocks, len);
    for (uint32_t i = 0; i < len; i++)
        block->data[i] = (char)owner->next_out++;
    block->used = len;
    return block;
}

static inline void put_block(struct owner *owner, uint32_t len)
{
    struct block *block = counting_block(owner, len);
    conn_tx_slice(owner->conn, block, 0, len);
    block_unref(&block);
}

/* Hears at most `most` bytes of those that count up, and compares. */
static inline void hear_counting(struct owner *owner, size_t most)
{
    hear_some(owner->other, &owner->heard, most);
    for (size_t i = 0; i < owner->heard.len; i++)
        if ((unsigned char)owner->heard.text[i] != owner->next_in++)
            fail_msg("byte %zu of %zu", i, owner->heard.len);
    forget(&owner->heard);
}

#endif
