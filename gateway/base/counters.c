/*
 * The list of counter blocks and the sums over them. Blocks are entered and taken out by the threads that own
 * them; the admin page and the metrics ask for the sums. Knows no counter by name.
 */
#include "base/counters.h"

#include <pthread.h>
#include <string.h>

static const struct counter_row rows[COUNTER_CAUSES] = {
#define COUNTER(row_name, row_help) [COUNTER_##row_name] = {.name = #row_name, .help = row_help},
#include "tables/counters.def"
#undef COUNTER
};

_Static_assert(COUNTER_responses_5xx == COUNTER_responses_1xx + 4,
               "the classes of responses stand side by side");

/* What several threads touch; the lock guards all of it, but not the values inside the blocks. */
static struct {
    pthread_mutex_t lock;
    struct counters *blocks;
    uint64_t ended[COUNTER_COUNT]; /* counts of blocks that are gone */
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void add_block(uint64_t sums[COUNTER_COUNT], const struct counters *counters)
{
    for (unsigned i = 0; i < COUNTER_COUNT; i++)
        sums[i] += __atomic_load_n(&counters->value[i], __ATOMIC_RELAXED);
}

void counters_init(struct counters *counters)
{
    memset(counters, 0, sizeof *counters);
    pthread_mutex_lock(&shared.lock);
    counters->next = shared.blocks;
    shared.blocks = counters;
    pthread_mutex_unlock(&shared.lock);
}

void counters_fini(struct counters *counters)
{
    pthread_mutex_lock(&shared.lock);
    struct counters **link = &shared.blocks;
    while (*link != NULL && *link != counters)
        link = &(*link)->next;
    CHECK(*link == counters);
    *link = counters->next;
    add_block(shared.ended, counters);
    pthread_mutex_unlock(&shared.lock);
}

void counters_sum(uint64_t sums_out[COUNTER_COUNT])
{
    pthread_mutex_lock(&shared.lock);
    memcpy(sums_out, shared.ended, sizeof shared.ended);
    for (const struct counters *block = shared.blocks; block; block = block->next)
        add_block(sums_out, block);
    pthread_mutex_unlock(&shared.lock);
}

struct counter_row counter_row(enum counter counter)
{
    CHECK((unsigned)counter < COUNTER_COUNT);
    if (counter < COUNTER_CAUSES)
        return rows[counter];
    const struct fault_row *fault = fault_row((enum fault)(counter - COUNTER_CAUSES));
    return (struct counter_row){"ended", fault->name, "exchanges and connections that ended, by cause"};
}
