/*
 * A load test from its first connection to its last answer: starts the generators, does at their time what
 * the test does to the gateway meanwhile, and adds up what they have counted. Called by the command on the
 * control thread, whose signals it takes.
 */
#ifndef PORTICO_LOADTEST_RUN_H
#define PORTICO_LOADTEST_RUN_H

#include "loadtest/tally.h"

/* What is written at a moment of the time line. */
enum { LOAD_MARK_TEXT = 96, LOAD_MARKS_MAX = 512 };

/* Something that happened during the test. */
struct load_mark {
    int64_t at_us; /* since measuring began; negative in warm-up */
    char text[LOAD_MARK_TEXT];
};

/* Something done to the gateway again and again. */
struct load_action {
    uint64_t first_us; /* behind the beginning of the measured time */
    uint64_t every_us; /* 0: once */
    /* Does it and says what it was; an empty text leaves no mark. */
    void (*act)(void *arg, char text_out[LOAD_MARK_TEXT]);
    void *arg;
};

/* How far the test is, told every second. */
struct load_progress {
    uint64_t elapsed_us, whole_us; /* warm-up included */
    bool warming_up;
    uint64_t good, errors;           /* so far */
    double good_per_s, errors_per_s; /* since it was told the last time */
};

/* A test and who is told of it. */
struct load_run {
    const struct load_plan *plan;
    const struct load_action *actions;
    unsigned action_count;
    void (*tell)(void *arg, const struct load_progress *progress); /* NULL: nobody */
    void *arg;
};

/* What came of it. */
struct load_outcome {
    struct load_tally *tally;
    struct load_mark *marks;
    unsigned mark_count;
    uint64_t wall_us; /* when measuring began, since 1970 */
    bool interrupted; /* by Control-C: it was shorter than planned */
};

/* Runs it to the end, or until SIGINT or SIGTERM; the second of them gives up what is under way. */
void load_run(const struct load_run *run, struct load_outcome *outcome_out);

/* Frees what is in it. */
void load_outcome_fini(struct load_outcome *outcome);

#endif
