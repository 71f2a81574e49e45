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
    struct crowd_client *client; /* counted for it; NULL: for nobody */
};

/* Makes an empty crowd without bounds. */
struct crowd *crowd_new(void);

/* Frees it and stores NULL; every place must have been left. Accepts NULL. */
void crowd_free(struct crowd **crowd);

/* From now on there may be so many connections in total and of one client; 0: any number. Connections that a
 * bound did not count when they began are not counted later. */
void crowd_bound(struct crowd *crowd, uint32_t total_max, uint32_t client_max);

/* A place in total; false when all are taken. Without crowd (NULL) always. */
bool crowd_enter(struct crowd *crowd, struct crowd_place *place_out);

/* Counts the place for the client; false, and the place is as before, when the client has as many as it may.
 */
bool crowd_count(struct crowd_place *place, const struct address *client);

/* Gives the place up. */
void crowd_leave(struct crowd_place *place);

#endif
