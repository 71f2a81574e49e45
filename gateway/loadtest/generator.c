/*
 * The thread of loadtest/generator.h: when what begins. In the closed loop a call that is done begins again
 * at once; in the open loop it waits in a queue until the schedule has something due, and what is due while
 * nobody waits begins late, its latency counting from when it was due. Knows nothing of protocols.
 */
#include "loadtest/internal.h"

#include "base/check.h"
#include "config/value.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Calls that begin with one beat of the pulse, so that thousands of clients do not connect in one moment. */
enum { BEAT_MS = TIMER_TICK_MS, BEGIN_MOST = 256 };

enum { NS_PER_US = 1000 };

uint64_t load_now_us(void)
{
    return clock_monotonic_us();
}

/* --- what a thread has used of its core --- */

/* Nanoseconds on a core and waiting for one; the kernel may be built without this accounting. */
static uint64_t core_time_ns(void)
{
    char text[128] = "";
    unsigned long long ran = 0, waited = 0;
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (len > 0 && sscanf(text, "%llu %llu", &ran, &waited) == 2)
        return ran + waited;
    struct timespec cpu;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return SECONDS((uint64_t)cpu.tv_sec) * NS_PER_US + (uint64_t)cpu.tv_nsec;
}

static void measure_core(struct generator *generator)
{
    uint64_t now_us = load_now_us(), begin_us = generator->tally->begin_us;
    if (!generator->measuring && now_us >= begin_us) {
        generator->measuring = true;
        generator->cpu_begin_ns = core_time_ns();
    }
    if (!generator->measuring || now_us <= begin_us + MILLISECONDS(BEAT_MS))
        return;
    uint64_t used_ns = core_time_ns() - generator->cpu_begin_ns;
    generator->tally->busy_max = (double)used_ns / (double)((now_us - begin_us) * NS_PER_US);
}

/* --- what begins --- */

static bool is_open_loop(const struct generator *generator)
{
    return generator->plan->rate.count > 0;
}

static unsigned next_line(struct generator *generator)
{
    const struct load_plan *plan = generator->plan;
    unsigned line = plan->cycle[generator->cycle_at];
    generator->cycle_at = generator->cycle_at + 1 < plan->cycle_len ? generator->cycle_at + 1 : 0;
    return line;
}

static bool is_over(const struct generator *generator, uint64_t now_us)
{
    return now_us >= generator->end_us;
}

static void begin(struct generator *generator, struct load_call *call, uint64_t due_us)
{
    uint64_t waited_us = load_now_us() - due_us, timeout_us = generator->plan->timeout_us;
    generator->active++;
    timer_set(generator->loop.timers, &call->timer, waited_us < timeout_us ? timeout_us - waited_us : 0);
    call_begin(call, next_line(generator), due_us);
}

/* Only this thread writes it. */
static void increment(_Atomic uint64_t *number)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void count(struct generator *generator, unsigned line, uint64_t due_us, enum load_error outcome)
{
    load_tally_add(generator->tally, line, due_us, load_now_us(), outcome);
    increment(outcome >= LOAD_GOOD ? &generator->shared.good : &generator->shared.errors);
}

static bool is_due(const struct generator *generator, uint64_t now_us, uint64_t *due_us_out)
{
    *due_us_out = schedule_due_us(&generator->schedule);
    return *due_us_out <= now_us && *due_us_out < generator->end_us;
}

/* What was due so long ago that nobody waits for it any more. */
static void expire(struct generator *generator, uint64_t now_us)
{
    uint64_t due_us;
    while (is_due(generator, now_us, &due_us) && now_us - due_us >= generator->plan->timeout_us) {
        schedule_advance(&generator->schedule);
        generator->tally->unsent += due_us >= generator->tally->begin_us;
        count(generator, next_line(generator), due_us, LOAD_ERROR_timeout);
    }
}

/* How late a request begins is the generator's doing as far as a call was free. */
static void note_lag(struct generator *generator, uint64_t due_us, uint64_t now_us)
{
    if (due_us < generator->tally->begin_us)
        return;
    uint64_t free_us = due_us > generator->idle_since_us ? due_us : generator->idle_since_us;
    histogram_add(&generator->tally->lag, now_us > free_us ? now_us - free_us : 0);
    generator->tally->queued += free_us > due_us;
}

/* Begins what is due, one for each free call, and sleeps until the next is. */
static void pace(struct task *task)
{
    struct generator *generator = CONTAINER_OF(task, generator, pacer);
    uint64_t now_us = load_now_us(), due_us;
    expire(generator, now_us);
    struct list_node *node;
    while (is_due(generator, now_us, &due_us) && (node = list_pop(&generator->idle)) != NULL) {
        schedule_advance(&generator->schedule);
        note_lag(generator, due_us, now_us);
        begin(generator, CONTAINER_OF(node, load_call, node), due_us);
        now_us = load_now_us();
    }
    if (list_first(&generator->idle) && !is_due(generator, now_us, &due_us) && due_us < generator->end_us)
        alarm_set(generator->alarm, due_us);
}

static void on_alarm(void *arg)
{
    struct generator *generator = arg;
    task_wake(&generator->pacer);
}

static void wait_for_something(struct generator *generator, struct load_call *call)
{
    if (list_first(&generator->idle) == NULL)
        generator->idle_since_us = load_now_us();
    list_append(&generator->idle, &call->node);
    if (is_open_loop(generator))
        task_wake(&generator->pacer);
}

void generator_done(struct load_call *call, enum load_error outcome)
{
    struct generator *generator = call->generator;
    bool is_refused = outcome == LOAD_ERROR_connect || outcome == LOAD_ERROR_tls;
    generator->active--;
    count(generator, call->index, call->due_us, outcome);
    uint64_t now_us = load_now_us();
    if (is_open_loop(generator) || is_over(generator, now_us))
        wait_for_something(generator, call);
    else if (is_refused)
        list_append(&generator->resting, &call->node);
    else
        begin(generator, call, now_us);
}

static void on_timeout(struct timer *timer)
{
    struct load_call *call = CONTAINER_OF(timer, load_call, timer);
    struct generator *generator = call->generator;
    uint64_t waited_us = load_now_us() - call->due_us;
    if (call->state == CALL_FREE)
        return;
    if (waited_us < generator->plan->timeout_us)
        timer_set(generator->loop.timers, timer, generator->plan->timeout_us - waited_us);
    else
        call_give_up(call);
}

/* --- the pulse --- */

static void begin_resting(struct generator *generator)
{
    struct list_node *node;
    for (unsigned i = 0; i < BEGIN_MOST && (node = list_pop(&generator->resting)) != NULL; i++) {
        struct load_call *call = CONTAINER_OF(node, load_call, node);
        uint64_t now_us = load_now_us();
        if (is_open_loop(generator) || is_over(generator, now_us))
            wait_for_something(generator, call);
        else
            begin(generator, call, now_us);
    }
}

static void obey(struct generator *generator)
{
    unsigned stops = atomic_load_explicit(&generator->shared.stops, memory_order_relaxed);
    uint64_t now_us = load_now_us();
    if (stops > 0 && generator->end_us > now_us)
        generator->end_us = now_us;
}

static void on_pulse(struct timer *timer)
{
    struct generator *generator = CONTAINER_OF(timer, generator, pulse);
    obey(generator);
    measure_core(generator);
    begin_resting(generator);
    if (is_open_loop(generator))
        task_wake(&generator->pacer);
    timer_set(generator->loop.timers, timer, MILLISECONDS(BEAT_MS));
}

/* Whether every request that was due has ended. */
static bool is_finished(struct generator *generator)
{
    uint64_t due_us;
    if (atomic_load_explicit(&generator->shared.stops, memory_order_relaxed) > 1)
        return true;
    if (!is_over(generator, load_now_us()) || generator->active > 0)
        return false;
    return !is_open_loop(generator) || !is_due(generator, UINT64_MAX, &due_us);
}

/* --- from birth to death --- */

static unsigned share_of(unsigned total, const struct generator *generator)
{
    unsigned threads = generator->plan->threads;
    return total / threads + (generator->number < total % threads);
}

static void make_calls(struct generator *generator)
{
    const struct load_plan *plan = generator->plan;
    generator->client_count = plan->cycle_len > 0 ? share_of(plan->connections, generator) : 0;
    generator->call_count = generator->client_count * plan->streams;
    generator->clients = calloc(generator->client_count + 1, sizeof *generator->clients);
    generator->calls =
        aligned_alloc(_Alignof(struct load_call), (generator->call_count + 1) * sizeof(struct load_call));
    CHECK(generator->clients != NULL && generator->calls != NULL);
    memset(generator->calls, 0, (generator->call_count + 1) * sizeof(struct load_call));
    for (unsigned i = 0; i < generator->call_count; i++) {
        struct load_call *call = &generator->calls[i];
        call_init(call, generator, &generator->clients[i % generator->client_count]);
        call->timer.fire = on_timeout;
        list_append(&generator->resting, &call->node);
    }
}

struct tls_dialer *generator_dialer(struct generator *generator, const struct load_line *line)
{
    ptrdiff_t origin = line->origin - generator->plan->origins;
    struct tls_client *client = load_is_h2(line->protocol) ? line->origin->tls_h2 : line->origin->tls;
    struct tls_dialer **dialer = &generator->dialers[2 * origin + load_is_h2(line->protocol)];
    if (client && *dialer == NULL)
        *dialer = tls_dialer_new(client);
    return *dialer;
}

static void close_all(struct generator *generator)
{
    events_close(generator);
    for (unsigned i = 0; i < generator->call_count; i++)
        call_fini(&generator->calls[i]);
    for (unsigned i = 0; i < generator->client_count; i++)
        sessions_close(&generator->clients[i].sessions, generator->plan->seat_count);
    block_unref(&generator->message);
    block_unref(&generator->filler[0]);
    block_unref(&generator->filler[1]);
    free((char *)generator->echo.at);
    task_drain(&generator->loop.tasks);
    for (unsigned i = 0; i < 2 * generator->plan->origin_count; i++)
        tls_dialer_unref(&generator->dialers[i]);
}

static void *run(void *arg)
{
    struct generator *generator = arg;
    call_prepare(generator);
    websocket_prepare(generator);
    make_calls(generator);
    events_open(generator);
    on_pulse(&generator->pulse);
    while (!is_finished(generator))
        loop_turn(&generator->loop);
    close_all(generator);
    atomic_store_explicit(&generator->shared.ended, true, memory_order_release);
    return NULL;
}

struct generator *generator_start(const struct load_plan *plan, unsigned number, uint64_t begin_us)
{
    size_t align = _Alignof(struct generator), size = (sizeof(struct generator) + align - 1) / align * align;
    struct generator *generator = aligned_alloc(align, size);
    CHECK(generator != NULL);
    memset(generator, 0, size);
    generator->plan = plan;
    generator->number = number;
    generator->tally = load_tally_new(plan, begin_us + plan->warmup_us);
    generator->end_us = generator->tally->begin_us + plan->duration_us;
    generator->dialers = calloc(2 * plan->origin_count + 1, sizeof *generator->dialers);
    CHECK(generator->dialers != NULL);
    loop_open(&generator->loop, &generator->counters);
    list_init(&generator->idle);
    list_init(&generator->resting);
    generator->cycle_at = plan->cycle_len ? number * (plan->cycle_len / plan->threads) % plan->cycle_len : 0;
    generator->alarm = alarm_new(generator->loop.base, on_alarm, generator);
    generator->pulse.fire = on_pulse;
    task_init(&generator->pacer, &generator->loop.tasks, pace, false);
    if (is_open_loop(generator))
        schedule_start(&generator->schedule, plan->rate, begin_us, number, plan->threads);
    loop_start_pthread(&generator->pthread, run, generator);
    return generator;
}

struct generator_progress generator_progress(struct generator *generator)
{
    return (struct generator_progress){
        .good = atomic_load_explicit(&generator->shared.good, memory_order_relaxed),
        .errors = atomic_load_explicit(&generator->shared.errors, memory_order_relaxed),
        .ended = atomic_load_explicit(&generator->shared.ended, memory_order_acquire)};
}

void generator_stop(struct generator *generator)
{
    atomic_fetch_add_explicit(&generator->shared.stops, 1, memory_order_relaxed);
}

struct load_tally *generator_join(struct generator **generator_at)
{
    struct generator *generator = *generator_at;
    *generator_at = NULL;
    pthread_join(generator->pthread, NULL);
    struct load_tally *tally = generator->tally;
    alarm_free(&generator->alarm);
    loop_close(&generator->loop);
    for (unsigned i = 0; i < generator->call_count; i++)
        free(generator->calls[i].seats);
    free(generator->calls);
    free(generator->clients);
    free(generator->dialers);
    free(generator);
    return tally;
}
