/*
 * policy/limit_key: who is counted as one, and who is not counted. Requests are made by hand.
 */
#include "policy/limit_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* A request and all that a call points to. */
struct asked {
    struct stream_client connection;
    struct stream_tls told;
    struct message request;
    struct authority authority;
    struct policy_call call;
};

static void ask(struct asked *asked, const char *address)
{
    struct address remote;
    assert_true(address_from_literal(slice_of(address), 1, &remote));
    *asked = (struct asked){.connection.address = address_remote(&remote), .authority.host = SLICE("a.test")};
    asked->connection.tls = &asked->told;
    asked->call = (struct policy_call){.arena = &arena,
                                       .connection = &asked->connection,
                                       .remote = slice_of(address),
                                       .client = slice_of(address),
                                       .request = &asked->request,
                                       .authority = &asked->authority};
}

static void add(struct asked *asked, const char *name, struct slice value)
{
    fields_add(&asked->request.fields, &arena, slice_of(name), value);
}

static bool key_of(const struct asked *asked, enum config_limit_source source, const char *name,
                   uint64_t *hash_out)
{
    struct config_limit_part part = {.source = source, .name = slice_of(name)};
    struct config_limit limit = {.parts = &part, .part_count = 1};
    return limit_key(&limit, &asked->call, 1, hash_out);
}

static bool same(const struct asked *a, const struct asked *b, enum config_limit_source source,
                 const char *name)
{
    uint64_t x, y;
    assert_true(key_of(a, source, name, &x) && key_of(b, source, name, &y));
    return x == y;
}

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {{"192.0.2.1", "192.0.2.1", true},
                {"192.0.2.1", "192.0.2.2", false},
                {"192.0.2.1", "::ffff:192.0.2.1", true},
                {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
                {"2001:db8:1:2::1", "2001:db8:1:3::1", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct asked a, b;
        ask(&a, rows[i].a);
        ask(&b, rows[i].b);
        assert_true(same(&a, &b, CONFIG_LIMIT_CLIENT_IP, "") == rows[i].same);
    }
}

static void who_has_no_address_is_not_counted(void **state)
{
    (void)state;
    struct asked asked;
    uint64_t hash;
    ask(&asked, "192.0.2.1");
    asked.connection.address = (struct remote_address){.any.sa_family = AF_UNIX};
    asked.call.remote = asked.call.client = SLICE("unix:");
    assert_false(key_of(&asked, CONFIG_LIMIT_CLIENT_IP, "", &hash));
}

static void cookies(void **state)
{
    (void)state;
    struct asked one, crumbs, other;
    uint64_t hash;
    ask(&one, "192.0.2.1");
    ask(&crumbs, "192.0.2.2");
    ask(&other, "192.0.2.1");
    add(&one, "cookie", SLICE("xid=9; id=a=b;y=1"));
    add(&crumbs, "cookie", SLICE("xid=8"));
    add(&crumbs, "cookie", SLICE(" id=a=b"));
    add(&other, "cookie", SLICE("id=a"));
    assert_true(same(&one, &crumbs, CONFIG_LIMIT_COOKIE, "id"));
    assert_false(same(&one, &other, CONFIG_LIMIT_COOKIE, "id"));
    assert_false(key_of(&one, CONFIG_LIMIT_COOKIE, "ID", &hash)); /* names of cookies have a case */
    assert_false(key_of(&one, CONFIG_LIMIT_COOKIE, "d", &hash));
}

static void users_are_those_who_have_proved_it(void **state)
{
    (void)state;
    struct asked ann, bob, claims;
    uint64_t hash;
    ask(&ann, "192.0.2.1");
    ask(&bob, "192.0.2.1");
    ask(&claims, "192.0.2.1");
    add(&claims, "authorization", SLICE("Basic YW5uOnB3")); /* ann:pw */
    assert_false(key_of(&claims, CONFIG_LIMIT_USER, "", &hash));
    ann.call.user = SLICE("ann");
    bob.told.certificate_subject = SLICE("CN=bob");
    assert_false(same(&ann, &bob, CONFIG_LIMIT_USER, ""));
    ann.told.certificate_subject = SLICE("CN=bob"); /* says more than a password */
    assert_true(same(&ann, &bob, CONFIG_LIMIT_USER, ""));
}

static void lengths(void **state)
{
    (void)state;
    uint64_t hash;
    static const struct {
        size_t len;
        bool counted;
    } rows[] = {{0, false}, {1, true}, {LIMIT_KEY_MAX, true}, {LIMIT_KEY_MAX + 1, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct asked asked;
        ask(&asked, "192.0.2.1");
        char *value = arena_alloc(&arena, rows[i].len + 1);
        memset(value, 'x', rows[i].len);
        add(&asked, "X-Key", slice_make(value, rows[i].len));
        assert_true(key_of(&asked, CONFIG_LIMIT_HEADER, "x-key", &hash) == rows[i].counted);
    }
}

/* "ab" and "c" are not "a" and "bc". */
static void parts_do_not_run_together(void **state)
{
    (void)state;
    struct config_limit_part parts[] = {{.source = CONFIG_LIMIT_HEADER, .name = SLICE("x-a")},
                                        {.source = CONFIG_LIMIT_HEADER, .name = SLICE("x-b")}};
    struct config_limit limit = {.parts = parts, .part_count = 2};
    static const char *const rows[][2] = {{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}, {"c", "ab"}};
    uint64_t hashes[5];
    for (size_t i = 0; i < 5; i++) {
        struct asked asked;
        ask(&asked, "192.0.2.1");
        add(&asked, "X-A", slice_of(rows[i][0]));
        add(&asked, "X-B", slice_of(rows[i][1]));
        assert_true(limit_key(&limit, &asked.call, 1, &hashes[i]));
        for (size_t j = 0; j < i; j++)
            assert_true(hashes[j] != hashes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses), cmocka_unit_test(who_has_no_address_is_not_counted),
        cmocka_unit_test(cookies),   cmocka_unit_test(users_are_those_who_have_proved_it),
        cmocka_unit_test(lengths),   cmocka_unit_test(parts_do_not_run_together),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
