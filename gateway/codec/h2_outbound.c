/*
 * The client side of HTTP/2, see codec/h2_outbound.h: between the conn's facts and the lives of its streams,
 * and every way in which a connection ends. What frames mean stands in h2_call_rx.c and h2_call_tx.c; never
 * knows which upstream it belongs to, or how a connection was chosen.
 */
#include "codec/h2_calls.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

enum {
    REQUEST_HEAD_MAX = 256 * 1024,
    /* A server that is silent for so long is asked whether it is there. gRPC servers take more than two such
     * questions within five minutes for abuse. */
    KEEPALIVE_US = 330 * 1000 * 1000,
    PING_ANSWER_US = 20 * 1000 * 1000
};

/* --- calls --- */

void h2_call_release(struct h2_call *call)
{
    if (call->h2.owned || call->h2.open)
        return;
    struct h2_outbound *session = call->session;
    list_remove(&session->calls, &call->node);
    h2_stream_fini(&call->h2);
    free(call);
}

void h2_call_gone(struct h2_call *call)
{
    struct h2_outbound *session = call->session;
    if (call->h2.open)
        session->submitted--;
    call->h2.open = false;
    call->h2.reset_due = call->h2.trailers_due = false;
    h2_call_release(call);
}

void h2_call_refuse(struct h2_call *call, enum fault fault, enum fault detail)
{
    if (!call->h2.reset_code)
        h2_stream_reset(&call->h2,
                        fault == FAULT_upstream_malformed ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_CANCEL);
    if (call->h2.owned)
        stream_fail(&call->h2.stream, fault, detail);
}

void h2_outbound_settle(struct h2_outbound *session)
{
    struct list_node *node;
    while ((node = list_pop(&session->wire.due)) != NULL) {
        struct h2_call *call = CONTAINER_OF(node, h2_call, h2.due);
        if (call->unsent)
            h2_call_gone(call);
        else
            h2_stream_settle(&call->h2);
    }
    h2_wire_credit(&session->wire);
}

/* --- the connection's end --- */

/* What the end of the connection means for one call. */
static enum fault fault_of_end(const struct h2_call *call, enum fault fault)
{
    bool broken_off = fault == FAULT_upstream_closed || fault == FAULT_upstream_reset;
    if (broken_off && call->responded)
        return FAULT_upstream_truncated;
    return broken_off && call->session->greeted && !call->h2.id ? FAULT_upstream_refused_stream : fault;
}

static void die(struct h2_outbound *session, enum fault fault)
{
    if (session->state == H2_OUT_DEAD)
        return;
    session->state = H2_OUT_DEAD;
    nghttp2_session_del(session->wire.ng);
    session->wire.ng = NULL;
    conn_close(&session->wire.conn);
    timer_clear(session->wire.loop->timers, &session->timer);
    struct list_node *next;
    for (struct list_node *node = list_first(&session->calls); node; node = next) {
        next = list_next(&session->calls, node);
        struct h2_call *call = CONTAINER_OF(node, h2_call, node);
        if (call->h2.owned && !call->h2.stream.rx.ended)
            stream_fail(&call->h2.stream, fault_of_end(call, fault), FAULT_NONE);
        h2_call_gone(call);
    }
    task_wake(session->watcher);
}

/* The server has broken a rule of the whole connection. */
static void die_broken(struct h2_outbound *session)
{
    enum fault fault = session->bomb ? FAULT_upstream_head_too_large : FAULT_upstream_malformed;
    die(session, session->greeted ? fault : FAULT_upstream_not_http2);
}

/* --- facts --- */

static void run_flush(struct task *task)
{
    struct h2_outbound *session = CONTAINER_OF(task, h2_outbound, wire.flush_task);
    if (session->state == H2_OUT_DEAD || session->state == H2_OUT_CONNECTING)
        return;
    if (!h2_outbound_pump(session) || session->wire.goaway_sent)
        die_broken(session);
    else if (!nghttp2_session_want_read(session->wire.ng) && !nghttp2_session_want_write(session->wire.ng))
        die(session, FAULT_upstream_closed);
}

static void open_calls(struct h2_outbound *session)
{
    session->state = H2_OUT_SERVING;
    timer_set(session->wire.loop->timers, &session->timer, KEEPALIVE_US);
    for (struct list_node *node = list_first(&session->calls); node; node = list_next(&session->calls, node))
        stream_tell(&CONTAINER_OF(node, h2_call, node)->h2.stream, STREAM_OPEN);
    task_wake(session->watcher);
}

static void on_rx(struct h2_outbound *session)
{
    struct slice unread = conn_unread(session->wire.conn);
    ssize_t done = nghttp2_session_mem_recv(session->wire.ng, (const uint8_t *)unread.at, unread.len);
    session->heard_us = clock_now_us(&session->wire.loop->clock);
    session->pinged = false;
    conn_consume(session->wire.conn, unread.len);
    conn_rest(session->wire.conn);
    if (done < 0) {
        die_broken(session);
        return;
    }
    if (session->greeted && session->state == H2_OUT_GREETING)
        open_calls(session);
    if (session->goaway_seen && session->state != H2_OUT_LEAVING) {
        session->state = H2_OUT_LEAVING;
        task_wake(session->watcher);
    }
    task_wake(&session->wire.flush_task);
}

/* With TLS the server has said by now whether it speaks HTTP/2. */
static void greet(struct h2_outbound *session)
{
    if (session->secure && !conn_tls_facts(session->wire.conn).h2) {
        die(session, FAULT_upstream_not_http2);
        return;
    }
    session->state = H2_OUT_GREETING;
    task_wake(&session->wire.flush_task);
}

static void on_facts(void *owner, unsigned facts)
{
    struct h2_outbound *session = MAGIC_CAST(h2_outbound, owner, H2_OUTBOUND_MAGIC);
    bool connecting = session->state == H2_OUT_CONNECTING;
    if (facts & CONN_FAILED) {
        die(session, connecting ? conn_dial_fault(session->wire.conn) : FAULT_upstream_reset);
    } else if (facts & CONN_OPEN) {
        greet(session);
    } else if (facts & CONN_RX) {
        on_rx(session);
    } else if (facts & CONN_EOF) {
        die(session, FAULT_upstream_closed);
    } else if (facts & CONN_DRAINED) {
        task_wake(&session->wire.flush_task);
    }
}

static void on_timer(struct timer *timer)
{
    struct h2_outbound *session = CONTAINER_OF(timer, h2_outbound, timer);
    uint64_t silent_us = clock_now_us(&session->wire.loop->clock) - session->heard_us;
    bool silent = silent_us >= (session->pinged ? PING_ANSWER_US : KEEPALIVE_US);
    if (session->pinged && silent) {
        die(session, FAULT_between_bytes_timeout);
        return;
    }
    session->pinged = silent && session->lent > 0;
    if (session->pinged) {
        nghttp2_submit_ping(session->wire.ng, NGHTTP2_FLAG_NONE, NULL);
        task_wake(&session->wire.flush_task);
    }
    uint64_t wait_us = session->pinged ? PING_ANSWER_US : silent ? KEEPALIVE_US : KEEPALIVE_US - silent_us;
    timer_set(session->wire.loop->timers, timer, wait_us);
}

/* --- for the pool --- */

uint32_t h2_outbound_allowed(const struct h2_outbound *session)
{
    uint32_t said = session->streams_max;
    if (session->greeted && session->wire.ng)
        said = nghttp2_session_get_remote_settings(session->wire.ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return said < H2_CALLS_MAX ? said : H2_CALLS_MAX;
}

struct h2_outbound_load h2_outbound_load(const struct h2_outbound *session)
{
    uint32_t allowed = h2_outbound_allowed(session), taken = (uint32_t)session->calls.count;
    bool leaving = session->state >= H2_OUT_LEAVING;
    return (struct h2_outbound_load){.open = session->state == H2_OUT_SERVING,
                                     .leaving = leaving,
                                     .lent = session->lent,
                                     .room = leaving || taken >= allowed ? 0 : allowed - taken,
                                     .allowed = allowed ? allowed : 1,
                                     .ever = session->ever};
}

struct stream *h2_outbound_lend(struct h2_outbound *session)
{
    struct h2_call *call = calloc(1, sizeof *call);
    CHECK(call != NULL);
    call->session = session;
    call->h2.wire = &session->wire;
    call->h2.owned = true;
    call->h2.stream.ops = &h2_call_ops;
    call->h2.stream.reused = session->ever > 0;
    call->h2.stream.facts = session->state == H2_OUT_SERVING ? STREAM_OPEN : 0;
    list_append(&session->calls, &call->node);
    session->lent++;
    session->ever++;
    return &call->h2.stream;
}

static nghttp2_session *new_nghttp2(struct h2_outbound *session)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_session *ng = NULL;
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0);
    h2_call_rx_set_callbacks(callbacks);
    h2_call_tx_set_callbacks(callbacks);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, REQUEST_HEAD_MAX);
    CHECK(nghttp2_session_client_new2(&ng, callbacks, session, option) == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_CALL_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, session->limits.head_max},
    };
    /* As much as all streams together: one slow client must not stop the others. */
    const int32_t window = H2_CALLS_MAX * H2_CALL_WINDOW;
    CHECK(nghttp2_submit_settings(ng, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings) == 0);
    CHECK(nghttp2_session_set_local_window_size(ng, NGHTTP2_FLAG_NONE, 0, window) == 0);
    return ng;
}

struct h2_outbound *h2_outbound_open(struct loop *loop, const struct h2_outbound_settings *settings,
                                     struct task *watcher)
{
    struct h2_outbound *session = calloc(1, sizeof *session);
    CHECK(session != NULL);
    session->magic = H2_OUTBOUND_MAGIC;
    session->wire.loop = loop;
    session->watcher = watcher;
    session->limits = (struct h1_limits){0, settings->head_max, settings->fields_max};
    session->streams_max = settings->streams_max;
    session->timer.fire = on_timer;
    session->wire.conn = conn_dial(loop, settings->address, (struct conn_owner){on_facts, session});
    if (session->wire.conn == NULL) {
        int error = errno;
        free(session);
        errno = error;
        return NULL;
    }
    session->secure = settings->tls != NULL;
    if (settings->tls)
        CHECK(conn_dial_tls(session->wire.conn, settings->tls));
    list_init(&session->calls);
    list_init(&session->wire.due);
    task_init(&session->wire.flush_task, &loop->tasks, run_flush, true);
    session->wire.ng = new_nghttp2(session);
    return session;
}

static void free_session(struct task *task)
{
    struct h2_outbound *session = CONTAINER_OF(task, h2_outbound, wire.flush_task);
    session->magic = 0;
    free(session);
}

void h2_outbound_close(struct h2_outbound **session_at)
{
    struct h2_outbound *session = *session_at;
    *session_at = NULL;
    CHECK(session->lent == 0);
    die(session, FAULT_NONE);
    task_end(&session->wire.loop->tasks, &session->wire.flush_task, free_session);
}
