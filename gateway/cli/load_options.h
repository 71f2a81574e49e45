/*
 * What `portico loadtest` was asked for: its command line, read and checked as far as that needs no
 * configuration and no gateway.
 */
#ifndef PORTICO_CLI_LOAD_OPTIONS_H
#define PORTICO_CLI_LOAD_OPTIONS_H

#include "loadtest/plan.h"

#include <stdio.h>

/* How many --header there may be. */
enum { LOAD_HEADERS_MAX = 32 };

/* The command line. Empty and 0: not given, where a default cannot be told from an option. */
struct load_options {
    const char *url;    /* NULL: a configuration says where the gateway is */
    const char *config; /* FILE */
    bool trial;         /* --try: a gateway of our own, with stand-ins */
    struct slice mix, host, listener, expect, fail_if;
    enum load_protocol protocol; /* of entries that name none */
    uint64_t connections, streams, threads, message_bytes;
    struct load_rate rate;
    uint64_t duration_us, warmup_us, timeout_us, reload_every_us;
    uint64_t pid; /* whom --reload-every signals */
    struct slice kill_upstream;
    const char *ca;
    bool insecure;
    struct slice method; /* empty: GET, or POST with a body */
    uint64_t body_bytes;
    struct slice headers[LOAD_HEADERS_MAX]; /* "Name: value", checked */
    unsigned header_count;
    const char *json, *html; /* files */
};

/* Reads the arguments; false after saying on stderr what is wrong with which. */
MUST_USE bool load_options_read(int argc, char **argv, struct load_options *options_out);

/* What `portico loadtest --help` explains of each option. */
void load_options_explain(FILE *out);

#endif
