/*
 * Files of users and password hashes, as htpasswd and mkpasswd write them: "name:hash" a line, '#' begins a
 * comment. Only hashes that are expensive to guess are accepted: bcrypt and SHA-512. Pure text.
 */
#ifndef PORTICO_CONFIG_HTPASSWD_H
#define PORTICO_CONFIG_HTPASSWD_H

#include "base/check.h"
#include "base/slice.h"

/* A line with something on it; without a colon, `hash.at` is NULL. */
struct htpasswd_line {
    unsigned number; /* of the line in the file, from 1; 0 before the first */
    struct slice name, hash;
};

/* The next line that is neither empty nor a comment; moves `rest` behind it and counts in `line`. False at
 * the end. */
bool htpasswd_next(struct slice *rest, struct htpasswd_line *line);

/* NULL, or a sentence that says why the name cannot be a user's. */
MUST_USE const char *htpasswd_check_name(struct slice name);

/* NULL, or a sentence that says why the hash is not accepted; it does not repeat it. */
MUST_USE const char *htpasswd_check_hash(struct slice hash);

#endif
