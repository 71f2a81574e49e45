/*
 * A new configuration is in force, and exchanges are under way that began before: those that have to leave
 * do, those that need nothing more of the old configuration let it go, and the log says who still holds one.
 * Called by process/thread.c between two turns of its loop.
 */
#include "base/log.h"
#include "exchange/internal.h"

static const char *const STEPS[STEP_COUNT] = {
#define STEP(name, doc) #name,
#include "tables/steps.def"
#undef STEP
};

/* Who holds configurations that are not in force any more: of the thread's exchanges, in the order in which
 * they were born. */
struct holders {
    unsigned exchanges, generations;
    uint64_t generation; /* of the last that was noted */
    const struct exchange *first;
};

static void note_holder(struct holders *holders, const struct exchange *x)
{
    uint64_t generation = x->pin->snapshot->generation;
    if (holders->first == NULL)
        holders->first = x;
    if (holders->first == x || generation != holders->generation)
        holders->generations++;
    holders->generation = generation;
    holders->exchanges++;
}

static void say(const struct holders *holders)
{
    const struct exchange *x = holders->first;
    log_info(
        "exchange",
        "older generations are held until their responses begin generations=%u exchanges=%u oldest=%llu; "
        "since %.1f s by request_id=%.*s step=%s route=%.*s",
        holders->generations, holders->exchanges, (unsigned long long)x->pin->snapshot->generation,
        (double)record_elapsed_us(x) / 1e6, SLICE_ARGS(x->record.request_id), STEPS[x->step],
        SLICE_ARGS(x->record.route));
}

void exchange_home_follow(struct exchange_home *home)
{
    struct holders holders = {0};
    size_t index = 0;
    for (struct list_node *node = list_first(&home->exchanges); node;
         node = list_next(&home->exchanges, node), index++) {
        struct exchange *x = CONTAINER_OF(node, exchange, node);
        if (x->pin == home->pin)
            continue;
        leave_removed_route(x, index);
        if (x->pin && x->responding)
            pin_let_go(x);
        else if (x->pin && x->step != STEP_begin) /* which runs in this turn */
            note_holder(&holders, x);
    }
    if (holders.first)
        say(&holders);
}
