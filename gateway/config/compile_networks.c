/*
 * The readers of networks: one for every list of them, `trusted_proxies`, and who may come in by `access`. A
 * network whose address has bits behind the mask is refused: it is a slip of the pen, and only its writer
 * knows of which part.
 */
#include "config/internal.h"

/* The network with the bits behind its mask cleared. */
static struct slice network_text(struct arena *arena, struct network network)
{
    char text[ADDRESS_TEXT_MAX];
    struct address address = {.in6 = {.sin6_family = AF_INET6}, .len = sizeof address.in6};
    for (unsigned bit = network.bits; bit < 128; bit++)
        network.bytes[bit / 8] &= (unsigned char)~(0x80u >> (bit % 8));
    memcpy(&address.in6.sin6_addr, network.bytes, sizeof network.bytes);
    if (network.bits >= 96 && IN6_IS_ADDR_V4MAPPED(&address.in6.sin6_addr)) {
        address = (struct address){.in = {.sin_family = AF_INET}, .len = sizeof address.in};
        memcpy(&address.in.sin_addr, network.bytes + 12, 4);
        network.bits -= 96;
    }
    address_print_host(&address.any, text);
    return arena_printf(arena, "%s/%u", text, network.bits);
}

/* The network that the scalar writes; false after adding an error that offers `examples`. */
static bool read_network(struct loader *loader, const struct yaml_node *node, const char *examples,
                         struct network *network_out)
{
    bool has_host_bits = false;
    struct slice shown = schema_shown(node);
    if (!network_parse(node->text, network_out, &has_host_bits)) {
        config_error(loader->findings, node->origin, "expected a network, as %s, found \"%.*s\"", examples,
                     SLICE_ARGS(shown));
        return false;
    }
    if (has_host_bits) {
        struct slice right = network_text(&loader->trees, *network_out);
        config_error(loader->findings, node->origin, "\"%.*s\" has bits behind its mask; the network is %.*s",
                     SLICE_ARGS(shown), SLICE_ARGS(right));
    }
    return !has_host_bits;
}

bool config_read_network(struct loader *loader, const struct yaml_node *node, struct network *network_out)
{
    return schema_expect(loader->findings, node, YAML_TEXT, "a network, as 10.0.0.0/8") &&
           read_network(loader, node, "10.0.0.0/8", network_out);
}

static struct config_text keep_text(struct loader *loader, const struct yaml_node *node)
{
    return (struct config_text){config_keep(loader, node->text), config_keep_origin(loader, node->origin)};
}

void config_read_trusted_proxies(struct loader *loader, const struct setting *row,
                                 const struct yaml_node *node, void *object)
{
    (void)row;
    struct config *config = object;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of networks"))
        return;
    config->trusted_proxies =
        arena_zalloc(&config->arena, (node->count + 1) * sizeof *config->trusted_proxies);
    config->trusted_proxy_texts =
        arena_zalloc(&config->arena, (node->count + 1) * sizeof *config->trusted_proxy_texts);
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        uint32_t count = config->trusted_proxy_count;
        if (!config_read_network(loader, child, &config->trusted_proxies[count]))
            continue;
        config->trusted_proxy_texts[config->trusted_proxy_count++] = keep_text(loader, child);
    }
}

/* --- access --- */

static void read_place(struct loader *loader, const struct yaml_node *node, struct config_places *places)
{
    struct config_place place = {.kind = CONFIG_PLACE_NETWORK};
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a network, as 10.0.0.0/8"))
        return;
    if (slice_equal(node->text, SLICE("all")))
        place.kind = CONFIG_PLACE_ALL;
    else if (slice_equal(node->text, SLICE("unix")))
        place.kind = CONFIG_PLACE_UNIX;
    else if (!read_network(loader, node, "10.0.0.0/8, \"all\" or \"unix\"", &place.network))
        return;
    place.text = keep_text(loader, node);
    places->at[places->count++] = place;
}

void config_read_places(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                        void *object)
{
    struct config_access *access = object;
    bool allowed = strcmp(row->key, "allow") == 0;
    struct config_places *places = allowed ? &access->allow : &access->deny;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of networks, as [10.0.0.0/8]"))
        return;
    if (allowed && node->count == 0)
        config_error(loader->findings, node->origin,
                     "an empty list would let nobody in; write access: off for everybody, or deny: [all]");
    places->at = arena_zalloc(&loader->config->arena, (node->count + 1) * sizeof *places->at);
    places->count = 0;
    for (const struct yaml_node *child = node->children; child; child = child->next)
        read_place(loader, child, places);
}

/* What a scope begins with when it inherits nothing. */
static void set_defaults(struct loader *loader, struct config_access *access)
{
    schema_set_defaults(SECTION_access, access);
    access->origins = config_new_origins(loader, SECTION_access);
}

/* A copy with origins of its own. */
static void inherit(struct loader *loader, struct config_access *access, const struct config_access *from)
{
    size_t count;
    schema_rows(SECTION_access, &count);
    *access = *from;
    access->origins = config_new_origins(loader, SECTION_access);
    memcpy(access->origins, from->origins, count * sizeof *access->origins);
}

static void read_access(struct loader *loader, const struct yaml_node *node, struct config_access *access)
{
    struct section_target target = {.object = access, .settings = access, .origins = access->origins};
    config_read_section(loader, SECTION_access, node, target);
    if (access->satisfy == CONFIG_SATISFY_ANY && access->allow.count == 0)
        config_error(loader->findings, node->origin,
                     "satisfy: any needs allow: the networks whose clients need no password");
}

void config_read_access(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                        void *object)
{
    (void)row;
    struct config_scope *scope = object;
    struct config_access *access = arena_zalloc(&loader->config->arena, sizeof *access);
    bool is_off = node->kind == YAML_TEXT && slice_equal(node->text, SLICE("off"));
    if (!is_off && scope->access)
        inherit(loader, access, scope->access);
    else
        set_defaults(loader, access);
    access->origin = config_keep_origin(loader, node->origin);
    scope->access = access;
    if (!is_off && schema_expect(loader->findings, node, YAML_MAP, "a mapping with allow or deny, or off"))
        read_access(loader, node, access);
}
