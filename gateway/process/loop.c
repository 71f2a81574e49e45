/*
 * The loop of process/loop.h: a libevent base without locks, because a loop belongs to one thread, and what
 * base/loop.h lists besides. Called by whoever makes a thread; decides nothing.
 */
#include "process/loop.h"

#include "base/check.h"
#include "base/signals.h"
#include "net/conn.h"

#include <event2/event.h>

/* Write queues kept for reuse: as many connections may be written to in one turn without asking malloc. */
enum { TX_QUEUES_KEPT = 512 };

struct event_base *loop_base_new(void)
{
    struct event_config *config = event_config_new();
    CHECK(config != NULL);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    CHECK(base != NULL);
    return base;
}

void loop_open(struct loop *loop, struct counters *counters)
{
    loop->base = loop_base_new();
    loop->counters = counters;
    task_queue_init(&loop->tasks);
    block_pool_init(&loop->blocks);
    loop->tx_queues = (struct freelist){.most = TX_QUEUES_KEPT};
    loop->timers = timer_wheel_new(loop->base, &loop->clock);
    list_init(&loop->handshakes);
}

void loop_turn(struct loop *loop)
{
    bool is_waiting = loop->handshakes.count == 0;
    clock_turn(&loop->clock);
    event_base_loop(loop->base, is_waiting ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
    task_drain(&loop->tasks);
    if (loop->handshakes.count == 0)
        return;
    conn_take_handshakes(loop);
    task_drain(&loop->tasks);
}

void loop_close(struct loop *loop)
{
    task_drain(&loop->tasks);
    block_unref(&loop->text);
    freelist_fini(&loop->tx_queues);
    block_pool_fini(&loop->blocks);
    pipe_pool_fini(&loop->pipes);
    timer_wheel_free(&loop->timers);
    event_base_free(loop->base);
}

void loop_start_pthread(pthread_t *pthread_out, void *(*run)(void *arg), void *arg)
{
    sigset_t before;
    signals_block(&before);
    CHECK(pthread_create(pthread_out, NULL, run, arg) == 0);
    signals_restore(&before);
}
