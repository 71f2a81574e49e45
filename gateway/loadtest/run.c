/*
 * The control thread of loadtest/run.h: it sleeps in sigtimedwait() until a signal comes, an action is due or
 * somebody wants to know how far the test is. Measures nothing itself.
 */
#include "loadtest/run.h"

#include "base/check.h"
#include "base/clock.h"
#include "config/value.h"
#include "loadtest/generator.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { LOOK_MS = 20 };

/* A test that runs. */
struct running {
    const struct load_run *run;
    struct load_outcome *outcome;
    struct generator *generators[LOAD_THREADS_MAX];
    uint64_t begin_us, measure_us, told_us;
    uint64_t due_us[8]; /* of the actions */
    struct generator_progress told;
};

static struct generator_progress sum(const struct running *running)
{
    struct generator_progress sum = {.ended = true};
    for (unsigned i = 0; i < running->run->plan->threads; i++) {
        struct generator_progress one = generator_progress(running->generators[i]);
        sum.good += one.good;
        sum.errors += one.errors;
        sum.ended = sum.ended && one.ended;
    }
    return sum;
}

static void tell(struct running *running, uint64_t now_us, struct generator_progress now)
{
    const struct load_plan *plan = running->run->plan;
    double seconds = (double)(now_us - running->told_us) / 1e6;
    struct load_progress progress = {.elapsed_us = now_us - running->begin_us,
                                     .whole_us = plan->warmup_us + plan->duration_us,
                                     .warming_up = now_us < running->measure_us,
                                     .good = now.good,
                                     .errors = now.errors,
                                     .good_per_s = (double)(now.good - running->told.good) / seconds,
                                     .errors_per_s = (double)(now.errors - running->told.errors) / seconds};
    running->told = now;
    running->told_us = now_us;
    if (running->run->tell)
        running->run->tell(running->run->arg, &progress);
}

static void mark(struct running *running, uint64_t now_us, const char *text)
{
    struct load_outcome *outcome = running->outcome;
    if (text[0] == '\0' || outcome->mark_count == LOAD_MARKS_MAX)
        return;
    struct load_mark *mark = &outcome->marks[outcome->mark_count++];
    mark->at_us = (int64_t)now_us - (int64_t)running->measure_us;
    memccpy(mark->text, text, '\0', sizeof mark->text - 1);
}

static void act(struct running *running, uint64_t now_us)
{
    uint64_t end_us = running->measure_us + running->run->plan->duration_us;
    for (unsigned i = 0; i < running->run->action_count; i++) {
        const struct load_action *action = &running->run->actions[i];
        char text[LOAD_MARK_TEXT] = "";
        if (now_us < running->due_us[i] || now_us >= end_us || running->outcome->interrupted)
            continue;
        running->due_us[i] = action->every_us ? running->due_us[i] + action->every_us : UINT64_MAX;
        action->act(action->arg, text);
        mark(running, now_us, text);
    }
}

static void stop(struct running *running, uint64_t now_us)
{
    struct load_outcome *outcome = running->outcome;
    if (!outcome->interrupted)
        mark(running, now_us, "ended early");
    outcome->interrupted = true;
    for (unsigned i = 0; i < running->run->plan->threads; i++)
        generator_stop(running->generators[i]);
}

/* Nothing was begun behind that moment. */
static void shorten(struct running *running, uint64_t stopped_us)
{
    struct load_tally *tally = running->outcome->tally;
    uint64_t measured_us = stopped_us > running->measure_us ? stopped_us - running->measure_us : 1;
    if (measured_us >= tally->measured_us)
        return;
    tally->measured_us = measured_us;
    tally->interval_count = (unsigned)((measured_us + tally->interval_us - 1) / tally->interval_us);
}

static void watch(struct running *running, const sigset_t *signals)
{
    static const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
    uint64_t stopped_us = 0;
    struct generator_progress now;
    while (!(now = sum(running)).ended) {
        int number = sigtimedwait(signals, NULL, &pause);
        uint64_t now_us = clock_monotonic_us();
        if (number > 0)
            stop(running, now_us);
        if (number > 0 && stopped_us == 0)
            stopped_us = now_us;
        act(running, now_us);
        if (now_us - running->told_us >= SECONDS(1))
            tell(running, now_us, sum(running));
    }
    if (stopped_us)
        shorten(running, stopped_us);
}

static void add_up(struct running *running)
{
    for (unsigned i = 0; i < running->run->plan->threads; i++) {
        struct load_tally *part = generator_join(&running->generators[i]);
        load_tally_merge(running->outcome->tally, part);
        load_tally_free(&part);
    }
}

void load_run(const struct load_run *run, struct load_outcome *outcome_out)
{
    const struct load_plan *plan = run->plan;
    struct running running = {.run = run, .outcome = outcome_out, .begin_us = clock_monotonic_us()};
    sigset_t signals, before;
    CHECK(run->action_count <= sizeof running.due_us / sizeof running.due_us[0]);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    signal(SIGPIPE, SIG_IGN);
    running.told_us = running.begin_us;
    running.measure_us = running.begin_us + plan->warmup_us;
    *outcome_out = (struct load_outcome){.tally = load_tally_new(plan, running.measure_us),
                                         .marks = calloc(LOAD_MARKS_MAX, sizeof *outcome_out->marks),
                                         .wall_us = clock_wall_us() + plan->warmup_us};
    CHECK(outcome_out->marks != NULL);
    for (unsigned i = 0; i < run->action_count; i++)
        running.due_us[i] = running.measure_us + run->actions[i].first_us;
    for (unsigned i = 0; i < plan->threads; i++)
        running.generators[i] = generator_start(plan, i, running.begin_us);
    watch(&running, &signals);
    add_up(&running);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void load_outcome_fini(struct load_outcome *outcome)
{
    load_tally_free(&outcome->tally);
    free(outcome->marks);
    outcome->marks = NULL;
}
