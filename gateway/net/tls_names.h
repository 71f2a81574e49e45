/*
 * Host names with wildcards, each with a number: what a TLS server looks names up in. Filled, sealed, then
 * only read, by any thread. Knows nothing of what the numbers mean.
 */
#ifndef PORTICO_NET_TLS_NAMES_H
#define PORTICO_NET_TLS_NAMES_H

#include "base/slice.h"

struct tls_names;

/* An empty set. */
struct tls_names *tls_names_new(void);

/* Frees it and stores NULL; accepts NULL. */
void tls_names_free(struct tls_names **names);

/* Adds a copy of "name", "*.name" or "*"; of equal names the first one counts. Not after tls_names_seal(). */
void tls_names_add(struct tls_names *names, struct slice name, unsigned number);

/* Makes it searchable. */
void tls_names_seal(struct tls_names *names);

/* The number of a name (lower case) as certificates mean it (RFC 6125 section 6.4.3): exact, or "*." and all
 * but its first label. False when there is none; `number_out` is untouched then. */
bool tls_names_find_one_label(const struct tls_names *names, struct slice name, unsigned *number_out);

/* The same as sites mean it: exact, then the longest "*.name", then "*". */
bool tls_names_find_any(const struct tls_names *names, struct slice name, unsigned *number_out);

#endif
