/*
 * The credentials of the Basic scheme (RFC 7617): the value of an Authorization field taken apart, strictly.
 */
#ifndef PORTICO_HTTP_BASIC_H
#define PORTICO_HTTP_BASIC_H

#include "base/arena.h"
#include "base/check.h"

/* Longest password that is looked at; libcrypt takes no longer ones. */
enum { BASIC_PASSWORD_MAX = 511 };

/* A user's name and password, as sent. */
struct basic_credentials {
    struct slice user, password;
};

/* Reads "Basic BASE64"; the texts are in the arena, terminated. False for other schemes, for what is no
 * padded base64, without a colon, with control characters, and when the password is too long. */
MUST_USE bool basic_read(struct slice value, struct arena *arena, struct basic_credentials *credentials_out);

#endif
