/*
 * What hosts, paths and names of a configuration may look like. Each rule gives NULL or a sentence that says
 * what is wrong, static text that does not repeat the value. Pure text.
 */
#ifndef PORTICO_CONFIG_NAMES_H
#define PORTICO_CONFIG_NAMES_H

#include "base/arena.h"
#include "base/check.h"

/* A host of a site: a DNS name, "*.name", "*" or an address, without scheme, port, path or trailing dot; any
 * case. */
MUST_USE const char *names_check_host(struct slice host);

/* The host of an upstream's server: a DNS name (Docker's with '_' too) or an address without brackets. */
MUST_USE const char *names_check_server(struct slice host);

/* The name that a file gives to an upstream or a limit: letters, digits, '-', '_', '.', up to 64. */
MUST_USE const char *names_check_name(struct slice name);

/* Whether it is a token (RFC 9110 section 5.6.2), as names of methods, fields and cookies are. */
bool names_is_token(struct slice text);

/* A prefix or an exact path. Gives it canonical, as routing compares it: percent-encodings decoded, into the
 * arena. */
MUST_USE const char *names_canonical_path(struct arena *arena, struct slice path,
                                          struct slice *canonical_out);

/* The value of a header field: printable ASCII, blanks only inside. */
MUST_USE const char *names_check_field_value(struct slice value);

#endif
