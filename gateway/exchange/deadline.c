/*
 * One timer per exchange: it watches that something moves within the limit of the current step, and that an
 * upload keeps the minimum rate. What an expiry means, the step decides. All is lazy: a limit and progress
 * are stores, the timer is set when the exchange waits, and looks again when it fires.
 */
#include "exchange/deadline.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool uploading(const struct exchange *x)
{
    return (x->step == STEP_forward || x->step == STEP_respond) && !x->in->rx.ended;
}

/* A client that waits for its 100 (Continue) owes nothing yet (RFC 9110 section 10.1.1). */
bool deadline_awaits_client(const struct exchange *x)
{
    bool invited = !x->in->rx_head.expects_continue || x->interims > 0 || x->in->rx.total > 0;
    bool upstream_is_slow = x->in->rx.queued > 0 || (x->out && x->out->tx_waits);
    return uploading(x) && invited && !upstream_is_slow;
}

/* The client is too slow if it sent less than the rate allows in a whole window and nobody but it was waited
 * for. */
static bool too_slow(struct exchange *x, uint64_t now_us)
{
    const struct terms *terms = &x->terms;
    uint64_t window_us = now_us - x->rate_since_us;
    if (!uploading(x) || terms->body_min_rate == 0 || window_us < terms->body_grace_us)
        return false;
    uint64_t bytes = x->in->rx.total - x->rate_bytes;
    x->rate_since_us = now_us;
    x->rate_bytes = x->in->rx.total;
    return deadline_awaits_client(x) && bytes < terms->body_min_rate * window_us / 1000000;
}

/* A client that has closed its sending side is given less time, unless a policy makes it wait. */
static uint64_t end_us(const struct exchange *x)
{
    bool hurries = x->half_closed && !x->tunnel && x->call.delay_us == 0;
    return x->progress_us + (hurries ? least(x->limit_us, x->terms.half_close_timeout_us) : x->limit_us);
}

/* Has the timer look when something could be due; until then, it need not know that things have moved. */
void deadline_arm(struct exchange *x)
{
    uint64_t due_us = end_us(x);
    if (uploading(x) && x->terms.body_min_rate > 0)
        due_us = least(due_us, x->rate_since_us + x->terms.body_grace_us);
    if (x->leave_at_us)
        due_us = least(due_us, x->leave_at_us);
    x->watched = true;
    timer_hasten(x->home->loop->timers, &x->timer, due_us);
}

static void on_timer(struct timer *timer)
{
    struct exchange *x = MAGIC_CAST(exchange, CONTAINER_OF(timer, exchange, timer), EXCHANGE_MAGIC);
    uint64_t now_us = clock_now_us(&x->home->loop->clock);
    x->expired = now_us >= end_us(x);
    x->starved = too_slow(x, now_us);
    bool leaves = x->leave_at_us && now_us >= x->leave_at_us;
    x->leaving = x->leaving || leaves;
    x->leave_at_us = leaves ? 0 : x->leave_at_us;
    if (x->expired || x->starved || leaves)
        task_wake(&x->task);
    if (!x->expired)
        deadline_arm(x);
}

void deadline_start(struct exchange *x)
{
    x->timer.fire = on_timer;
    deadline_set(x, x->terms.write_timeout_us);
}

void deadline_upload(struct exchange *x, uint64_t limit_us)
{
    deadline_set(x, limit_us);
    x->rate_since_us = x->progress_us;
    x->rate_bytes = x->in->rx.total;
}

void deadline_limit(struct exchange *x, uint64_t limit_us)
{
    if (limit_us != x->limit_us && !x->half_closed)
        deadline_set(x, limit_us);
}

void deadline_leave(struct exchange *x, enum fault why, uint64_t delay_us)
{
    x->leave_why = why;
    x->leave_at_us = clock_now_us(&x->home->loop->clock) + delay_us;
    deadline_arm(x);
}

void deadline_stop(struct exchange *x)
{
    timer_clear(x->home->loop->timers, &x->timer);
}
