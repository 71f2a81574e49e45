/*
 * base/network_set: the most specific network wins, at the edges of every network and for every kind of
 * address; compared with a search through all networks, one by one.
 */
#include "base/network_set.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { NETWORKS = 3000, ADDRESSES = 30000 };

static struct network parse(const char *text)
{
    struct network network;
    bool has_host_bits;
    assert_true(network_parse(slice_of(text), &network, &has_host_bits));
    assert_false(has_host_bits);
    return network;
}

static uint32_t find(const struct network_set *set, const char *text)
{
    struct address address;
    assert_true(address_from_literal(slice_of(text), 0, &address));
    return network_set_find(set, &address);
}

static void the_most_specific_wins(void **state)
{
    (void)state;
    static const char *const texts[] = {"10.0.0.0/8",    "10.1.0.0/16", "10.1.2.3",   "0.0.0.0/0",
                                        "2001:db8::/32", "2001:db8::1", "10.0.0.0/8", "255.255.255.255"};
    static const struct {
        const char *text;
        uint32_t network;
    } rows[] = {{"10.0.0.0", 0},
                {"10.0.255.255", 0},
                {"10.1.0.0", 1},
                {"10.1.2.2", 1},
                {"10.1.2.3", 2},
                {"10.1.2.4", 1},
                {"10.1.255.255", 1},
                {"10.2.0.0", 0},
                {"10.255.255.255", 0},
                {"11.0.0.0", 3},
                {"9.255.255.255", 3},
                {"0.0.0.0", 3},
                {"255.255.255.254", 3},
                {"255.255.255.255", 7},
                {"::ffff:10.1.2.3", 2},
                {"2001:db8::", 4},
                {"2001:db8::1", 5},
                {"2001:db8::2", 4},
                {"2001:db9::", NETWORK_NONE},
                {"::1", NETWORK_NONE},
                {"::1:0:0:0", NETWORK_NONE}};
    struct network networks[sizeof texts / sizeof *texts];
    struct network_set set;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        networks[i] = parse(texts[i]);
    network_set_build(&set, &arena, networks, sizeof texts / sizeof *texts);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (find(&set, rows[i].text) != rows[i].network)
            fail_msg("%s: %u instead of %u", rows[i].text, find(&set, rows[i].text), rows[i].network);
    arena_fini(&arena);
}

static void the_ends_of_the_space(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct network_set set;
    network_set_build(&set, &arena, NULL, 0);
    assert_int_equal(find(&set, "::"), NETWORK_NONE);
    assert_int_equal(find(&set, "1.2.3.4"), NETWORK_NONE);
    struct network all = parse("::/0"), last = parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    network_set_build(&set, &arena, (struct network[]){all, last}, 2);
    assert_int_equal(find(&set, "::"), 0);
    assert_int_equal(find(&set, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"), 0);
    assert_int_equal(find(&set, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 1);
    assert_int_equal(find(&set, "1.2.3.4"), NETWORK_NONE); /* an IPv6 network holds no IPv4 address */
    struct address socket;
    assert_true(address_from_unix_path(SLICE("/run/x"), &socket));
    assert_int_equal(network_set_find(&set, &socket), NETWORK_NONE);
    arena_fini(&arena);
}

/* A network of a few bytes' variety, so that many nest; its host bits are cleared. */
static struct network random_network(struct random *random)
{
    struct network network = {.bits = 0};
    bool is_ipv4 = random_next(random) % 2;
    if (is_ipv4)
        network.bytes[10] = network.bytes[11] = 0xff;
    for (unsigned i = is_ipv4 ? 12 : 0; i < 16; i++)
        network.bytes[i] = (unsigned char)(random_next(random) % 3 * 127);
    network.bits =
        is_ipv4 ? 96 + (unsigned)(random_next(random) % 33) : (unsigned)(random_next(random) % 129);
    for (unsigned bit = network.bits; bit < 128; bit++)
        network.bytes[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
    return network;
}

static uint32_t find_slowly(const struct network *networks, uint32_t count, const struct address *address)
{
    uint32_t best = NETWORK_NONE;
    for (uint32_t i = 0; i < count; i++)
        if (network_contains(&networks[i], &address->any) &&
            (best == NETWORK_NONE || networks[i].bits > networks[best].bits))
            best = i;
    return best;
}

static void as_one_by_one(void **state)
{
    (void)state;
    struct random random;
    random_init(&random);
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct network *networks = arena_alloc(&arena, NETWORKS * sizeof *networks);
    for (uint32_t i = 0; i < NETWORKS; i++)
        networks[i] = random_network(&random);
    struct network_set set;
    network_set_build(&set, &arena, networks, NETWORKS);
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        struct network place = random_network(&random);
        struct address address = {.in6 = {.sin6_family = AF_INET6}, .len = sizeof address.in6};
        memcpy(&address.in6.sin6_addr, place.bytes, 16);
        assert_int_equal(network_set_find(&set, &address), find_slowly(networks, NETWORKS, &address));
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_wins),
        cmocka_unit_test(the_ends_of_the_space),
        cmocka_unit_test(as_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
