/*
 * How `explain` says what it found: one topic after the other, in the order in which the gateway decides,
 * each configured value with the place it comes from. Decides nothing.
 */
#ifndef PORTICO_CLI_EXPLAIN_PRINT_H
#define PORTICO_CLI_EXPLAIN_PRINT_H

#include "exchange/rehearse.h"

#include <stdio.h>

/* What a policy has found. */
struct finding_of_policy {
    const char *policy;
    struct config_origin origin;
    struct slice text;
};

/* Findings that are kept; more are not printed. */
enum { EXPLAIN_POLICIES_MAX = 64 };

/* A request, what was made of it, and where to print it. */
struct explanation {
    const struct rehearsal *rehearsal;
    struct fields asked;                    /* as sent; the rehearsal's are as forwarded */
    unsigned port;                          /* the client asked for; 0 when the URL does not say */
    const struct config_listener *listener; /* that takes the request; NULL when it is not known */
    bool secure;                            /* the client speaks TLS */
    const char *from;                       /* the client's address */
    bool from_example;                      /* the client's address is not the user's choice */
    bool was_read;                          /* the head could be parsed */
    enum fault fault;                       /* what the client is answered with, or FAULT_NONE */
    struct finding_of_policy policies[EXPLAIN_POLICIES_MAX];
    unsigned policy_count;
    FILE *out;
};

/* Prints everything that is known. */
void explain_print(const struct explanation *explanation);

#endif
