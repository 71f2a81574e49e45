/*
 * Event streams (the HTML standard, section 9.2): each is opened once and stands until the end; what is
 * counted are the events, what is timed is the first. One that ends is lost and opened again a little later.
 * Called by the generator.
 */
#include "base/check.h"
#include "codec/h1_outbound.h"
#include "config/value.h"
#include "loadtest/sse_reader.h"
#include "loadtest/internal.h"

#include <stdlib.h>

enum { AGAIN_MS = 250 };

struct load_subscriber {
    struct task task;
    struct timer timer; /* to the first event, then none; to the next attempt */
    struct generator *generator;
    struct stream *stream;
    unsigned index;
    uint64_t due_us;
    bool is_asked, is_open, has_event;
    struct sse_reader reader;
    struct arena arena;
};

static bool is_over(const struct load_subscriber *subscriber)
{
    return load_now_us() >= subscriber->generator->end_us;
}

static void drop(struct load_subscriber *subscriber)
{
    if (subscriber->stream)
        subscriber->stream->ops->close(subscriber->stream, FAULT_client_gone);
    subscriber->stream = NULL;
}

static void end(struct load_subscriber *subscriber, enum load_error outcome)
{
    struct generator *generator = subscriber->generator;
    uint64_t now_us = load_now_us();
    uint64_t due_us = subscriber->is_open ? now_us : subscriber->due_us;
    drop(subscriber);
    if (is_over(subscriber))
        return;
    load_tally_add(generator->tally, subscriber->index, due_us, now_us, outcome);
    atomic_fetch_add_explicit(&generator->shared.errors, 1, memory_order_relaxed);
    timer_set(generator->loop.timers, &subscriber->timer, MILLISECONDS(AGAIN_MS));
}

static struct stream *take_stream(struct generator *generator, const struct load_line *line)
{
    struct h1_outbound_settings settings = {LOAD_HEAD_MAX, LOAD_FIELDS_MAX,
                                            generator_dialer(generator, line)};
    if (load_is_h2(line->protocol))
        return session_lend(generator, line,
                            &generator->event_sessions[line->origin - generator->plan->origins]);
    generator->tally->connects++;
    return h1_outbound_open(&generator->loop, &generator->plan->address, &settings);
}

static void open_stream(struct load_subscriber *subscriber)
{
    struct generator *generator = subscriber->generator;
    subscriber->due_us = load_now_us();
    subscriber->is_asked = subscriber->is_open = subscriber->has_event = false;
    subscriber->reader = (struct sse_reader){0};
    arena_fini(&subscriber->arena);
    subscriber->stream = take_stream(generator, &generator->plan->lines[subscriber->index]);
    if (subscriber->stream == NULL) {
        end(subscriber, LOAD_ERROR_connect);
        return;
    }
    subscriber->stream->owner = &subscriber->task;
    subscriber->stream->arena = &subscriber->arena;
    if (subscriber->stream->facts & STREAM_OPEN) /* the connection stood already */
        task_wake(&subscriber->task);
    timer_set(generator->loop.timers, &subscriber->timer, generator->plan->timeout_us);
}

static void count_event(struct load_subscriber *subscriber)
{
    struct generator *generator = subscriber->generator;
    uint64_t now_us = load_now_us();
    if (!subscriber->has_event)
        load_tally_add(generator->tally, subscriber->index, subscriber->due_us, now_us, LOAD_GOOD);
    subscriber->has_event = true;
    load_tally_event(generator->tally, subscriber->index, now_us);
}

static void take_events(struct load_subscriber *subscriber)
{
    struct stream *stream = subscriber->stream;
    const struct body_piece *piece;
    while ((piece = body_first(&stream->rx)) != NULL) {
        const char *bytes = piece->block->data + piece->offset;
        for (uint32_t i = 0; i < piece->len; i++)
            if (sse_reader_take(&subscriber->reader, bytes[i]))
                count_event(subscriber);
        load_tally_content(subscriber->generator->tally, subscriber->index, load_now_us(), piece->len);
        body_consume(&stream->rx, piece->len);
    }
    if (stream->rx.ended || (stream->facts & STREAM_FAILED))
        end(subscriber, LOAD_ERROR_lost);
    else
        stream->ops->rx_resume(stream);
}

static void take_head(struct load_subscriber *subscriber)
{
    struct stream *stream = subscriber->stream;
    const struct field *type = fields_find(&stream->rx_head.fields, FIELD_content_type);
    unsigned status = stream->rx_head.status;
    if (status >= 200)
        load_tally_status(subscriber->generator->tally, subscriber->index, subscriber->due_us, status);
    if (status < 200)
        stream->ops->rx_resume(stream);
    else if (status >= 400)
        end(subscriber, status >= 500 ? LOAD_ERROR_5xx : LOAD_ERROR_4xx);
    else if (!type || !slice_starts_with(field_value(type), SLICE("text/event-stream")))
        end(subscriber, LOAD_ERROR_content);
    else
        subscriber->is_open = true;
}

static void run(struct task *task)
{
    struct load_subscriber *subscriber = CONTAINER_OF(task, load_subscriber, task);
    struct stream *stream = subscriber->stream;
    if (stream == NULL)
        return;
    unsigned facts = stream->facts;
    stream->facts &= ~(unsigned)(STREAM_HEAD | STREAM_BODY | STREAM_ROOM);
    if (!subscriber->is_asked && (facts & STREAM_OPEN)) {
        struct body none = {.ended = true};
        subscriber->is_asked = true;
        stream->ops->tx_head(stream, &subscriber->generator->plan->lines[subscriber->index].request);
        stream->ops->tx_body(stream, &none, NULL);
    }
    if (facts & STREAM_HEAD)
        take_head(subscriber);
    if (subscriber->stream && subscriber->is_open)
        take_events(subscriber);
    else if (subscriber->stream && (facts & STREAM_FAILED))
        end(subscriber, load_error_of(stream->fault, subscriber->is_asked));
}

static void on_timer(struct timer *timer)
{
    struct load_subscriber *subscriber = CONTAINER_OF(timer, load_subscriber, timer);
    if (subscriber->stream == NULL && !is_over(subscriber))
        open_stream(subscriber);
    else if (subscriber->stream && !subscriber->has_event)
        end(subscriber, LOAD_ERROR_timeout);
}

/* How many of the line's streams are this generator's. */
static unsigned streams_of(const struct generator *generator, const struct load_line *line)
{
    unsigned threads = generator->plan->threads;
    if (!load_is_events(line->protocol))
        return 0;
    return line->weight / threads + (generator->number < line->weight % threads);
}

void events_open(struct generator *generator)
{
    const struct load_plan *plan = generator->plan;
    unsigned total = 0;
    for (unsigned i = 0; i < plan->line_count; i++)
        total += streams_of(generator, &plan->lines[i]);
    generator->subscribers = calloc(total + 1, sizeof *generator->subscribers);
    generator->event_sessions = calloc(plan->origin_count + 1, sizeof *generator->event_sessions);
    CHECK(generator->subscribers != NULL && generator->event_sessions != NULL);
    for (unsigned i = 0; i < plan->line_count; i++)
        for (unsigned left = streams_of(generator, &plan->lines[i]); left > 0; left--) {
            struct load_subscriber *subscriber = &generator->subscribers[generator->subscriber_count++];
            subscriber->generator = generator;
            subscriber->index = i;
            subscriber->timer.fire = on_timer;
            task_init(&subscriber->task, &generator->loop.tasks, run, false);
            arena_init(&subscriber->arena, NULL, 0);
            open_stream(subscriber);
        }
}

void events_close(struct generator *generator)
{
    for (unsigned i = 0; i < generator->subscriber_count; i++) {
        struct load_subscriber *subscriber = &generator->subscribers[i];
        drop(subscriber);
        timer_clear(generator->loop.timers, &subscriber->timer);
        task_cancel(&subscriber->task);
        arena_fini(&subscriber->arena);
    }
    sessions_close(&generator->event_sessions, generator->plan->origin_count);
    free(generator->subscribers);
    generator->subscribers = NULL;
    generator->subscriber_count = 0;
}
