/*
 * The connections of clients, counted over all threads: in total, and for each client, an IPv6 client being
 * its /64. A place is taken before a connection is accepted and left when it is closed. Any thread may call.
 *
 * There is one entry for each client that has a connection, none for others: memory is bounded by the
 * connections, and nobody can fill the table with addresses alone.
 */
#ifndef PORTICO_NET_CROWD_H
#define PORTICO_NET_CROWD_H

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

struct crowd;
struct crowd_client; /* one client */

/* What one connection holds; all zero: nothing. */
struct crowd_place {
    struct crowd *crowd;
    struct crowd_client *client; /* counted for it; NULL: for nobody. Who is refused has one of its own */
};

/* What becomes of those who come. */
enum crowd_gate {
    CROWD_OPEN,
    CROWD_REFUSES, /* they are told to come back later */
    CROWD_SHUT     /* they wait outside */
};

/* So many are let in whatever the gate: where there are few, nothing gets better by waiting for them to go.
 */
enum { CROWD_ALWAYS = 16 };

/* Makes an empty crowd without bounds. */
struct crowd *crowd_new(void);

/* Frees it and stores NULL; every place must have been left. Accepts NULL. */
void crowd_free(struct crowd **crowd);

/* How many there may be; 0: any number. */
struct crowd_bounds {
    uint32_t total;  /* who comes then waits outside */
    uint32_t room;   /* who comes then is refused */
    uint32_t client; /* of one client */
};

/* From now on these bounds hold. Connections that a bound did not count when they began are not counted
 * later. */
void crowd_bound(struct crowd *crowd, const struct crowd_bounds *bounds);

/* Sets the gate; open at first. */
void crowd_set_gate(struct crowd *crowd, enum crowd_gate gate);

/* How many places are taken. */
uint32_t crowd_total(struct crowd *crowd);

/* How many are there besides to be told that they cannot stay. */
uint32_t crowd_refused(struct crowd *crowd);

/* A place in total, or one to be refused; false when all are taken or the gate is shut. Without crowd
 * (NULL) always. */
bool crowd_enter(struct crowd *crowd, struct crowd_place *place_out);

/* Whether who has the place is taken in to be told that it cannot stay; it is not in the total. */
bool crowd_is_refused(const struct crowd_place *place);

/* Counts the place for the client; false, and the place is as before, when the client has as many as it may.
 */
bool crowd_count(struct crowd_place *place, const struct sockaddr *client);

/* Gives the place up. */
void crowd_leave(struct crowd_place *place);

#endif
