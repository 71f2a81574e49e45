/*
 * The attributes of cookies on their way to the client (RFC 6265 section 4.1, and SameSite): Secure, HttpOnly
 * and SameSite of every Set-Cookie as `headers.cookies` says. Pure.
 */
#ifndef PORTICO_POLICY_COOKIES_H
#define PORTICO_POLICY_COOKIES_H

#include "base/arena.h"
#include "config/config.h"

/* The value of a Set-Cookie field with the attributes that are asked for, each once; in the arena. */
struct slice cookie_fix(const struct config_cookies *cookies, struct slice value, struct arena *arena);

#endif
