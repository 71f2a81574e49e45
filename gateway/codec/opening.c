/*
 * The openings of codec/opening.h. Between a conn below and session_speak(), which is called once everything
 * the listener asks for has come. How many there may be is bounded: when there are too many, whoever has kept
 * us waiting longest goes, for honest clients are through in two round trips; when all of them wait for us,
 * the newcomer is refused, so that handshakes that have cost us something are finished.
 */
#include "codec/opening.h"

#include "base/check.h"
#include "base/counters.h"
#include "base/log.h"
#include "net/proxy_protocol.h"

#include <stdlib.h>

enum {
    OPENING_MAGIC = 0x4f50454e,
    LOOKED_AT = 16, /* openings, when one must go */
    HEADER_US = 3 * 1000 * 1000,
    OPENING_US = 10 * 1000 * 1000,       /* from the accept to the end of the handshake */
    REFUSALS_SAID_US = 10 * 1000 * 1000, /* how often at most */
    TLS_HANDSHAKE = 22                   /* content type of the first record (RFC 8446 section 5.1) */
};

/* What is awaited. */
enum opening_state {
    OPENING_HEADER,   /* of the PROXY protocol */
    OPENING_HELLO,    /* the first byte of the handshake */
    OPENING_HANDSHAKE /* its end */
};

struct opening {
    uint32_t magic;
    enum opening_state state;
    struct session session;
    struct list_node patience; /* home->openings */
    struct session_home *home;
    struct session_entrance entrance;
    struct conn *conn;
    struct timer timer;
    uint64_t begun_us;
    size_t got; /* bytes of the header */
    char header[PROXY_HEADER_MAX];
};

/* --- the end --- */

static void opening_free(struct opening *opening)
{
    conn_close(&opening->conn);
    timer_clear(opening->home->loop->timers, &opening->timer);
    session_leave(opening->home, &opening->session);
    list_remove(&opening->home->openings, &opening->patience);
}

static void opening_fail(struct opening *opening, enum fault fault)
{
    char client[ADDRESS_HOST_MAX];
    address_print_host(&opening->session.client.address.any, client);
    log_debug("opening", "%s client=%s reason=%s", fault_row(fault)->sentence, client,
              fault_row(fault)->name);
    counters_add(opening->home->loop->counters, COUNTER_openings_failed, 1);
    counters_cause(opening->home->loop->counters, fault);
    opening_free(opening);
}

/* It has come a step further: it is the last to be sent away. */
static void renew_patience(struct opening *opening)
{
    list_remove(&opening->home->openings, &opening->patience);
    list_append(&opening->home->openings, &opening->patience);
}

/* HTTP begins; with FAULT_NONE it is what the listener asks for, else every request is refused. */
static void opening_end(struct opening *opening, bool h2, enum fault refusal)
{
    struct conn *conn = opening->conn;
    struct stream_client client = session_give_client(&opening->session);
    client.refusal = (uint16_t)refusal;
    opening->conn = NULL;
    session_speak(opening->home, conn, &client, h2);
    opening_free(opening);
}

/* The same in clear. */
static void speak_plainly(struct opening *opening, enum fault refusal)
{
    conn_unwatch(opening->conn);
    opening_end(opening, false, refusal);
}

/* Nothing has come yet. */
static bool is_fresh(const struct opening *opening)
{
    return opening->state == OPENING_HELLO || (opening->state == OPENING_HEADER && opening->got == 0);
}

static void on_timer(struct timer *timer)
{
    struct opening *opening = CONTAINER_OF(timer, opening, timer);
    struct loop *loop = opening->home->loop;
    uint64_t deadline_us = opening->begun_us + OPENING_US, now_us = clock_now_us(&loop->clock);
    if (opening->home->draining && is_fresh(opening))
        opening_free(opening);
    else if (opening->home->draining && opening->state == OPENING_HANDSHAKE && deadline_us > now_us)
        timer_set(loop->timers, timer, deadline_us - now_us); /* it has used its last chance */
    else
        opening_fail(opening, FAULT_opening_timeout);
}

static bool may_answer(const struct session_home *home, const struct session_entrance *entrance)
{
    return !entrance->tls && home->refused < home->settings.refused_max;
}

/* --- who is admitted --- */

/* A Unix socket's clients are chosen by its file's permissions. */
static bool is_trusted(const struct session_settings *settings, const struct sockaddr *remote)
{
    for (uint32_t i = 0; i < settings->trusted_count; i++)
        if (network_contains(&settings->trusted[i], remote))
            return true;
    return remote->sa_family == AF_UNIX;
}

bool opening_admits(struct session_home *home, struct conn *conn, const struct stream_client *client)
{
    const struct sockaddr *address = &client->address.any;
    return is_trusted(&home->settings, address) || crowd_count(conn_place(conn), address);
}

/* --- the handshake --- */

static void look_at_hello(struct opening *opening)
{
    unsigned char first;
    if (conn_peek(opening->conn, &first, 1) == 0)
        return;
    bool is_letter = first >= 'A' && first <= 'Z';
    bool is_hello = first == TLS_HANDSHAKE && opening->home->tls != NULL;
    opening->state = OPENING_HANDSHAKE;
    if (is_letter)
        speak_plainly(opening, FAULT_plain_on_tls);
    else if (is_hello)
        conn_start_tls(opening->conn, opening->home->tls);
    else
        opening_fail(opening, FAULT_handshake_failed);
}

static void on_open(struct opening *opening)
{
    struct counters *counters = opening->home->loop->counters;
    struct tls_facts facts = conn_tls_facts(opening->conn);
    session_note_tls(&opening->session, &facts);
    if (!session_is_verified(opening->home, &opening->session)) {
        opening_fail(opening, FAULT_handshake_failed); /* the rule has changed since the hello */
        return;
    }
    counters_add(counters, COUNTER_tls_handshakes, 1);
    counters_add(counters, COUNTER_tls_resumptions, facts.resumed);
    opening_end(opening, facts.h2, FAULT_NONE);
}

/* --- the header --- */

/* The client that the header names has too many connections. */
static void turn_away(struct opening *opening)
{
    if (may_answer(opening->home, &opening->entrance))
        speak_plainly(opening, FAULT_too_many_connections);
    else
        opening_fail(opening, FAULT_too_many_connections);
}

static void on_header(struct opening *opening, const struct proxy_header *header)
{
    struct stream_client *client = &opening->session.client;
    if (header->has_source)
        client->address = address_remote(&header->source);
    if (header->has_source && !opening_admits(opening->home, opening->conn, client)) {
        turn_away(opening);
        return;
    }
    if (!opening->entrance.tls) {
        speak_plainly(opening, FAULT_NONE);
        return;
    }
    uint64_t passed_us = clock_now_us(&opening->home->loop->clock) - opening->begun_us;
    opening->state = OPENING_HELLO;
    timer_set(opening->home->loop->timers, &opening->timer,
              passed_us < OPENING_US ? OPENING_US - passed_us : 1);
    look_at_hello(opening);
}

/* Takes off the socket what belongs to the header and not a byte more: what follows is read by others. */
static void read_header(struct opening *opening)
{
    struct proxy_header header;
    size_t seen =
        conn_peek(opening->conn, opening->header + opening->got, sizeof opening->header - opening->got);
    if (seen == 0)
        return;
    size_t total = opening->got + seen;
    enum proxy_result result = proxy_protocol_parse(slice_make(opening->header, total), &header);
    bool fits = result == PROXY_DONE || (result == PROXY_MORE && total < sizeof opening->header);
    size_t end = result == PROXY_DONE ? header.len : total;
    if (!fits || !conn_skip(opening->conn, end - opening->got)) {
        opening_fail(opening, FAULT_bad_proxy_header);
        return;
    }
    opening->got = end;
    if (result == PROXY_DONE)
        on_header(opening, &header);
}

/* --- facts --- */

static void on_rx(struct opening *opening)
{
    session_stir(opening->home, &opening->session);
    switch (opening->state) {
    case OPENING_HEADER: read_header(opening); break;
    case OPENING_HELLO: look_at_hello(opening); break;
    case OPENING_HANDSHAKE: renew_patience(opening); break;
    }
}

static void on_facts(void *owner, unsigned facts)
{
    struct opening *opening = MAGIC_CAST(opening, owner, OPENING_MAGIC);
    if (facts & (CONN_FAILED | CONN_EOF))
        opening_fail(opening,
                     opening->state == OPENING_HEADER ? FAULT_bad_proxy_header : FAULT_handshake_failed);
    else if (facts & CONN_OPEN)
        on_open(opening);
    else if (facts & CONN_RX)
        on_rx(opening);
}

/* --- the session's operations --- */

static void drain_opening(struct session *base)
{
    struct opening *opening = CONTAINER_OF(base, opening, session);
    if (is_fresh(opening))
        timer_set(opening->home->loop->timers, &opening->timer, SESSION_LAST_CHANCE_US);
}

static void kill_opening(struct session *base)
{
    opening_free(CONTAINER_OF(base, opening, session));
}

static bool shed_opening(struct session *base)
{
    struct opening *opening = CONTAINER_OF(base, opening, session);
    if (!conn_is_quiet(opening->conn))
        return false;
    opening_fail(opening, FAULT_overloaded);
    return true;
}

static void free_opening(struct session *base)
{
    struct opening *opening = CONTAINER_OF(base, opening, session);
    opening->magic = 0;
    free(opening);
}

static const struct session_ops opening_ops = {.drain = drain_opening,
                                               .kill = kill_opening,
                                               .shed = shed_opening,
                                               .free = free_opening};

/* --- birth --- */

static void say_refused(struct session_home *home, const struct stream_client *client, enum fault fault)
{
    uint64_t now_us = clock_now_us(&home->loop->clock);
    if (home->refusal_said_us && now_us - home->refusal_said_us < REFUSALS_SAID_US)
        return;
    home->refusal_said_us = now_us;
    char text[ADDRESS_HOST_MAX];
    address_print_host(&client->address.any, text);
    log_warn("opening", "%s client=%s reason=%s", fault_row(fault)->sentence, text, fault_row(fault)->name);
}

/* Who waits for us has not used up its patience, however old it is. False when nobody can be sent away. */
static bool make_room(struct session_home *home)
{
    if (home->openings.count < home->settings.openings_max)
        return true;
    for (int i = 0; i < LOOKED_AT; i++) {
        struct opening *opening = CONTAINER_OF(list_first(&home->openings), opening, patience);
        if (!conn_awaits_handshake(opening->conn)) {
            opening_fail(opening, FAULT_handshakes_full);
            return true;
        }
        renew_patience(opening);
    }
    return false;
}

static void refuse_newcomer(struct session_home *home, struct conn *conn, enum fault fault)
{
    counters_add(home->loop->counters, COUNTER_openings_failed, 1);
    counters_cause(home->loop->counters, fault);
    conn_close(&conn);
}

static struct opening *opening_new(struct session_home *home, const struct session_entrance *entrance,
                                   struct conn *conn, const struct stream_client *client)
{
    struct opening *opening = calloc(1, sizeof *opening);
    CHECK(opening != NULL);
    opening->magic = OPENING_MAGIC;
    opening->home = home;
    opening->entrance = *entrance;
    opening->conn = conn;
    opening->session.ops = &opening_ops;
    opening->timer.fire = on_timer;
    opening->begun_us = clock_now_us(&home->loop->clock);
    session_join(home, &opening->session, client);
    list_append(&home->openings, &opening->patience);
    conn_hand_over(conn, (struct conn_owner){on_facts, opening});
    conn_watch(conn);
    return opening;
}

void opening_start(struct session_home *home, const struct session_entrance *entrance, struct conn *conn,
                   const struct stream_client *client)
{
    if (home->openings.count >= home->settings.openings_max)
        say_refused(home, client, FAULT_handshakes_full);
    if (!make_room(home)) {
        refuse_newcomer(home, conn, FAULT_handshakes_full);
        return;
    }
    struct opening *opening = opening_new(home, entrance, conn, client);
    opening->state = entrance->proxy_protocol ? OPENING_HEADER : OPENING_HELLO;
    timer_set(home->loop->timers, &opening->timer, entrance->proxy_protocol ? HEADER_US : OPENING_US);
    session_rest(home, &opening->session);
    if (entrance->proxy_protocol && !is_trusted(&home->settings, &client->address.any))
        opening_fail(opening, FAULT_untrusted_proxy);
}

void opening_refuse(struct session_home *home, const struct session_entrance *entrance, struct conn *conn,
                    const struct stream_client *client, enum fault fault)
{
    struct stream_client refused = *client;
    refused.refusal = (uint16_t)fault;
    say_refused(home, client, fault);
    if (may_answer(home, entrance))
        session_speak(home, conn, &refused, false);
    else
        refuse_newcomer(home, conn, fault);
}
