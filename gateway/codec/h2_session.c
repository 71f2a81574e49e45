/*
 * The lives of HTTP/2 connections and their requests, see codec/h2_session.h: how they are made, what is
 * asked of nghttp2 once its callbacks have returned, and every way in which a connection ends. Knows no field
 * and moves no content.
 */
#include "codec/h2_session.h"

#include "base/check.h"
#include "base/counters.h"
#include "base/log.h"
#include "codec/h2_inbound.h"

#include <stdlib.h>

enum {
    SPARE_STREAMS = 256,
    OUTBOUND_FRAMES_MAX = 2000, /* resets and answers that may wait for the client to read */
    OUTBOUND_ACKS_MAX = 500,
    RESPONSE_HEAD_MAX = 256 * 1024,
    LINGER_US = 1000 * 1000
};

/* --- birth --- */

static nghttp2_option *new_option(void)
{
    nghttp2_option *option;
    CHECK(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_continuations(option, H2_CONTINUATIONS_MAX);
    nghttp2_option_set_max_outbound_ack(option, OUTBOUND_ACKS_MAX);
    nghttp2_option_set_max_send_header_block_length(option, RESPONSE_HEAD_MAX);
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    /* Beyond our own budget, which has a name. */
    nghttp2_option_set_stream_reset_rate_limit(option, 4u * close_reason_row(CLOSE_reset_flood)->burst, 1000);
    return option;
}

nghttp2_session *h2_session_new(struct h2_inbound *session)
{
    nghttp2_session_callbacks *callbacks;
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    h2_rx_set_callbacks(callbacks);
    h2_tx_set_callbacks(callbacks);
    nghttp2_option *option = new_option();
    nghttp2_session *ng = NULL;
    CHECK(nghttp2_session_server_new2(&ng, callbacks, session, option) == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, session->home->settings.limits.head_max},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    CHECK(nghttp2_submit_settings(ng, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings) == 0);
    CHECK(nghttp2_session_set_local_window_size(ng, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW) == 0);
    return ng;
}

struct h2_request *h2_request_new(struct h2_inbound *session, int32_t id)
{
    struct list_node *spare = list_pop(&session->home->spare_streams);
    struct h2_request *request = spare ? CONTAINER_OF(spare, h2_request, node) : malloc(sizeof *request);
    CHECK(request != NULL);
    memset(request, 0, offsetof(struct h2_request, arena));
    arena_init(&request->arena, request->page, sizeof request->page);
    request->session = session;
    request->h2.wire = &session->wire;
    request->h2.id = id;
    request->h2.open = true;
    request->h2.stream.ops = &h2_stream_ops;
    request->h2.stream.client = &session->session.client;
    request->h2.stream.arena = &request->arena;
    list_append(&session->requests, &request->node);
    return request;
}

void h2_request_release(struct h2_request *request)
{
    if (request->h2.owned || request->h2.open)
        return;
    struct h2_inbound *session = request->session;
    list_remove(&session->requests, &request->node);
    list_remove(&session->ending, &request->ending);
    h2_stream_fini(&request->h2);
    body_fini(&request->early);
    arena_fini(&request->arena);
    if (session->home->spare_streams.count < SPARE_STREAMS)
        list_prepend(&session->home->spare_streams, &request->node);
    else
        free(request);
}

void h2_inbound_free_spares(struct session_home *home)
{
    struct list_node *node;
    while ((node = list_pop(&home->spare_streams)) != NULL)
        free(CONTAINER_OF(node, h2_request, node));
}

/* --- between callbacks --- */

void h2_request_credit(struct h2_request *request)
{
    h2_stream_credit(&request->h2, (uint64_t)request->h2.stream.rx.queued + request->early.queued);
}

void h2_session_settle(struct h2_inbound *session)
{
    struct list_node *node;
    while ((node = list_pop(&session->wire.due)) != NULL)
        h2_stream_settle(CONTAINER_OF(node, h2_stream, due));
    h2_wire_credit(&session->wire);
    if (session->ping_acked && session->state == H2_NOTICED)
        h2_session_leave(session);
    if (nghttp2_session_get_outbound_queue_size(session->wire.ng) > OUTBOUND_FRAMES_MAX)
        session->reason = CLOSE_unread_answers;
}

/* --- ends --- */

void h2_session_enter(struct h2_inbound *session, enum h2_state state, uint64_t timeout_us)
{
    session->state = state;
    session->state_since_us = h2_now_us(session);
    timer_set(session->home->loop->timers, &session->timer, timeout_us);
}

void h2_session_mute(struct h2_inbound *session, enum fault fault)
{
    if (session->wire.ng == NULL)
        return;
    nghttp2_session_del(session->wire.ng);
    session->wire.ng = NULL;
    struct list_node *next;
    for (struct list_node *node = list_first(&session->requests); node; node = next) {
        next = list_next(&session->requests, node);
        struct h2_request *request = CONTAINER_OF(node, h2_request, node);
        request->h2.open = false;
        if (request->h2.owned && !request->h2.end_sent)
            stream_fail(&request->h2.stream, fault, FAULT_NONE);
        h2_request_release(request);
    }
}

/* nghttp2 must not be asked for anything after it has failed, so the last frame is written by hand (RFC 9113
 * section 6.8). */
static void put_goaway(struct h2_inbound *session, uint32_t code)
{
    uint32_t last = (uint32_t)session->last_id;
    const unsigned char frame[17] = {0,
                                     0,
                                     8,
                                     NGHTTP2_GOAWAY,
                                     0,
                                     0,
                                     0,
                                     0,
                                     0,
                                     (unsigned char)(last >> 24),
                                     (unsigned char)(last >> 16),
                                     (unsigned char)(last >> 8),
                                     (unsigned char)last,
                                     (unsigned char)(code >> 24),
                                     (unsigned char)(code >> 16),
                                     (unsigned char)(code >> 8),
                                     (unsigned char)code};
    memcpy(conn_tx_reserve(session->wire.conn, sizeof frame), frame, sizeof frame);
    conn_tx_commit(session->wire.conn, sizeof frame);
}

void h2_session_abort(struct h2_inbound *session, enum close_reason reason, uint32_t code)
{
    const struct close_reason_row *row = close_reason_row(reason);
    if (session->state == H2_LINGER || session->state == H2_DEAD)
        return;
    char client[ADDRESS_HOST_MAX];
    address_print_host(&session->session.client.address.any, client);
    log_warn("h2", "connection ended: %s client=%s reason=%s streams=%u", row->sentence, client, row->name,
             session->streams);
    counters_add(session->home->loop->counters, COUNTER_inbound_abused, 1);
    h2_session_mute(session, FAULT_client_gone);
    if (!session->wire.goaway_sent)
        put_goaway(session, code);
    h2_session_linger(session);
}

void h2_session_linger(struct h2_inbound *session)
{
    h2_session_mute(session, FAULT_client_gone);
    conn_consume(session->wire.conn, conn_unread(session->wire.conn).len);
    conn_shutdown_tx(session->wire.conn);
    conn_want_drained(session->wire.conn);
    h2_session_enter(session, H2_LINGER, LINGER_US);
}

void h2_session_die(struct h2_inbound *session)
{
    h2_session_mute(session, FAULT_client_gone);
    conn_close(&session->wire.conn);
    session->state = H2_DEAD;
    struct list_node *node;
    while ((node = list_pop(&session->ending)) != NULL) /* what was queued has not left */
        stream_fail(&CONTAINER_OF(node, h2_request, ending)->h2.stream, FAULT_client_gone, FAULT_NONE);
    task_wake(&session->wire.flush_task);
}

void h2_session_leave(struct h2_inbound *session)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(session->wire.ng);
    nghttp2_submit_goaway(session->wire.ng, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    session->state = H2_LEAVING;
    session->state_since_us = h2_now_us(session);
    task_wake(&session->wire.flush_task);
}
