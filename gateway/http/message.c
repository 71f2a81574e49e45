/*
 * Method tokens and what follows from them, for http/message.h. Called by the codecs when a request line or
 * :method is read, and by whoever thinks of sending a request twice.
 */
#include "http/message.h"

static bool is(struct slice token, const char *name)
{
    return memcmp(token.at, name, token.len) == 0;
}

enum method method_of(struct slice token)
{
    switch (token.len) {
    case 3: return is(token, "GET") ? METHOD_GET : is(token, "PUT") ? METHOD_PUT : METHOD_OTHER;
    case 4: return is(token, "POST") ? METHOD_POST : is(token, "HEAD") ? METHOD_HEAD : METHOD_OTHER;
    case 5: return is(token, "PATCH") ? METHOD_PATCH : is(token, "TRACE") ? METHOD_TRACE : METHOD_OTHER;
    case 6: return is(token, "DELETE") ? METHOD_DELETE : METHOD_OTHER;
    case 7:
        return is(token, "OPTIONS") ? METHOD_OPTIONS : is(token, "CONNECT") ? METHOD_CONNECT : METHOD_OTHER;
    default: return METHOD_OTHER;
    }
}

bool method_is_idempotent(enum method method)
{
    switch (method) {
    case METHOD_GET:
    case METHOD_HEAD:
    case METHOD_PUT:
    case METHOD_DELETE:
    case METHOD_OPTIONS:
    case METHOD_TRACE: return true;
    default: return false;
    }
}
