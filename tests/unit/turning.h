/*
 * For the unit tests of what runs on a loop: one that is turned by hand and whose clock can be set forward,
 * and the other end of a connection, which says bytes and hears some.
 */
#ifndef PORTICO_TESTS_UNIT_TURNING_H
#define PORTICO_TESTS_UNIT_TURNING_H

#include "base/counters.h"
#include "net/conn.h"
#include "process/loop.h"

#include "sockets.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>

enum { PATIENCE_US = 5 * 1000 * 1000, SECOND_US = 1000 * 1000, HEARD_MAX = 1024 * 1024 };

static struct loop loop;
static struct counters loop_counts;
static uint64_t ahead_us; /* how far the loop's clock is ahead of the real one */

/* What came from one end of a connection. */
struct heard {
    size_t len;
    bool eof;
    int error;
    char text[HEARD_MAX + 1];
};

static inline void set_clock(void)
{
    loop.clock.now_us = clock_monotonic_us() + ahead_us;
    loop.clock.fresh = true;
}

static inline void start_loop(void)
{
    signal(SIGPIPE, SIG_IGN);
    memset(&loop, 0, sizeof loop);
    ahead_us = 0;
    loop_open(&loop, &loop_counts);
    set_clock();
}

/* Every block must have come back: the pool's fini would leak what has not. */
static inline void stop_loop(void)
{
    assert_int_equal(event_base_get_num_events(loop.base, EVENT_BASE_COUNT_ACTIVE), 0);
    loop_close(&loop);
}

/* loop_turn() without its patience. */
static inline void turn(void)
{
    set_clock();
    event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    task_drain(&loop.tasks);
    conn_take_handshakes(&loop);
    task_drain(&loop.tasks);
}

static inline void turn_for(uint64_t us)
{
    for (uint64_t end = clock_monotonic_us() + us; clock_monotonic_us() < end; usleep(200))
        turn();
}

/* Lets time pass for the timers, which tick within two TIMER_TICK_MS of real time. */
static inline void pass(uint64_t us)
{
    ahead_us += us;
    turn_for(3 * TIMER_TICK_MS * 1000);
}

/* Turns the loop until the expression holds, which it must before long; it is evaluated again then. */
#define TURN_UNTIL(expression)                                          \
    do {                                                                \
        for (uint64_t end_ = clock_monotonic_us() + PATIENCE_US;        \
             !(expression) && clock_monotonic_us() < end_; usleep(100)) \
            turn();                                                     \
        assert_true(expression);                                        \
    } while (0)

/* The next connection that waits on the socket; the loop is turned until one does. */
static inline int accept_next(int listening)
{
    int fd;
    uint64_t end = clock_monotonic_us() + PATIENCE_US;
    while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0 &&
           clock_monotonic_us() < end)
        turn();
    assert_true(fd >= 0);
    return fd;
}

static inline void reset_now(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

static inline void say_bytes(int fd, const char *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static inline void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

/* Reads at most `most` bytes of what has come; gives how many. */
static inline size_t hear_some(int fd, struct heard *heard, size_t most)
{
    size_t before = heard->len;
    while (!heard->eof && !heard->error && heard->len - before < most) {
        size_t room = HEARD_MAX - heard->len, wanted = most - (heard->len - before);
        ssize_t got = read(fd, heard->text + heard->len, wanted < room ? wanted : room);
        if (got < 0 && errno == EAGAIN)
            break;
        if (got < 0)
            heard->error = errno;
        else if (got == 0)
            heard->eof = true;
        else
            heard->len += (size_t)got;
    }
    heard->text[heard->len] = '\0';
    return heard->len - before;
}

static inline bool hear(int fd, struct heard *heard)
{
    hear_some(fd, heard, HEARD_MAX);
    return true;
}

static inline void forget(struct heard *heard)
{
    heard->len = 0;
    heard->text[0] = '\0';
}

/* Turns the loop until exactly this text has come, and forgets it. */
#define HEAR(fd, heard, expected)                                                                      \
    do {                                                                                               \
        for (uint64_t end_ = clock_monotonic_us() + PATIENCE_US;                                       \
             hear(fd, heard) && (heard)->len < strlen(expected) && !(heard)->eof && !(heard)->error && \
             clock_monotonic_us() < end_;                                                              \
             usleep(100))                                                                              \
            turn();                                                                                    \
        assert_string_equal((heard)->text, expected);                                                  \
        forget(heard);                                                                                 \
    } while (0)

/* Turns the loop until the other side has closed, having said nothing more. */
#define HEAR_END(fd, heard)                                              \
    do {                                                                 \
        TURN_UNTIL(hear(fd, heard) && ((heard)->eof || (heard)->error)); \
        assert_string_equal((heard)->text, "");                          \
        assert_int_equal((heard)->error, 0);                             \
    } while (0)

#endif
