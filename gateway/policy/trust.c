/*
 * The walk of policy/trust.h (DEPLOYMENTS C5, V11, P10). Called by the exchange once a request; knows no
 * other policy.
 */
#include "policy/trust.h"

static bool is_trusted(const struct config *config, const struct address *address)
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

/* Walks one field's list from the right; false when the walk has ended with it. */
static bool walk(const struct config *config, struct slice list, struct slice *client)
{
    struct slice element;
    while (take_last(&list, &element)) {
        struct address address;
        if (!address_from_literal(element, 0, &address))
            return false;
        *client = element;
        if (!is_trusted(config, &address))
            return false;
    }
    return true;
}

struct trust trust_client(const struct config *config, const struct address *remote, struct slice remote_text,
                          const struct fields *fields)
{
    struct trust trust = {.client = remote_text, .trusted = is_trusted(config, remote)};
    bool going = trust.trusted;
    for (unsigned i = fields->count; going && i > 0; i--) {
        const struct field *field = &fields->at[i - 1];
        if (field->id == FIELD_x_forwarded_for && !(field->marks & FIELD_GONE))
            going = walk(config, field_value(field), &trust.client);
    }
    return trust;
}

struct slice trust_chain(const struct fields *fields, struct arena *arena, struct slice remote_text)
{
    struct slice chain = {NULL, 0};
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        if (field->id != FIELD_x_forwarded_for || (field->marks & FIELD_GONE) || field->value_len == 0)
            continue;
        struct slice value = field_value(field);
        chain = chain.len ? arena_printf(arena, "%.*s, %.*s", SLICE_ARGS(chain), SLICE_ARGS(value)) : value;
    }
    if (chain.len == 0)
        return remote_text;
    return arena_printf(arena, "%.*s, %.*s", SLICE_ARGS(chain), SLICE_ARGS(remote_text));
}
