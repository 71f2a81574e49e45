/*
 * What a client may do on an HTTP/2 connection beyond what nghttp2 bounds itself: budgets for frames that
 * cost their sender nothing (RFC 9113 section 10.5; CVE-2023-44487, CVE-2025-8671, CVE-2019-9511 to 9518),
 * and the names of the reasons why such a connection is ended. Pure arithmetic: knows neither frames nor
 * sockets.
 */
#ifndef PORTICO_CODEC_H2_LIMITS_H
#define PORTICO_CODEC_H2_LIMITS_H

#include "base/slice.h"

#include <stdint.h>

/* Why a connection is ended, from tables/close_reasons.def; CLOSE_NONE is not at all. */
enum close_reason {
    CLOSE_NONE = 0,
#define CLOSE_REASON(name, burst, per_second, sentence) CLOSE_##name,
#include "tables/close_reasons.def"
#undef CLOSE_REASON
    CLOSE_REASON_COUNT
};

/* A row of tables/close_reasons.def. */
struct close_reason_row {
    const char *name;
    const char *sentence;
    uint32_t burst, per_second; /* 0: not a matter of numbers */
};

/* The row of a reason. */
const struct close_reason_row *close_reason_row(enum close_reason reason);

/* The bounds of a connection that are not rates. */
enum {
    H2_STREAMS_MAX = 100,           /* requests at a time; announced in SETTINGS */
    H2_STREAMS_TOTAL_MAX = 100000,  /* requests of a connection; then it is drained */
    H2_STREAM_WINDOW = 65535,       /* bytes of a body under way; no more than a struct body holds */
    H2_CONNECTION_WINDOW = 1 << 20, /* bytes of all bodies under way */
    H2_CONTINUATIONS_MAX = 8,       /* frames */
    H2_TINY_DATA = 64,              /* bytes; a DATA frame with fewer is paid from tiny_data_flood */
    H2_EARNED_MAX = 4096,           /* frames that may be earned before they are taken */
    H2_HEAD_BOMB_FACTOR = 4         /* a head this many times beyond head_max ends the connection */
};

/* The budgets of one connection: for each reason the moment when all that was taken is paid for, and what has
 * been earned besides. All zero is full. */
struct h2_limits {
    uint64_t paid_at_us[CLOSE_REASON_COUNT];
    uint16_t earned[CLOSE_REASON_COUNT]; /* frames */
};

/* Where the reading of frame headers stands; h2_frames_start() makes one. */
struct h2_frames {
    uint32_t skip;       /* bytes until the next frame header */
    uint8_t kind, flags; /* of the frame that began last */
    uint32_t heads;      /* HEADERS frames that have begun */
    uint8_t have;
    unsigned char header[9];
};

/* Whether a head has begun and not ended; RFC 9113 section 4.3 lets nothing else come before it does. */
bool h2_frames_in_head(const struct h2_frames *frames);

/* Begins before the client's preface. */
void h2_frames_start(struct h2_frames *frames);

/* Reads the frame headers in the next received bytes and takes each frame from its budget: nghttp2 tells only
 * of frames that it does not ignore. Gives the first exhausted budget, or CLOSE_NONE. */
enum close_reason h2_limits_charge(struct h2_limits *limits, struct h2_frames *frames, struct slice bytes,
                                   uint64_t now_us);

/* Takes one of what has been earned, else from the budget; false when that is exhausted. */
bool h2_limits_take(struct h2_limits *limits, enum close_reason reason, uint64_t now_us);

/* Earns `count` more, at most H2_EARNED_MAX at a time: what we sent makes honest clients send as much, and
 * much of it may be under way before the first of theirs comes. */
void h2_limits_earn(struct h2_limits *limits, enum close_reason reason, uint32_t count);

#endif
