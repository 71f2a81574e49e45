/*
 * Everything worth logging about one exchange, filled by the exchange as it goes and read once at its end.
 * Slices live in the exchange's arena or in its snapshot. Times are microseconds from the exchange's
 * beginning; 0 means that the moment never came. Nobody decides anything from a record.
 */
#ifndef PORTICO_OBSERVE_RECORD_H
#define PORTICO_OBSERVE_RECORD_H

#include "base/fault.h"
#include "base/slice.h"

#include <stdint.h>

/* Hexadecimal digits of the ids we make. */
enum { REQUEST_ID_LEN = 32 };

/* One exchange, as the access log tells it. */
struct record {
    uint64_t begun_wall_us; /* since 1970 */
    struct slice request_id;
    struct slice client; /* address of the client, after the trust walk */
    struct slice user;   /* whose password was right; empty when none was asked for */
    struct slice method;
    struct slice host;                    /* as the client named it; empty when it did not */
    struct slice target;                  /* raw; secrets in the query are redacted when printed */
    struct slice tls_version, tls_cipher; /* of the client's connection; empty without TLS */
    struct slice tls_name;                /* that its handshake asked for; empty when it asked for none */
    struct slice referer;
    struct slice user_agent;
    struct slice route;                /* the route's pattern; empty before routing */
    struct slice site;                 /* first host of the site */
    struct slice upstream;             /* name */
    struct slice endpoint;             /* address that was used last */
    struct slice limit, limit_outcome; /* name, "PASSED"; empty when no limit was asked */
    uint64_t bytes_in, bytes_out;      /* content bytes from and to the client */
    uint64_t queue_us;                 /* waited for a connection, when they are bounded */
    uint64_t connect_us;               /* connection to the endpoint stood, or was taken from the pool */
    uint64_t first_byte_us;            /* response head arrived from the upstream */
    uint64_t upload_us;                /* request content had passed */
    uint64_t total_us;                 /* everything had passed */
    unsigned status;                   /* sent to the client; 499 when it left before */
    unsigned attempts;                 /* connections tried or taken */
    uint8_t version_minor;             /* of HTTP/1.x; 20 means HTTP/2 */
    bool reused;                       /* the outbound connection had carried an exchange before */
    bool tunneled;                     /* became a tunnel */
    enum fault cause;                  /* FAULT_NONE: all went well */
    enum fault detail;                 /* the parser's fault behind upstream_malformed */
};

#endif
