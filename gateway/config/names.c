/*
 * The rules of config/names.h. They are stricter than what a request may hold: a pattern that no canonical
 * path can ever equal is a mistake of its writer and is refused here, not found out in production.
 */
#include "config/names.h"

#include "base/address.h"

#include <stdint.h>

enum { NAME_MAX_LENGTH = 253, LABEL_MAX = 63, OWN_NAME_MAX = 64 };

static bool is_name_char(char c)
{
    c = ascii_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* One label at the front of `name`; its length, 0 when it is none. */
static size_t label_length(struct slice name)
{
    size_t length = 0;
    while (length < name.len && is_name_char(name.at[length]))
        length++;
    bool bad = length > LABEL_MAX || name.at[0] == '-' || (length > 0 && name.at[length - 1] == '-');
    return bad ? 0 : length;
}

static bool is_dns_name(struct slice name)
{
    if (name.len == 0 || name.len > NAME_MAX_LENGTH)
        return false;
    for (;;) {
        size_t length = label_length(name);
        if (length == 0)
            return false;
        if (length == name.len)
            return true;
        if (name.at[length] != '.' || length + 1 == name.len)
            return false;
        name = slice_after(name, length + 1);
    }
}

/* Four numbers and nothing else: an address, or a mistake, but never a name. */
static bool is_numeric(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] != '.' && (name.at[i] < '0' || name.at[i] > '9'))
            return false;
    return name.len > 0;
}

static bool has(struct slice text, const char *part)
{
    return text.len > 0 && memmem(text.at, text.len, part, strlen(part)) != NULL;
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] >= 0x80)
            return false;
    return true;
}

static const char *explain_host(struct slice host)
{
    if (host.len == 0)
        return "a host must not be empty; \"*\" stands for any";
    if (!is_ascii(host))
        return "a host is written in ASCII, as browsers send it (xn--...)";
    if (has(host, "://") || has(host, "/"))
        return "a host is written without scheme and path, as example.com";
    if (has(host, ":"))
        return "a host is written without port (listen has the ports)";
    if (has(host, "*"))
        return "\"*\" stands alone or for the first labels, as *.example.com";
    if (host.at[host.len - 1] == '.')
        return "a host is written without the dot at its end";
    return "not a host name";
}

static bool is_bracketed_ipv6(struct slice host)
{
    struct address ignored;
    return host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']' &&
           address_from_literal(slice_make(host.at + 1, host.len - 2), 0, &ignored) &&
           ignored.any.sa_family == AF_INET6;
}

const char *names_check_host(struct slice host)
{
    struct address ignored;
    if (slice_equal(host, SLICE("*")) || is_bracketed_ipv6(host))
        return NULL;
    struct slice name = slice_starts_with(host, SLICE("*.")) ? slice_after(host, 2) : host;
    if (is_numeric(name) && !address_from_literal(host, 0, &ignored))
        return "not an IPv4 address";
    return is_dns_name(name) ? NULL : explain_host(host);
}

const char *names_check_server(struct slice host)
{
    struct address ignored;
    if (address_from_literal(host, 0, &ignored))
        return NULL;
    return is_dns_name(host) && !is_numeric(host) ? NULL : "not a host name or an address";
}

const char *names_check_name(struct slice name)
{
    if (name.len == 0 || name.len > OWN_NAME_MAX)
        return "a name has 1 to 64 characters";
    for (size_t i = 0; i < name.len; i++)
        if (!is_name_char(name.at[i]) && name.at[i] != '.')
            return "a name is made of letters, digits, '-', '_' and '.'";
    return NULL;
}

bool names_is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.at[i]);
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return text.len > 0;
}

static int hex_digit(char c)
{
    c = ascii_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "%XX" at the front of `text` stands for, or -1. */
static int decode(struct slice text)
{
    int high = text.len > 2 ? hex_digit(text.at[1]) : -1, low = text.len > 2 ? hex_digit(text.at[2]) : -1;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static const char *check_byte(int byte, bool is_encoded)
{
    if (byte < 0)
        return "\"%\" must be followed by two hexadecimal digits";
    if (byte == '\\' || (is_encoded && byte == '/'))
        return "a path must not hold a backslash or an encoded slash; requests with them are refused";
    if (byte < 0x20 || byte == 0x7f)
        return "a path must not hold control characters";
    if (!is_encoded && (byte == '?' || byte == '#'))
        return "a path holds no \"?\" or \"#\"; routes do not compare the query";
    return NULL;
}

/* Whether some segment of the path is "." or "..". */
static bool has_dot_segment(struct slice path)
{
    while (path.len > 0) {
        struct slice segment = slice_after(path, 1);
        const char *end = segment.len ? memchr(segment.at, '/', segment.len) : NULL;
        segment.len = end ? (size_t)(end - segment.at) : segment.len;
        if (slice_equal(segment, SLICE(".")) || slice_equal(segment, SLICE("..")))
            return true;
        path = slice_after(path, segment.len + 1);
    }
    return false;
}

const char *names_canonical_path(struct arena *arena, struct slice path, struct slice *canonical_out)
{
    if (path.len == 0 || path.at[0] != '/')
        return "a path begins with \"/\"";
    char *canonical = arena_alloc(arena, path.len + 1);
    size_t used = 0;
    while (path.len > 0) {
        bool is_encoded = path.at[0] == '%';
        int byte = is_encoded ? decode(path) : (unsigned char)path.at[0];
        const char *problem = check_byte(byte, is_encoded);
        if (problem)
            return problem;
        canonical[used++] = (char)byte;
        path = slice_after(path, is_encoded ? 3 : 1);
    }
    canonical[used] = '\0';
    if (has_dot_segment(slice_make(canonical, used)))
        return "a path must not hold \".\" or \"..\" segments; they are resolved before routes are compared";
    *canonical_out = slice_make(canonical, used);
    return NULL;
}

const char *names_check_field_value(struct slice value)
{
    if (value.len == 0)
        return "a field has a value";
    if (memchr(value.at, '\n', value.len) || memchr(value.at, '\r', value.len))
        return "a field holds no line break; a text of several lines begins with \">-\"";
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.at[i] < 0x20 || (unsigned char)value.at[i] >= 0x7f)
            return "a field holds printable ASCII only";
    if (value.at[0] == ' ' || value.at[value.len - 1] == ' ')
        return "a field neither begins nor ends with a blank";
    return NULL;
}
