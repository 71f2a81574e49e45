/*
 * What the gateway does when it runs short of descriptors or memory, in stages: idle connections are closed,
 * then who comes is refused, then nobody is accepted until it is over. What runs is left to run. A quarter of
 * the descriptors is never given to clients, so that what they ask for can be fetched. Control thread only.
 */
#ifndef PORTICO_PROCESS_OVERLOAD_H
#define PORTICO_PROCESS_OVERLOAD_H

#include "config/config.h"
#include "net/crowd.h"

struct event_base;
struct overload;

/* How bad it is; each stage does what those before it do, too. */
enum overload_stage { OVERLOAD_NONE, OVERLOAD_SHEDS, OVERLOAD_REFUSES, OVERLOAD_PAUSES };

/* What may run short. */
enum overload_kind { OVERLOAD_CLIENTS, OVERLOAD_SOCKETS, OVERLOAD_MEMORY, OVERLOAD_KINDS };

/* How much of it is in use, of how much; 0: of any amount. */
struct overload_gauge {
    uint64_t used, most;
};

/* Whoever has idle connections shall close some; called again and again while a stage lasts. */
typedef void overload_relieve_fn(void *arg);

/* What it watches and whom it tells. */
struct overload_settings {
    struct event_base *base; /* the control thread's */
    struct crowd *crowd;     /* the clients, which it bounds; must outlive it */
    overload_relieve_fn *relieve;
    void *arg;
};

/* The stage that follows on `now` when a resource is used to so many thousandths: a stage is left at a lower
 * mark than it is entered at. */
enum overload_stage overload_next(enum overload_stage now, unsigned permille);

/* The one that is shortest, and by how many thousandths it is used. */
enum overload_kind overload_shortest(const struct overload_gauge gauges[OVERLOAD_KINDS],
                                     unsigned *permille_out);

/* Starts watching; nothing is bounded before overload_follow(). */
struct overload *overload_start(const struct overload_settings *settings);

/* Takes the bounds of a configuration that so many threads serve. */
void overload_follow(struct overload *overload, const struct config *config, uint32_t threads);

/* Stops and stores NULL. Accepts NULL. */
void overload_stop(struct overload **overload);

#endif
