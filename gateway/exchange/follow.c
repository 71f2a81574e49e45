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

/* Who holds configurations that are not in force any more. */
struct holders {
    unsigned count;
    uint64_t generation; /* the oldest that is held */
    const struct exchange *longest;
};

static void note_holder(struct holders *holders, const struct exchange *x)
{
    uint64_t generation = x->pin->snapshot->generation;
    bool is_older = holders->count == 0 || generation < holders->generation;
    holders->count++;
    holders->generation = is_older ? generation : holders->generation;
    if (holders->longest == NULL || x->begun_us < holders->longest->begun_us)
        holders->longest = x;
}

static void say(const struct holders *holders)
{
    const struct exchange *x = holders->longest;
    log_info("exchange",
             "older generations are held until their responses begin exchanges=%u oldest=%llu; "
             "since %.1f s by request_id=%.*s step=%s route=%.*s",
             holders->count, (unsigned long long)holders->generation, (double)record_elapsed_us(x) / 1e6,
             SLICE_ARGS(x->record.request_id), STEPS[x->step], SLICE_ARGS(x->record.route));
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
        else if (x->pin)
            note_holder(&holders, x);
    }
    if (holders.count > 0)
        say(&holders);
}
