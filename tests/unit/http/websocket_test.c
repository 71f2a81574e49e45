/*
 * http/websocket: the example of RFC 6455 and every way in which a 101 can fail to answer its request.
 */
#include "http/websocket.h"

#include "../dies.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { FIELDS_MAX = 4 };

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

/* RFC 6455 section 1.3 */
static void the_example_of_the_rfc(void **state)
{
    (void)state;
    char key[WEBSOCKET_KEY_LEN + 1], accept[WEBSOCKET_ACCEPT_LEN + 1];
    websocket_key_of((const unsigned char *)"the sample nonce", key);
    assert_string_equal(key, KEY);
    websocket_accept_of(SLICE(KEY), accept);
    assert_string_equal(accept, ACCEPT);
}

static void other_keys_have_other_answers(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="},
        {"x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char accept[WEBSOCKET_ACCEPT_LEN + 1];
        websocket_accept_of(slice_of(pairs[i][0]), accept);
        assert_string_equal(accept, pairs[i][1]);
    }
    unsigned char nonce[WEBSOCKET_NONCE_LEN];
    char key[WEBSOCKET_KEY_LEN + 1];
    memset(nonce, 0xff, sizeof nonce);
    websocket_key_of(nonce, key);
    assert_string_equal(key, "/////////////////////w==");
}

/* Fields as "name: value" with a leading '-' for one that is marked gone. */
static struct fields fields_of(const char *const lines[FIELDS_MAX])
{
    struct fields fields = {0};
    for (int i = 0; i < FIELDS_MAX && lines[i]; i++) {
        bool gone = lines[i][0] == '-';
        const char *name = lines[i] + gone, *colon = strchr(name, ':');
        fields_add(&fields, &arena, slice_make(name, (size_t)(colon - name)), slice_of(colon + 2));
        fields.at[fields.count - 1].marks = gone ? FIELD_GONE : 0;
    }
    return fields;
}

static const struct {
    const char *name;
    const char *request[FIELDS_MAX], *response[FIELDS_MAX];
    bool accepted;
} handshakes[] = {
    {"right", {"Sec-WebSocket-Key: " KEY}, {"Sec-WebSocket-Accept: " ACCEPT}, true},
    {"any case of the names", {"SEC-WEBSOCKET-KEY: " KEY}, {"sec-websocket-accept: " ACCEPT}, true},
    {"another answer",
     {"Sec-WebSocket-Key: " KEY},
     {"Sec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
     false},
    {"another case",
     {"Sec-WebSocket-Key: " KEY},
     {"Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
     false},
    {"the key itself", {"Sec-WebSocket-Key: " KEY}, {"Sec-WebSocket-Accept: " KEY}, false},
    {"a beginning",
     {"Sec-WebSocket-Key: " KEY},
     {"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo"},
     false},
    {"more behind", {"Sec-WebSocket-Key: " KEY}, {"Sec-WebSocket-Accept: " ACCEPT "="}, false},
    {"empty", {"Sec-WebSocket-Key: " KEY}, {"Sec-WebSocket-Accept: "}, false},
    {"none", {"Sec-WebSocket-Key: " KEY}, {"Upgrade: websocket"}, false},
    {"none that is left", {"Sec-WebSocket-Key: " KEY}, {"-Sec-WebSocket-Accept: " ACCEPT}, false},
    {"twice the same",
     {"Sec-WebSocket-Key: " KEY},
     {"Sec-WebSocket-Accept: " ACCEPT, "Sec-WebSocket-Accept: " ACCEPT},
     false},
    {"a wrong one behind",
     {"Sec-WebSocket-Key: " KEY},
     {"Sec-WebSocket-Accept: " ACCEPT, "Sec-WebSocket-Accept: x"},
     false},
    {"a wrong one before that is gone",
     {"Sec-WebSocket-Key: " KEY},
     {"-Sec-WebSocket-Accept: x", "Sec-WebSocket-Accept: " ACCEPT},
     true},
    {"no key", {"Host: a"}, {"Sec-WebSocket-Accept: " ACCEPT}, false},
    {"a key that is gone", {"-Sec-WebSocket-Key: " KEY}, {"Sec-WebSocket-Accept: " ACCEPT}, false},
    {"a short key", {"Sec-WebSocket-Key: AAAA"}, {"Sec-WebSocket-Accept: " ACCEPT}, false},
    {"a long key", {"Sec-WebSocket-Key: " KEY "=="}, {"Sec-WebSocket-Accept: " ACCEPT}, false},
    {"a protocol that was offered",
     {"Sec-WebSocket-Key: " KEY, "Sec-WebSocket-Protocol: chat, superchat"},
     {"Sec-WebSocket-Accept: " ACCEPT, "Sec-WebSocket-Protocol: chat"},
     true},
    {"an offer that is not taken",
     {"Sec-WebSocket-Key: " KEY, "Sec-WebSocket-Protocol: chat"},
     {"Sec-WebSocket-Accept: " ACCEPT},
     true},
    {"a protocol nobody offered",
     {"Sec-WebSocket-Key: " KEY},
     {"Sec-WebSocket-Accept: " ACCEPT, "Sec-WebSocket-Protocol: chat"},
     false},
    {"a protocol whose offer is gone",
     {"Sec-WebSocket-Key: " KEY, "-Sec-WebSocket-Protocol: chat"},
     {"Sec-WebSocket-Accept: " ACCEPT, "Sec-WebSocket-Protocol: chat"},
     false},
};

static void only_the_right_101_is_an_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof handshakes / sizeof *handshakes; i++) {
        struct fields request = fields_of(handshakes[i].request);
        struct fields response = fields_of(handshakes[i].response);
        if (websocket_accepts(&request, &response) != handshakes[i].accepted)
            fail_msg("%s", handshakes[i].name);
    }
}

static void answer_a_short_key(void)
{
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    websocket_accept_of(SLICE("AAAA"), accept);
}

static void answer_a_long_key(void)
{
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
    websocket_accept_of(SLICE(KEY "AAAA"), accept);
}

static void misuse_is_noticed(void **state)
{
    (void)state;
    assert_true(dies(answer_a_short_key));
    assert_true(dies(answer_a_long_key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc),
        cmocka_unit_test(other_keys_have_other_answers),
        cmocka_unit_test_setup_teardown(only_the_right_101_is_an_answer, set_up, tear_down),
        cmocka_unit_test(misuse_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
