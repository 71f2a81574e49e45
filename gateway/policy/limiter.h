/*
 * How many requests a key may make: a table of keys with eight bytes of state each, in memory of a fixed
 * size, shared by all threads. A rate is GCRA: the state is the time at which all that was let through is
 * paid for, and the answers are those of nginx's leaky bucket (a first request and `burst` more at one
 * instant, then one every period/count; who is rejected pays nothing). A window counts: at most `count` in
 * any period, the previous period's requests taken for evenly spread over it. Knows neither requests nor
 * configuration; takes locks for the time of an addition, never allocates.
 */
#ifndef PORTICO_POLICY_LIMITER_H
#define PORTICO_POLICY_LIMITER_H

#include "base/check.h"
#include "base/slice.h"

#include <stdint.h>

struct limiter;

/* The most limits that are asked at once; no delay; the most requests of a window; the smallest table. */
enum {
    LIMITER_CHECKS_MAX = 8,
    LIMITER_NO_DELAY = UINT32_MAX,
    LIMITER_WINDOW_MAX = 250000,
    LIMITER_MEMORY_MIN = 64 * 1024
};

/* What a table is made for. */
struct limiter_terms {
    uint32_t count;     /* requests, > 0 */
    uint64_t period_us; /* in this time; at least one microsecond a request */
    bool window;        /* in any period of this length (a second or longer), count <= LIMITER_WINDOW_MAX */
    uint64_t memory;    /* bytes, a bound; at least LIMITER_MEMORY_MIN */
};

/* What becomes of a request as far as one limit goes. */
enum limiter_outcome { LIMITER_PASSED, LIMITER_DELAYED, LIMITER_REJECTED };

/* One limit asked about one key. */
struct limiter_check {
    struct limiter *limiter; /* each at most once among those asked together */
    uint64_t key;            /* a hash whose first seed is limiter_seed() */
    uint32_t burst;          /* requests beyond the first that may come at once; of a window: count - 1 */
    uint32_t delay_from;     /* requests of the burst that need not wait; LIMITER_NO_DELAY: none waits */
    bool only_looks;         /* nothing is counted */
    bool only_tells;         /* its rejection keeps nobody */
    bool passes_when_full;   /* the answer when there is no room for the key */

    /* Answered. */
    enum limiter_outcome outcome;
    uint64_t delay_us; /* DELAYED: until it is the request's turn */
    uint64_t excess;   /* REJECTED: thousandths of requests that are ahead of it, as nginx counts them */
    uint64_t left;     /* requests that would pass now */
    uint64_t more_us;  /* until it is one more, if nobody asks; 0: it will not be more */

    /* The limiter's own. */
    struct limiter_set *set;
    struct limiter_lock *lock;
    unsigned way;
    uint32_t tag;
    uint64_t now, held;
    bool is_full;
};

/* Makes an empty table with one reference. `now_us` is monotonic, as all times are. */
struct limiter *limiter_new(const struct limiter_terms *terms, uint64_t now_us);

/* One more reference; any thread. */
struct limiter *limiter_ref(struct limiter *limiter);

/* Gives up a reference and stores NULL; the last one frees the table. Any thread; accepts NULL. */
void limiter_unref(struct limiter **limiter);

/* The seed of hashes for this table (base/hash.h). */
uint64_t limiter_seed(const struct limiter *limiter);

/* Bytes that the table takes; never more than its terms allow. */
uint64_t limiter_memory(const struct limiter *limiter);

/* Sends for what the limiter keeps of the key, which is seldom in the cache, without waiting for it: the
 * sooner before limiter_admit(), the better. */
void limiter_expect(struct limiter_check *check);

/* Asks all limits in one instant: whether none that binds rejects. Then, and only then, each counts that does
 * not only look; one that rejects never does. A key that holds nothing gives its place to others; when a
 * place is needed and none is free, the one that holds the least goes, but none that holds more than the
 * newcomer will. Any thread. */
MUST_USE bool limiter_admit(struct limiter_check *checks, unsigned count, uint64_t now_us);

#endif
