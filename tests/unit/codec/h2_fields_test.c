/*
 * Field sections of HTTP/2 as requests of HTTP/1.1, row by row: what is refused and how, and what comes out;
 * then responses the other way.
 */
#include "codec/h2_fields.h"

#include <inttypes.h>
#include <stdio.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

enum { PAIRS_MAX = 12 };

static const struct h1_limits limits = {.line_max = 100, .head_max = 1000, .fields_max = 5};

/* A section as name, value, name, value ... NULL. */
struct row {
    const char *name;
    const char *pairs[2 * PAIRS_MAX + 1];
    bool open; /* without END_STREAM */
    const char *expected;
};

#define GOOD         ":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/"
#define METHOD(text) ":method", text, ":scheme", "https", ":authority", "a", ":path", "/"
#define PATH(text)   ":method", "GET", ":scheme", "https", ":authority", "a", ":path", text
#define A50          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A250         A50 A50 A50 A50 A50

static const struct row rows[] = {
    {"a GET", {GOOD, "x", "1"}, false, "fine GET / (a) none x:1 host:a"},
    {"a POST", {METHOD("POST"), "x", "1"}, true, "fine POST / (a) stream x:1 host:a"},
    {"a length",
     {METHOD("POST"), "content-length", "5"},
     true,
     "fine POST / (a) length:5 content-length:5 host:a"},
    {"a length of none",
     {METHOD("POST"), "content-length", "0"},
     true,
     "fine POST / (a) none:0 content-length:0 host:a"},
    {"a length and no content", {METHOD("POST"), "content-length", "5"}, false, "malformed"},
    {"Host alone",
     {":method", "GET", ":scheme", "http", ":path", "/", "host", "b"},
     false,
     "fine GET / (b) none host:b"},
    {"both hosts", {GOOD, "host", "A"}, false, "fine GET / (a) none host:a"},
    {"other Host", {GOOD, "host", "b"}, false, "malformed"},
    {"two Hosts", {GOOD, "host", "a", "host", "a"}, false, "refused bad_host"},
    {"no host", {":method", "GET", ":scheme", "http", ":path", "/"}, false, "refused bad_host"},
    {"bad authority",
     {":method", "GET", ":scheme", "http", ":authority", "a/b", ":path", "/"},
     false,
     "refused bad_host"},
    {"crumbs",
     {GOOD, "cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", ""},
     false,
     "fine GET / (a) none x:y cookie:a=1; b=2 host:a"},
    {"one cookie", {GOOD, "cookie", "a=1"}, false, "fine GET / (a) none cookie:a=1 host:a"},
    {"te", {GOOD, "te", "trailers"}, false, "fine GET / (a) none te:trailers host:a"},
    {"other te", {GOOD, "te", "trailers, gzip"}, false, "malformed"},
    {"connection", {GOOD, "connection", "close"}, false, "malformed"},
    {"transfer-encoding", {GOOD, "transfer-encoding", "chunked"}, false, "malformed"},
    {"upper case", {GOOD, "xY", "1"}, false, "malformed"},
    {"CR LF", {GOOD, "x", "a\r\nb"}, false, "malformed"},
    {"space in front", {GOOD, "x", " a"}, false, "malformed"},
    {"tab behind", {GOOD, "x", "a\t"}, false, "malformed"},
    {"space inside", {GOOD, "x", "a b"}, false, "fine GET / (a) none x:a b host:a"},
    {"colon in a name", {GOOD, "x:", "a"}, false, "malformed"},
    {"no method", {":scheme", "http", ":authority", "a", ":path", "/"}, false, "malformed"},
    {"empty method", {METHOD("")}, false, "malformed"},
    {"no path", {":method", "GET", ":scheme", "http", ":authority", "a"}, false, "malformed"},
    {"no scheme", {":method", "GET", ":authority", "a", ":path", "/"}, false, "malformed"},
    {"other scheme",
     {":method", "GET", ":scheme", "ftp", ":authority", "a", ":path", "/"},
     false,
     "malformed"},
    {"twice", {GOOD, ":path", "/"}, false, "malformed"},
    {"late", {":method", "GET", ":scheme", "http", "x", "1", ":path", "/"}, false, "malformed"},
    {"unknown", {GOOD, ":x", "1"}, false, "malformed"},
    {"no slash", {PATH("a")}, false, "malformed"},
    {"asterisk", {PATH("*")}, false, "malformed"},
    {"OPTIONS *",
     {":method", "OPTIONS", ":scheme", "http", ":authority", "a", ":path", "*"},
     false,
     "fine OPTIONS * (a) none host:a"},
    {"space in the path", {PATH("/ HTTP/1.1")}, false, "malformed"},
    {"space in the method", {METHOD("GET /")}, false, "malformed"},
    {"PRI", {METHOD("PRI")}, false, "refused bad_request_line"},
    {"long path", {PATH("/" A50 A50)}, false, "refused target_too_long"},
    {"expectation", {GOOD, "expect", "x"}, false, "refused expectation_failed"},
    {"many fields",
     {GOOD, "a", "", "b", "", "c", "", "d", "", "e", "", "f", ""},
     false,
     "refused too_many_fields"},
    {"large", {GOOD, "a", A250 A250 A250 A250}, false, "refused head_too_large"},
    {"bomb",
     {GOOD, "a", A250 A250 A250 A250 A250 A250 A250 A250, "b", A250 A250 A250 A250 A250 A250 A250 A250},
     false,
     "bomb"},
    {"CONNECT", {":method", "CONNECT", ":authority", "a:1"}, true, "refused method_refused"},
    {"CONNECT with a path", {":method", "CONNECT", ":authority", "a:1", ":path", "/"}, true, "malformed"},
    {"protocol without CONNECT",
     {":method", "GET", ":protocol", "websocket", ":scheme", "http", ":authority", "a", ":path", "/"},
     true,
     "malformed"},
    {"other protocol",
     {":method", "CONNECT", ":protocol", "x", ":scheme", "http", ":authority", "a", ":path", "/"},
     true,
     "refused bad_upgrade"},
};

static enum h2_verdict read_section(const char *const *pairs, bool end_stream, struct arena *arena,
                                    struct message *message)
{
    struct h2_head head;
    h2_head_start(&head, arena, &limits, false);
    for (; *pairs; pairs += 2)
        h2_head_add(&head, slice_of(pairs[0]), slice_of(pairs[1]));
    enum h2_verdict verdict = h2_head_end(&head, end_stream, message);
    if (verdict == H2_REFUSED)
        message->reason = slice_of(fault_row(head.fault)->name);
    return verdict;
}

static int print_framing(const struct framing *framing, char *out, size_t size)
{
    static const char *const kinds[] = {"none", "length", "stream", "close", "tunnel"};
    int len = snprintf(out, size, "%s", kinds[framing->kind]);
    return framing->has_length ? len + snprintf(out + len, size - (size_t)len, ":%" PRIu64, framing->length)
                               : len;
}

static void print_request(const struct message *message, char *out, size_t size)
{
    int at = snprintf(out, size, "fine %.*s %.*s (%.*s) ", SLICE_ARGS(message->method_text),
                      SLICE_ARGS(message->target), SLICE_ARGS(message->authority));
    at += print_framing(&message->framing, out + at, size - (size_t)at);
    for (unsigned i = 0; i < message->fields.count; i++) {
        const struct field *field = &message->fields.at[i];
        if (!(field->marks & FIELD_GONE))
            at += snprintf(out + at, size - (size_t)at, " %.*s:%.*s", SLICE_ARGS(field_name(field)),
                           SLICE_ARGS(field_value(field)));
    }
}

static void requests(void **state)
{
    (void)state;
    static const char *const verdicts[] = {"fine", "refused", "malformed", "bomb"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[8192];
        struct arena arena;
        struct message message;
        arena_init(&arena, NULL, 0);
        enum h2_verdict verdict = read_section(rows[i].pairs, !rows[i].open, &arena, &message);
        if (verdict == H2_FINE)
            print_request(&message, text, sizeof text);
        else
            snprintf(text, sizeof text, verdict == H2_REFUSED ? "%s %.*s" : "%s", verdicts[verdict],
                     SLICE_ARGS(message.reason));
        if (strcmp(text, rows[i].expected) != 0)
            fail_msg("%s: %s\n instead of %s", rows[i].name, text, rows[i].expected);
        arena_fini(&arena);
    }
}

static void an_extended_connect_asks_for_an_upgrade(void **state)
{
    (void)state;
    struct arena arena;
    struct message message, other;
    arena_init(&arena, NULL, 0);
    const char *const pairs[] = {
        ":method", "CONNECT", ":protocol", "websocket",         ":scheme", "https", ":authority",
        "a",       ":path",   "/live",     "sec-websocket-key", "x",       NULL};
    assert_int_equal(read_section(pairs, false, &arena, &message), H2_FINE);
    assert_int_equal(read_section(pairs, false, &arena, &other), H2_FINE);
    assert_true(message.wants_upgrade && message.method == METHOD_GET &&
                message.framing.kind == FRAMING_NONE);
    assert_int_equal(fields_count(&message.fields, FIELD_sec_websocket_key), 1);
    assert_int_equal(fields_count(&message.fields, FIELD_sec_websocket_version), 1);
    struct slice key = field_value(fields_find(&message.fields, FIELD_sec_websocket_key));
    assert_int_equal(key.len, 24);
    assert_false(slice_equal(key, field_value(fields_find(&other.fields, FIELD_sec_websocket_key))));
    arena_fini(&arena);
}

static void trailers(void **state)
{
    (void)state;
    struct arena arena;
    struct h2_head head;
    arena_init(&arena, NULL, 0);
    h2_head_start(&head, &arena, &limits, true);
    h2_head_add(&head, SLICE("checksum"), SLICE("1"));
    h2_head_add(&head, SLICE("host"), SLICE("b"));
    h2_head_add(&head, SLICE("content-length"), SLICE("7"));
    assert_int_equal(head.verdict, H2_FINE);
    assert_int_equal(head.fields.count, 1);
    h2_head_add(&head, SLICE(":path"), SLICE("/"));
    assert_int_equal(head.verdict, H2_MALFORMED);
    arena_fini(&arena);
}

static void expect_fields(const nghttp2_nv *fields, size_t count, const char *expected)
{
    char text[1000];
    int at = 0;
    for (size_t i = 0; i < count; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%.*s:%.*s%s ", (int)fields[i].namelen,
                       (char *)fields[i].name, (int)fields[i].valuelen, (char *)fields[i].value,
                       fields[i].flags & NGHTTP2_NV_FLAG_NO_INDEX ? "!" : "");
    assert_string_equal(text, expected);
}

static void expect_response(const struct message *head, const char *expected)
{
    nghttp2_nv fields[20];
    struct h2_text printed;
    size_t count = h2_write_response(head, &printed, fields);
    assert_true(count <= h2_response_bound(head));
    expect_fields(fields, count, expected);
}

/* RFC 8441 section 5: what asks HTTP/1.1 for an upgrade is a CONNECT here, which needs no key. */
static void an_upgrade_is_an_extended_connect(void **state)
{
    (void)state;
    struct arena arena;
    struct h2_text printed;
    nghttp2_nv fields[20];
    arena_init(&arena, NULL, 0);
    struct message head = {.method_text = SLICE("GET"), .target = SLICE("/chat"), .wants_upgrade = true};
    fields_add(&head.fields, &arena, SLICE("Host"), SLICE("a.test"));
    fields_add(&head.fields, &arena, SLICE("Connection"), SLICE("Upgrade"));
    fields_add(&head.fields, &arena, SLICE("Upgrade"), SLICE("websocket"));
    fields_add(&head.fields, &arena, SLICE("Sec-WebSocket-Key"), SLICE("dGhlIHNhbXBsZSBub25jZQ=="));
    fields_add(&head.fields, &arena, SLICE("Sec-WebSocket-Version"), SLICE("13"));
    size_t count = h2_write_request(&head, SLICE("https"), &printed, fields);
    assert_true(count <= h2_request_bound(&head));
    expect_fields(fields, count,
                  ":method:CONNECT :protocol:websocket :scheme:https :path:/chat :authority:a.test "
                  "Sec-WebSocket-Version:13 ");
    head.wants_upgrade = false;
    count = h2_write_request(&head, SLICE("https"), &printed, fields);
    expect_fields(fields, count,
                  ":method:GET :scheme:https :path:/chat :authority:a.test "
                  "Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ== Sec-WebSocket-Version:13 ");
    arena_fini(&arena);
}

static void responses(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct message head = {.status = 200, .framing = {FRAMING_LENGTH, true, 12}};
    fields_add(&head.fields, &arena, SLICE("Connection"), SLICE("close"));
    fields_add(&head.fields, &arena, SLICE("Transfer-Encoding"), SLICE("chunked"));
    fields_add(&head.fields, &arena, SLICE("Content-Length"), SLICE("9"));
    fields_add(&head.fields, &arena, SLICE("Sec-WebSocket-Accept"), SLICE("z"));
    fields_add(&head.fields, &arena, SLICE("Set-Cookie"), SLICE("a=1"));
    fields_add(&head.fields, &arena, SLICE("X"), SLICE("y"));
    expect_response(&head, ":status:200 Sec-WebSocket-Accept:z Set-Cookie:a=1! X:y content-length:12 ");
    head.status = 204;
    expect_response(&head, ":status:204 Sec-WebSocket-Accept:z Set-Cookie:a=1! X:y ");
    head.status = 101;
    head.framing = (struct framing){.kind = FRAMING_TUNNEL};
    expect_response(&head, ":status:200 X:y Set-Cookie:a=1! ");
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(an_extended_connect_asks_for_an_upgrade),
        cmocka_unit_test(an_upgrade_is_an_extended_connect),
        cmocka_unit_test(trailers),
        cmocka_unit_test(responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
