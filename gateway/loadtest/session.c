/*
 * The connections of HTTP/2 of a client: one for each seat, shared by the calls of the client; one that takes
 * no new streams any more is replaced and closed when its last stream has ended. Called by call.c.
 */
#include "base/check.h"
#include "codec/h2_outbound.h"
#include "loadtest/internal.h"

#include <stdlib.h>

static void free_session(struct task *task)
{
    free(CONTAINER_OF(task, load_session, watcher));
}

static void forget(struct load_session *session)
{
    if (session->place)
        *session->place = NULL;
    session->place = NULL;
}

static void watch(struct task *task)
{
    struct load_session *session = CONTAINER_OF(task, load_session, watcher);
    struct h2_outbound_load load = h2_outbound_load(session->h2);
    if (load.leaving)
        forget(session);
    if (session->place == NULL && load.lent == 0) {
        h2_outbound_close(&session->h2);
        task_end(&session->loop->tasks, &session->watcher, free_session);
    }
}

static struct load_session *open_session(struct load_call *call)
{
    struct generator *generator = call->generator;
    struct load_session *session = calloc(1, sizeof *session);
    CHECK(session != NULL);
    struct h2_outbound_settings settings = {.address = &generator->plan->address,
                                            .head_max = LOAD_HEAD_MAX,
                                            .fields_max = LOAD_FIELDS_MAX,
                                            .tls = generator_dialer(generator, call->line),
                                            .streams_max = LOAD_STREAMS_MAX};
    session->loop = &generator->loop;
    task_init(&session->watcher, &generator->loop.tasks, watch, false);
    session->h2 = h2_outbound_open(&generator->loop, &settings, &session->watcher);
    if (session->h2 == NULL) {
        free(session);
        return NULL;
    }
    generator->tally->connects++;
    session->place = &call->client->sessions[call->line->seat];
    return *session->place = session;
}

struct stream *session_lend(struct load_call *call)
{
    struct load_session *session = call->client->sessions[call->line->seat];
    if (session && h2_outbound_load(session->h2).room == 0) {
        forget(session);
        task_wake(&session->watcher);
        session = NULL;
    }
    if (session == NULL)
        session = open_session(call);
    return session ? h2_outbound_lend(session->h2) : NULL;
}

void client_fini(struct load_client *client, unsigned seats)
{
    for (unsigned i = 0; i < seats && client->sessions; i++) {
        struct load_session *session = client->sessions[i];
        if (session) {
            forget(session);
            task_wake(&session->watcher);
        }
    }
    free(client->sessions);
    client->sessions = NULL;
}
