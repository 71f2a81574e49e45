/*
 * The server side of HTTP/2 over a socket pair: whatever a client sends, every stream that is born ends,
 * every connection ends, and a request's fields are clean. The first byte of an input chooses how the
 * stream's owner behaves and in which pieces the rest arrives; the preface is given.
 */
#include "h1_fuzzing.h"

#include "base/counters.h"
#include "base/log.h"
#include "codec/h2_inbound.h"
#include "process/loop.h"

#include <event2/event.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWERS_AT_ONCE = 1, REFUSES = 2, CLOSES_EARLY = 4, BODILESS = 8, PIECES = 16, DRAINS = 32 };

static struct loop loop;
static struct counters counters;
static struct session_home home;
static unsigned behaviour, owners;

/* The owner of a stream; lives in its arena. */
struct owner {
    struct task task;
    struct stream *stream;
    bool answered;
};

static void end(struct owner *owner, enum fault fault)
{
    owners--;
    task_cancel(&owner->task);
    owner->stream->ops->close(owner->stream, fault);
}

static void answer(struct owner *owner)
{
    struct stream *stream = owner->stream;
    struct message head = {.status = 200, .keep_alive = true, .framing = {.kind = FRAMING_STREAM}};
    if (stream->rx_head.wants_upgrade)
        head.status = 101;
    else if (behaviour & BODILESS)
        head.framing.kind = FRAMING_NONE;
    fields_add(&head.fields, stream->arena, SLICE("X-Answer"), stream->rx_head.target);
    stream->ops->tx_head(stream, &head);
    owner->answered = true;
}

static void run(struct task *task)
{
    struct owner *owner = CONTAINER_OF(task, owner, task);
    struct stream *stream = owner->stream;
    if ((stream->facts & STREAM_FAILED) || (behaviour & REFUSES)) {
        end(owner, stream->facts & STREAM_FAILED ? stream->fault : FAULT_upstream_closed);
        return;
    }
    if (!owner->answered && (stream->rx.ended || (behaviour & ANSWERS_AT_ONCE)))
        answer(owner);
    if (owner->answered && (behaviour & CLOSES_EARLY)) {
        end(owner, FAULT_upstream_truncated);
        return;
    }
    if (owner->answered)
        stream->ops->tx_body(stream, &stream->rx, &stream->rx_trailers);
    else if (stream->rx.queued > 0)
        body_consume(&stream->rx, stream->rx.queued);
    stream->ops->rx_resume(stream);
    if (stream->facts & STREAM_SENT)
        end(owner, FAULT_NONE);
}

static void on_stream(void *arg, struct stream *stream)
{
    (void)arg;
    struct owner *owner = arena_zalloc(stream->arena, sizeof *owner);
    EXPECT(stream->fault || stream->rx_head.target.len > 0);
    if (!stream->fault)
        expect_clean_fields(&stream->rx_head.fields);
    owner->stream = stream;
    task_init(&owner->task, &loop.tasks, run, false);
    stream->owner = &owner->task;
    owners++;
    task_wake(&owner->task);
}

static void turn(void)
{
    clock_turn(&loop.clock);
    event_base_loop(loop.base, EVLOOP_NONBLOCK);
    task_drain(&loop.tasks);
}

static void no_facts(void *owner, unsigned facts)
{
    (void)owner, (void)facts;
}

static int open_connection(void)
{
    int pair[2];
    struct stream_client client = {.address.any.sa_family = AF_UNIX};
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    struct conn *conn = conn_accept(&loop, pair[0], (struct conn_owner){no_facts, NULL});
    EXPECT(conn != NULL);
    h2_inbound_open(&home, conn, &client);
    return pair[1];
}

static void send_all(int fd, struct slice bytes, size_t piece)
{
    char sink[4096];
    while (bytes.len > 0) {
        size_t len = bytes.len < piece ? bytes.len : piece;
        ssize_t sent = write(fd, bytes.at, len);
        turn();
        while (read(fd, sink, sizeof sink) > 0)
            continue;
        if (sent <= 0)
            return;
        bytes = slice_after(bytes, (size_t)sent);
    }
}

static void start(void)
{
    loop_open(&loop, &counters);
    session_home_init(&home, &loop, on_stream, NULL);
    home.settings = (struct session_settings){
        .limits = limits, .head_timeout_us = 1000000000, .keep_alive_timeout_us = 1000000000};
    log_set_level(LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    if (loop.base == NULL)
        start();
    if (size == 0 || size > 32 * INPUT_MAX)
        return 0;
    behaviour = data[0];
    home.draining = false;
    int fd = open_connection();
    send_all(fd, slice_make(preface, sizeof preface), sizeof preface);
    send_all(fd, slice_make((const char *)data + 1, size - 1), behaviour & PIECES ? 7 : size);
    if (behaviour & DRAINS)
        session_home_drain(&home);
    turn();
    shutdown(fd, SHUT_WR);
    turn();
    session_home_kill(&home);
    turn();
    close(fd);
    EXPECT(owners == 0 && session_home_count(&home) == 0);
    return 0;
}
