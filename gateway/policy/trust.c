/*
 * The walk of policy/trust.h (DEPLOYMENTS C5, V11, P10). Called by the exchange once a request; knows no
 * other policy.
 */
#include "policy/trust.h"

#include "policy/forwarded.h"

static bool is_trusted(const struct config *config, const struct sockaddr *address)
{
    for (uint32_t i = 0; i < config->trusted_proxy_count; i++)
        if (network_contains(&config->trusted_proxies[i], address))
            return true;
    return false;
}

/* Takes the last element off a comma-separated list. */
static bool take_last(struct slice *list, struct slice *element_out)
{
    if (list->len == 0)
        return false;
    const char *comma = memrchr(list->at, ',', list->len);
    size_t start = comma ? (size_t)(comma - list->at) + 1 : 0;
    *element_out = slice_trim(slice_after(*list, start));
    list->len = comma ? start - 1 : 0;
    return true;
}

/* A walk from the right: how many addresses may still be taken, and what it has found. */
struct walk {
    const struct config *config;
    uint32_t hops_left;
    struct trust *trust;
};

/* Takes an address; false when the walk has ended with it. */
static bool step(struct walk *walk, struct slice text)
{
    struct address address;
    if (!address_from_literal(text, 0, &address))
        return false;
    walk->trust->client = text;
    if (walk->config->trusted_hops > 0)
        return --walk->hops_left > 0;
    return is_trusted(walk->config, &address.any);
}

static bool walk_list(struct walk *walk, struct slice list)
{
    struct slice element;
    while (take_last(&list, &element))
        if (!step(walk, element))
            return false;
    return true;
}

/* The proto is that of the element that names the client. */
static bool walk_forwarded(struct walk *walk, struct slice text)
{
    struct forwarded_hop hops[FORWARDED_HOPS_MAX];
    unsigned count;
    if (!forwarded_parse(text, hops, &count))
        return false;
    for (unsigned i = count; i > 0; i--) {
        struct slice before = walk->trust->client;
        bool going = step(walk, hops[i - 1].client);
        if (walk->trust->client.at != before.at)
            walk->trust->proto = hops[i - 1].proto;
        if (!going)
            return false;
    }
    return true;
}

struct trust trust_client(const struct config *config, const struct sockaddr *remote,
                          struct slice remote_text, const struct fields *fields)
{
    struct trust trust = {.client = remote_text, .trusted = is_trusted(config, remote)};
    struct walk walk = {config, config->trusted_hops, &trust};
    if (!trust.trusted)
        return trust;
    enum field_id id = fields_find(fields, FIELD_x_forwarded_for) ? FIELD_x_forwarded_for : FIELD_forwarded;
    bool going = true;
    for (unsigned i = fields->count; going && i > 0; i--) {
        const struct field *field = &fields->at[i - 1];
        if (field->id != id || (field->marks & FIELD_GONE))
            continue;
        going = id == FIELD_forwarded ? walk_forwarded(&walk, field_value(field))
                                      : walk_list(&walk, field_value(field));
    }
    const struct field *proto = fields_find(fields, FIELD_x_forwarded_proto);
    if (proto)
        trust.proto = field_value(proto);
    return trust;
}

struct slice trust_chain(const struct fields *fields, struct arena *arena, struct slice client,
                         struct slice remote_text)
{
    struct slice chain = {NULL, 0};
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        if (field->id != FIELD_x_forwarded_for || (field->marks & FIELD_GONE) || field->value_len == 0)
            continue;
        struct slice value = field_value(field);
        chain = chain.len ? arena_printf(arena, "%.*s, %.*s", SLICE_ARGS(chain), SLICE_ARGS(value)) : value;
    }
    if (chain.len == 0 && slice_equal(client, remote_text))
        return remote_text;
    if (chain.len == 0)
        chain = client;
    return arena_printf(arena, "%.*s, %.*s", SLICE_ARGS(chain), SLICE_ARGS(remote_text));
}
