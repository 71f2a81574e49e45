/*
 * policy/trust: who is believed about the client, from the right of the last field to the left of the first,
 * and the list that is handed on.
 */
#include "policy/trust.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

enum { FIELDS_MAX = 5, NETWORKS_MAX = 3 };

static struct arena arena;
static struct network networks[NETWORKS_MAX];
static struct config config = {.trusted_proxies = networks};

static int set_up(void **state)
{
    (void)state;
    static const char *const texts[NETWORKS_MAX] = {"10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48"};
    for (uint32_t i = 0; i < NETWORKS_MAX; i++) {
        bool host_bits = false;
        assert_true(network_parse(slice_of(texts[i]), &networks[i], &host_bits));
        assert_false(host_bits);
    }
    config.trusted_proxy_count = NETWORKS_MAX;
    config.trusted_hops = 0;
    arena_init(&arena, NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* X-Forwarded-For fields; a dash before one that is gone, a tilde before the value of another
 * field. */
static struct fields fields_of(const char *const values[FIELDS_MAX])
{
    struct fields fields = {0};
    for (int i = 0; i < FIELDS_MAX && values[i]; i++) {
        const char *text = values[i];
        bool gone = text[0] == '-', other = text[gone] == '~';
        text += gone + other;
        struct slice value = slice_make(arena_copy(&arena, slice_of(text)), strlen(text));
        fields_add(&fields, &arena, other ? SLICE("Forwarded") : SLICE("X-Forwarded-For"), value);
        fields.at[fields.count - 1].marks = gone ? FIELD_GONE : 0;
    }
    return fields;
}

static struct trust ask(const char *remote, const struct fields *fields)
{
    struct address address;
    bool is_address = address_from_literal(slice_of(remote), 4711, &address);
    assert_true(is_address || address_from_unix_path(slice_of(remote), &address));
    return trust_client(&config, &address.any, slice_of(remote), fields);
}

static const struct {
    const char *name, *remote;
    const char *fields[FIELDS_MAX];
    const char *client;
    bool trusted;
} walks[] = {
    {"nobody in between", "203.0.113.9", {NULL}, "203.0.113.9", false},
    {"a proxy that names nobody", "10.0.0.1", {NULL}, "10.0.0.1", true},
    {"a proxy that names one", "10.0.0.1", {"203.0.113.9"}, "203.0.113.9", true},
    {"a single trusted address", "192.0.2.7", {"203.0.113.9"}, "203.0.113.9", true},
    {"its neighbour", "192.0.2.8", {"203.0.113.9"}, "192.0.2.8", false},
    {"spoofed by a stranger", "203.0.113.9", {"127.0.0.1"}, "203.0.113.9", false},
    {"spoofed as trusted", "203.0.113.9", {"10.0.0.1"}, "203.0.113.9", false},
    {"spoofed through a proxy", "10.0.0.1", {"127.0.0.1, 203.0.113.9"}, "203.0.113.9", true},
    {"two proxies", "10.0.0.1", {"203.0.113.9, 10.2.3.4"}, "203.0.113.9", true},
    {"spoofed through two", "10.0.0.1", {"1.1.1.1, 203.0.113.9, 10.2.3.4"}, "203.0.113.9", true},
    {"trusted throughout", "10.0.0.1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3", true},
    {"several fields", "10.0.0.1", {"1.1.1.1", "203.0.113.9", "10.0.0.2"}, "203.0.113.9", true},
    {"several fields, all trusted", "10.0.0.1", {"10.0.0.4, 10.0.0.3", "10.0.0.2"}, "10.0.0.4", true},
    {"a field that is gone", "10.0.0.1", {"203.0.113.9", "-198.51.100.1"}, "203.0.113.9", true},
    {"another field between", "10.0.0.1", {"203.0.113.9", "~for=198.51.100.1"}, "203.0.113.9", true},
    {"an empty field", "10.0.0.1", {"203.0.113.9", ""}, "203.0.113.9", true},
    {"no spaces", "10.0.0.1", {"1.1.1.1,203.0.113.9,10.0.0.2"}, "203.0.113.9", true},
    {"odd spaces", "10.0.0.1", {" 1.1.1.1 ,\t203.0.113.9  , 10.0.0.2\t"}, "203.0.113.9", true},
    {"no address at the end", "10.0.0.1", {"203.0.113.9, unknown"}, "10.0.0.1", true},
    {"no address in the middle", "10.0.0.1", {"203.0.113.9, x, 10.0.0.2"}, "10.0.0.2", true},
    {"no address before the client", "10.0.0.1", {"x, 203.0.113.9"}, "203.0.113.9", true},
    {"none in the last field", "10.0.0.1", {"203.0.113.9", "_hidden"}, "10.0.0.1", true},
    {"with a port", "10.0.0.1", {"203.0.113.9:80"}, "10.0.0.1", true},
    {"in brackets", "10.0.0.1", {"[2001:db8::9]"}, "10.0.0.1", true},
    {"an empty element", "10.0.0.1", {"203.0.113.9, , 10.0.0.2"}, "10.0.0.2", true},
    {"a comma at the end", "10.0.0.1", {"203.0.113.9,"}, "10.0.0.1", true},
    {"a comma alone", "10.0.0.1", {","}, "10.0.0.1", true},
    {"a comma at the start", "10.0.0.1", {",10.0.0.2"}, "10.0.0.2", true},
    {"IPv6 client", "10.0.0.1", {"2001:db8::9"}, "2001:db8::9", true},
    {"IPv6 proxy", "2001:db8:1::1", {"1.1.1.1, 2001:db8::9, 2001:db8:1:2::3"}, "2001:db8::9", true},
    {"IPv6 stranger", "2001:db8:2::1", {"203.0.113.9"}, "2001:db8:2::1", false},
    {"IPv4 in IPv6", "10.0.0.1", {"203.0.113.9, ::ffff:10.0.0.2"}, "203.0.113.9", true},
    {"a Unix socket", "/run/x", {"203.0.113.9"}, "/run/x", false},
};

static void the_walk_ends_at_the_client(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof walks / sizeof *walks; i++) {
        struct fields fields = fields_of(walks[i].fields);
        struct trust trust = ask(walks[i].remote, &fields);
        if (!slice_equal(trust.client, slice_of(walks[i].client)) || trust.trusted != walks[i].trusted)
            fail_msg("%s: %.*s, %s", walks[i].name, SLICE_ARGS(trust.client),
                     trust.trusted ? "trusted" : "not trusted");
    }
}

/* Without X-Forwarded-For, Forwarded counts; the last of its fields comes first. */
static const struct {
    const char *fields[FIELDS_MAX];
    const char *client, *proto;
} forwarded[] = {
    {{"~for=203.0.113.9;proto=https"}, "203.0.113.9", "https"},
    {{"~for=1.1.1.1;proto=https, for=\"203.0.113.9:4711\";proto=http, for=10.0.0.2;proto=x"},
     "203.0.113.9",
     "http"},
    {{"~for=203.0.113.9;proto=https", "~for=10.0.0.2"}, "203.0.113.9", "https"},
    {{"~for=203.0.113.9", "-~for=1.1.1.1"}, "203.0.113.9", ""},
    {{"~For=\"[2001:db8::9]:80\";Proto=https"}, "2001:db8::9", "https"},
    {{"~for=203.0.113.9, for=unknown;proto=https"}, "10.0.0.1", ""},
    {{"~for=203.0.113.9, proto=https"}, "10.0.0.1", ""},
    {{"~for=203.0.113.9;"}, "10.0.0.1", ""},
    {{"~for=1.1.1.1;for=2.2.2.2"}, "10.0.0.1", ""},
    {{"203.0.113.9", "~for=1.1.1.1;proto=https"}, "203.0.113.9", ""},
};

static void forwarded_counts_when_it_is_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++) {
        struct fields fields = fields_of(forwarded[i].fields);
        struct trust trust = ask("10.0.0.1", &fields);
        if (!slice_equal(trust.client, slice_of(forwarded[i].client)) ||
            !slice_equal(trust.proto, slice_of(forwarded[i].proto)))
            fail_msg("%s: %.*s %.*s", forwarded[i].fields[0], SLICE_ARGS(trust.client),
                     SLICE_ARGS(trust.proto));
        trust = ask("203.0.113.200", &fields); /* a stranger */
        assert_true(slice_equal(trust.client, SLICE("203.0.113.200")) && trust.proto.len == 0);
    }
}

static const struct {
    uint32_t hops;
    const char *remote;
    const char *fields[FIELDS_MAX];
    const char *client;
} hops[] = {
    {1, "10.0.0.1", {"1.1.1.1, 2.2.2.2, 3.3.3.3"}, "3.3.3.3"},
    {2, "10.0.0.1", {"1.1.1.1, 2.2.2.2, 3.3.3.3"}, "2.2.2.2"},
    {2, "10.0.0.1", {"1.1.1.1, 10.0.0.2, 10.0.0.3"}, "10.0.0.2"},
    {2, "10.0.0.1", {"1.1.1.1", "2.2.2.2", "3.3.3.3"}, "2.2.2.2"},
    {2, "10.0.0.1", {"1.1.1.1"}, "1.1.1.1"},
    {2, "10.0.0.1", {"1.1.1.1, x, 3.3.3.3"}, "3.3.3.3"},
    {2, "10.0.0.1", {"~for=1.1.1.1, for=2.2.2.2, for=3.3.3.3"}, "2.2.2.2"},
    {2, "10.0.0.1", {NULL}, "10.0.0.1"},
    {2, "203.0.113.9", {"1.1.1.1, 2.2.2.2, 3.3.3.3"}, "203.0.113.9"},
};

static void hops_are_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
        struct fields fields = fields_of(hops[i].fields);
        config.trusted_hops = hops[i].hops;
        struct trust trust = ask(hops[i].remote, &fields);
        if (!slice_equal(trust.client, slice_of(hops[i].client)))
            fail_msg("%zu: %.*s", i, SLICE_ARGS(trust.client));
    }
}

static void nobody_is_trusted_by_default(void **state)
{
    (void)state;
    const char *const values[FIELDS_MAX] = {"203.0.113.9"};
    struct fields fields = fields_of(values);
    config.trusted_proxy_count = 0;
    struct trust trust = ask("10.0.0.1", &fields);
    assert_false(trust.trusted);
    assert_true(slice_equal(trust.client, SLICE("10.0.0.1")));
}

static void the_chain_begins_with_who_asked(void **state)
{
    (void)state;
    const char *const values[FIELDS_MAX] = {"~for=203.0.113.9"};
    struct fields fields = fields_of(values);
    struct slice chain = trust_chain(&fields, &arena, SLICE("203.0.113.9"), SLICE("192.0.2.1"));
    assert_true(slice_equal(chain, SLICE("203.0.113.9, 192.0.2.1")));
}

static const struct {
    const char *fields[FIELDS_MAX];
    const char *chain;
} chains[] = {
    {{NULL}, "192.0.2.1"},
    {{""}, "192.0.2.1"},
    {{"-1.1.1.1"}, "192.0.2.1"},
    {{"~for=1.1.1.1"}, "192.0.2.1"},
    {{"1.1.1.1"}, "1.1.1.1, 192.0.2.1"},
    {{"1.1.1.1, 2.2.2.2"}, "1.1.1.1, 2.2.2.2, 192.0.2.1"},
    {{"1.1.1.1", "2.2.2.2"}, "1.1.1.1, 2.2.2.2, 192.0.2.1"},
    {{"1.1.1.1", "-x", "", "~y", "2.2.2.2"}, "1.1.1.1, 2.2.2.2, 192.0.2.1"},
    {{"", "1.1.1.1"}, "1.1.1.1, 192.0.2.1"},
    {{"a", "b", "c", "d"}, "a, b, c, d, 192.0.2.1"},
};

static void the_chain_is_joined(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        struct fields fields = fields_of(chains[i].fields);
        struct slice chain = trust_chain(&fields, &arena, SLICE("192.0.2.1"), SLICE("192.0.2.1"));
        if (!slice_equal(chain, slice_of(chains[i].chain)))
            fail_msg("%s: %.*s", chains[i].chain, SLICE_ARGS(chain));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_walk_ends_at_the_client),
        TEST(forwarded_counts_when_it_is_alone),
        TEST(hops_are_counted),
        TEST(nobody_is_trusted_by_default),
        TEST(the_chain_begins_with_who_asked),
        TEST(the_chain_is_joined),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
