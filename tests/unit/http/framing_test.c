/*
 * framing_of_request and framing_of_response on fields that are written as "Name: value|Name: value". The
 * rules are RFC 9112 sections 3.2, 6 and 9.3; rows named A1, A2, ... are those of the attack catalogue.
 */
#include "http/framing.h"

#include "base/arena.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

/* A head, and how it is framed: the fault, or its facts as print_facts() writes them. */
struct row {
    const char *name;
    const char *start; /* "GET / 1", or "200 1" with " HEAD" when that was the request's method */
    const char *fields;
    enum fault fault;
    const char *facts;
};

#define GET "GET / 1"
#define WS(connection, upgrade, key, version)                                         \
    "Host: a|Connection: " connection "|Upgrade: " upgrade "|Sec-WebSocket-Key: " key \
    "|Sec-WebSocket-Version: " version
#define KEY "x3JJHMbDL1EzLkh9GBhXDw=="

static const struct row request_rows[] = {
    {"nothing", GET, "Host: a", 0, "none keep a"},
    {"keep-alive is the default", GET, "Host: a|Connection: foo", 0, "none keep a"},
    {"close", GET, "Host: a|Connection: foo , Close", 0, "none close a"},
    {"close beats keep-alive", GET, "Host: a|Connection: keep-alive|Connection: close", 0, "none close a"},
    {"empty Connection", GET, "Host: a|Connection: ", 0, "none keep a"},
    {"HTTP/1.0", "GET / 0", "Host: a", 0, "none close a"},
    {"HTTP/1.0 keep-alive", "GET / 0", "Host: a|Connection: keep-alive", 0, "none keep a"},
    {"Proxy-Connection says nothing", "GET / 0", "Host: a|Proxy-Connection: keep-alive", 0, "none close a"},

    {"length", "POST / 1", "Host: a|Content-Length: 42", 0, "length:42 keep a"},
    {"length with leading zeros", "POST / 1", "Host: a|Content-Length: 0042", 0, "length:42 keep a"},
    {"length 2^63 - 1", "POST / 1", "Host: a|Content-Length: 9223372036854775807", 0,
     "length:9223372036854775807 keep a"},
    {"length in HTTP/1.0", "POST / 0", "Content-Length: 1", 0, "length:1 close "},
    {"A3 identical repeats collapse", "POST / 1", "Host: a|Content-Length: 5|Content-Length: 5", 0,
     "length:5 keep a"},
    {"A3 identical list collapses", "POST / 1", "Host: a|Content-Length: 5, 5", 0, "length:5 keep a"},
    {"A3 different repeats", "POST / 1", "Host: a|Content-Length: 5|Content-Length: 6",
     FAULT_bad_content_length, NULL},
    {"A3 third repeat differs", "POST / 1", "Host: a|Content-Length: 5|Content-Length: 5|Content-Length: 6",
     FAULT_bad_content_length, NULL},
    {"A3 different list", "POST / 1", "Host: a|Content-Length: 5, 6", FAULT_bad_content_length, NULL},
    {"A3 same number in other digits", "POST / 1", "Host: a|Content-Length: 5|Content-Length: 05",
     FAULT_bad_content_length, NULL},
    {"A3 list with an empty element", "POST / 1", "Host: a|Content-Length: 5,", FAULT_bad_content_length,
     NULL},
    {"A3 empty", "POST / 1", "Host: a|Content-Length: ", FAULT_bad_content_length, NULL},
    {"A3 plus", "POST / 1", "Host: a|Content-Length: +5", FAULT_bad_content_length, NULL},
    {"A3 minus", "POST / 1", "Host: a|Content-Length: -5", FAULT_bad_content_length, NULL},
    {"A3 hexadecimal", "POST / 1", "Host: a|Content-Length: 0x5", FAULT_bad_content_length, NULL},
    {"A3 letters", "POST / 1", "Host: a|Content-Length: 5a", FAULT_bad_content_length, NULL},
    {"A3 point", "POST / 1", "Host: a|Content-Length: 5.0", FAULT_bad_content_length, NULL},
    {"A3 space within", "POST / 1", "Host: a|Content-Length: 5 5", FAULT_bad_content_length, NULL},
    {"A3 quoted", "POST / 1", "Host: a|Content-Length: \"5\"", FAULT_bad_content_length, NULL},
    {"A3 2^63", "POST / 1", "Host: a|Content-Length: 9223372036854775808", FAULT_bad_content_length, NULL},
    {"A3 2^64 + 5", "POST / 1", "Host: a|Content-Length: 18446744073709551621", FAULT_bad_content_length,
     NULL},

    {"chunked", "POST / 1", "Host: a|Transfer-Encoding: chunked", 0, "stream keep a"},
    {"chunked in upper case", "POST / 1", "Host: a|Transfer-Encoding: CHUNKED", 0, "stream keep a"},
    {"A1 both", "POST / 1", "Host: a|Content-Length: 5|Transfer-Encoding: chunked", FAULT_framing_conflict,
     NULL},
    {"A1 both, the length bad", "POST / 1", "Host: a|Content-Length: x|Transfer-Encoding: chunked",
     FAULT_framing_conflict, NULL},
    {"A1 both in HTTP/1.0", "POST / 0", "Content-Length: 5|Transfer-Encoding: chunked",
     FAULT_framing_conflict, NULL},
    {"A2 other coding", "POST / 1", "Host: a|Transfer-Encoding: gzip", FAULT_unknown_transfer_coding, NULL},
    {"A2 identity", "POST / 1", "Host: a|Transfer-Encoding: identity", FAULT_unknown_transfer_coding, NULL},
    {"A2 xchunked", "POST / 1", "Host: a|Transfer-Encoding: xchunked", FAULT_unknown_transfer_coding, NULL},
    {"A2 coding before chunked", "POST / 1", "Host: a|Transfer-Encoding: gzip, chunked",
     FAULT_unknown_transfer_coding, NULL},
    {"A2 coding before chunked in two fields", "POST / 1",
     "Host: a|Transfer-Encoding: gzip|Transfer-Encoding: chunked", FAULT_unknown_transfer_coding, NULL},
    {"A2 chunked before a coding", "POST / 1", "Host: a|Transfer-Encoding: chunked, identity",
     FAULT_bad_transfer_encoding, NULL},
    {"A2 chunked twice", "POST / 1", "Host: a|Transfer-Encoding: chunked, chunked",
     FAULT_bad_transfer_encoding, NULL},
    {"A2 chunked in two fields", "POST / 1", "Host: a|Transfer-Encoding: chunked|Transfer-Encoding: chunked",
     FAULT_bad_transfer_encoding, NULL},
    {"A2 chunked and an empty field", "POST / 1",
     "Host: a|Transfer-Encoding: chunked|Transfer-Encoding: ", FAULT_bad_transfer_encoding, NULL},
    {"A2 empty", "POST / 1", "Host: a|Transfer-Encoding: ", FAULT_bad_transfer_encoding, NULL},
    {"A2 empty element", "POST / 1", "Host: a|Transfer-Encoding: ,chunked", FAULT_bad_transfer_encoding,
     NULL},
    {"A2 VT before chunked", "POST / 1",
     "Host: a|Transfer-Encoding: \x0b"
     "chunked",
     FAULT_bad_transfer_encoding, NULL},
    {"A2 quoted", "POST / 1", "Host: a|Transfer-Encoding: \"chunked\"", FAULT_bad_transfer_encoding, NULL},
    {"A2 parameter", "POST / 1", "Host: a|Transfer-Encoding: chunked;q=1", FAULT_bad_transfer_encoding, NULL},
    {"A2 space within", "POST / 1", "Host: a|Transfer-Encoding: chunked x", FAULT_bad_transfer_encoding,
     NULL},
    {"A4 chunked in HTTP/1.0", "POST / 0", "Host: a|Transfer-Encoding: chunked", FAULT_bad_transfer_encoding,
     NULL},

    {"A6 exact expectation", "POST / 1", "Host: a|Expect: 100-continue|Content-Length: 1", 0,
     "length:1 keep continue a"},
    {"A6 expectation in another case", "POST / 1", "Host: a|Expect: 100-CONTINUE|Content-Length: 1", 0,
     "length:1 keep continue a"},
    {"A6 other expectation", "POST / 1", "Host: a|Expect: y", FAULT_expectation_failed, NULL},
    {"A6 empty expectation", "POST / 1", "Host: a|Expect: ", FAULT_expectation_failed, NULL},
    {"A6 expectation with a parameter", "POST / 1", "Host: a|Expect: 100-continue;x",
     FAULT_expectation_failed, NULL},
    {"A6 expectation twice", "POST / 1", "Host: a|Expect: 100-continue|Expect: 100-continue",
     FAULT_expectation_failed, NULL},
    {"A6 expectation in HTTP/1.0 is ignored", "POST / 0", "Host: a|Expect: y", 0, "none close a"},

    {"host with port", GET, "Host: a-b_c.Example.:65535", 0, "none keep a-b_c.Example.:65535"},
    {"IPv4", GET, "Host: 192.0.2.1:80", 0, "none keep 192.0.2.1:80"},
    {"IPv6", GET, "Host: [2001:db8::1]", 0, "none keep [2001:db8::1]"},
    {"IPv6 with port", GET, "Host: [::ffff:192.0.2.1]:8443", 0, "none keep [::ffff:192.0.2.1]:8443"},
    {"no Host in HTTP/1.0", "GET / 0", "A: b", 0, "none close "},
    {"A29 absolute-form wins", "GET http://b:1/x 1", "Host: a", 0, "none keep b:1"},
    {"A29 absolute-form with a query only", "GET https://[::1]?x://y 1", "Host: a", 0, "none keep [::1]"},
    {"A29 absolute-form without Host in HTTP/1.0", "GET http://b 0", "A: b", 0, "none close b"},
    {"A29 origin-form with :// in it", "GET /x://b 1", "Host: a", 0, "none keep a"},
    {"A29 asterisk", "OPTIONS * 1", "Host: a", 0, "none keep a"},
    {"A29 absolute-form with userinfo", "GET http://u@b/ 1", "Host: a", FAULT_bad_target, NULL},
    {"A29 absolute-form with a backslash", "GET http://b\\c/ 1", "Host: a", FAULT_bad_target, NULL},
    {"A29 absolute-form with an empty authority", "GET http://?x 1", "Host: a", FAULT_bad_target, NULL},
    {"A29 absolute-form with an empty host", "GET http://:80/ 1", "Host: a", FAULT_bad_target, NULL},
    {"A30 absolute-form does not replace a missing Host", "GET http://b/ 1", "A: b", FAULT_bad_host, NULL},
    {"A30 absolute-form does not excuse a bad Host", "GET http://b/ 1", "Host: a/b", FAULT_bad_host, NULL},
    {"A30 absolute-form with an empty label", "GET http://a..b/ 1", "Host: a", FAULT_bad_target, NULL},
    {"A30 missing", GET, "A: b", FAULT_bad_host, NULL},
    {"A30 empty label", GET, "Host: a..b", FAULT_bad_host, NULL},
    {"A30 brackets around a name", GET, "Host: [a.b]", FAULT_bad_host, NULL},
    {"A30 twice", GET, "Host: a|Host: a", FAULT_bad_host, NULL},
    {"A30 empty", GET, "Host: ", FAULT_bad_host, NULL},
    {"A30 two in one", GET, "Host: a, b", FAULT_bad_host, NULL},
    {"A30 space", GET, "Host: a b", FAULT_bad_host, NULL},
    {"A30 userinfo", GET, "Host: u@a", FAULT_bad_host, NULL},
    {"A30 path", GET, "Host: a/b", FAULT_bad_host, NULL},
    {"A30 query", GET, "Host: a?b", FAULT_bad_host, NULL},
    {"A30 percent-encoding", GET, "Host: a%2eb", FAULT_bad_host, NULL},
    {"A30 backslash", GET, "Host: a\\b", FAULT_bad_host, NULL},
    {"A30 obs-text", GET,
     "Host: b\xc3\xbc"
     "cher",
     FAULT_bad_host, NULL},
    {"A30 port alone", GET, "Host: :80", FAULT_bad_host, NULL},
    {"A30 empty port", GET, "Host: a:", FAULT_bad_host, NULL},
    {"A30 port of letters", GET, "Host: a:80x", FAULT_bad_host, NULL},
    {"A30 port with a sign", GET, "Host: a:+80", FAULT_bad_host, NULL},
    {"A30 port 0", GET, "Host: a:0", FAULT_bad_host, NULL},
    {"A30 port 65536", GET, "Host: a:65536", FAULT_bad_host, NULL},
    {"A30 port of six digits", GET, "Host: a:100000", FAULT_bad_host, NULL},
    {"A30 two ports", GET, "Host: a:80:80", FAULT_bad_host, NULL},
    {"A30 IPv6 without brackets", GET, "Host: ::1", FAULT_bad_host, NULL},
    {"A30 open bracket", GET, "Host: [::1", FAULT_bad_host, NULL},
    {"A30 bracket alone", GET, "Host: [", FAULT_bad_host, NULL},
    {"A30 zone", GET, "Host: [fe80::1%25eth0]", FAULT_bad_host, NULL},
    {"A30 text behind the bracket", GET, "Host: [::1]a", FAULT_bad_host, NULL},

    {"A32 Connection names Host", GET, "Host: a|Connection: host", FAULT_bad_connection_option, NULL},
    {"A32 Connection names X-Forwarded-For", GET, "Host: a|Connection: close, X-Forwarded-For",
     FAULT_bad_connection_option, NULL},
    {"A32 Connection names Cookie in its second field", GET, "Host: a|Connection: x|Connection: y,,cookie",
     FAULT_bad_connection_option, NULL},
    {"A32 Connection names Content-Length", "POST / 1",
     "Host: a|Content-Length: 1|Connection: Content-Length", FAULT_bad_connection_option, NULL},
    {"A32 Connection names Transfer-Encoding", GET, "Host: a|Connection: transfer-encoding",
     FAULT_bad_connection_option, NULL},

    {"upgrade", GET, WS("Upgrade", "websocket", KEY, "13"), 0, "none keep upgrade a"},
    {"upgrade among other things", GET, WS("keep-alive, upgrade", "h2c, WebSocket", KEY, "13"), 0,
     "none keep upgrade a"},
    {"A17 h2c", GET, "Host: a|Connection: Upgrade|Upgrade: h2c", 0, "none keep a"},
    {"A17 h2c on POST", "POST / 1", "Host: a|Connection: Upgrade|Upgrade: h2c|Content-Length: 2", 0,
     "length:2 keep a"},
    {"A17 websocket with a version of its own", GET, WS("Upgrade", "websocket/13", KEY, "13"), 0,
     "none keep a"},
    {"A17 upgrade in HTTP/1.0 is ignored", "GET / 0", WS("Upgrade", "websocket", KEY, "13"), 0,
     "none close a"},
    {"A17 not nominated", GET, WS("close", "websocket", KEY, "13"), FAULT_bad_upgrade, NULL},
    {"A17 upgrade on POST", "POST / 1", WS("Upgrade", "websocket", KEY, "13"), FAULT_bad_upgrade, NULL},
    {"A17 upgrade on get", "get / 1", WS("Upgrade", "websocket", KEY, "13"), FAULT_bad_upgrade, NULL},
    {"A17 upgrade with content", GET, WS("Upgrade", "websocket", KEY, "13") "|Content-Length: 1",
     FAULT_bad_upgrade, NULL},
    {"A17 upgrade with chunked content", GET,
     WS("Upgrade", "websocket", KEY, "13") "|Transfer-Encoding: chunked", FAULT_bad_upgrade, NULL},
    {"A17 short key", GET, WS("Upgrade", "websocket", "x3JJHMbDL1EzLkh9GBhX", "13"), FAULT_bad_upgrade, NULL},
    {"A17 key of 17 bytes", GET, WS("Upgrade", "websocket", "x3JJHMbDL1EzLkh9GBhXDwA=", "13"),
     FAULT_bad_upgrade, NULL},
    {"A17 key in another alphabet", GET, WS("Upgrade", "websocket", "x3JJHMbDL1EzLkh9GBhX-_==", "13"),
     FAULT_bad_upgrade, NULL},
    {"A17 two keys", GET, WS("Upgrade", "websocket", KEY, "13") "|Sec-WebSocket-Key: " KEY, FAULT_bad_upgrade,
     NULL},
    {"A32 Connection names the key", GET, WS("Upgrade, Sec-WebSocket-Key", "websocket", KEY, "13"),
     FAULT_bad_upgrade, NULL},
    {"A32 Connection names the version", GET, WS("Upgrade, sec-websocket-version", "websocket", KEY, "13"),
     FAULT_bad_upgrade, NULL},
    {"A17 version 8", GET, WS("Upgrade", "websocket", KEY, "8"), FAULT_bad_upgrade, NULL},
    {"A17 version 013", GET, WS("Upgrade", "websocket", KEY, "013"), FAULT_bad_upgrade, NULL},
    {"A17 list of versions", GET, WS("Upgrade", "websocket", KEY, "13, 8"), FAULT_bad_upgrade, NULL},
    {"A17 two versions", GET, WS("Upgrade", "websocket", KEY, "13") "|Sec-WebSocket-Version: 13",
     FAULT_bad_upgrade, NULL},
    {"A17 no version", GET, "Host: a|Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Key: " KEY,
     FAULT_bad_upgrade, NULL},
};

static const struct row response_rows[] = {
    {"length", "200 1", "Content-Length: 3", 0, "length:3 keep"},
    {"length zero", "200 1", "Content-Length: 0", 0, "none:0 keep"},
    {"chunked", "200 1", "Transfer-Encoding: chunked", 0, "stream keep"},
    {"until close", "200 1", "A: b", 0, "until-close close"},
    {"until close, whatever it says", "200 1", "Connection: keep-alive", 0, "until-close close"},
    {"close", "200 1", "Content-Length: 3|Connection: close", 0, "length:3 close"},
    {"HTTP/1.0", "200 0", "Content-Length: 3", 0, "length:3 close"},
    {"HTTP/1.0 keep-alive", "200 0", "Content-Length: 3|Connection: Keep-Alive", 0, "length:3 keep"},
    {"HEAD", "200 1 HEAD", "A: b", 0, "none keep"},
    {"HEAD with a length", "200 1 HEAD", "Content-Length: 3", 0, "none:3 keep"},
    {"HEAD with chunked", "200 1 HEAD", "Transfer-Encoding: chunked", 0, "none keep"},
    {"304", "304 1", "A: b", 0, "none keep"},
    {"304 with a length", "304 1", "Content-Length: 3", 0, "none:3 keep"},
    {"304 with chunked", "304 1", "Transfer-Encoding: chunked", 0, "none keep"},
    {"204", "204 1", "A: b", 0, "none keep"},
    {"204 with length zero", "204 1", "Content-Length: 0", 0, "none:0 keep"},
    {"A18 204 with a length is the last", "204 1", "Content-Length: 3", 0, "none:3 close"},
    {"A18 204 with chunked is the last", "204 1", "Transfer-Encoding: chunked", 0, "none close"},
    {"100", "100 1", "A: b", 0, "none keep"},
    {"103", "103 1", "Link: x", 0, "none keep"},
    {"A18 103 with a length is the last", "103 1", "Content-Length: 3", 0, "none:3 close"},
    {"205 is like any other", "205 1", "Content-Length: 1", 0, "length:1 keep"},
    {"101", "101 1", "Upgrade: WebSocket|Connection: upgrade", 0, "tunnel keep upgrade"},
    {"A17 101 without Upgrade", "101 1", "Connection: upgrade", FAULT_bad_upgrade, NULL},
    {"A17 101 to another protocol", "101 1", "Upgrade: h2c|Connection: upgrade", FAULT_bad_upgrade, NULL},
    {"A17 101 without Connection", "101 1", "Upgrade: websocket", FAULT_bad_upgrade, NULL},
    {"A17 101 in HTTP/1.0", "101 0", "Upgrade: websocket|Connection: upgrade", FAULT_bad_upgrade, NULL},
    {"A17 101 with content", "101 1", "Upgrade: websocket|Connection: upgrade|Content-Length: 5",
     FAULT_bad_upgrade, NULL},
    {"A18 both", "200 1", "Content-Length: 3|Transfer-Encoding: chunked", FAULT_framing_conflict, NULL},
    {"A18 both on HEAD", "200 1 HEAD", "Content-Length: 3|Transfer-Encoding: chunked", FAULT_framing_conflict,
     NULL},
    {"A18 two lengths", "200 1", "Content-Length: 3|Content-Length: 4", FAULT_bad_content_length, NULL},
    {"A18 two lengths on HEAD", "200 1 HEAD", "Content-Length: 3|Content-Length: 4", FAULT_bad_content_length,
     NULL},
    {"A18 gzip", "200 1", "Transfer-Encoding: gzip", FAULT_unknown_transfer_coding, NULL},
    {"A18 chunked twice", "200 1", "Transfer-Encoding: chunked, chunked", FAULT_bad_transfer_encoding, NULL},
    {"A18 chunked in HTTP/1.0", "200 0", "Transfer-Encoding: chunked", FAULT_bad_transfer_encoding, NULL},
    {"Connection names Transfer-Encoding", "200 1",
     "Transfer-Encoding: chunked|Connection: keep-alive, Transfer-Encoding", 0, "stream keep"},
    {"A32 Connection names Content-Length", "200 1", "Content-Length: 3|Connection: content-length",
     FAULT_bad_connection_option, NULL},
};

static void add_fields(struct fields *fields, struct arena *arena, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "|");
        const char *colon = memchr(text, ':', len);
        assert_non_null(colon);
        size_t name_len = (size_t)(colon - text);
        fields_add(fields, arena, slice_make(text, name_len), slice_make(colon + 2, len - name_len - 2));
        text += len + (text[len] == '|');
    }
}

static void print_facts(const struct message *message, char *text_out, size_t size)
{
    static const char *const kinds[] = {"none", "length", "stream", "until-close", "tunnel"};
    char length[32] = "";
    if (message->framing.has_length)
        snprintf(length, sizeof length, ":%" PRIu64, message->framing.length);
    snprintf(text_out, size, "%s%s %s%s%s", kinds[message->framing.kind], length,
             message->keep_alive ? "keep" : "close", message->expects_continue ? " continue" : "",
             message->wants_upgrade ? " upgrade" : "");
}

static void request_row(void **state)
{
    const struct row *row = *state;
    struct arena arena;
    char method[16], target[64], facts[256];
    struct message request = {.method = METHOD_OTHER};
    assert_int_equal(sscanf(row->start, "%15s %63s %hhu", method, target, &request.version_minor), 3);
    request.method_text = slice_of(method);
    request.method = method_of(request.method_text);
    request.target = slice_of(target);
    arena_init(&arena, NULL, 0);
    add_fields(&request.fields, &arena, row->fields);
    assert_int_equal(framing_of_request(&request, &arena), row->fault);
    if (!row->fault) {
        print_facts(&request, facts, sizeof facts);
        size_t len = strlen(facts);
        snprintf(facts + len, sizeof facts - len, " %.*s", SLICE_ARGS(request.authority));
        assert_string_equal(facts, row->facts);
    }
    arena_fini(&arena);
}

static void response_row(void **state)
{
    const struct row *row = *state;
    struct arena arena;
    char method[16] = "GET", facts[256];
    struct message response = {.method = METHOD_OTHER};
    assert_true(sscanf(row->start, "%u %hhu %15s", &response.status, &response.version_minor, method) >= 2);
    arena_init(&arena, NULL, 0);
    add_fields(&response.fields, &arena, row->fields);
    assert_int_equal(framing_of_response(&response, method_of(slice_of(method))), row->fault);
    if (!row->fault) {
        print_facts(&response, facts, sizeof facts);
        assert_string_equal(facts, row->facts);
    }
    arena_fini(&arena);
}

/* What is sent on is HTTP/1.1, where the expectation would have to be met (RFC 9110 section 10.1.1). */
static void an_expectation_in_http_1_0_is_removed(void **state)
{
    (void)state;
    struct arena arena;
    struct message request = {.method = METHOD_POST, .target = SLICE("/")};
    arena_init(&arena, NULL, 0);
    add_fields(&request.fields, &arena, "Expect: 100-continue|Content-Length: 1");
    assert_int_equal(framing_of_request(&request, &arena), FAULT_NONE);
    assert_null(fields_find(&request.fields, FIELD_expect));
    arena_fini(&arena);
}

/* A policy's removal counts as if the field had not come. */
static void fields_that_are_gone_say_nothing(void **state)
{
    (void)state;
    struct arena arena;
    struct message request = {.method = METHOD_POST, .target = SLICE("/"), .version_minor = 1};
    arena_init(&arena, NULL, 0);
    add_fields(&request.fields, &arena, "Host: a|Content-Length: 1|Transfer-Encoding: chunked|Expect: x");
    fields_remove(&request.fields, FIELD_content_length);
    fields_remove(&request.fields, FIELD_expect);
    assert_int_equal(framing_of_request(&request, &arena), FAULT_NONE);
    assert_int_equal(request.framing.kind, FRAMING_STREAM);
    arena_fini(&arena);
}

/* The host that chooses the site: of the absolute-form, if the target has it, else of Host. */
static void the_authority_comes_split(void **state)
{
    (void)state;
    static const struct {
        const char *target, *fields, *host;
        unsigned port;
    } rows[] = {
        {"/", "Host: A.Example.:81", "a.example", 81},
        {"/", "Host: a.example", "a.example", 0},
        {"http://[::A]:82/x", "Host: a.example:81", "[::a]", 82},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena;
        struct message request = {.target = slice_of(rows[i].target), .version_minor = 1};
        request.split = (struct authority){SLICE("of another"), 7};
        arena_init(&arena, NULL, 0);
        add_fields(&request.fields, &arena, rows[i].fields);
        assert_int_equal(framing_of_request(&request, &arena), FAULT_NONE);
        assert_true(slice_equal(request.split.host, slice_of(rows[i].host)));
        assert_int_equal(request.split.port, rows[i].port);
        arena_fini(&arena);
    }
}

static void an_old_request_may_name_no_authority(void **state)
{
    (void)state;
    struct arena arena;
    struct message request = {.target = SLICE("/"), .split = {SLICE("of another"), 7}};
    arena_init(&arena, NULL, 0);
    assert_int_equal(framing_of_request(&request, &arena), FAULT_NONE);
    assert_true(request.authority.len == 0 && request.split.host.len == 0 && request.split.port == 0);
    arena_fini(&arena);
}

static void content_lengths(void **state)
{
    (void)state;
    uint64_t length = 1;
    assert_true(content_length_parse(SLICE("0"), &length));
    assert_int_equal(length, 0);
    assert_true(content_length_parse(SLICE("17 ,\t17"), &length));
    assert_int_equal(length, 17);
    assert_false(content_length_parse(SLICE(""), &length));
    assert_false(content_length_parse((struct slice){NULL, 0}, &length));
    assert_false(content_length_parse(SLICE("5,,5"), &length));
    assert_false(content_length_parse(SLICE("5\0"), &length));
    assert_int_equal(length, 17);
}

int main(void)
{
    static struct CMUnitTest tests[256] = {
        cmocka_unit_test(an_expectation_in_http_1_0_is_removed),
        cmocka_unit_test(fields_that_are_gone_say_nothing),
        cmocka_unit_test(content_lengths),
        cmocka_unit_test(the_authority_comes_split),
        cmocka_unit_test(an_old_request_may_name_no_authority),
    };
    size_t count = 5;
    for (size_t i = 0; i < sizeof request_rows / sizeof *request_rows; i++)
        tests[count++] = (struct CMUnitTest){request_rows[i].name, request_row, NULL, NULL,
                                             (void *)(uintptr_t)&request_rows[i]};
    for (size_t i = 0; i < sizeof response_rows / sizeof *response_rows; i++)
        tests[count++] = (struct CMUnitTest){response_rows[i].name, response_row, NULL, NULL,
                                             (void *)(uintptr_t)&response_rows[i]};
    return _cmocka_run_group_tests("framing", tests, count, NULL, NULL);
}
