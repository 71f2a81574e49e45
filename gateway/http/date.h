/*
 * IMF-fixdate (RFC 9110 section 5.6.7), as in the Date field: "Sun, 06 Nov 1994 08:49:37 GMT".
 */
#ifndef PORTICO_HTTP_DATE_H
#define PORTICO_HTTP_DATE_H

#include "base/slice.h"

#include <stdint.h>

/* Length of an IMF-fixdate without terminator. */
enum { HTTP_DATE_LEN = 29 };

/* Writes the date of `seconds` since 1970 (UTC) and a terminator; years 1970 to 9999. */
void http_date_print(int64_t seconds, char text_out[HTTP_DATE_LEN + 1]);

/* A printed date that is printed again only when the second has changed. One thread's; all zero at first. */
struct http_date_cache {
    int64_t seconds;
    char text[HTTP_DATE_LEN + 1];
};

/* The date of `seconds`; the slice points into the cache and changes with its next use. */
struct slice http_date_cached(struct http_date_cache *cache, int64_t seconds);

#endif
