/*
 * The connections of HTTP/2, which the calls of a client share, or event streams; one that takes no new
 * streams any more is replaced and closed when its last stream has ended. Called by call.c and events.c.
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

static struct load_session *open_session(struct generator *generator, const struct load_line *line)
{
    struct load_session *session = calloc(1, sizeof *session);
    CHECK(session != NULL);
    struct h2_outbound_settings settings = {.address = &generator->plan->address,
                                            .head_max = LOAD_HEAD_MAX,
                                            .fields_max = LOAD_FIELDS_MAX,
                                            .tls = generator_dialer(generator, line),
                                            .streams_max = LOAD_STREAMS_MAX};
    session->loop = &generator->loop;
    task_init(&session->watcher, &generator->loop.tasks, watch, false);
    session->h2 = h2_outbound_open(&generator->loop, &settings, &session->watcher);
    if (session->h2 == NULL) {
        free(session);
        return NULL;
    }
    generator->tally->connects++;
    return session;
}

/* It is closed when its last stream has ended. */
static void leave(struct load_session *session)
{
    forget(session);
    task_wake(&session->watcher);
}

struct stream *session_lend(struct generator *generator, const struct load_line *line,
                            struct load_session **place)
{
    if (*place && h2_outbound_load((*place)->h2).room == 0)
        leave(*place);
    if (*place == NULL && (*place = open_session(generator, line)) != NULL)
        (*place)->place = place;
    return *place ? h2_outbound_lend((*place)->h2) : NULL;
}

void sessions_close(struct load_session ***places_at, unsigned count)
{
    struct load_session **places = *places_at;
    *places_at = NULL;
    for (unsigned i = 0; i < count && places; i++)
        if (places[i])
            leave(places[i]);
    free(places);
}
