/*
 * The one connection of loadtest/probe.h, on a loop of its own. Called by the command; sends no request, so
 * that nothing is counted anywhere.
 */
#include "loadtest/probe.h"

#include "codec/h1_outbound.h"
#include "codec/h2_outbound.h"
#include "loadtest/internal.h"

#include <stdlib.h>

/* What is known of the connection. */
struct probe {
    struct counters counters;
    struct loop loop;
    struct task task;
    struct timer timer;
    struct stream *stream;
    struct h2_outbound *h2;
    struct arena arena;
    bool ended;
    enum fault fault;
};

static void run(struct task *task)
{
    struct probe *probe = CONTAINER_OF(task, probe, task);
    if (probe->stream == NULL) /* the connection of HTTP/2 tells that it has none any more */
        return;
    probe->ended = probe->ended || (probe->stream->facts & (STREAM_OPEN | STREAM_FAILED)) != 0;
    if (probe->stream->facts & STREAM_FAILED)
        probe->fault = probe->stream->fault;
}

static void on_timeout(struct timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, probe, timer);
    probe->ended = true;
    probe->fault = FAULT_connect_timeout;
}

static bool open_stream(struct probe *probe, const struct load_plan *plan, const struct load_line *line,
                        struct tls_dialer *dialer)
{
    if (!load_is_h2(line->protocol)) {
        struct h1_outbound_settings settings = {LOAD_HEAD_MAX, LOAD_FIELDS_MAX, dialer};
        probe->stream = h1_outbound_open(&probe->loop, &plan->address, &settings);
        return probe->stream != NULL;
    }
    struct h2_outbound_settings settings = {&plan->address, LOAD_HEAD_MAX, LOAD_FIELDS_MAX, dialer, 1};
    probe->h2 = h2_outbound_open(&probe->loop, &settings, &probe->task);
    probe->stream = probe->h2 ? h2_outbound_lend(probe->h2) : NULL;
    return probe->stream != NULL;
}

static void wait_for_end(struct probe *probe, const struct load_plan *plan)
{
    probe->stream->owner = &probe->task;
    probe->stream->arena = &probe->arena;
    probe->timer.fire = on_timeout;
    timer_set(probe->loop.timers, &probe->timer, plan->timeout_us);
    while (!probe->ended)
        loop_turn(&probe->loop);
    timer_clear(probe->loop.timers, &probe->timer);
    probe->stream->ops->close(probe->stream, FAULT_NONE);
    probe->stream = NULL;
    task_drain(&probe->loop.tasks);
    if (probe->h2)
        h2_outbound_close(&probe->h2);
    task_cancel(&probe->task);
}

enum fault load_probe(const struct load_plan *plan, const struct load_line *line)
{
    size_t align = _Alignof(struct probe), size = (sizeof(struct probe) + align - 1) / align * align;
    struct probe *probe = aligned_alloc(align, size);
    CHECK(probe != NULL);
    memset(probe, 0, size);
    loop_open(&probe->loop, &probe->counters);
    task_init(&probe->task, &probe->loop.tasks, run, false);
    arena_init(&probe->arena, NULL, 0);
    struct tls_client *client = load_is_h2(line->protocol) ? line->origin->tls_h2 : line->origin->tls;
    struct tls_dialer *dialer = client ? tls_dialer_new(client) : NULL;
    if (open_stream(probe, plan, line, dialer))
        wait_for_end(probe, plan);
    else
        probe->fault = FAULT_connect_failed;
    enum fault fault = probe->fault;
    loop_close(&probe->loop);
    tls_dialer_unref(&dialer);
    arena_fini(&probe->arena);
    free(probe);
    return fault;
}
