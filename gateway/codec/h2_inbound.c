/*
 * The server side of HTTP/2, see codec/h2_inbound.h: between the conn's facts, the thread's timers and the
 * session's lives. What frames mean stands in h2_rx.c and h2_tx.c; never knows routes, upstreams or policies.
 */
#include "codec/h2_inbound.h"

#include "base/check.h"
#include "codec/h2_session.h"

#include <stdlib.h>

enum { NOTICE_US = 1000 * 1000 };

enum h2_preface h2_preface_of(struct slice bytes)
{
    const struct slice preface = {NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN};
    if (slice_starts_with(bytes, preface))
        return H2_PREFACE_WHOLE;
    return slice_starts_with(preface, bytes) ? H2_PREFACE_PART : H2_PREFACE_NO;
}

/* --- the connection's life --- */

static void session_free(struct h2_inbound *session)
{
    CHECK(session->owned == 0 && session->requests.count == 0 && session->wire.conn == NULL);
    timer_clear(session->home->loop->timers, &session->timer);
    task_cancel(&session->wire.flush_task);
    session_leave(session->home, &session->session);
}

/* Why nghttp2 stopped reading for good. */
static void fail_reading(struct h2_inbound *session, ssize_t error)
{
    enum close_reason reason = session->reason                               ? session->reason
                               : error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS ? CLOSE_continuation_flood
                               : error == NGHTTP2_ERR_FLOODED                ? CLOSE_unread_answers
                                                                             : CLOSE_protocol_error;
    bool broken = reason == CLOSE_protocol_error;
    h2_session_abort(session, reason, broken ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM);
}

/* Nothing is left to say or to hear. */
static bool is_over(const struct h2_inbound *session)
{
    if (session->ending.count > 0)
        return false;
    bool wants = nghttp2_session_want_read(session->wire.ng) || nghttp2_session_want_write(session->wire.ng);
    if (!wants)
        return true;
    bool leaving = session->state == H2_LEAVING || session->client_gone;
    return leaving && session->owned == 0 && !nghttp2_session_want_write(session->wire.ng);
}

static void start_drain(struct h2_inbound *session)
{
    if (session->state != H2_SERVING)
        return;
    nghttp2_submit_shutdown_notice(session->wire.ng);
    nghttp2_submit_ping(session->wire.ng, NGHTTP2_FLAG_NONE, NULL);
    h2_session_enter(session, H2_NOTICED, NOTICE_US);
    task_wake(&session->wire.flush_task);
}

/* Runs at the end of a turn: what all streams have to say leaves in one write. */
static void run_flush(struct task *task)
{
    struct h2_inbound *session = CONTAINER_OF(task, h2_inbound, wire.flush_task);
    if (session->state == H2_DEAD && session->owned == 0)
        session_free(session);
    if (session->wire.ng == NULL)
        return;
    if (session->streams >= H2_STREAMS_TOTAL_MAX)
        start_drain(session);
    h2_tx_pump(session);
    if (session->wire.ng && is_over(session))
        h2_session_linger(session);
}

/* --- facts --- */

/* The time for a head runs from its first byte to its last, however many frames it takes (A22). */
static void watch_head(struct h2_inbound *session)
{
    if (!h2_frames_in_head(&session->frames)) {
        session->head_since_us = 0;
        return;
    }
    if (session->head_since_us)
        return;
    session->head_since_us = h2_now_us(session);
    timer_set(session->home->loop->timers, &session->timer, session->home->settings.head_timeout_us);
}

/* Heads that nghttp2 ignored, but had to decompress: their streams have ended. The last one may only be
 * incomplete. */
static bool pay_strays(struct h2_inbound *session)
{
    bool paid = true;
    while (paid && session->frames.heads - session->heads_begun > session->strays_paid + 1) {
        paid = h2_limits_take(&session->budgets, CLOSE_stray_head_flood, h2_now_us(session));
        session->strays_paid++;
    }
    return paid;
}

static void on_rx(struct h2_inbound *session)
{
    struct slice unread = conn_unread(session->wire.conn);
    if (session->wire.ng == NULL) {
        conn_consume(session->wire.conn, unread.len);
        conn_rest(session->wire.conn);
        return;
    }
    enum close_reason flood =
        h2_limits_charge(&session->budgets, &session->frames, unread, h2_now_us(session));
    if (flood) {
        h2_session_abort(session, flood, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    ssize_t done = nghttp2_session_mem_recv(session->wire.ng, (const uint8_t *)unread.at, unread.len);
    if (done < 0) {
        fail_reading(session, done);
        return;
    }
    conn_consume(session->wire.conn, unread.len);
    conn_rest(session->wire.conn);
    if (!pay_strays(session)) {
        h2_session_abort(session, CLOSE_stray_head_flood, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    watch_head(session);
    task_wake(&session->wire.flush_task);
}

/* The client will say nothing more: who has sent a whole request may still read its response. */
static void on_eof(struct h2_inbound *session)
{
    if (session->wire.ng == NULL) {
        h2_session_die(session);
        return;
    }
    session->client_gone = true;
    for (struct list_node *node = list_first(&session->requests); node;
         node = list_next(&session->requests, node)) {
        struct h2_request *request = CONTAINER_OF(node, h2_request, node);
        if (request->h2.owned && request->rx_closed)
            stream_tell(&request->h2.stream, STREAM_HALF);
        else if (request->h2.owned)
            stream_fail(&request->h2.stream, FAULT_client_gone, FAULT_NONE);
    }
    task_wake(&session->wire.flush_task);
}

static void on_drained(struct h2_inbound *session)
{
    h2_tx_tell_sent(session);
    if (session->state == H2_LINGER && conn_at_eof(session->wire.conn))
        h2_session_die(session);
    else if (session->wire.ng)
        task_wake(&session->wire.flush_task);
}

static void on_facts(void *owner, unsigned facts)
{
    struct h2_inbound *session = MAGIC_CAST(h2_inbound, owner, H2_INBOUND_MAGIC);
    if (facts & CONN_FAILED)
        h2_session_die(session);
    else if (facts & CONN_RX)
        on_rx(session);
    else if (facts & CONN_EOF)
        on_eof(session);
    else if (facts & CONN_DRAINED)
        on_drained(session);
}

/* --- time --- */

static uint64_t left_us(uint64_t since_us, uint64_t limit_us, uint64_t now_us)
{
    return since_us + limit_us > now_us ? since_us + limit_us - now_us : 0;
}

/* How long the client may go on as it does; 0: not any longer. */
static uint64_t patience_us(const struct h2_inbound *session, uint64_t now_us)
{
    const struct session_settings *settings = &session->home->settings;
    uint64_t idle_us = session->streams ? settings->keep_alive_timeout_us : settings->head_timeout_us;
    if (session->owned > 0)
        return settings->keep_alive_timeout_us;
    return left_us(session->idle_since_us, idle_us, now_us);
}

static void on_timer(struct timer *timer)
{
    struct h2_inbound *session = CONTAINER_OF(timer, h2_inbound, timer);
    uint64_t now_us = h2_now_us(session), wait_us;
    if (session->state == H2_LINGER)
        h2_session_die(session);
    if (session->wire.ng == NULL)
        return;
    if (session->state == H2_NOTICED && now_us - session->state_since_us >= NOTICE_US)
        h2_session_leave(session);
    wait_us = patience_us(session, now_us);
    if (wait_us == 0 && session->state == H2_LEAVING) { /* it does not even read that it shall go */
        h2_session_linger(session);
        return;
    }
    if (wait_us == 0) {
        h2_session_leave(session);
        wait_us = NOTICE_US;
    }
    if (session->head_since_us) {
        uint64_t head_us = left_us(session->head_since_us, session->home->settings.head_timeout_us, now_us);
        if (head_us == 0) {
            h2_session_abort(session, CLOSE_slow_head, NGHTTP2_ENHANCE_YOUR_CALM);
            return;
        }
        wait_us = head_us < wait_us ? head_us : wait_us;
    }
    timer_set(session->home->loop->timers, timer, wait_us);
}

/* --- the session's operations --- */

static void drain_session(struct session *base)
{
    struct h2_inbound *session = CONTAINER_OF(base, h2_inbound, session);
    if (session->wire.ng)
        start_drain(session);
}

static void kill_session(struct session *base)
{
    struct h2_inbound *session = CONTAINER_OF(base, h2_inbound, session);
    if (session->state == H2_DEAD)
        return;
    h2_session_mute(session, FAULT_shutdown);
    h2_session_die(session);
}

/* It is told, so that what it asks meanwhile is answered. */
static bool shed_session(struct session *base)
{
    struct h2_inbound *session = CONTAINER_OF(base, h2_inbound, session);
    bool serves = session->state == H2_SERVING;
    drain_session(base);
    return serves;
}

static void free_session(struct session *base)
{
    struct h2_inbound *session = CONTAINER_OF(base, h2_inbound, session);
    session->magic = 0;
    free(session);
}

static const struct session_ops inbound_session_ops = {.drain = drain_session,
                                                       .kill = kill_session,
                                                       .shed = shed_session,
                                                       .free = free_session};

void h2_inbound_open(struct session_home *home, struct conn *conn, const struct stream_client *client)
{
    struct h2_inbound *session = calloc(1, sizeof *session);
    CHECK(session != NULL);
    session->magic = H2_INBOUND_MAGIC;
    session->home = home;
    session->session.ops = &inbound_session_ops;
    session->timer.fire = on_timer;
    session->wire.loop = home->loop;
    session->wire.conn = conn;
    session->idle_since_us = h2_now_us(session);
    list_init(&session->requests);
    list_init(&session->ending);
    list_init(&session->wire.due);
    h2_frames_start(&session->frames);
    task_init(&session->wire.flush_task, &home->loop->tasks, run_flush, true);
    session->wire.ng = h2_session_new(session);
    session_join(home, &session->session, client);
    session_rest(home, &session->session);
    conn_hand_over(conn, (struct conn_owner){on_facts, session});
    h2_session_enter(session, H2_SERVING, home->settings.head_timeout_us);
    task_wake(&session->wire.flush_task);
    if (home->draining || client->refusal)
        start_drain(session);
    if (conn_unread(conn).len > 0)
        on_rx(session);
}
