/*
 * The tables of policy/limiter.h. A table is an array of sets of 16 keys: one cache line of tags and two of
 * states. A key belongs into one set, a set to one of the table's locks. Called by policy/rate_limit.c.
 *
 * What a key holds is told in ticks: its requests that are not paid for yet, `unit` ticks each. A request
 * passes while its key holds no more than the burst. Rates and windows differ in how a state holds ticks.
 */
#include "policy/limiter.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { WAYS = 16, LOCKS = 64, CACHE_LINE = 64, TICKS_MAX = 4096 };

/* Tags that are compared at once. */
typedef uint32_t lanes __attribute__((vector_size(4 * sizeof(uint32_t))));

/* The keys with equal upper halves of their hashes. */
struct limiter_set {
    union {
        uint32_t tags[WAYS]; /* lower halves; 0: free */
        lanes lanes[WAYS / 4];
    };
    uint64_t states[WAYS];
} __attribute__((aligned(CACHE_LINE)));

struct limiter_lock {
    pthread_mutex_t mutex;
} __attribute__((aligned(CACHE_LINE)));

struct limiter {
    struct {
        _Atomic uint32_t refs;
        struct limiter_lock locks[LOCKS]; /* of the sets, by index modulo LOCKS */
    } shared;
    struct limiter_terms terms;
    uint64_t seed;
    uint64_t born_us;
    uint64_t ticks; /* in a microsecond: so many that a request is a whole number of them */
    uint64_t unit;  /* ticks of a request */
    uint32_t set_count;
    struct limiter_set *sets;
};

/* --- rates: the state is the time at which the key holds nothing (TAT) --- */

static uint64_t rate_held(uint64_t state, uint64_t now)
{
    return state > now ? state - now : 0;
}

static uint64_t rate_next(const struct limiter *limiter, uint64_t state, uint64_t now)
{
    return (state > now ? state : now) + limiter->unit;
}

/* --- windows: the state is the number of a period, its requests, and those of the period before --- */

enum { WINDOW_BITS = 18, WINDOW_MASK = (1 << WINDOW_BITS) - 1 };

struct window {
    uint64_t index, current, previous;
};

/* The window as of now; a thread whose clock is a little behind stands at the window's beginning. */
static struct window window_of(const struct limiter *limiter, uint64_t state, uint64_t now)
{
    uint64_t index = now / limiter->unit;
    struct window window = {.index = state >> (2 * WINDOW_BITS),
                            .current = state >> WINDOW_BITS & WINDOW_MASK,
                            .previous = state & WINDOW_MASK};
    if (window.index >= index)
        return window;
    uint64_t previous = window.index + 1 == index ? window.current : 0;
    return (struct window){.index = index, .previous = previous};
}

/* Ticks of the window that have passed. */
static uint64_t window_passed(const struct limiter *limiter, const struct window *window, uint64_t now)
{
    uint64_t start = window->index * limiter->unit;
    return now > start ? now - start : 0;
}

static uint64_t window_held(const struct limiter *limiter, uint64_t state, uint64_t now)
{
    struct window window = window_of(limiter, state, now);
    uint64_t to_come = limiter->unit - window_passed(limiter, &window, now);
    return window.current * limiter->unit + window.previous * to_come;
}

static uint64_t window_next(const struct limiter *limiter, uint64_t state, uint64_t now)
{
    struct window window = window_of(limiter, state, now);
    return window.index << (2 * WINDOW_BITS) | (window.current + 1) << WINDOW_BITS | window.previous;
}

/* Until the state holds no more than `target`, less than now: the previous window's share goes first, then
 * the current one becomes the previous. */
static uint64_t window_wait(const struct limiter *limiter, uint64_t state, uint64_t now, uint64_t target)
{
    struct window window = window_of(limiter, state, now);
    uint64_t unit = limiter->unit, passed = window_passed(limiter, &window, now);
    uint64_t current = window.current * unit;
    if (current <= target && window.previous > 0)
        return unit - (target - current) / window.previous - passed;
    return unit - passed + (unit - target / window.current);
}

/* --- either --- */

static uint64_t held_of(const struct limiter *limiter, uint64_t state, uint64_t now)
{
    return limiter->terms.window ? window_held(limiter, state, now) : rate_held(state, now);
}

static uint64_t next_of(const struct limiter *limiter, uint64_t state, uint64_t now)
{
    return limiter->terms.window ? window_next(limiter, state, now) : rate_next(limiter, state, now);
}

/* Microseconds until the state holds no more than `target`; at least one when it does now. */
static uint64_t wait_us(const struct limiter *limiter, uint64_t state, uint64_t now, uint64_t target)
{
    uint64_t held = held_of(limiter, state, now);
    if (held <= target)
        return 0;
    uint64_t ticks = limiter->terms.window ? window_wait(limiter, state, now, target) : held - target;
    return (ticks + limiter->ticks - 1) / limiter->ticks;
}

static uint64_t ticks_at(const struct limiter *limiter, uint64_t now_us)
{
    return now_us > limiter->born_us ? (now_us - limiter->born_us) * limiter->ticks : 0;
}

/* --- tables --- */

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b > 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A window's request weighs the whole window, so that all shares of it are whole. A rate's is exact unless
 * period/count has a very long fraction. */
static void choose_ticks(struct limiter *limiter)
{
    const struct limiter_terms *terms = &limiter->terms;
    uint64_t ticks = terms->window ? 1 : terms->count / common_divisor(terms->count, terms->period_us);
    limiter->ticks = ticks < TICKS_MAX ? ticks : TICKS_MAX;
    uint64_t period = terms->period_us * limiter->ticks;
    limiter->unit = terms->window ? period : (period + terms->count - 1) / terms->count;
}

struct limiter *limiter_new(const struct limiter_terms *terms, uint64_t now_us)
{
    CHECK(terms->count > 0 && terms->period_us >= terms->count && terms->memory >= LIMITER_MEMORY_MIN);
    CHECK(!terms->window || terms->count <= LIMITER_WINDOW_MAX);
    struct limiter *limiter = aligned_alloc(CACHE_LINE, sizeof *limiter);
    CHECK(limiter != NULL);
    memset(limiter, 0, sizeof *limiter);
    limiter->shared.refs = 1;
    for (unsigned i = 0; i < LOCKS; i++)
        pthread_mutex_init(&limiter->shared.locks[i].mutex, NULL);
    limiter->terms = *terms;
    limiter->seed = hash_seed();
    limiter->born_us = now_us;
    choose_ticks(limiter);
    uint64_t sets = (terms->memory - sizeof *limiter) / sizeof *limiter->sets;
    limiter->set_count = sets < UINT32_MAX ? (uint32_t)sets : UINT32_MAX;
    limiter->sets = mmap(NULL, limiter->set_count * sizeof *limiter->sets, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* what is never used is never there */
    CHECK(limiter->sets != MAP_FAILED);
    return limiter;
}

struct limiter *limiter_ref(struct limiter *limiter)
{
    atomic_fetch_add_explicit(&limiter->shared.refs, 1, memory_order_relaxed);
    return limiter;
}

void limiter_unref(struct limiter **limiter)
{
    struct limiter *gone = *limiter;
    *limiter = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->shared.refs, 1, memory_order_acq_rel) > 1)
        return;
    munmap(gone->sets, gone->set_count * sizeof *gone->sets);
    for (unsigned i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&gone->shared.locks[i].mutex);
    free(gone);
}

uint64_t limiter_seed(const struct limiter *limiter)
{
    return limiter->seed;
}

uint64_t limiter_memory(const struct limiter *limiter)
{
    return sizeof *limiter + limiter->set_count * sizeof *limiter->sets;
}

/* --- asking --- */

/* Which of a set's lines holds the key's state is known when the tags have come: all are sent for at once. */
void limiter_expect(struct limiter_check *check)
{
    struct limiter *limiter = check->limiter;
    uint64_t index = (check->key >> 32) * limiter->set_count >> 32;
    check->set = &limiter->sets[index];
    check->lock = &limiter->shared.locks[index % LOCKS];
    check->tag = (uint32_t)check->key ? (uint32_t)check->key : 1;
    for (size_t line = 0; line < sizeof *check->set; line += CACHE_LINE)
        __builtin_prefetch((const char *)check->set + line, 1);
}

/* All are compared, without a branch: which one it is, if any, cannot be foretold. */
static bool find_tag(struct limiter_check *check)
{
    const lanes *tags = check->set->lanes, wanted = (lanes){0} + check->tag;
    lanes found = ((lanes)(tags[0] == wanted) & (lanes){1, 2, 3, 4}) |
                  ((lanes)(tags[1] == wanted) & (lanes){5, 6, 7, 8}) |
                  ((lanes)(tags[2] == wanted) & (lanes){9, 10, 11, 12}) |
                  ((lanes)(tags[3] == wanted) & (lanes){13, 14, 15, 16});
    unsigned number = found[0] | found[1] | found[2] | found[3];
    check->way = number - 1;
    return number > 0;
}

/* The place of a new key: the one that holds the least. */
static void find_place(struct limiter_check *check)
{
    const struct limiter *limiter = check->limiter;
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < WAYS && least > 0; i++) {
        uint64_t held = held_of(limiter, check->set->states[i], check->now);
        if (held < least) {
            least = held;
            check->way = i;
        }
    }
    check->is_full = least > limiter->unit;
}

/* What the limit says, before anybody has counted. */
static void look(struct limiter_check *check)
{
    const struct limiter *limiter = check->limiter;
    uint64_t unit = limiter->unit, room = check->burst * unit;
    check->is_full = false;
    bool is_known = find_tag(check);
    if (!is_known)
        find_place(check);
    check->held = is_known ? held_of(limiter, check->set->states[check->way], check->now) : 0;
    uint64_t from = check->delay_from < check->burst ? check->delay_from * unit : room;
    check->delay_us = check->held > from ? (check->held - from) / limiter->ticks : 0;
    bool is_over = check->is_full ? !check->passes_when_full : check->held > room;
    check->outcome = is_over ? LIMITER_REJECTED : check->delay_us > 0 ? LIMITER_DELAYED : LIMITER_PASSED;
}

static void count_request(struct limiter_check *check)
{
    const struct limiter *limiter = check->limiter;
    bool is_known = check->set->tags[check->way] == check->tag;
    uint64_t *state = &check->set->states[check->way];
    if (check->is_full)
        return;
    *state = next_of(limiter, is_known ? *state : 0, check->now);
    check->set->tags[check->way] = check->tag;
    check->held = held_of(limiter, *state, check->now);
}

/* How much is left, and when it will be more. */
static void tell(struct limiter_check *check)
{
    const struct limiter *limiter = check->limiter;
    uint64_t unit = limiter->unit, room = check->burst * unit;
    uint64_t state = check->set->states[check->way];
    check->left = check->held <= room ? (room - check->held) / unit + 1 : 0;
    if (check->outcome == LIMITER_REJECTED)
        check->excess = check->held / unit * 1000 + check->held % unit * 1000 / unit;
    if (check->is_full) {
        check->left = check->passes_when_full;
        check->more_us = wait_us(limiter, state, check->now, unit);
        return;
    }
    bool is_most = check->left > check->burst;
    check->more_us = is_most ? 0 : wait_us(limiter, state, check->now, (check->burst - check->left) * unit);
}

/* The checks by the addresses of their limiters: who takes several locks takes them in this order. */
static void sort(struct limiter_check *checks, unsigned count, struct limiter_check **sorted_out)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;
        for (; at > 0 && sorted_out[at - 1]->limiter > checks[i].limiter; at--)
            sorted_out[at] = sorted_out[at - 1];
        sorted_out[at] = &checks[i];
    }
}

bool limiter_admit(struct limiter_check *checks, unsigned count, uint64_t now_us)
{
    struct limiter_check *sorted[LIMITER_CHECKS_MAX];
    bool admitted = true;
    CHECK(count <= LIMITER_CHECKS_MAX);
    for (unsigned i = 0; i < count; i++)
        limiter_expect(&checks[i]);
    sort(checks, count, sorted);
    for (unsigned i = 0; i < count; i++)
        pthread_mutex_lock(&sorted[i]->lock->mutex);
    for (unsigned i = 0; i < count; i++) {
        checks[i].now = ticks_at(checks[i].limiter, now_us);
        look(&checks[i]);
        admitted = admitted && (checks[i].outcome != LIMITER_REJECTED || checks[i].only_tells);
    }
    for (unsigned i = 0; i < count; i++) {
        if (admitted && checks[i].outcome != LIMITER_REJECTED && !checks[i].only_looks)
            count_request(&checks[i]);
        tell(&checks[i]);
    }
    for (unsigned i = 0; i < count; i++)
        pthread_mutex_unlock(&sorted[i]->lock->mutex);
    return admitted;
}
