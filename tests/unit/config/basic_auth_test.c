/*
 * What may be written about users: `basic_auth`; whose hashes are accepted, what is said about the lines of a
 * file of users, and that no message repeats a hash.
 */
#include "printed.h"

#include "config/htpasswd.h"

#include <unistd.h>

#define BCRYPT "$2y$05$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LONG   "AogJty5B0KTcOma/yOda3GqL2EA8/xj5rPaN9ba7F4Ox1TU20iUZ8Dq5hgkbRm2CrDpIP0Njn3pXymr1KC83L/"
#define ROUTE(settings)                                                                            \
    "listen: [':80']\nupstreams: {app: 'a:1'}\nsites:\n- hosts: ['*']\n  routes:\n  - prefix: /\n" \
    "    upstream: app\n    " settings "\n"

static void hashes(void **state)
{
    (void)state;
    static const char *const good[] = {BCRYPT, "$2b$14$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                                       "$6$salt$" LONG, "$6$rounds=5000$sixteencharacte.$" LONG};
    static const struct {
        const char *hash, *part;
    } bad[] = {{"", "neither bcrypt"},
               {"secret", "neither bcrypt"},
               {"$2a$05$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "neither bcrypt"},
               {"$5$salt$" LONG, "neither bcrypt"},
               {"$apr1$x$y", "quick to guess"},
               {"{SHA}x", "quick to guess"},
               {"$2y$05$abc", "60 characters"},
               {BCRYPT "a", "60 characters"},
               {"$2y$0x$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "60 characters"},
               {"$2y$05$abcdefghijklmnopqrstu!vwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "60 characters"},
               {"$2y$03$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "between 4 and 14"},
               {"$2y$31$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "between 4 and 14"},
               {"$6$" LONG, "complete SHA-512"},
               {"$6$$" LONG, "complete SHA-512"},
               {"$6$seventeencharact.$" LONG, "complete SHA-512"},
               {"$6$salt$short", "complete SHA-512"},
               {"$6$rounds=$salt$" LONG, "complete SHA-512"},
               {"$6$rounds=05000$salt$" LONG, "complete SHA-512"},
               {"$6$rounds=999$salt$" LONG, "between 1000 and 1000000"},
               {"$6$rounds=999999999$salt$" LONG, "between 1000 and 1000000"},
               {"$6$rounds=9999999999$salt$" LONG, "complete SHA-512"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (htpasswd_check_hash(slice_of(good[i])))
            fail_msg("%s %s", good[i], htpasswd_check_hash(slice_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *problem = htpasswd_check_hash(slice_of(bad[i].hash));
        if (problem == NULL || strstr(problem, bad[i].part) == NULL)
            fail_msg("%s: %s", bad[i].hash, problem ? problem : "accepted");
    }
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct said_case cases[] = {
        {ROUTE("basic_auth: {users: {alice: '" BCRYPT "', bob: '$6$s$" LONG
               "'}, realm: Büro, forward: true}"),
         ""},
        {ROUTE("basic_auth: off"), ""},
        {ROUTE("basic_auth: {}"), "8:17: basic_auth needs users: a file, or a mapping of names to hashes\n"},
        {ROUTE("basic_auth: {users: {}}"),
         "8:25: without users nobody comes in; write basic_auth: off for everybody\n"},
        {ROUTE("basic_auth: {users: [alice]}"),
         "8:25: expected a file, or a mapping of names to hashes, found a list\n"},
        {ROUTE("basic_auth: {users: {alice: hunter2}}"),
         "8:33: what stands for the user \"alice\" is neither bcrypt ($2y$, $2b$) nor SHA-512 ($6$); make "
         "one: "
         "htpasswd -nB NAME\n"},
        {ROUTE("basic_auth: {users: {'a:b': '" BCRYPT "'}}"),
         "8:26: a user's name has no colon and no control character\n"},
        {ROUTE("basic_auth: {users: {a: '" BCRYPT "'}, realm: 'a\"b'}"),
         "8:101: a realm has up to 128 bytes, no control characters, no '\"' and no '\\'\n"},
        {ROUTE("basic_auth: {users: /nonexistent/htpasswd}"),
         "8:25: /nonexistent/htpasswd cannot be read: No such file or directory\n"},
    };
    SAID_ALL(cases);
}

static void lines_of_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/portico-htpasswd-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    fputs("# staff\r\n\r\nalice:" BCRYPT "\r\n  bob:$6$s$" LONG "\nbob:" BCRYPT "\nnothing\ncarol:$1$x$y",
          file);
    fclose(file);
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct slice text = arena_printf(&arena, ROUTE("basic_auth: {users: %s}"), path);
    struct slice expected = arena_printf(
        &arena,
        "%s:5:1: the user \"bob\" stands in line 4 already\n"
        "%s:6:1: expected NAME:HASH, as htpasswd -nB NAME writes it\n"
        "%s:7:1: what stands for the user \"carol\" is neither bcrypt ($2y$, $2b$) nor SHA-512 ($6$); make "
        "one: htpasswd -nB NAME\n",
        path, path, path);
    const struct said_case row = {text.at, expected.at};
    assert_null(said_load(&row));
    arena_fini(&arena);
    unlink(path);
}

static void printed(void **state)
{
    (void)state;
    setenv("PORTICO_TEST_HASH", BCRYPT, 1);
    char *text =
        print_route("listen: [':80']\nupstreams: {app: 'a:1'}\n"
                    "defaults: {basic_auth: {users: {alice: '${env:PORTICO_TEST_HASH}'}, forward: true}}\n"
                    "sites:\n- hosts: ['*']\n  routes:\n"
                    "  - {prefix: /, upstream: app, basic_auth: {realm: Staff}}\n",
                    0);
    const char *part = strstr(text, "basic_auth:");
    assert_non_null(part);
    assert_int_equal(strncmp(part,
                             "basic_auth:\n  users:\n    alice: \"${env:PORTICO_TEST_HASH}\"  # t.yaml:3\n"
                             "  realm: Staff  # t.yaml:7\n  forward: true  # t.yaml:3\n",
                             120),
                     0);
    assert_null(strstr(text, "$2y$"));
    free(text);
    text = print_route(ROUTE("basic_auth: off"), 0);
    assert_non_null(strstr(text, "basic_auth: off  # t.yaml:8\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(lines_of_a_file),
        cmocka_unit_test(printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
