/*
 * The keys of policy/limit_key.h. A part that is missing counts as empty, as a variable does in nginx's
 * limit_req_zone.
 */
#include "policy/limit_key.h"

#include "base/hash.h"

#include <arpa/inet.h>

/* An address as it is counted: IPv6 without the half that its owner may choose. */
enum { IPV6_PREFIX = 8 };

/* A part's bytes; addresses are copied to `storage`. */
struct part {
    char storage[16];
    struct slice bytes;
};

static void take_address(const struct policy_call *call, struct part *part)
{
    struct address address;
    if (!policy_client_address(call, &address))
        return;
    if (address.any.sa_family == AF_INET) {
        memcpy(part->storage, &address.in.sin_addr, sizeof address.in.sin_addr);
        part->bytes = slice_make(part->storage, sizeof address.in.sin_addr);
        return;
    }
    const struct in6_addr *in6 = &address.in6.sin6_addr;
    bool is_mapped = IN6_IS_ADDR_V4MAPPED(in6);
    part->bytes = slice_make(part->storage, is_mapped ? 4 : IPV6_PREFIX);
    memcpy(part->storage, is_mapped ? &in6->s6_addr[12] : in6->s6_addr, part->bytes.len);
}

static struct slice header_value(const struct fields *fields, struct slice name)
{
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        if (!(field->marks & FIELD_GONE) && slice_equal_nocase(field_name(field), name))
            return field_value(field);
    }
    return slice_make(NULL, 0);
}

/* The value of `name` in "a=1; b=2". */
static bool find_cookie(struct slice pairs, struct slice name, struct slice *value_out)
{
    while (pairs.len > 0) {
        const char *end = memchr(pairs.at, ';', pairs.len);
        size_t len = end ? (size_t)(end - pairs.at) : pairs.len;
        struct slice pair = slice_trim(slice_make(pairs.at, len));
        pairs = slice_after(pairs, end ? len + 1 : len);
        if (pair.len > name.len && pair.at[name.len] == '=' && slice_starts_with(pair, name)) {
            *value_out = slice_after(pair, name.len + 1);
            return true;
        }
    }
    return false;
}

/* HTTP/2 may bring the cookies one by one (RFC 9113 section 8.2.3). */
static struct slice cookie_value(const struct fields *fields, struct slice name)
{
    struct slice value = {NULL, 0};
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        bool is_cookie = field->id == FIELD_cookie && !(field->marks & FIELD_GONE);
        if (is_cookie && find_cookie(field_value(field), name, &value))
            return value;
    }
    return value;
}

/* Who has proved who it is; a name that is only claimed counts for nobody. */
static struct slice user_of(const struct policy_call *call)
{
    struct slice subject = stream_told(call->connection)->certificate_subject;
    return subject.len > 0 ? subject : call->user;
}

static void take_part(const struct config_limit_part *rule, const struct policy_call *call, struct part *part)
{
    const struct fields *fields = &call->request->fields;
    part->bytes = slice_make(NULL, 0);
    switch (rule->source) {
    case CONFIG_LIMIT_CLIENT_IP: take_address(call, part); break;
    case CONFIG_LIMIT_HEADER: part->bytes = header_value(fields, rule->name); break;
    case CONFIG_LIMIT_COOKIE: part->bytes = cookie_value(fields, rule->name); break;
    case CONFIG_LIMIT_ROUTE: part->bytes = call->route ? call->route->pattern : SLICE(""); break;
    case CONFIG_LIMIT_HOST: part->bytes = call->authority->host; break;
    case CONFIG_LIMIT_USER: part->bytes = user_of(call); break;
    }
}

/* Routes of two sites may have the same pattern. */
static uint64_t hash_site(const struct policy_call *call, uint64_t hash)
{
    return call->site ? hash_bytes(call->site->hosts[0].name, hash) : hash;
}

bool limit_key(const struct config_limit *limit, const struct policy_call *call, uint64_t seed,
               uint64_t *hash_out)
{
    uint64_t hash = seed;
    size_t len = 0;
    for (uint32_t i = 0; i < limit->part_count; i++) {
        struct part part;
        take_part(&limit->parts[i], call, &part);
        len += part.bytes.len;
        hash = hash_bytes(part.bytes, hash);
        if (limit->parts[i].source == CONFIG_LIMIT_ROUTE)
            hash = hash_site(call, hash);
    }
    *hash_out = hash;
    return len > 0 && len <= LIMIT_KEY_MAX;
}

/* IPv6 as the network that it is counted by. */
static struct slice address_text(struct arena *arena, struct slice bytes)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char whole[16] = {0};
    if (bytes.len > 0)
        memcpy(whole, bytes.at, bytes.len);
    bool is_network = bytes.len == IPV6_PREFIX;
    const char *printed = inet_ntop(is_network ? AF_INET6 : AF_INET, whole, text, sizeof text);
    CHECK(printed != NULL);
    return bytes.len == 0 ? bytes : arena_printf(arena, "%s%s", text, is_network ? "/64" : "");
}

struct slice limit_key_text(const struct config_limit *limit, const struct policy_call *call)
{
    enum { SHOWN_MAX = 64 };
    struct slice text = SLICE("");
    for (uint32_t i = 0; i < limit->part_count; i++) {
        struct part part;
        take_part(&limit->parts[i], call, &part);
        bool is_address = limit->parts[i].source == CONFIG_LIMIT_CLIENT_IP;
        struct slice shown = is_address ? address_text(call->arena, part.bytes) : part.bytes;
        shown = shown.len == 0 ? SLICE("none")
                               : slice_make(shown.at, shown.len < SHOWN_MAX ? shown.len : SHOWN_MAX);
        text = arena_printf(call->arena, "%.*s%s%.*s %.*s", SLICE_ARGS(text), i > 0 ? ", " : "",
                            SLICE_ARGS(limit->parts[i].text.text), SLICE_ARGS(shown));
    }
    return text;
}
