/*
 * Heads and trailer sections through h1_head_scan and the parsers, each row whole, one byte at a time and in
 * pieces of 7. Rows named A1, A2, ... are those of the attack catalogue.
 */
#include "h1_reading.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define HOST        "Host: a.example\r\n"
#define GET(fields) BYTES("GET / HTTP/1.1\r\n" HOST fields "\r\n")
#define UPGRADE(connection, upgrade, key, version)                                      \
    GET("Connection: " connection "\r\nUpgrade: " upgrade "\r\nSec-WebSocket-Key: " key \
        "\r\nSec-WebSocket-Version: " version "\r\n")
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

struct row {
    const char *name;
    struct slice text;
    unsigned fault;
    const char *print; /* of an accepted message */
};

static const struct row request_rows[] = {
    {"plain", GET(""), 0, "GET / (a.example) 1.1 keep none fields=1"},
    {"pipelined bytes are left", BYTES("GET / HTTP/1.1\r\n" HOST "\r\nGET /2\n\0"), 0,
     "GET / (a.example) 1.1 keep none fields=1"},
    {"no fields in HTTP/1.0", BYTES("GET /a?b HTTP/1.0\r\n\r\n"), 0, "GET /a?b () 1.0 close none fields=0"},
    {"HTTP/1.0 keep-alive", BYTES("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 0,
     "GET / () 1.0 keep none fields=1"},
    {"HTTP/1.0 close and keep-alive", BYTES("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), 0,
     "GET / () 1.0 close none fields=1"},
    {"close", GET("connection:CLOSE\r\n"), 0, "GET / (a.example) 1.1 close none fields=2"},
    {"close in a second field", GET("Connection: x\r\nConnection: y , close\r\n"), 0,
     "GET / (a.example) 1.1 close none fields=3"},
    {"own method", BYTES("M-SEARCH * HTTP/1.1\r\n" HOST "\r\n"), 0,
     "M-SEARCH * (a.example) 1.1 keep none fields=1"},
    {"A46 lower-case method passes as another", BYTES("get / HTTP/1.1\r\n" HOST "\r\n"), 0,
     "get / (a.example) 1.1 keep none fields=1"},
    {"length", GET("Content-Length: 12\r\n"), 0, "GET / (a.example) 1.1 keep length:12 fields=2"},
    {"length zero", GET("Content-Length: 0\r\n"), 0, "GET / (a.example) 1.1 keep none:0 fields=2"},
    {"chunked", GET("Transfer-Encoding:\tchunked \r\n"), 0, "GET / (a.example) 1.1 keep stream fields=2"},
    {"continue", GET("Expect: 100-Continue\r\nContent-Length: 1\r\n"), 0,
     "GET / (a.example) 1.1 keep length:1 continue fields=3"},
    {"absolute-form", BYTES("GET http://B.example:81/x HTTP/1.1\r\n" HOST "\r\n"), 0,
     "GET http://B.example:81/x (B.example:81) 1.1 keep none fields=1"},
    {"no space behind the colon, much around the value", GET("A:b\r\nC: \t d e\t \r\nF:\r\nG: \t\r\n"), 0,
     "GET / (a.example) 1.1 keep none fields=5"},
    {"obs-text and HT in a value", GET("A: \x80\xff\tx\r\n"), 0, "GET / (a.example) 1.1 keep none fields=2"},
    {"all bytes of a token", GET("!#$%&'*+-.^_`|~09azAZ: 1\r\n"), 0,
     "GET / (a.example) 1.1 keep none fields=2"},
    {"upgrade", UPGRADE("keep-alive, Upgrade", "WebSocket", KEY, "13"), 0,
     "GET / (a.example) 1.1 keep none upgrade fields=5"},
    {"A17 h2c is ignored",
     GET("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"), 0,
     "GET / (a.example) 1.1 keep none fields=4"},

    {"A1 length and chunked", GET("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
     FAULT_framing_conflict, NULL},
    {"A1 chunked and length", GET("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
     FAULT_framing_conflict, NULL},
    {"A1 unknown coding and length", GET("Transfer-Encoding: x\r\nContent-Length: 5\r\n"),
     FAULT_framing_conflict, NULL},
    {"A2 xchunked", GET("Transfer-Encoding: xchunked\r\n"), FAULT_unknown_transfer_coding, NULL},
    {"A2 VT before chunked",
     GET("Transfer-Encoding: \x0b"
         "chunked\r\n"),
     FAULT_bad_field_value, NULL},
    {"A2 chunked, identity", GET("Transfer-Encoding: chunked, identity\r\n"), FAULT_bad_transfer_encoding,
     NULL},
    {"A2 two fields", GET("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
     FAULT_bad_transfer_encoding, NULL},
    {"A2 space before the colon", GET("Transfer-Encoding : chunked\r\n"), FAULT_bad_field_name, NULL},
    {"A2 folded", GET("Transfer-Encoding:\r\n chunked\r\n"), FAULT_folded_field, NULL},
    {"A3 two lengths", GET("Content-Length: 5\r\nContent-Length: 6\r\n"), FAULT_bad_content_length, NULL},
    {"A3 plus", GET("Content-Length: +5\r\n"), FAULT_bad_content_length, NULL},
    {"A3 a name that begins like it", GET("Content-Length0aaaaaaaaaaaaaaaaaaaaaaaaa: 5\r\n"), 0,
     "GET / (a.example) 1.1 keep none fields=2"},
    {"A4 chunked in HTTP/1.0", BYTES("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
     FAULT_bad_transfer_encoding, NULL},
    {"A6 expectation", GET("Expect: y\r\n"), FAULT_expectation_failed, NULL},
    {"A6 folded expectation", GET("Expect:\r\n 100-continue\r\n"), FAULT_folded_field, NULL},
    {"A7 folded with SP", GET("A: b\r\n c\r\n"), FAULT_folded_field, NULL},
    {"A7 folded with HT", GET("A: b\r\n\tc\r\n"), FAULT_folded_field, NULL},
    {"A7 folded first line", BYTES("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), FAULT_folded_field, NULL},
    {"A8 space before the colon", GET("A : b\r\n"), FAULT_bad_field_name, NULL},
    {"A8 tab before the colon", GET("A\t: b\r\n"), FAULT_bad_field_name, NULL},
    {"A8 empty name", GET(": b\r\n"), FAULT_bad_field_name, NULL},
    {"A8 no colon", GET("Ab\r\n"), FAULT_bad_field_name, NULL},
    {"A8 leading space", BYTES(" GET / HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"A9 LF ends the start line", BYTES("GET / HTTP/1.1\n" HOST "\r\n"), FAULT_bad_line_ending, NULL},
    {"A9 LF ends a field", GET("A: b\nC: d\r\n"), FAULT_bad_line_ending, NULL},
    {"A9 LF ends the head", BYTES("GET / HTTP/1.1\r\n" HOST "\n"), FAULT_bad_line_ending, NULL},
    {"A9 LF LF ends the head", BYTES("GET / HTTP/1.1\r\nHost: a\n\n"), FAULT_bad_line_ending, NULL},
    {"A9 CR in a value", GET("A: b\rC: d\r\n"), FAULT_bad_line_ending, NULL},
    {"A9 CR in a name", GET("A\rB: d\r\n"), FAULT_bad_line_ending, NULL},
    {"A9 CR in the target", BYTES("GET /\rx HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_line_ending, NULL},
    {"A9 CR CR LF", GET("A: b\r\r\n"), FAULT_bad_line_ending, NULL},
    {"A9 CR behind a name that we know", GET("Date\r: b\r\n"), FAULT_bad_line_ending, NULL},
    {"A9 CR behind the version", BYTES("GET / HTTP/1.1\r\r\n" HOST "\r\n"), FAULT_bad_line_ending, NULL},
    {"A9 CR LF LF ends the head", BYTES("GET / HTTP/1.1\r\n" HOST "\r\r\n\r\n"), FAULT_bad_line_ending, NULL},
    {"A8 a name that we know without a colon", GET("Date\r\nA: b\r\n"), FAULT_bad_field_name, NULL},
    {"A8 space behind a name that we know", GET("Date : b\r\n"), FAULT_bad_field_name, NULL},
    {"A7 a name that we know behind a space", GET("A: b\r\n Date: b\r\n"), FAULT_folded_field, NULL},
    {"no colon in the rest of the head", GET("Date\r\n"), FAULT_bad_field_name, NULL},
    {"A9 LF first", BYTES("\nGET / HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_line_ending, NULL},
    {"A9 CR first", BYTES("\rGET / HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_line_ending, NULL},
    {"A13 NUL in a value", GET("A: b\0c\r\n"), FAULT_bad_field_value, NULL},
    {"A13 DEL in a value", GET("A: b\x7f\r\n"), FAULT_bad_field_value, NULL},
    {"A13 control behind 16 bytes",
     GET("A: 0123456789abcdef01234\x01"
         "0123456789abcdef\r\n"),
     FAULT_bad_field_value, NULL},
    {"A13 NUL in a name", GET("A\0b: c\r\n"), FAULT_bad_field_name, NULL},
    {"A13 parenthesis in a name", GET("A(b): c\r\n"), FAULT_bad_field_name, NULL},
    {"A13 obs-text in a name", GET("A\xc3\xa4: c\r\n"), FAULT_bad_field_name, NULL},
    {"A13 method is no token", BYTES("GE(T / HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"A13 NUL in the method", BYTES("GE\0T / HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"A13 NUL in the target", BYTES("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_target, NULL},
    {"A13 DEL in the target", BYTES("GET /\x7f HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_target, NULL},
    {"A13 obs-text in a long target", BYTES("GET /0123456789abcdef0123\xe4 HTTP/1.1\r\n" HOST "\r\n"),
     FAULT_bad_target, NULL},
    {"A17 upgrade without a key",
     GET("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"), FAULT_bad_upgrade,
     NULL},
    {"A17 upgrade with another version", UPGRADE("Upgrade", "websocket", KEY, "8"), FAULT_bad_upgrade, NULL},
    {"A29 userinfo", BYTES("GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_target, NULL},
    {"A29 absolute-form without authority", BYTES("GET http:///x HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_target,
     NULL},
    {"A30 no Host", BYTES("GET / HTTP/1.1\r\nA: b\r\n\r\n"), FAULT_bad_host, NULL},
    {"A30 no fields", BYTES("GET / HTTP/1.1\r\n\r\n"), FAULT_bad_host, NULL},
    {"A30 two Hosts", GET(HOST), FAULT_bad_host, NULL},
    {"A30 two Hosts in HTTP/1.0", BYTES("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), FAULT_bad_host, NULL},
    {"A32 Connection names Authorization", GET("Connection: close, Authorization\r\n"),
     FAULT_bad_connection_option, NULL},
    {"A46 PRI", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"A46 PRI in HTTP/1.1", BYTES("PRI * HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},

    {"HTTP/0.9", BYTES("GET /\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"method alone", BYTES("GET\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"two spaces before the target", BYTES("GET  / HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"two spaces behind the target", BYTES("GET /  HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"tab for a space", BYTES("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"tab behind the target", BYTES("GET /\tHTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"space behind the version", BYTES("GET / HTTP/1.1 \r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"space in the target", BYTES("GET /a b HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"HTTP/1.2", BYTES("GET / HTTP/1.2\r\n" HOST "\r\n"), FAULT_bad_version, NULL},
    {"HTTP/2.0", BYTES("GET / HTTP/2.0\r\n" HOST "\r\n"), FAULT_bad_version, NULL},
    {"HTTP/0.9 in words", BYTES("GET / HTTP/0.9\r\n" HOST "\r\n"), FAULT_bad_version, NULL},
    {"HTTP/9.9", BYTES("GET / HTTP/9.9\r\n" HOST "\r\n"), FAULT_bad_version, NULL},
    {"HTTP/1.10", BYTES("GET / HTTP/1.10\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"HTTP/2", BYTES("GET / HTTP/2\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"http in lower case", BYTES("GET / http/1.1\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"another protocol", BYTES("GET / RTSP/1.0\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"TLS hello", BYTES("\x16\x03\x01\x02"), FAULT_bad_request_line, NULL},
    {"empty line in front", BYTES("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), FAULT_bad_request_line, NULL},
    {"nothing yet", BYTES("GET / HTTP/1.1\r\n" HOST "\r"), INCOMPLETE, NULL},
    {"one CR", BYTES("\r"), INCOMPLETE, NULL},
};

static const struct row response_rows[] = {
    {"plain", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), 0,
     "200 [OK] 1.1 keep length:5 fields=1"},
    {"no reason", BYTES("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), 0, "200 [] 1.1 keep none:0 fields=1"},
    {"no reason and no space", BYTES("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), 0,
     "200 [] 1.1 keep none:0 fields=1"},
    {"reason of words and obs-text",
     BYTES("HTTP/1.1 404 Nicht da \xe4\r\nTransfer-Encoding: Chunked\r\n\r\n"), 0,
     "404 [Nicht da \xe4] 1.1 keep stream fields=1"},
    {"until close", BYTES("HTTP/1.1 200 OK\r\n\r\n"), 0, "200 [OK] 1.1 close until-close fields=0"},
    {"HTTP/1.0", BYTES("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n"), 0,
     "200 [OK] 1.0 close length:1 fields=1"},
    {"interim", BYTES("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"), 0,
     "103 [Early Hints] 1.1 keep none fields=1"},
    {"A18 length and chunked",
     BYTES("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
     FAULT_framing_conflict, NULL},
    {"A18 header split", BYTES("HTTP/1.1 302 Found\r\nLocation: /\nSet-Cookie: x\r\n\r\n"),
     FAULT_bad_line_ending, NULL},
    {"A18 split by an early empty line", BYTES("HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), 0,
     "204 [No] 1.1 keep none fields=0"},
    {"A18 folded", BYTES("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"), FAULT_folded_field, NULL},
    {"A18 space before the colon", BYTES("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"), FAULT_bad_field_name, NULL},
    {"A18 NUL in a value", BYTES("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"), FAULT_bad_field_value, NULL},
    {"A18 NUL in the reason", BYTES("HTTP/1.1 200 O\0K\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"status of two digits", BYTES("HTTP/1.1 20 OK\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"status of four digits", BYTES("HTTP/1.1 2000 OK\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"status 099", BYTES("HTTP/1.1 099 OK\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"status 600", BYTES("HTTP/1.1 600 OK\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"no status", BYTES("HTTP/1.1\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"two spaces", BYTES("HTTP/1.1  200 OK\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"status and tab", BYTES("HTTP/1.1 200\tOK\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"HTTP/2.0", BYTES("HTTP/2.0 200 OK\r\n\r\n"), FAULT_bad_version, NULL},
    {"ICY", BYTES("ICY 200 OK\r\n\r\n"), FAULT_bad_request_line, NULL},
    {"a request", BYTES("GET / HTTP/1.1\r\n\r\n"), FAULT_bad_request_line, NULL},
};

static unsigned read_message(const struct row *row, bool is_request, size_t step, char print_out[512])
{
    size_t len = 0;
    struct arena arena;
    struct message message = {.status = 0};
    unsigned fault = scan_in_steps(row->text, &limits, step, &len);
    if (fault)
        return fault;
    char *copy = exact_copy(slice_make(row->text.at, len));
    arena_init(&arena, NULL, 0);
    fault = is_request ? h1_parse_request(slice_make(copy, len), &arena, &message)
                       : h1_parse_response(slice_make(copy, len), METHOD_GET, &arena, &message);
    if (!fault && is_request)
        print_request(&message, print_out, 512);
    else if (!fault)
        print_response(&message, print_out, 512);
    arena_fini(&arena);
    free(copy);
    return fault;
}

static void check_row(const struct row *row, bool is_request)
{
    const size_t steps[] = {row->text.len, 1, 7};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char print[512] = "";
        assert_int_equal(read_message(row, is_request, steps[i], print), row->fault);
        assert_string_equal(print, row->print ? row->print : "");
    }
}

static void request_row(void **state)
{
    check_row(*state, true);
}

static void response_row(void **state)
{
    check_row(*state, false);
}

/* "Field: value" lines of one head, values trimmed. */
static void fields_are_slices_of_the_head(void **state)
{
    (void)state;
    struct slice head = SLICE("GET / HTTP/1.1\r\nHOST: a\r\nX-A:\t 1 2 \r\nx-b:\r\n\r\n");
    struct arena arena;
    struct message request = {.status = 0};
    arena_init(&arena, NULL, 0);
    assert_int_equal(h1_parse_request(head, &arena, &request), FAULT_NONE);
    assert_int_equal(request.fields.count, 3);
    assert_int_equal(request.fields.at[0].id, FIELD_host);
    assert_true(slice_equal(field_name(&request.fields.at[0]), SLICE("HOST")));
    assert_true(slice_equal(field_value(&request.fields.at[1]), SLICE("1 2")));
    assert_true(slice_equal(field_value(&request.fields.at[2]), SLICE("")));
    assert_in_range((uintptr_t)request.fields.at[1].value, (uintptr_t)head.at, (uintptr_t)head.at + head.len);
    arena_fini(&arena);
}

/* Whoever forgets to scan gets a fault, not a read past the end. */
static void an_unscanned_head_is_refused(void **state)
{
    (void)state;
    static const struct slice heads[] = {BYTES(""), BYTES("G"), BYTES("GET / HTTP/1.1\r\n"),
                                         BYTES("\r\n\r\n"),
                                         BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\nX: y\r\n\r\n")};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct arena arena;
        struct message message = {.status = 0};
        struct fields trailers;
        char *copy = exact_copy(heads[i]);
        arena_init(&arena, NULL, 0);
        assert_int_not_equal(h1_parse_request(slice_make(copy, heads[i].len), &arena, &message), FAULT_NONE);
        assert_int_not_equal(h1_parse_response(slice_make(copy, heads[i].len), METHOD_GET, &arena, &message),
                             FAULT_NONE);
        assert_int_equal(message.fields.count, 0); /* nothing of what was refused */
        assert_int_equal(message.method_text.len, 0);
        assert_int_not_equal(h1_parse_trailers(slice_make(copy, heads[i].len), &arena, &trailers),
                             FAULT_NONE);
        arena_fini(&arena);
        free(copy);
    }
}

struct limit_row {
    const char *name;
    struct h1_limits limits;
    struct slice text;
    unsigned fault;
};

static const struct limit_row limit_rows[] = {
    {"line fits", {16, 99, 9}, BYTES("GET / HTTP/1.1\r\n\r\n"), 0},
    {"A35 line too long", {15, 99, 9}, BYTES("GET / HTTP/1.1\r\n\r\n"), FAULT_target_too_long},
    {"A35 line too long without an end", {15, 99, 9}, BYTES("GET /abcdefghijk"), FAULT_target_too_long},
    {"line is not long yet", {16, 99, 9}, BYTES("GET /abcdefghijk"), INCOMPLETE},
    {"A35 line too long before its bare LF",
     {15, 99, 9},
     BYTES("GET /abcdefghijklm\n"),
     FAULT_target_too_long},
    {"bare LF before the line is too long",
     {15, 99, 9},
     BYTES("GET /a\nabcdefghijklm"),
     FAULT_bad_line_ending},
    {"A35 head smaller than a line", {99, 15, 9}, BYTES("GET /abcdefghijk"), FAULT_head_too_large},
    {"head fits", {16, 24, 9}, BYTES("GET / HTTP/1.1\r\nA: b\r\n\r\n"), 0},
    {"A35 head too large", {16, 23, 9}, BYTES("GET / HTTP/1.1\r\nA: b\r\n\r\n"), FAULT_head_too_large},
    {"A35 head too large in a field",
     {16, 23, 9},
     BYTES("GET / HTTP/1.1\r\nA: bcdefg"),
     FAULT_head_too_large},
    {"body is no part of the head", {16, 24, 9}, BYTES("GET / HTTP/1.1\r\nA: b\r\n\r\nbody\nbody"), 0},
    {"fields fit", {16, 99, 2}, BYTES("GET / HTTP/1.1\r\nA: b\r\nA: b\r\n\r\n"), 0},
    {"A35 too many fields",
     {16, 99, 2},
     BYTES("GET / HTTP/1.1\r\nA: b\r\nA: b\r\nA: b\r\n\r\n"),
     FAULT_too_many_fields},
    {"A35 too many fields, more to come",
     {16, 99, 0},
     BYTES("GET / HTTP/1.1\r\nA: b\r\n"),
     FAULT_too_many_fields},
};

static void limit_row(void **state)
{
    const struct limit_row *row = *state;
    for (size_t step = 1; step <= row->text.len; step++) {
        size_t len = 0;
        assert_int_equal(scan_in_steps(row->text, &row->limits, step, &len), row->fault);
    }
}

static void faults_come_with_their_byte(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        enum fault fault;
    } rows[] = {
        {BYTES("\x80"), FAULT_bad_request_line}, {BYTES(" "), FAULT_bad_request_line},
        {BYTES("\n"), FAULT_bad_line_ending},    {BYTES("GET / HTTP/1.1\n"), FAULT_bad_line_ending},
        {BYTES("\rA"), FAULT_bad_line_ending},   {BYTES("GET / HTTP/1.1\r\nA: \n"), FAULT_bad_line_ending},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = 0;
        assert_int_equal(scan_in_steps(rows[i].text, &limits, 1, &len), rows[i].fault);
        struct slice before = slice_make(rows[i].text.at, rows[i].text.len - 1);
        if (before.len > 0)
            assert_int_equal(scan_in_steps(before, &limits, 1, &len), INCOMPLETE);
    }
}

static void two_empty_lines_are_skipped(void **state)
{
    (void)state;
    assert_int_equal(h1_skip_empty_lines(SLICE("")), 0);
    assert_int_equal(h1_skip_empty_lines(SLICE("\r")), 0);
    assert_int_equal(h1_skip_empty_lines(SLICE("GET")), 0);
    assert_int_equal(h1_skip_empty_lines(SLICE("\n")), 0);
    assert_int_equal(h1_skip_empty_lines(SLICE("\r\nGET")), 2);
    assert_int_equal(h1_skip_empty_lines(SLICE("\r\n\r")), 2);
    assert_int_equal(h1_skip_empty_lines(SLICE("\r\n\r\n\r\nGET")), 4);
}

struct trailer_row {
    const char *name;
    struct slice text;
    unsigned fault;
    unsigned kept;
};

static const struct trailer_row trailer_rows[] = {
    {"none", BYTES("\r\n"), 0, 0},
    {"next request is left", BYTES("\r\nGET / \n"), 0, 0},
    {"two", BYTES("X-Checksum: 1\r\nServer-Timing: db\r\n\r\n"), 0, 2},
    {"A12 framing is dropped", BYTES("Content-Length: 5\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"), 0,
     1},
    {"A12 routing and authority are dropped", BYTES("Host: b\r\nAuthorization: c\r\nCookie: d\r\n\r\n"), 0,
     0},
    {"A12 forwarding is dropped", BYTES("X-Forwarded-For: b\r\nX-Request-Id: c\r\nConnection: d\r\n\r\n"), 0,
     0},
    {"A10 LF alone", BYTES("\n"), FAULT_bad_trailer, 0},
    {"A10 CR alone", BYTES("\rX\r\n\r\n"), FAULT_bad_trailer, 0},
    {"A10 CR in a value", BYTES("X: y\rZ: z\r\n\r\n"), FAULT_bad_trailer, 0},
    {"A12 bare LF", BYTES("X: y\nZ: z\r\n\r\n"), FAULT_bad_trailer, 0},
    {"A12 folded", BYTES("X: y\r\n z\r\n\r\n"), FAULT_bad_trailer, 0},
    {"A12 space before the colon", BYTES("X : y\r\n\r\n"), FAULT_bad_trailer, 0},
    {"A12 a request line", BYTES("GET / HTTP/1.1\r\n\r\n"), FAULT_bad_trailer, 0},
    {"not yet", BYTES("X: y\r\n"), INCOMPLETE, 0},
};

static unsigned read_trailers(struct slice text, size_t step, struct arena *arena,
                              struct fields *trailers_out)
{
    struct h1_scan scan = {0};
    size_t len = 0;
    for (size_t come = 0; come < text.len && len == 0;) {
        come = come + step < text.len ? come + step : text.len;
        char *copy = exact_copy(slice_make(text.at, come));
        enum fault fault = h1_trailer_scan(slice_make(copy, come), &scan, &len);
        free(copy);
        if (fault)
            return fault;
    }
    return len > 0 ? h1_parse_trailers(slice_make(text.at, len), arena, trailers_out) : INCOMPLETE;
}

static void trailer_row(void **state)
{
    const struct trailer_row *row = *state;
    for (size_t step = 1; step <= row->text.len; step++) {
        struct arena arena;
        struct fields trailers = {.count = 0};
        arena_init(&arena, NULL, 0);
        assert_int_equal(read_trailers(row->text, step, &arena, &trailers), row->fault);
        assert_int_equal(trailers.count, row->kept);
        arena_fini(&arena);
    }
}

static void trailers_are_bounded(void **state)
{
    (void)state;
    static char text[H1_TRAILER_SECTION_MAX + 2];
    struct h1_scan scan = {0};
    size_t len = 0;
    for (size_t i = 0; i <= H1_TRAILER_FIELDS_MAX; i++)
        memcpy(text + i * 6, "A: b\r\n", 6);
    assert_int_equal(h1_trailer_scan(slice_make(text, H1_TRAILER_FIELDS_MAX * 6), &scan, &len), FAULT_NONE);
    assert_int_equal(h1_trailer_scan(slice_make(text, (H1_TRAILER_FIELDS_MAX + 1) * 6), &scan, &len),
                     FAULT_bad_trailer);
    scan = (struct h1_scan){0};
    memset(text, 'a', sizeof text);
    assert_int_equal(h1_trailer_scan(slice_make(text, H1_TRAILER_SECTION_MAX), &scan, &len), FAULT_NONE);
    assert_int_equal(len, 0);
    assert_int_equal(h1_trailer_scan(slice_make(text, H1_TRAILER_SECTION_MAX + 1), &scan, &len),
                     FAULT_bad_trailer);
}

/* One test for each row of the tables, so that a failure names its row. */
#define ROWS(rows, function)                                                        \
    for (size_t i = 0; i < sizeof(rows) / sizeof *(rows); i++)                      \
        tests[count++] = (struct CMUnitTest)                                        \
        {                                                                           \
            (rows)[i].name, (function), NULL, NULL, (void *)(uintptr_t) & (rows)[i] \
        }

int main(void)
{
    static struct CMUnitTest tests[256] = {
        cmocka_unit_test(fields_are_slices_of_the_head), cmocka_unit_test(an_unscanned_head_is_refused),
        cmocka_unit_test(faults_come_with_their_byte),   cmocka_unit_test(two_empty_lines_are_skipped),
        cmocka_unit_test(trailers_are_bounded),
    };
    size_t count = 5;
    ROWS(request_rows, request_row);
    ROWS(response_rows, response_row);
    ROWS(limit_rows, limit_row);
    ROWS(trailer_rows, trailer_row);
    return _cmocka_run_group_tests("h1_parse", tests, count, NULL, NULL);
}
