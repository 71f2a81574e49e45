/*
 * A moment to the microsecond, where the timers of base/timer.h are good to a tick: one timerfd, one system
 * call to set it. For the few that pace something; owned by the loop's thread.
 */
#ifndef PORTICO_BASE_ALARM_H
#define PORTICO_BASE_ALARM_H

#include <stdint.h>

struct event_base;

/* Something that rings once each time it is set. */
struct alarm;

/* Makes one on the thread's loop; `ring` is called from it. */
struct alarm *alarm_new(struct event_base *base, void (*ring)(void *arg), void *arg);

/* Rings once at the monotonic time, at once if that is past, and no more at the one set before. */
void alarm_set(struct alarm *alarm, uint64_t at_us);

/* Frees it and stores NULL; accepts NULL. */
void alarm_free(struct alarm **alarm);

#endif
