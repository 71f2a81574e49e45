/*
 * The timerfd of base/alarm.h. It is watched for edges: an expiry wakes the loop once, and nothing need be
 * read to silence it. Knows nothing of who waits.
 */
#include "base/alarm.h"

#include "base/check.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { US_PER_S = 1000000, NS_PER_US = 1000 };

struct alarm {
    struct event event;
    int fd;
    void (*ring)(void *arg);
    void *arg;
};

static void on_expiry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct alarm *alarm = arg;
    alarm->ring(alarm->arg);
}

struct alarm *alarm_new(struct event_base *base, void (*ring)(void *arg), void *arg)
{
    struct alarm *alarm = calloc(1, sizeof *alarm);
    CHECK(alarm != NULL);
    alarm->ring = ring;
    alarm->arg = arg;
    alarm->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    CHECK(alarm->fd >= 0);
    CHECK(event_assign(&alarm->event, base, alarm->fd, EV_READ | EV_PERSIST | EV_ET, on_expiry, alarm) == 0);
    CHECK(event_add(&alarm->event, NULL) == 0);
    return alarm;
}

void alarm_set(struct alarm *alarm, uint64_t at_us)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at_us / US_PER_S), .tv_nsec = (long)(at_us % US_PER_S * NS_PER_US)}};
    CHECK(timerfd_settime(alarm->fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

void alarm_free(struct alarm **alarm_at)
{
    struct alarm *alarm = *alarm_at;
    *alarm_at = NULL;
    if (alarm == NULL)
        return;
    event_del(&alarm->event);
    close(alarm->fd);
    free(alarm);
}
