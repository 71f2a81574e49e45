/*
 * Addresses, networks and endpoint names from configuration text. Beyond memory safety: what is printed reads
 * back as the same address, an address lies in its own network, and slices stay inside the text.
 */
#include "base/address.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printed(const struct address *address)
{
    char text[ADDRESS_TEXT_MAX], host[ADDRESS_TEXT_MAX];
    struct endpoint_name name;
    struct address again;
    size_t len = address_print(address, text);
    CHECK(len == strlen(text) && address_print_host(&address->any, host) == strlen(host));
    CHECK(address_equal(address, address));
    if (address_port(address) == 0)
        return;
    CHECK(endpoint_name_parse(slice_make(text, len), &name) && name.port == address_port(address));
    CHECK(slice_equal(name.host, slice_of(host)));
    CHECK(address_from_literal(name.host, name.port, &again) && address_equal(address, &again));
}

static void check_endpoint_name(struct slice text)
{
    struct endpoint_name name;
    struct address address;
    if (!endpoint_name_parse(text, &name))
        return;
    CHECK(name.host.at >= text.at && name.host.at + name.host.len <= text.at + text.len);
    CHECK(name.is_unix ? name.port == 0 && name.host.at[0] == '/' : name.port >= 1 && name.port <= 65535);
    if (name.is_unix && address_from_unix_path(name.host, &address))
        check_printed(&address);
    if (!name.is_unix && address_from_literal(name.host, name.port, &address))
        check_printed(&address);
}

static void check_network(struct slice text)
{
    struct network network;
    struct address address;
    bool host_bits;
    if (!network_parse(text, &network, &host_bits))
        return;
    CHECK(network.bits <= 128);
    const char *slash = memchr(text.at, '/', text.len);
    struct slice literal = slice_make(text.at, slash ? (size_t)(slash - text.at) : text.len);
    CHECK(address_from_literal(literal, 80, &address));
    bool ipv4_in_wide =
        IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)network.bytes) && network.bits < 96;
    CHECK(network_contains(&network, &address.any) == !ipv4_in_wide);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct address address;
    if (size == 0)
        return 0;
    check_endpoint_name(text);
    check_network(text);
    if (address_from_literal(text, 8080, &address))
        check_printed(&address);
    if (address_from_unix_path(text, &address))
        check_printed(&address);
    return 0;
}
