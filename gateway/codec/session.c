/*
 * The list of a thread's inbound sessions, see codec/session.h. Called by process/thread.c; knows no
 * version's details but that each keeps spares.
 */
#include "codec/session.h"

#include "base/counters.h"
#include "codec/h1_inbound.h"
#include "codec/h2_inbound.h"
#include "codec/opening.h"

#include <stdlib.h>

enum { SHED_PART = 8, IDLE_LEAST_US = 1000 * 1000 };

void session_home_init(struct session_home *home, struct loop *loop, session_stream_fn *on_stream, void *arg)
{
    *home = (struct session_home){.loop = loop, .on_stream = on_stream, .arg = arg};
    list_init(&home->sessions);
    list_init(&home->idle);
    list_init(&home->openings);
    list_init(&home->spare_requests);
    list_init(&home->spare_streams);
}

void session_home_fini(struct session_home *home)
{
    CHECK(home->sessions.count == 0 && home->idle.count == 0);
    tls_context_unref(&home->tls);
    h1_inbound_free_spares(home);
    h2_inbound_free_spares(home);
}

static void drain(struct session *session)
{
    session->draining = true;
    session->ops->drain(session);
}

void session_home_set_tls(struct session_home *home, struct tls_context *server)
{
    struct tls_context *before = home->tls;
    home->tls = server ? tls_context_ref(server) : NULL;
    tls_context_unref(&before);
    struct list_node *next;
    for (struct list_node *node = list_first(&home->sessions); node; node = next) {
        next = list_next(&home->sessions, node);
        struct session *session = CONTAINER_OF(node, session, node);
        if (!session_client_is_verified(home, session->client))
            drain(session);
    }
}

/* --- the client --- */

void session_client_set_address(struct session_client *client, const struct address *address)
{
    char text[ADDRESS_TEXT_MAX];
    size_t len = address_print_host(address, text);
    CHECK(len < sizeof client->text);
    memcpy(client->text, text, len + 1);
    client->client.address = *address;
    client->client.text = slice_make(client->text, len);
}

bool session_client_is_verified(const struct session_home *home, const struct session_client *client)
{
    if (client->client.certificate_subject.len == 0)
        return true;
    struct slice none = slice_make(NULL, 0);
    struct slice rule = home->tls ? tls_context_rule(home->tls, client->client.server_name) : none;
    return slice_equal(rule, slice_make((const char *)client->rule, sizeof client->rule));
}

static struct slice move(struct slice text, char **at)
{
    if (text.len > 0)
        memcpy(*at, text.at, text.len);
    *at += text.len;
    return slice_make(*at - text.len, text.len);
}

void session_client_copy(struct session_client *to, const struct session_client *from)
{
    const struct stream_client *client = &from->client;
    size_t len = client->server_name.len + client->certificate_subject.len;
    *to = *from;
    to->client.text.at = to->text;
    to->kept = NULL;
    if (len == 0)
        return;
    char *at = to->kept = malloc(len);
    CHECK(at != NULL);
    to->client.server_name = move(client->server_name, &at);
    to->client.certificate_subject = move(client->certificate_subject, &at);
}

void session_client_fini(struct session_client *client)
{
    free(client->kept);
    client->kept = NULL;
}

/* --- who is there --- */

static bool is_one_too_many(const struct session *session)
{
    enum fault refusal = session->client->client.refusal;
    return refusal == FAULT_too_many_connections || refusal == FAULT_overloaded;
}

void session_join(struct session_home *home, struct session *session)
{
    list_append(&home->sessions, &session->node);
    home->refused += is_one_too_many(session);
}

void session_leave(struct session_home *home, struct session *session)
{
    session_stir(home, session);
    list_remove(&home->sessions, &session->node);
    home->refused -= is_one_too_many(session);
}

/* --- rest --- */

void session_stir(struct session_home *home, struct session *session)
{
    list_remove(&home->idle, &session->idle);
}

void session_rest(struct session_home *home, struct session *session)
{
    session_stir(home, session);
    if (is_one_too_many(session))
        return; /* it shall be told so */
    session->idle_since_us = clock_now_us(&home->loop->clock);
    list_append(&home->idle, &session->idle);
}

void session_home_shed(struct session_home *home)
{
    uint64_t now_us = clock_now_us(&home->loop->clock);
    for (size_t count = home->idle.count / SHED_PART + 1; count > 0; count--) {
        struct list_node *node = list_first(&home->idle);
        struct session *session = node ? CONTAINER_OF(node, session, idle) : NULL;
        if (session == NULL || now_us - session->idle_since_us < IDLE_LEAST_US)
            return;
        session_stir(home, session);
        counters_add(home->loop->counters, COUNTER_inbound_shed, session->ops->shed(session));
    }
}

/* --- birth --- */

void session_speak(struct session_home *home, struct conn *conn, const struct session_client *client, bool h2)
{
    if (h2)
        h2_inbound_open(home, conn, client);
    else
        h1_inbound_open(home, conn, client);
}

/* Nobody owns the conn in this moment: no fact can come before it is handed over. */
static void on_no_facts(void *owner, unsigned facts)
{
    (void)owner, (void)facts;
}

void session_open(struct session_home *home, const struct session_entrance *entrance, int fd,
                  const struct address *remote, struct crowd_place place)
{
    struct session_client client = {.client = {.redirects = entrance->redirects}};
    session_client_set_address(&client, remote);
    struct conn *conn = conn_accept(home->loop, fd, (struct conn_owner){on_no_facts, NULL});
    if (conn == NULL) {
        crowd_leave(&place);
        return;
    }
    *conn_place(conn) = place;
    if (place.refused)
        opening_refuse(home, entrance, conn, &client, FAULT_overloaded);
    else if (!opening_admits(home, conn, &client.client))
        opening_refuse(home, entrance, conn, &client, FAULT_too_many_connections);
    else if (entrance->tls || entrance->proxy_protocol)
        opening_start(home, entrance, conn, &client);
    else
        session_speak(home, conn, &client, false);
}

/* --- the end --- */

void session_home_drain(struct session_home *home)
{
    home->draining = true;
    struct list_node *next;
    for (struct list_node *node = list_first(&home->sessions); node; node = next) {
        next = list_next(&home->sessions, node);
        struct session *session = CONTAINER_OF(node, session, node);
        drain(session);
    }
}

void session_home_kill(struct session_home *home)
{
    struct list_node *next;
    for (struct list_node *node = list_first(&home->sessions); node; node = next) {
        next = list_next(&home->sessions, node);
        struct session *session = CONTAINER_OF(node, session, node);
        session->ops->kill(session);
    }
}
