/*
 * Takes the secrets out of a URL that is about to be printed: the values of access_token, token, code and sig
 * in its query and fragment, and the userinfo of its authority. Gives the URL piece by piece, each a slice of
 * it or the literal "[redacted]", so that any printer can escape them; copies nothing, allocates nothing,
 * reads each byte a bounded number of times. Where a URL can be read in two ways, the reading that hides more
 * wins.
 */
#ifndef PORTICO_OBSERVE_REDACT_H
#define PORTICO_OBSERVE_REDACT_H

#include "base/slice.h"

/* A URL on its way to a printer; its bytes must stay until the last piece. */
struct redact {
    const char *at, *end; /* not given yet */
    const char *name;     /* where the next parameter's name begins, NULL behind the last */
    const char *hide,
        *hide_end; /* the secret that comes next; hide is NULL when it has not been looked for */
};

/* Begins with a request target in any of its forms, or with a Referer. Any bytes will do. */
void redact_begin(struct redact *redact, struct slice url);

/* Gives the next piece; false behind the last. An empty URL has none. */
bool redact_next(struct redact *redact, struct slice *piece_out);

#endif
