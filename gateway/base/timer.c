/*
 * The timer wheel of base/timer.h: TIMER_SLOTS rings of TIMER_TICK_MS each; a timer beyond the wheel's span
 * is filed in its slot and filed again each time round. The libevent timer ticks only while some timer is
 * filed. Knows nothing of who waits.
 */
#include "base/timer.h"

#include "base/check.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

enum { TICK_US = TIMER_TICK_MS * 1000 };

struct timer_wheel {
    struct event tick;
    struct clock *clock;
    uint64_t done_ticks; /* every slot up to this tick has been looked at */
    size_t filed;
    bool ticking;
    struct list_node slots[TIMER_SLOTS];
};

static void file(struct timer_wheel *wheel, struct timer *timer)
{
    uint64_t tick = timer->deadline_us / TICK_US + 1;
    if (tick <= wheel->done_ticks)
        tick = wheel->done_ticks + 1;
    ring_append(&wheel->slots[tick % TIMER_SLOTS], &timer->node);
    wheel->filed++;
}

static void unfile(struct timer_wheel *wheel, struct timer *timer)
{
    if (!list_linked(&timer->node))
        return;
    ring_remove(&timer->node);
    wheel->filed--;
}

/* Looks at those that are in the slot now, not at those that are filed in it meanwhile. */
static void sweep_slot(struct timer_wheel *wheel, struct list_node *slot, uint64_t now_us)
{
    struct list_node present, *node;
    ring_move(slot, &present);
    while ((node = ring_pop(&present)) != NULL) {
        struct timer *timer = CONTAINER_OF(node, timer, node);
        wheel->filed--;
        if (timer->deadline_us > now_us) {
            file(wheel, timer);
        } else if (timer->deadline_us != 0) {
            timer->deadline_us = 0;
            timer->fire(timer);
        }
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct timer_wheel *wheel = arg;
    uint64_t now_us = clock_now_us(wheel->clock);
    uint64_t now_tick = now_us / TICK_US;
    if (now_tick - wheel->done_ticks > TIMER_SLOTS)
        wheel->done_ticks = now_tick - TIMER_SLOTS;
    while (wheel->done_ticks < now_tick) {
        wheel->done_ticks++;
        sweep_slot(wheel, &wheel->slots[wheel->done_ticks % TIMER_SLOTS], now_us);
    }
    if (wheel->filed == 0) {
        event_del(&wheel->tick);
        wheel->ticking = false;
    }
}

struct timer_wheel *timer_wheel_new(struct event_base *base, struct clock *clock)
{
    struct timer_wheel *wheel = calloc(1, sizeof *wheel);
    CHECK(wheel != NULL);
    wheel->clock = clock;
    wheel->done_ticks = clock_now_us(clock) / TICK_US;
    for (size_t i = 0; i < TIMER_SLOTS; i++)
        ring_init(&wheel->slots[i]);
    CHECK(event_assign(&wheel->tick, base, -1, EV_PERSIST, on_tick, wheel) == 0);
    return wheel;
}

void timer_wheel_free(struct timer_wheel **wheel_at)
{
    struct timer_wheel *wheel = *wheel_at;
    *wheel_at = NULL;
    if (wheel == NULL)
        return;
    event_del(&wheel->tick);
    free(wheel);
}

void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t delay_us)
{
    timer_set_at(wheel, timer, clock_now_us(wheel->clock) + delay_us);
}

void timer_file(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_us)
{
    timer->deadline_us = deadline_us;
    unfile(wheel, timer);
    if (!wheel->ticking) {
        wheel->done_ticks = clock_now_us(wheel->clock) / TICK_US;
        struct timeval interval = {.tv_usec = TICK_US};
        event_add(&wheel->tick, &interval);
        wheel->ticking = true;
    }
    file(wheel, timer);
}

void timer_clear(struct timer_wheel *wheel, struct timer *timer)
{
    unfile(wheel, timer);
    timer->deadline_us = 0;
}

uint64_t timer_now_us(struct timer_wheel *wheel)
{
    return clock_now_us(wheel->clock);
}
