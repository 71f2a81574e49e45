/*
 * How long the steps of an exchange may wait. A limit and progress are stores, for there are many in the life
 * of a request; only deadline_watch() touches the exchange's timer, which looks again when it fires and sees
 * then what has become of them. What an expiry means, the step decides.
 */
#ifndef PORTICO_EXCHANGE_DEADLINE_H
#define PORTICO_EXCHANGE_DEADLINE_H

#include "exchange/internal.h"

/* Called once, when the terms of the client are there; its write_timeout is the first limit. */
void deadline_start(struct exchange *x);

/* Something has moved. */
static inline void deadline_progress(struct exchange *x)
{
    x->progress_us = clock_now_us(&x->home->loop->clock);
}

/* From now on, until called again, `limit_us` without progress wakes the exchange with `expired`. */
static inline void deadline_set(struct exchange *x, uint64_t limit_us)
{
    x->limit_us = limit_us;
    x->expired = x->watched = false;
    deadline_progress(x);
}

/* The same, and from now on the client owes its content at the minimum rate. */
void deadline_upload(struct exchange *x, uint64_t limit_us);

/* For deadline_watch(). */
void deadline_arm(struct exchange *x);

/* The exchange waits: watches over its limit. Progress does not matter to the timer, a new limit may. */
static inline void deadline_watch(struct exchange *x)
{
    if (!x->watched)
        deadline_arm(x);
}

/* The same, but the time without progress goes on if the limit is the one already in force. */
void deadline_limit(struct exchange *x, uint64_t limit_us);

/* Whether it is the client's turn: the response is awaited, and content of the request has yet to come. */
bool deadline_awaits_client(const struct exchange *x);

/* In `delay_us`, the exchange is woken with `leaving`. */
void deadline_leave(struct exchange *x, enum fault why, uint64_t delay_us);

/* Stops watching. */
void deadline_stop(struct exchange *x);

#endif
