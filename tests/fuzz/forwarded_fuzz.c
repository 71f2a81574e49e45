/*
 * Forwarded as a trusted proxy may send it. Beyond memory safety: what is found lies inside the text, and who
 * is believed is an address, or the proxy itself.
 */
#include "policy/forwarded.h"
#include "policy/trust.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct slice text, struct slice part)
{
    CHECK(part.len == 0 || (part.at >= text.at && part.at + part.len <= text.at + text.len));
}

static void check_hops(struct slice text)
{
    struct forwarded_hop hops[FORWARDED_HOPS_MAX];
    unsigned count = 0;
    if (!forwarded_parse(text, hops, &count))
        return;
    CHECK(count > 0 && count <= FORWARDED_HOPS_MAX);
    for (unsigned i = 0; i < count; i++) {
        check_inside(text, hops[i].client);
        check_inside(text, hops[i].proto);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size), remote = SLICE("10.0.0.1");
    struct network network;
    bool host_bits;
    struct address address, found;
    struct fields fields = {0};
    struct arena arena;
    CHECK(network_parse(SLICE("10.0.0.0/8"), &network, &host_bits) &&
          address_from_literal(remote, 1, &address));
    struct config config = {
        .trusted_proxies = &network, .trusted_proxy_count = 1, .trusted_hops = (uint32_t)(size % 3)};
    check_hops(text);
    arena_init(&arena, NULL, 0);
    fields_add_id(&fields, &arena, FIELD_forwarded, text);
    struct trust trust = trust_client(&config, &address.any, remote, &fields);
    CHECK(trust.trusted && address_from_literal(trust.client, 0, &found));
    arena_fini(&arena);
    return 0;
}
