/*
 * host[:port] of RFC 3986 section 3.2, as Host, :authority and the absolute-form carry it. Called for every
 * request, so a host in lower case costs no copy. Stricter than the RFC: no userinfo, no percent-encoding, no
 * sub-delims, no empty port; a name that two parsers may read in two ways must not choose a site (A30). Knows
 * no site and no resolver.
 */
#include "http/authority.h"

#include "http/bytes.h"

#include <arpa/inet.h>

enum { HOST_MAX = 255, PORT_DIGITS_MAX = 5, PORT_MAX = 65535 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One to five digits without a leading zero: ":080" and ":0" are spellings some parser takes for another
 * port. */
static bool parse_port(struct slice text, unsigned *port_out)
{
    unsigned port = 0;
    if (text.len == 0 || text.len > PORT_DIGITS_MAX || text.at[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.at[i]))
            return false;
        port = port * 10 + (unsigned)(text.at[i] - '0');
    }
    if (port > PORT_MAX)
        return false;
    *port_out = port;
    return true;
}

static bool is_ipv6_literal(struct slice bracketed)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t len = bracketed.len - 2;
    if (len >= sizeof text || memchr(bracketed.at, '\0', bracketed.len))
        return false;
    memcpy(text, bracketed.at + 1, len);
    text[len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* host[:port] where the host ends. */
struct cut {
    struct slice host, rest;
    bool has_upper;
};

static bool cut_bracketed(struct slice text, struct cut *cut)
{
    const char *close = memchr(text.at, ']', text.len);
    if (close == NULL)
        return false;
    size_t len = (size_t)(close - text.at) + 1;
    *cut = (struct cut){slice_make(text.at, len), slice_after(text, len),
                        bytes_classes(slice_make(text.at, len)) & BYTE_UPPER};
    return is_ipv6_literal(cut->host);
}

/* Labels of letters, digits, '-' and '_', none of them empty. Addresses in IPv4 are such names too. A
 * trailing dot says that the name is absolute; it is the same host without it. */
static bool cut_name(struct slice text, struct cut *cut)
{
    const char *at = text.at, *end = text.at + text.len;
    unsigned all = 0, pairs = 0, last = BYTE_DOT;
    for (; at < end && byte_is(*at, BYTE_HOST); at++) {
        unsigned classes = byte_classes_of[(unsigned char)*at];
        all |= classes;
        pairs |= classes & last;
        last = classes;
    }
    size_t len = (size_t)(at - text.at), dot = len > 0 && last & BYTE_DOT;
    *cut = (struct cut){slice_make(text.at, len - dot), slice_after(text, len), all & BYTE_UPPER};
    return (pairs & BYTE_DOT) == 0 && len - dot > 0 && len - dot <= HOST_MAX;
}

static struct slice lower_case(struct slice host, struct arena *arena)
{
    char *copy = arena_copy(arena, host);
    for (size_t i = 0; i < host.len; i++)
        copy[i] = ascii_lower(copy[i]);
    return slice_make(copy, host.len);
}

bool authority_parse(struct slice text, struct arena *arena, struct authority *authority_out)
{
    struct cut cut;
    unsigned port = 0;
    if (text.len == 0 || !(text.at[0] == '[' ? cut_bracketed(text, &cut) : cut_name(text, &cut)))
        return false;
    if (cut.rest.len > 0 && (cut.rest.at[0] != ':' || !parse_port(slice_after(cut.rest, 1), &port)))
        return false;
    authority_out->host = cut.has_upper ? lower_case(cut.host, arena) : cut.host;
    authority_out->port = port;
    return true;
}
