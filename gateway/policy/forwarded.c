/*
 * The reading and writing of policy/forwarded.h. What comes from proxies is read as strictly as what comes
 * from clients: a list that does not follow the grammar says nothing at all.
 */
#include "policy/forwarded.h"

#include "http/bytes.h"

/* --- reading --- */

static void skip_blanks(struct slice *rest)
{
    while (rest->len > 0 && (rest->at[0] == ' ' || rest->at[0] == '\t'))
        *rest = slice_after(*rest, 1);
}

static bool take_byte(struct slice *rest, char c)
{
    if (rest->len == 0 || rest->at[0] != c)
        return false;
    *rest = slice_after(*rest, 1);
    return true;
}

static bool take_token(struct slice *rest, struct slice *token_out)
{
    const char *end = bytes_skip(rest->at, rest->at + rest->len, BYTE_TOKEN);
    *token_out = slice_make(rest->at, (size_t)(end - rest->at));
    *rest = slice_after(*rest, token_out->len);
    return token_out->len > 0;
}

/* What stands between the quotes, escapes included: no address has any. */
static bool take_quoted(struct slice *rest, struct slice *text_out)
{
    size_t i = 1;
    while (i < rest->len && rest->at[i] != '"')
        i += rest->at[i] == '\\' ? 2 : 1;
    if (i >= rest->len)
        return false;
    *text_out = slice_make(rest->at + 1, i - 1);
    *rest = slice_after(*rest, i + 1);
    return true;
}

/* "192.0.2.1:80" and "[2001:db8::1]:80" without port and brackets (RFC 7239 section 6). */
static struct slice node_address(struct slice node)
{
    const char *close = node.len > 0 && node.at[0] == '[' ? memchr(node.at, ']', node.len) : NULL;
    if (close)
        return slice_make(node.at + 1, (size_t)(close - node.at) - 1);
    const char *colon = node.len > 0 ? memchr(node.at, ':', node.len) : NULL;
    return colon ? slice_make(node.at, (size_t)(colon - node.at)) : node;
}

/* name=value; nobody says the same twice in one element (section 4). */
static bool take_pair(struct slice *rest, struct forwarded_hop *hop)
{
    struct slice name, value;
    if (!take_token(rest, &name) || !take_byte(rest, '='))
        return false;
    bool quoted = rest->len > 0 && rest->at[0] == '"';
    if (!(quoted ? take_quoted(rest, &value) : take_token(rest, &value)))
        return false;
    struct slice *member = slice_equal_nocase(name, SLICE("for"))     ? &hop->client
                           : slice_equal_nocase(name, SLICE("proto")) ? &hop->proto
                                                                      : NULL;
    if (member == NULL)
        return true;
    bool again = member->at != NULL;
    *member = member == &hop->client ? node_address(value) : value;
    return !again;
}

static bool take_element(struct slice *rest, struct forwarded_hop *hop)
{
    *hop = (struct forwarded_hop){{NULL, 0}, {NULL, 0}};
    do {
        skip_blanks(rest);
        if (!take_pair(rest, hop))
            return false;
        skip_blanks(rest);
    } while (take_byte(rest, ';'));
    return true;
}

bool forwarded_parse(struct slice text, struct forwarded_hop hops_out[FORWARDED_HOPS_MAX],
                     unsigned *count_out)
{
    unsigned count = 0;
    do {
        if (count == FORWARDED_HOPS_MAX || !take_element(&text, &hops_out[count]))
            return false;
        count++;
    } while (take_byte(&text, ','));
    *count_out = count;
    return text.len == 0;
}

/* --- writing --- */

struct slice forwarded_print(struct arena *arena, struct slice client, bool secure, struct slice host)
{
    const char *proto = secure ? "https" : "http";
    bool is_v6 = client.len > 0 && memchr(client.at, ':', client.len) != NULL;
    struct slice node = slice_equal(client, SLICE("unix:")) ? SLICE("unknown")
                        : is_v6 ? arena_printf(arena, "\"[%.*s]\"", SLICE_ARGS(client))
                                : client;
    if (host.len == 0)
        return arena_printf(arena, "for=%.*s;proto=%s", SLICE_ARGS(node), proto);
    return arena_printf(arena, "for=%.*s;host=\"%.*s\";proto=%s", SLICE_ARGS(node), SLICE_ARGS(host), proto);
}
