/*
 * The request-target (RFC 9112 section 3.2, RFC 3986): split and checked, and the spellings of its path that
 * routing compares. What is forwarded is always the target as received; the spellings only decide the route.
 */
#ifndef PORTICO_HTTP_TARGET_H
#define PORTICO_HTTP_TARGET_H

#include "base/arena.h"
#include "base/check.h"
#include "base/fault.h"
#include "http/message.h"

/* The four forms of RFC 9112 section 3.2. */
enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_AUTHORITY, TARGET_ASTERISK };

/* A split target. `path` is canonical: percent-encodings of everything but separators decoded, dot segments
 * resolved. When `ambiguous`, an upstream may read the path in another way: `raw_path` and `loose_path`
 * (encoded separators, backslashes and what is encoded twice decoded too, repeated slashes merged,
 * ;parameters of segments removed) MUST give the same route as `path`, else the request is refused with
 * FAULT_ambiguous_path. All three begin with '/'; for an asterisk they are "/", it goes where the root goes.
 */
struct target {
    enum target_form form;
    struct slice raw; /* to forward: the origin-form as received, or cut from the absolute-form; or "*" */
    struct slice raw_path;   /* as received, without query; only what has no plain form is decoded */
    struct slice path;       /* canonical */
    struct slice loose_path; /* as an eager upstream would read it */
    struct slice query;      /* without '?', as received; empty when none */
    struct slice authority;  /* absolute-form and authority-form only */
    bool ambiguous;
    bool dotted;   /* by some reading, the path as received has a segment "." or ".." */
    bool hostlike; /* by some reading it begins with an empty segment, as "//host" does */
};

/* Splits and checks `text`, the request-target of a request with `method`. Slices point into `text`, the
 * arena or literals; the arena is untouched when the path needs no change. Faults: bad_target (illegal byte,
 * fragment, userinfo, bad percent-encoding, %00, wrong form for the method), path_above_root, ambiguous_path
 * (".." mixed with encoded separators, empty segments or dot segments of another spelling: no two readings
 * stand for all), method_refused (CONNECT). */
MUST_USE enum fault target_parse(struct slice text, enum method method, struct arena *arena,
                                 struct target *target_out);

#endif
