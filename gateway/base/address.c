/*
 * The texts and comparisons of base/address.h. Numbers are read strictly (no signs, no leading zeros, no
 * other bases), so that a configuration means one thing. inet_pton reads the literals; they are printed here,
 * for a client's is printed once a request. Nothing here resolves.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { PORT_MAX = 65535, MAPPED_BITS = 96 };

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool parse_decimal(struct slice text, unsigned most, unsigned *number_out)
{
    unsigned number = 0;
    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.at[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text.at[i] - '0');
    }
    if (number > most)
        return false;
    *number_out = number;
    return true;
}

static bool pton(int family, struct slice text, void *bytes_out)
{
    char terminated[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof terminated || memchr(text.at, '\0', text.len))
        return false;
    memcpy(terminated, text.at, text.len);
    terminated[text.len] = '\0';
    return inet_pton(family, terminated, bytes_out) == 1;
}

static bool is_host_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = ascii_lower(name.at[i]);
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alphanumeric && c != '-' && c != '.' && c != '_')
            return false;
    }
    return true;
}

static bool parse_unix_name(struct slice path, struct endpoint_name *name_out)
{
    if (path.len == 0 || path.at[0] != '/')
        return false;
    *name_out = (struct endpoint_name){.host = path, .is_unix = true};
    return true;
}

bool endpoint_name_parse(struct slice text, struct endpoint_name *name_out)
{
    struct endpoint_name name = {.port = 0};
    if (slice_starts_with(text, SLICE("unix:")))
        return parse_unix_name(slice_after(text, 5), name_out);
    const char *colon = text.len ? memrchr(text.at, ':', text.len) : NULL;
    if (colon == NULL)
        return false;
    name.host = slice_make(text.at, (size_t)(colon - text.at));
    struct slice port = slice_after(text, name.host.len + 1);
    if (!parse_decimal(port, PORT_MAX, &name.port) || name.port == 0)
        return false;
    struct in6_addr ignored;
    bool bracketed = name.host.len > 2 && name.host.at[0] == '[' && name.host.at[name.host.len - 1] == ']';
    if (bracketed)
        name.host = slice_make(name.host.at + 1, name.host.len - 2);
    if (bracketed ? !pton(AF_INET6, name.host, &ignored) : !is_host_name(name.host))
        return false;
    *name_out = name;
    return true;
}

bool address_from_literal(struct slice host, unsigned port, struct address *address_out)
{
    struct address address;
    memset(&address, 0, sizeof address);
    if (port > PORT_MAX)
        return false;
    if (pton(AF_INET, host, &address.in.sin_addr)) {
        address.in.sin_family = AF_INET;
        address.in.sin_port = htons((uint16_t)port);
        address.len = sizeof address.in;
    } else if (pton(AF_INET6, host, &address.in6.sin6_addr)) {
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = htons((uint16_t)port);
        address.len = sizeof address.in6;
    } else {
        return false;
    }
    *address_out = address;
    return true;
}

bool address_from_unix_path(struct slice path, struct address *address_out)
{
    struct address address;
    memset(&address, 0, sizeof address);
    if (path.len == 0 || path.len >= sizeof address.un.sun_path || memchr(path.at, '\0', path.len))
        return false;
    address.un.sun_family = AF_UNIX;
    memcpy(address.un.sun_path, path.at, path.len);
    address.len = sizeof address.un;
    *address_out = address;
    return true;
}

/* The path, empty for the unnamed socket that accept() gives for a client. */
static struct slice unix_path(const struct address *address)
{
    size_t before = offsetof(struct sockaddr_un, sun_path);
    if (address->len <= before)
        return slice_make("", 0);
    size_t room = address->len - before;
    if (room > sizeof address->un.sun_path)
        room = sizeof address->un.sun_path;
    return slice_make(address->un.sun_path, strnlen(address->un.sun_path, room));
}

static size_t put(char *text_out, struct slice text)
{
    memcpy(text_out, text.at, text.len);
    text_out[text.len] = '\0';
    return text.len;
}

struct remote_address address_remote(const struct address *address)
{
    struct remote_address remote = {.any.sa_family = address->any.sa_family};
    if (address->any.sa_family == AF_INET)
        remote.in = address->in;
    else if (address->any.sa_family == AF_INET6)
        remote.in6 = address->in6;
    return remote;
}

struct address address_of_remote(const struct remote_address *remote)
{
    struct address address = {.any.sa_family = remote->any.sa_family, .len = sizeof(sa_family_t)};
    if (remote->any.sa_family == AF_INET)
        address.in = remote->in, address.len = sizeof remote->in;
    else if (remote->any.sa_family == AF_INET6)
        address.in6 = remote->in6, address.len = sizeof remote->in6;
    return address;
}

static char *print_octet(char *at, unsigned octet)
{
    bool has_tens = octet >= 10;
    if (octet >= 100) {
        *at++ = (char)('0' + octet / 100);
        octet %= 100;
    }
    if (has_tens) {
        *at++ = (char)('0' + octet / 10);
        octet %= 10;
    }
    *at++ = (char)('0' + octet);
    return at;
}

static char *print_ipv4(char *at, const unsigned char bytes[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *at++ = '.';
        at = print_octet(at, bytes[i]);
    }
    return at;
}

static char *print_group(char *at, unsigned group)
{
    for (int shift = group > 0xfff ? 12 : group > 0xff ? 8 : group > 0xf ? 4 : 0; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[group >> shift & 0xf];
    return at;
}

/* The first of the longest runs of two zeros and more (RFC 5952 section 4.2). */
static void find_zeros(const unsigned groups[8], int *start_out, int *count_out)
{
    *start_out = *count_out = 0;
    for (int start = 0, end; start < 8; start = end + 1) {
        for (end = start; end < 8 && groups[end] == 0; end++)
            continue;
        if (end - start > *count_out && end - start > 1)
            *start_out = start, *count_out = end - start;
    }
}

/* As inet_ntop() does: an IPv4 address in it stays one. */
static char *print_ipv6(char *at, const unsigned char bytes[16])
{
    unsigned groups[8];
    int start, count;
    for (int i = 0; i < 8; i++)
        groups[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
    find_zeros(groups, &start, &count);
    bool has_ipv4 = start == 0 && (count == 6 || (count == 5 && groups[5] == 0xffff));
    int last = has_ipv4 ? 6 : 8;
    for (int i = 0; i < last; i++) {
        bool is_zeros = count > 0 && i == start;
        if (i > 0 || is_zeros)
            *at++ = ':';
        if (is_zeros)
            i += count - 1;
        else
            at = print_group(at, groups[i]);
    }
    if (has_ipv4 || (count > 0 && start + count == 8))
        *at++ = ':';
    return has_ipv4 ? print_ipv4(at, bytes + 12) : at;
}

/* Where the bytes of an IPv4 or IPv6 address lie. */
static const unsigned char *host_bytes(const struct sockaddr *address)
{
    const void *of_family = address;
    if (address->sa_family == AF_INET)
        return (const unsigned char *)&((const struct sockaddr_in *)of_family)->sin_addr;
    return ((const struct sockaddr_in6 *)of_family)->sin6_addr.s6_addr;
}

size_t address_print_host(const struct sockaddr *address, char text_out[ADDRESS_HOST_MAX])
{
    char *end;
    switch (address->sa_family) {
    case AF_INET: end = print_ipv4(text_out, host_bytes(address)); break;
    case AF_INET6: end = print_ipv6(text_out, host_bytes(address)); break;
    case AF_UNIX: return put(text_out, SLICE("unix:"));
    default: return put(text_out, SLICE("unknown"));
    }
    *end = '\0';
    return (size_t)(end - text_out);
}

size_t address_print(const struct address *address, char text_out[ADDRESS_TEXT_MAX])
{
    char host[ADDRESS_TEXT_MAX];
    address_print_host(&address->any, host);
    int len = 0;
    if (address->any.sa_family == AF_UNIX)
        len = snprintf(text_out, ADDRESS_TEXT_MAX, "unix:%.*s", SLICE_ARGS(unix_path(address)));
    else
        len = snprintf(text_out, ADDRESS_TEXT_MAX,
                       address->any.sa_family == AF_INET6 ? "[%.64s]:%u" : "%.64s:%u", host,
                       address_port(address));
    return (size_t)len;
}

unsigned address_port(const struct address *address)
{
    switch (address->any.sa_family) {
    case AF_INET: return ntohs(address->in.sin_port);
    case AF_INET6: return ntohs(address->in6.sin6_port);
    default: return 0;
    }
}

bool address_is_loopback(const struct address *address)
{
    switch (address->any.sa_family) {
    case AF_INET: return ntohl(address->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    case AF_INET6: return IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr);
    default: return false;
    }
}

bool address_equal(const struct address *a, const struct address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    switch (a->any.sa_family) {
    case AF_INET: return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    case AF_INET6:
        return a->in6.sin6_port == b->in6.sin6_port && a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
               IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
    case AF_UNIX: return slice_equal(unix_path(a), unix_path(b));
    default: return false;
    }
}

static void map_ipv4(const void *four, unsigned char bytes_out[16])
{
    memcpy(bytes_out, mapped_prefix, sizeof mapped_prefix);
    memcpy(bytes_out + sizeof mapped_prefix, four, 4);
}

/* Whether the first `bits` bits are the same. */
static bool same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* Whether any bit behind the first `bits` is set. */
static bool has_host_bits(const unsigned char bytes[16], unsigned bits)
{
    for (unsigned bit = bits; bit < 128; bit++)
        if (bytes[bit / 8] & (0x80u >> bit % 8))
            return true;
    return false;
}

bool network_parse(struct slice text, struct network *network_out, bool *host_bits_out)
{
    struct network network = {.bits = 0};
    unsigned char four[4];
    const char *slash = text.len ? memchr(text.at, '/', text.len) : NULL;
    struct slice address = slice_make(text.at, slash ? (size_t)(slash - text.at) : text.len);
    unsigned skipped = 0;
    if (pton(AF_INET, address, four)) {
        map_ipv4(four, network.bytes);
        skipped = MAPPED_BITS;
    } else if (!pton(AF_INET6, address, network.bytes)) {
        return false;
    }
    unsigned bits = 128 - skipped;
    if (slash && !parse_decimal(slice_after(text, address.len + 1), bits, &bits))
        return false;
    network.bits = bits + skipped;
    *network_out = network;
    *host_bits_out = has_host_bits(network.bytes, network.bits);
    return true;
}

bool address_bytes(const struct sockaddr *address, unsigned char bytes_out[16])
{
    if (address->sa_family == AF_INET)
        map_ipv4(host_bytes(address), bytes_out);
    else if (address->sa_family == AF_INET6)
        memcpy(bytes_out, host_bytes(address), 16);
    else
        return false;
    return true;
}

/* An IPv4 address lies in IPv4 networks only: "::/0" is every IPv6 address, although IPv4 is kept as mapped
 * IPv6. */
bool network_contains(const struct network *network, const struct sockaddr *address)
{
    unsigned char bytes[16];
    if (!address_bytes(address, bytes))
        return false;
    bool is_ipv4 = same_prefix(bytes, mapped_prefix, MAPPED_BITS);
    if (is_ipv4 && network->bits < MAPPED_BITS)
        return false;
    return same_prefix(network->bytes, bytes, network->bits);
}
