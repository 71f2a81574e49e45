/*
 * One request or response head, of no particular HTTP version (RFC 9110 section 6). Filled by a codec,
 * changed by the exchange and the policies, written by another codec. All slices live in the exchange's arena
 * or in the block that the codec keeps for it. Framing is a property of the message: no codec forwards the
 * other side's framing fields.
 */
#ifndef PORTICO_HTTP_MESSAGE_H
#define PORTICO_HTTP_MESSAGE_H

#include "http/authority.h"
#include "http/fields.h"

/* Methods that some rule asks about; every other token is METHOD_OTHER and passes through. */
enum method {
    METHOD_OTHER = 0,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_PATCH,
    METHOD_CONNECT,
    METHOD_TRACE
};

/* How the end of a message's content is known (RFC 9112 section 6.3). */
enum framing_kind {
    FRAMING_NONE = 0,    /* no content follows */
    FRAMING_LENGTH,      /* exactly `length` bytes, length > 0 */
    FRAMING_STREAM,      /* until the sender says so: chunked in HTTP/1.1, END_STREAM in HTTP/2 */
    FRAMING_UNTIL_CLOSE, /* a response that ends with its connection */
    FRAMING_TUNNEL       /* not HTTP any more: a verified 101 or a 2xx to CONNECT */
};

/* The framing of one message. */
struct framing {
    enum framing_kind kind;
    bool has_length; /* Content-Length was given; also with FRAMING_NONE: HEAD, 304, and 0 */
    uint64_t length;
};

/* A request or response head. Request members are empty in a response and the other way round. */
struct message {
    enum method method;
    struct slice method_text;
    struct slice target;    /* request-target, byte for byte as received (RFC 9112 section 3.2) */
    struct slice authority; /* host[:port] from the absolute-form target, else from Host (or :authority); may
                               be empty */
    struct authority split; /* `authority`, split; all empty when that is */
    unsigned status;
    struct slice reason;   /* as the upstream sent it; may be empty */
    uint8_t version;       /* as received, 10 * major + minor: 10, 11 or 20; for the record */
    uint8_t version_minor; /* of HTTP/1.x as received; 1 for HTTP/2 */
    bool
        keep_alive; /* received: the sender lets the connection live on (RFC 9112 section 9.3); sent: we do */
    bool expects_continue; /* Expect: 100-continue */
    bool wants_upgrade; /* a well-formed WebSocket upgrade request, or a 101 response with Upgrade: websocket
                         */
    bool needs_upgrade; /* an extended CONNECT: any success would say that the tunnel is open (RFC 8441
                           section 5) */
    struct framing framing;
    struct fields fields;
};

/* The method of a token, METHOD_OTHER when no rule names it. Methods are case-sensitive (RFC 9110
 * section 9.1). */
enum method method_of(struct slice token);

/* Whether repeating the request has the effect of sending it once (RFC 9110 section 9.2.2). METHOD_OTHER does
 * not. */
bool method_is_idempotent(enum method method);

#endif
