/*
 * The parser of net/proxy_protocol.h, after "The PROXY protocol, versions 1 & 2" (HAProxy). Called by
 * codec/opening.c with all bytes that have come so far, each time from the start. Strict: a header that is
 * not exactly what the document says is no header (A47).
 */
#include "net/proxy_protocol.h"

#include <arpa/inet.h>

enum { V1_MAX = 107, V2_FIXED = 16, PORT_MAX = 65535 };

static const unsigned char V2_SIGNATURE[12] = {'\r', '\n', '\r', '\n', '\0', '\r',
                                               '\n', 'Q',  'U',  'I',  'T',  '\n'};

/* --- version 1, a line of text --- */

/* The next word of the line, one blank behind it. */
static bool next_word(struct slice *line, struct slice *word_out)
{
    const char *blank = line->len ? memchr(line->at, ' ', line->len) : NULL;
    size_t len = blank ? (size_t)(blank - line->at) : line->len;
    *word_out = slice_make(line->at, len);
    *line = slice_after(*line, blank ? len + 1 : len);
    return len > 0;
}

static bool read_port(struct slice text, unsigned *port_out)
{
    unsigned port = 0;
    bool is_number = text.len > 0 && text.len <= 5 && (text.at[0] != '0' || text.len == 1);
    for (size_t i = 0; i < text.len && is_number; i++) {
        is_number = text.at[i] >= '0' && text.at[i] <= '9';
        port = 10 * port + (unsigned)(text.at[i] - '0');
    }
    *port_out = port;
    return is_number && port <= PORT_MAX;
}

/* "1.2.3.4 5.6.7.8 1000 443" */
static bool read_addresses(struct slice line, int family, struct address *source_out)
{
    struct slice from, to, from_port, to_port;
    struct address target;
    unsigned port = 0, ignored = 0;
    bool four = next_word(&line, &from) && next_word(&line, &to) && next_word(&line, &from_port) &&
                next_word(&line, &to_port) && line.len == 0;
    return four && read_port(from_port, &port) && read_port(to_port, &ignored) &&
           address_from_literal(from, port, source_out) && address_from_literal(to, 0, &target) &&
           source_out->any.sa_family == family && target.any.sa_family == family;
}

static enum proxy_result parse_v1(struct slice bytes, struct proxy_header *header_out)
{
    struct proxy_header header = {.has_source = true};
    size_t window = bytes.len < V1_MAX ? bytes.len : V1_MAX;
    const char *end = memchr(bytes.at, '\n', window);
    if (end == NULL)
        return bytes.len < V1_MAX ? PROXY_MORE : PROXY_BAD;
    header.len = (size_t)(end - bytes.at) + 1;
    if (end[-1] != '\r')
        return PROXY_BAD;
    struct slice line = slice_make(bytes.at + 6, header.len - 8), protocol;
    if (!next_word(&line, &protocol))
        return PROXY_BAD;
    if (slice_equal(protocol, SLICE("UNKNOWN")))
        header.has_source = false;
    else if (slice_equal(protocol, SLICE("TCP4")) && !read_addresses(line, AF_INET, &header.source))
        return PROXY_BAD;
    else if (slice_equal(protocol, SLICE("TCP6")) && !read_addresses(line, AF_INET6, &header.source))
        return PROXY_BAD;
    else if (!slice_starts_with(protocol, SLICE("TCP")) || protocol.len != 4)
        return PROXY_BAD;
    else if (protocol.at[3] != '4' && protocol.at[3] != '6')
        return PROXY_BAD;
    *header_out = header;
    return PROXY_DONE;
}

/* --- version 2, binary --- */

static unsigned number16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* The source of a PROXY command. False when the length does not fit the family. */
static bool read_v2_source(const unsigned char *bytes, size_t len, struct proxy_header *header)
{
    const unsigned char *body = bytes + V2_FIXED;
    struct address *source = &header->source;
    switch (bytes[13]) {
    case 0x11: /* TCP over IPv4 */
        if (len < 12)
            return false;
        *source = (struct address){.in = {.sin_family = AF_INET}, .len = sizeof source->in};
        memcpy(&source->in.sin_addr, body, 4);
        source->in.sin_port = htons((uint16_t)number16(body + 8));
        header->has_source = true;
        return true;
    case 0x21: /* TCP over IPv6 */
        if (len < 36)
            return false;
        *source = (struct address){.in6 = {.sin6_family = AF_INET6}, .len = sizeof source->in6};
        memcpy(&source->in6.sin6_addr, body, 16);
        source->in6.sin6_port = htons((uint16_t)number16(body + 32));
        header->has_source = true;
        return true;
    case 0x00: /* unspecified, and sockets of the balancer's own machine: nobody we could name */
    case 0x31: return true;
    default: return false;
    }
}

static enum proxy_result parse_v2(struct slice bytes, struct proxy_header *header_out)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    struct proxy_header header = {.has_source = false};
    if (bytes.len < V2_FIXED)
        return PROXY_MORE;
    size_t len = number16(at + 14);
    header.len = V2_FIXED + len;
    bool is_proxy = at[12] == 0x21, is_local = at[12] == 0x20;
    if ((!is_proxy && !is_local) || header.len > PROXY_HEADER_MAX)
        return PROXY_BAD;
    if (bytes.len < header.len)
        return PROXY_MORE;
    if (is_proxy && !read_v2_source(at, len, &header))
        return PROXY_BAD;
    *header_out = header;
    return PROXY_DONE;
}

static bool begins(struct slice bytes, const void *with, size_t len)
{
    return memcmp(bytes.at, with, bytes.len < len ? bytes.len : len) == 0;
}

enum proxy_result proxy_protocol_parse(struct slice bytes, struct proxy_header *header_out)
{
    if (bytes.len == 0)
        return PROXY_MORE;
    if (begins(bytes, V2_SIGNATURE, sizeof V2_SIGNATURE))
        return bytes.len < sizeof V2_SIGNATURE ? PROXY_MORE : parse_v2(bytes, header_out);
    if (begins(bytes, "PROXY ", 6))
        return bytes.len < 6 ? PROXY_MORE : parse_v1(bytes, header_out);
    return PROXY_BAD;
}
