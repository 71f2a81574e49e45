/*
 * One thread that makes load: its part of the clients and of the schedule, its own tally. It drives the
 * client side of the gateway's own codecs (codec/h1_outbound.h, codec/h2_outbound.h), so what it accepts as
 * an answer is as strict as what the gateway accepts from an upstream. Started, watched and ended by the
 * control thread.
 */
#ifndef PORTICO_LOADTEST_GENERATOR_H
#define PORTICO_LOADTEST_GENERATOR_H

#include "loadtest/tally.h"

struct generator;

/* How far it is; read while it runs. */
struct generator_progress {
    uint64_t good, errors; /* warm-up included */
    bool ended;
};

/* Starts number `number` of plan->threads; the plan must outlive it. It begins at once, what it counts begins
 * plan->warmup_us behind `begin_us`. */
struct generator *generator_start(const struct load_plan *plan, unsigned number, uint64_t begin_us);

/* How far it is. */
struct generator_progress generator_progress(struct generator *generator);

/* Begins no more requests; those under way end within their timeout. Asked again: they are given up. */
void generator_stop(struct generator *generator);

/* Waits for its end, gives what it has counted and frees it. */
struct load_tally *generator_join(struct generator **generator);

#endif
