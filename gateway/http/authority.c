/*
 * host[:port] of RFC 3986 section 3.2, as Host, :authority and the absolute-form carry it. Called for every
 * request, so a host in lower case costs no copy. Stricter than the RFC: no userinfo, no percent-encoding, no
 * sub-delims, no empty port; a name that two parsers may read in two ways must not choose a site (A30). Knows
 * no site and no resolver.
 */
#include "http/target.h"

#include <arpa/inet.h>

enum { HOST_MAX = 255, PORT_DIGITS_MAX = 5, PORT_MAX = 65535 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_byte(char c)
{
    char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || is_digit(c) || c == '-' || c == '_';
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

/* Labels of letters, digits, '-' and '_', none of them empty. Addresses in IPv4 are such names too. */
static bool is_reg_name(struct slice name)
{
    bool in_label = false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] != '.' && !is_name_byte(name.at[i]))
            return false;
        if (name.at[i] == '.' && !in_label)
            return false;
        in_label = name.at[i] != '.';
    }
    return in_label && name.len <= HOST_MAX;
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

static bool split_bracketed(struct slice text, struct slice *host_out, struct slice *rest_out)
{
    const char *close = memchr(text.at, ']', text.len);
    if (close == NULL)
        return false;
    size_t len = (size_t)(close - text.at) + 1;
    *host_out = slice_make(text.at, len);
    *rest_out = slice_after(text, len);
    return is_ipv6_literal(*host_out);
}

/* A trailing dot says that the name is absolute; it is the same host without it. */
static bool split_name(struct slice text, struct slice *host_out, struct slice *rest_out)
{
    const char *colon = memchr(text.at, ':', text.len);
    struct slice name = slice_make(text.at, colon ? (size_t)(colon - text.at) : text.len);
    *rest_out = slice_after(text, name.len);
    if (name.len > 0 && name.at[name.len - 1] == '.')
        name.len--;
    *host_out = name;
    return is_reg_name(name);
}

static struct slice lower_case(struct slice host, struct arena *arena)
{
    size_t i = 0;
    while (i < host.len && host.at[i] == ascii_lower(host.at[i]))
        i++;
    if (i == host.len)
        return host;
    char *copy = arena_copy(arena, host);
    for (; i < host.len; i++)
        copy[i] = ascii_lower(copy[i]);
    return slice_make(copy, host.len);
}

bool authority_parse(struct slice text, struct arena *arena, struct authority *authority_out)
{
    struct authority authority = {.port = 0};
    struct slice rest;
    if (text.len == 0)
        return false;
    bool split = text.at[0] == '[' ? split_bracketed(text, &authority.host, &rest)
                                   : split_name(text, &authority.host, &rest);
    if (!split)
        return false;
    if (rest.len > 0 && (rest.at[0] != ':' || !parse_port(slice_after(rest, 1), &authority.port)))
        return false;
    authority.host = lower_case(authority.host, arena);
    *authority_out = authority;
    return true;
}
