/*
 * A configuration with all that it takes to serve it: the snapshot, the files it was made from, the listening
 * sockets. Made whole or not at all by who may open the files and bind the ports. Control thread only.
 */
#ifndef PORTICO_PROCESS_GENERATION_H
#define PORTICO_PROCESS_GENERATION_H

#include "base/archive.h"
#include "config/snapshot.h"
#include "process/sockets.h"

/* Loads the configuration; `in_force` is the one before, or NULL. NULL after saying what is wrong. */
typedef struct snapshot *generation_load_fn(void *arg, const struct snapshot *in_force);

/* Where configurations come from. */
struct generation_source {
    generation_load_fn *load;
    void *arg;
};

/* One configuration; all zero: none. */
struct generation {
    struct snapshot *snapshot;
    struct archive archive;
    struct sockets sockets; /* -1 where the one in force has the listener, until it has been replaced */
};

/* Listening sockets that another process has handed over; all zero: none. */
struct legacy {
    struct config config; /* its listeners' addresses, nothing else */
    struct sockets sockets;
};

/* How many threads the configuration asks for. */
uint32_t generation_threads(const struct config *config);

/* Makes the first generation: listeners that the legacy has come from there; it is empty afterwards, whatever
 * happens. False after saying what is wrong. */
MUST_USE bool generation_make_first(struct generation *generation, const struct generation_source *source,
                                    struct legacy *legacy);

/* Makes the next one: loads, keeps the files and binds what the one in force has not. False after saying what
 * is wrong; nothing has changed then. */
MUST_USE bool generation_make(struct generation *generation, const struct generation_source *source,
                              const struct generation *in_force, uint32_t threads);

/* Makes the one in force again from what it was made of, with these files in the place of those of their
 * names; otherwise as generation_make(). */
MUST_USE bool generation_make_again(struct generation *generation, const struct generation_source *source,
                                    const struct generation *in_force, uint32_t threads,
                                    const struct archive *files);

/* Puts the next one, which becomes empty, in the place of the one in force. Sockets that stay are moved, the
 * others closed. */
void generation_replace(struct generation *in_force, struct generation *next);

/* Closes, wipes and forgets everything. Accepts an empty one. */
void generation_fini(struct generation *generation);

#endif
