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
    list_init(&home->busy);
    list_init(&home->idle);
    list_init(&home->dead);
    list_init(&home->openings);
    list_init(&home->spare_requests);
    list_init(&home->spare_streams);
}

void session_home_fini(struct session_home *home)
{
    CHECK(session_home_count(home) == 0 && home->dead.count == 0);
    tls_context_unref(&home->tls);
    h1_inbound_free_spares(home);
    h2_inbound_free_spares(home);
}

/* --- the client --- */

/* What TLS has told, with its texts. */
struct session_tls {
    struct stream_tls told;
    const char *rule; /* TLS_RULE_ID_LEN bytes, by which the certificate was verified, if one was shown */
    char texts[];
};

static struct session_tls *tls_of(const struct stream_client *client)
{
    return client->tls ? CONTAINER_OF(client->tls, session_tls, told) : NULL;
}

static struct slice move(struct slice text, char **at)
{
    if (text.len > 0)
        memcpy(*at, text.at, text.len);
    *at += text.len;
    return slice_make(*at - text.len, text.len);
}

void session_note_tls(struct session *session, const struct tls_facts *facts)
{
    CHECK(session->client.tls == NULL && (facts->rule.len == 0 || facts->rule.len == TLS_RULE_ID_LEN));
    struct slice none = slice_make(NULL, 0), rule = facts->subject.len > 0 ? facts->rule : none;
    struct session_tls *tls = malloc(sizeof *tls + facts->server_name.len + facts->subject.len + rule.len);
    CHECK(tls != NULL);
    char *at = tls->texts;
    tls->told = (struct stream_tls){.server_name = move(facts->server_name, &at),
                                    .version = facts->version,
                                    .cipher = facts->cipher,
                                    .certificate_subject = move(facts->subject, &at)};
    tls->rule = rule.len > 0 ? move(rule, &at).at : NULL;
    session->client.tls = &tls->told;
}

struct stream_client session_give_client(struct session *session)
{
    struct stream_client client = session->client;
    session->client.tls = NULL;
    return client;
}

bool session_is_verified(const struct session_home *home, const struct session *session)
{
    const struct session_tls *tls = tls_of(&session->client);
    if (tls == NULL || tls->told.certificate_subject.len == 0)
        return true;
    struct slice none = slice_make(NULL, 0);
    struct slice rule = home->tls ? tls_context_rule(home->tls, tls->told.server_name) : none;
    return tls->rule && slice_equal(rule, slice_make(tls->rule, TLS_RULE_ID_LEN));
}

/* --- who is there --- */

static bool is_one_too_many(const struct session *session)
{
    enum fault refusal = session->client.refusal;
    return refusal == FAULT_too_many_connections || refusal == FAULT_overloaded;
}

void session_join(struct session_home *home, struct session *session, const struct stream_client *client)
{
    session->client = *client;
    list_append(&home->busy, &session->node);
    home->refused += is_one_too_many(session);
}

static void bury_dead(struct grave *grave)
{
    struct session_home *home = CONTAINER_OF(grave, session_home, burial);
    *grave = (struct grave){.next = NULL};
    struct list_node *node;
    while ((node = list_pop(&home->dead)) != NULL) {
        struct session *session = CONTAINER_OF(node, session, node);
        free(tls_of(&session->client));
        session->ops->free(session);
    }
}

void session_leave(struct session_home *home, struct session *session)
{
    session_stir(home, session);
    CHECK(home->busy.count > 0 && list_linked(&session->node));
    list_remove(&home->busy, &session->node);
    home->refused -= is_one_too_many(session);
    if (home->dead.count == 0)
        task_bury(&home->loop->tasks, &home->burial, bury_dead);
    list_append(&home->dead, &session->node);
}

/* Tells each session of the list that is there now; it may leave or come to rest meanwhile, no other may. */
static void tell_each(struct list *list, void (*tell)(struct session_home *home, struct session *session),
                      struct session_home *home)
{
    for (size_t left = list->count; left > 0; left--) {
        struct list_node *node = list_pop(list);
        list_append(list, node);
        tell(home, CONTAINER_OF(node, session, node));
    }
}

static void tell_all(struct session_home *home,
                     void (*tell)(struct session_home *home, struct session *session))
{
    tell_each(&home->idle, tell, home);
    tell_each(&home->busy, tell, home);
}

static void drain_unverified(struct session_home *home, struct session *session)
{
    if (!session_is_verified(home, session))
        session->ops->drain(session);
}

void session_home_set_tls(struct session_home *home, struct tls_context *server)
{
    struct tls_context *before = home->tls;
    home->tls = server ? tls_context_ref(server) : NULL;
    tls_context_unref(&before);
    tell_all(home, drain_unverified);
}

/* --- rest --- */

void session_stir(struct session_home *home, struct session *session)
{
    if (session->idle_since_us == 0)
        return;
    session->idle_since_us = 0;
    list_remove(&home->idle, &session->node);
    list_append(&home->busy, &session->node);
}

void session_rest(struct session_home *home, struct session *session)
{
    session_stir(home, session);
    if (is_one_too_many(session))
        return; /* it shall be told so */
    session->idle_since_us = clock_now_us(&home->loop->clock);
    list_remove(&home->busy, &session->node);
    list_append(&home->idle, &session->node);
}

void session_home_shed(struct session_home *home)
{
    uint64_t now_us = clock_now_us(&home->loop->clock);
    for (size_t count = home->idle.count / SHED_PART + 1; count > 0; count--) {
        struct list_node *node = list_first(&home->idle);
        struct session *session = node ? CONTAINER_OF(node, session, node) : NULL;
        if (session == NULL || now_us - session->idle_since_us < IDLE_LEAST_US)
            return;
        session_stir(home, session);
        counters_add(home->loop->counters, COUNTER_inbound_shed, session->ops->shed(session));
    }
}

/* --- birth --- */

void session_speak(struct session_home *home, struct conn *conn, const struct stream_client *client, bool h2)
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
    struct stream_client client = {.address = address_remote(remote), .redirects = entrance->redirects};
    struct conn *conn = conn_accept(home->loop, fd, (struct conn_owner){on_no_facts, NULL});
    if (conn == NULL) {
        crowd_leave(&place);
        return;
    }
    *conn_place(conn) = place;
    if (crowd_is_refused(&place))
        opening_refuse(home, entrance, conn, &client, FAULT_overloaded);
    else if (!opening_admits(home, conn, &client))
        opening_refuse(home, entrance, conn, &client, FAULT_too_many_connections);
    else if (entrance->tls || entrance->proxy_protocol)
        opening_start(home, entrance, conn, &client);
    else
        session_speak(home, conn, &client, false);
}

/* --- the end --- */

static void drain(struct session_home *home, struct session *session)
{
    (void)home;
    session->ops->drain(session);
}

static void kill(struct session_home *home, struct session *session)
{
    (void)home;
    session->ops->kill(session);
}

void session_home_drain(struct session_home *home)
{
    home->draining = true;
    tell_all(home, drain);
}

void session_home_kill(struct session_home *home)
{
    tell_all(home, kill);
}
