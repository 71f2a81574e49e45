/*
 * base/address: what the configuration may write, what logs and fields show, and which networks an address
 * lies in.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define BYTES(literal)               \
    {                                \
        literal, sizeof(literal) - 1 \
    }
#define LONG_PATH_100 \
    "/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

static void endpoint_names(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        const char *host; /* NULL: refused */
        unsigned port;
        bool is_unix;
    } cases[] = {
        {BYTES("web:3000"), "web", 3000, false},
        {BYTES("a.example:80"), "a.example", 80, false},
        {BYTES("my_app-1:65535"), "my_app-1", 65535, false},
        {BYTES("127.0.0.1:1"), "127.0.0.1", 1, false},
        {BYTES("[::1]:8080"), "::1", 8080, false},
        {BYTES("[2001:db8::1]:443"), "2001:db8::1", 443, false},
        {BYTES(":8080"), "", 8080, false},
        {BYTES("unix:/run/app.sock"), "/run/app.sock", 0, true},
        {BYTES("unix:/run/a:b c.sock"), "/run/a:b c.sock", 0, true},
        {BYTES(""), NULL, 0, false},
        {BYTES(":"), NULL, 0, false},
        {BYTES("web"), NULL, 0, false},
        {BYTES("web:"), NULL, 0, false},
        {BYTES("web:0"), NULL, 0, false},
        {BYTES("web:65536"), NULL, 0, false},
        {BYTES("web:99999"), NULL, 0, false},
        {BYTES("web:4294967297"), NULL, 0, false},
        {BYTES("web:080"), NULL, 0, false},
        {BYTES("web:+80"), NULL, 0, false},
        {BYTES("web:-1"), NULL, 0, false},
        {BYTES("web: 80"), NULL, 0, false},
        {BYTES("web:80 "), NULL, 0, false},
        {BYTES("web:http"), NULL, 0, false},
        {BYTES("we b:80"), NULL, 0, false},
        {BYTES("web/:80"), NULL, 0, false},
        {BYTES("http://web:80"), NULL, 0, false},
        {BYTES("u@web:80"), NULL, 0, false},
        {BYTES("web\0:80"), NULL, 0, false},
        {BYTES("::1:80"), NULL, 0, false},
        {BYTES("[::1]"), NULL, 0, false},
        {BYTES("[::1]80"), NULL, 0, false},
        {BYTES("[]:80"), NULL, 0, false},
        {BYTES("[web]:80"), NULL, 0, false},
        {BYTES("[127.0.0.1]:80"), NULL, 0, false},
        {BYTES("[::1:80"), NULL, 0, false},
        {BYTES("[fe80::1%eth0]:80"), NULL, 0, false},
        {BYTES("unix:"), NULL, 0, false},
        {BYTES("unix:relative"), NULL, 0, false},
        {BYTES("unix:8080"), NULL, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct endpoint_name name;
        bool valid = endpoint_name_parse(cases[i].text, &name);
        if (valid != (cases[i].host != NULL))
            fail_msg("'%s' %s", cases[i].text.at, valid ? "accepted" : "refused");
        if (!valid)
            continue;
        assert_true(slice_equal(name.host, slice_of(cases[i].host)));
        assert_int_equal(name.port, cases[i].port);
        assert_int_equal(name.is_unix, cases[i].is_unix);
    }
}

static void literals(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        unsigned port;
        const char *printed_host, *printed; /* NULL: refused */
    } cases[] = {
        {"127.0.0.1", 80, "127.0.0.1", "127.0.0.1:80"},
        {"255.255.255.255", 65535, "255.255.255.255", "255.255.255.255:65535"},
        {"0.0.0.0", 0, "0.0.0.0", "0.0.0.0:0"},
        {"::", 80, "::", "[::]:80"},
        {"2001:DB8:0:0:0:0:0:1", 443, "2001:db8::1", "[2001:db8::1]:443"},
        {"::ffff:10.0.0.1", 1, "::ffff:10.0.0.1", "[::ffff:10.0.0.1]:1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 65535, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
        {"127.0.0.1", 65536, NULL, NULL},
        {"127.1", 80, NULL, NULL},
        {"0x7f.0.0.1", 80, NULL, NULL},
        {"127.0.0.01", 80, NULL, NULL},
        {"2130706433", 80, NULL, NULL},
        {"127.0.0.1 ", 80, NULL, NULL},
        {"[::1]", 80, NULL, NULL},
        {"::1%lo", 80, NULL, NULL},
        {"localhost", 80, NULL, NULL},
        {"", 80, NULL, NULL},
        {"0000000000000000000000000000000000000000000000000000000000000::1", 80, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address;
        char text[ADDRESS_TEXT_MAX];
        bool valid = address_from_literal(slice_of(cases[i].host), cases[i].port, &address);
        if (valid != (cases[i].printed != NULL))
            fail_msg("'%s' %s", cases[i].host, valid ? "accepted" : "refused");
        if (!valid)
            continue;
        assert_int_equal(address_print_host(&address.any, text), strlen(cases[i].printed_host));
        assert_string_equal(text, cases[i].printed_host);
        assert_int_equal(address_print(&address, text), strlen(cases[i].printed));
        assert_string_equal(text, cases[i].printed);
        assert_int_equal(address_port(&address), cases[i].port);
        assert_int_equal(address.len,
                         address.any.sa_family == AF_INET ? sizeof address.in : sizeof address.in6);
    }
}

/* As the C library does, for many addresses: zeros, small numbers and large ones, IPv4 in IPv6. */
static void hosts_are_printed_as_inet_ntop_does(void **state)
{
    (void)state;
    static const unsigned char some[] = {0, 0, 0, 0, 1, 0x10, 0xff, 0xff, 9, 99, 100, 255};
    struct address v4 = {.any.sa_family = AF_INET}, v6 = {.any.sa_family = AF_INET6};
    unsigned char bytes[16];
    char text[ADDRESS_TEXT_MAX], expected[INET6_ADDRSTRLEN];
    uint32_t random = 7;
    for (int i = 0; i < 100000; i++) {
        for (int k = 0; k < 16; k++) {
            random = random * 1664525 + 1013904223;
            bytes[k] = k < i % 5 * 4 ? 0 : some[(random >> 16) % sizeof some];
        }
        if (i % 7 == 0)
            memset(bytes + 10, 0xff, 2);
        memcpy(&v4.in.sin_addr, bytes, 4);
        memcpy(&v6.in6.sin6_addr, bytes, 16);
        inet_ntop(AF_INET, bytes, expected, sizeof expected);
        assert_int_equal(address_print_host(&v4.any, text), strlen(expected));
        assert_string_equal(text, expected);
        inet_ntop(AF_INET6, bytes, expected, sizeof expected);
        assert_int_equal(address_print_host(&v6.any, text), strlen(expected));
        assert_string_equal(text, expected);
    }
}

static void what_is_kept_of_who_connected(void **state)
{
    (void)state;
    static const char *const hosts[] = {"192.0.2.1", "2001:db8::1"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct address address;
        assert_true(address_from_literal(slice_of(hosts[i]), 4711, &address));
        struct remote_address remote = address_remote(&address);
        struct address again = address_of_remote(&remote);
        assert_true(address_equal(&again, &address));
        assert_int_equal(again.len, address.len);
    }
    struct address path;
    assert_true(address_from_unix_path(SLICE("/run/a.sock"), &path));
    struct remote_address remote = address_remote(&path);
    struct address again = address_of_remote(&remote);
    char text[ADDRESS_TEXT_MAX];
    assert_int_equal(address_print(&again, text), 5);
    assert_string_equal(text, "unix:");
}

static void this_machines_own(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_loopback;
    } cases[] = {{"127.0.0.1:80", true},  {"127.255.255.254:80", true}, {"[::1]:80", true},
                 {"126.0.0.1:80", false}, {"128.0.0.1:80", false},      {"1.0.0.127:80", false},
                 {"[::2]:80", false},     {"[::]:80", false},           {"[::ffff:127.0.0.1]:80", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct endpoint_name name;
        struct address address;
        assert_true(endpoint_name_parse(slice_of(cases[i].text), &name));
        assert_true(address_from_literal(name.host, name.port, &address));
        if (address_is_loopback(&address) != cases[i].is_loopback)
            fail_msg("%s", cases[i].text);
    }
    struct address address;
    assert_true(address_from_unix_path(SLICE("/run/a.sock"), &address));
    assert_false(address_is_loopback(&address));
}

static void unix_paths(void **state)
{
    (void)state;
    struct address address;
    char text[ADDRESS_TEXT_MAX];
    assert_true(address_from_unix_path(SLICE("/run/a.sock"), &address));
    assert_int_equal(address_print(&address, text), 16);
    assert_string_equal(text, "unix:/run/a.sock");
    assert_int_equal(address_print_host(&address.any, text), 5);
    assert_string_equal(text, "unix:");
    assert_int_equal(address_port(&address), 0);
    assert_true(address_from_unix_path(SLICE(LONG_PATH_100 "012345"), &address)); /* 107 bytes */
    assert_int_equal(address_print(&address, text), 112);
    assert_string_equal(text, "unix:" LONG_PATH_100 "012345");
    assert_false(address_from_unix_path(SLICE(LONG_PATH_100 "0123456"), &address));
    assert_false(address_from_unix_path(SLICE(""), &address));
    assert_false(address_from_unix_path(SLICE("/a\0b"), &address));
}

/* accept() on a Unix socket tells only the family; the rest of the struct is whatever it was. */
static void an_unnamed_unix_client(void **state)
{
    (void)state;
    struct address address;
    char text[ADDRESS_TEXT_MAX];
    memset(&address, 0x41, sizeof address);
    address.any.sa_family = AF_UNIX;
    address.len = sizeof(sa_family_t);
    assert_int_equal(address_print(&address, text), 5);
    assert_string_equal(text, "unix:");
    address.len = sizeof address.un;
    assert_int_equal(address_print(&address, text), 5 + sizeof address.un.sun_path);
}

static void equality(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.0.0.1:80", "127.0.0.1:81", "127.0.0.2:80",          "[::1]:80",
                                        "[::1]:81",     "[::2]:80",     "[::ffff:127.0.0.1]:80", "unix:/a",
                                        "unix:/ab"};
    struct address addresses[9];
    for (size_t i = 0; i < 9; i++) {
        struct endpoint_name name;
        assert_true(endpoint_name_parse(slice_of(texts[i]), &name));
        assert_true(name.is_unix ? address_from_unix_path(name.host, &addresses[i])
                                 : address_from_literal(name.host, name.port, &addresses[i]));
    }
    for (size_t a = 0; a < 9; a++)
        for (size_t b = 0; b < 9; b++)
            if (address_equal(&addresses[a], &addresses[b]) != (a == b))
                fail_msg("%s and %s", texts[a], texts[b]);
}

static void networks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid, host_bits;
        unsigned bits;
    } cases[] = {
        {"10.0.0.0/8", true, false, 104},
        {"10.0.0.1/8", true, true, 104},
        {"10.0.0.1", true, false, 128},
        {"10.0.0.1/32", true, false, 128},
        {"0.0.0.0/0", true, false, 96},
        {"128.0.0.0/1", true, false, 97},
        {"192.0.0.0/1", true, true, 97},
        {"::/0", true, false, 0},
        {"::1", true, false, 128},
        {"::1/128", true, false, 128},
        {"::1/127", true, true, 127},
        {"2001:db8::/32", true, false, 32},
        {"2001:db8::/31", true, false, 31},
        {"2001:db9::/31", true, true, 31},
        {"::ffff:10.0.0.0/104", true, false, 104},
        {"10.0.0.0/33", false, false, 0},
        {"::/129", false, false, 0},
        {"10.0.0.0/", false, false, 0},
        {"10.0.0.0/08", false, false, 0},
        {"10.0.0.0/+8", false, false, 0},
        {"10.0.0.0/8/8", false, false, 0},
        {"10.0.0.0/255.0.0.0", false, false, 0},
        {"10.0.0/8", false, false, 0},
        {"/8", false, false, 0},
        {"", false, false, 0},
        {"localhost", false, false, 0},
        {"[::1]/128", false, false, 0},
        {"10.0.0.0/4294967304", false, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct network network;
        bool host_bits = false;
        bool valid = network_parse(slice_of(cases[i].text), &network, &host_bits);
        if (valid != cases[i].valid || (valid && network.bits != cases[i].bits) ||
            host_bits != cases[i].host_bits)
            fail_msg("'%s'", cases[i].text);
    }
}

static void belonging(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool contains;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/9", "10.127.255.255", true},
        {"10.0.0.0/9", "10.128.0.0", false},
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.3", "10.1.2.2", false},
        {"10.1.2.3/31", "10.1.2.2", true},
        {"0.0.0.0/0", "255.1.2.3", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "::1", true},
        {"::/0", "2001:db8::1", true},
        {"::/0", "10.0.0.1", false},
        {"::/0", "::ffff:10.0.0.1", false},
        {"10.0.0.0/8", "::ffff:10.0.0.1", true},
        {"::ffff:10.0.0.0/104", "10.0.0.1", true},
        {"::/64", "10.0.0.1", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"fe80::/10", "febf::1", true},
        {"fe80::/10", "fec0::1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct network network;
        struct address address;
        bool host_bits;
        assert_true(network_parse(slice_of(cases[i].network), &network, &host_bits));
        assert_true(address_from_literal(slice_of(cases[i].address), 80, &address));
        if (network_contains(&network, &address.any) != cases[i].contains)
            fail_msg("%s in %s", cases[i].address, cases[i].network);
    }
}

static void a_unix_socket_is_in_no_network(void **state)
{
    (void)state;
    struct network network;
    struct address address;
    bool host_bits;
    assert_true(network_parse(SLICE("::/0"), &network, &host_bits));
    assert_true(address_from_unix_path(SLICE("/a"), &address));
    assert_false(network_contains(&network, &address.any));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoint_names),
        cmocka_unit_test(literals),
        cmocka_unit_test(unix_paths),
        cmocka_unit_test(hosts_are_printed_as_inet_ntop_does),
        cmocka_unit_test(what_is_kept_of_who_connected),
        cmocka_unit_test(an_unnamed_unix_client),
        cmocka_unit_test(equality),
        cmocka_unit_test(networks),
        cmocka_unit_test(belonging),
        cmocka_unit_test(a_unix_socket_is_in_no_network),
        cmocka_unit_test(this_machines_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
