/*
 * Named failures. A function that can fail returns enum fault, 0 (FAULT_NONE) when all is well; what follows
 * from a fault stands in its row of tables/faults.def.
 */
#ifndef PORTICO_BASE_FAULT_H
#define PORTICO_BASE_FAULT_H

#include <stdbool.h>

/* Every failure, by name; FAULT_NONE is success. */
enum fault {
    FAULT_NONE = 0,
#define FAULT(name, status, flags, blame, proxy_error, sentence) FAULT_##name,
#include "tables/faults.def"
#undef FAULT
    FAULT_COUNT
};

/* Whose doing a fault is. */
enum fault_blame { BLAME_NOBODY, BLAME_CLIENT, BLAME_UPSTREAM, BLAME_GATEWAY };

/* A row of tables/faults.def. */
struct fault_row {
    const char *name;
    const char *sentence;
    const char *proxy_error; /* RFC 9209 section 2.3, or "" */
    int status;              /* HTTP status for the client, 0 when none is possible */
    enum fault_blame blame;
    bool closes;  /* the inbound connection ends after the answer */
    bool retries; /* another attempt may succeed */
    bool unseen;  /* the upstream has not acted on the request: any method may be repeated */
    bool crowded; /* there is no room for the request at the moment, and nothing wrong with it */
};

/* The row of a fault; FAULT_NONE has one too, named "ok", with status 0. */
const struct fault_row *fault_row(enum fault fault);

#endif
