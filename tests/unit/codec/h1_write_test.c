/*
 * The bytes that h1_write makes of messages, and that the parser reads the same message out of them: what is
 * framed by the sender, nominated, hop-by-hop or gone is not among them.
 */
#include "h1_reading.h"

#include "codec/h1_write.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

struct row {
    const char *name;
    bool is_request;
    enum h1_connection connection;
    struct slice text;
    const char *written;
    const char *print; /* of the message that is read out of it again */
};

#define HEAD "GET /a%2Fb?c HTTP/1.1\r\n"
#define OK   "HTTP/1.1 200 OK\r\n"

static const struct row rows[] = {
    {"request", true, H1_KEEP_ALIVE, BYTES(HEAD "Host:a\r\nX-a:\t1 \r\n\r\n"),
     HEAD "Host: a\r\nX-a: 1\r\n\r\n", "GET /a%2Fb?c (a) 1.1 keep none fields=2"},
    {"HTTP/1.0 becomes 1.1", true, H1_KEEP_ALIVE,
     BYTES("GET / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET / (a) 1.1 keep none fields=1"},
    {"close", true, H1_CLOSE, BYTES(HEAD "Host: a\r\nConnection: keep-alive\r\n\r\n"),
     HEAD "Host: a\r\nConnection: close\r\n\r\n", "GET /a%2Fb?c (a) 1.1 close none fields=2"},
    {"length", true, H1_KEEP_ALIVE, BYTES(HEAD "Content-Length: 007, 007\r\nHost: a\r\n\r\n"),
     HEAD "Host: a\r\nContent-Length: 7\r\n\r\n", "GET /a%2Fb?c (a) 1.1 keep length:7 fields=2"},
    {"length zero", true, H1_KEEP_ALIVE, BYTES(HEAD "Content-Length: 0\r\nHost: a\r\n\r\n"),
     HEAD "Host: a\r\nContent-Length: 0\r\n\r\n", "GET /a%2Fb?c (a) 1.1 keep none:0 fields=2"},
    {"largest length", true, H1_KEEP_ALIVE,
     BYTES(HEAD "Content-Length: 9223372036854775807\r\nHost: a\r\n\r\n"),
     HEAD "Host: a\r\nContent-Length: 9223372036854775807\r\n\r\n",
     "GET /a%2Fb?c (a) 1.1 keep length:9223372036854775807 fields=2"},
    {"chunked", true, H1_KEEP_ALIVE, BYTES(HEAD "Transfer-Encoding:CHUNKED\r\nHost: a\r\n\r\n"),
     HEAD "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n", "GET /a%2Fb?c (a) 1.1 keep stream fields=2"},
    {"A17 h2c is not passed on", true, H1_KEEP_ALIVE,
     BYTES(HEAD
           "Host: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n\r\n"),
     HEAD "Host: a\r\n\r\n", "GET /a%2Fb?c (a) 1.1 keep none fields=1"},
    {"A34 Proxy is not passed on", true, H1_KEEP_ALIVE,
     BYTES(HEAD "Host: a\r\nProxy: x\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\n\r\n"),
     HEAD "Host: a\r\n\r\n", "GET /a%2Fb?c (a) 1.1 keep none fields=1"},
    {"TE is said again and nominated", true, H1_KEEP_ALIVE,
     BYTES(HEAD "TE: trailers, gzip\r\nConnection: TE, x\r\nHost: a\r\n\r\n"),
     HEAD "Host: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n", "GET /a%2Fb?c (a) 1.1 keep none fields=3"},
    {"TE is not said with close", true, H1_CLOSE, BYTES(HEAD "TE: trailers\r\nHost: a\r\n\r\n"),
     HEAD "Host: a\r\nConnection: close\r\n\r\n", "GET /a%2Fb?c (a) 1.1 close none fields=2"},
    {"upgrade", true, H1_UPGRADE,
     BYTES(HEAD
           "Host: a\r\nConnection: x, upgrade\r\nUpgrade: WebSocket, h2c\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
     HEAD "Host: a\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
          "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
     "GET /a%2Fb?c (a) 1.1 keep none upgrade fields=5"},
    {"response", false, H1_KEEP_ALIVE,
     BYTES("HTTP/1.0 200 Fein\r\nSet-Cookie: a\r\nContent-Length: 3\r\nset-cookie:b\r\n\r\n"),
     "HTTP/1.1 200 Fein\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 3\r\n\r\n",
     "200 [Fein] 1.1 keep length:3 fields=3"},
    {"standard phrase", false, H1_KEEP_ALIVE_SAID, BYTES("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n"),
     "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
     "404 [Not Found] 1.1 keep none:0 fields=2"},
    {"until close", false, H1_CLOSE, BYTES(OK "\r\n"), OK "Connection: close\r\n\r\n",
     "200 [OK] 1.1 close until-close fields=1"},
    {"chunked response", false, H1_KEEP_ALIVE, BYTES(OK "Transfer-Encoding: chunked\r\n\r\n"),
     OK "Transfer-Encoding: chunked\r\n\r\n", "200 [OK] 1.1 keep stream fields=1"},
    {"204 has no framing", false, H1_KEEP_ALIVE,
     BYTES("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), "HTTP/1.1 204 No Content\r\n\r\n",
     "204 [No Content] 1.1 keep none fields=0"},
    {"304 keeps its length", false, H1_KEEP_ALIVE,
     BYTES("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "304 [Not Modified] 1.1 keep none:9 fields=1"},
    {"interim", false, H1_KEEP_ALIVE, BYTES("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"),
     "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", "103 [Early Hints] 1.1 keep none fields=1"},
    {"switch", false, H1_UPGRADE,
     BYTES("HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nconnection: "
           "Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"),
     "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nUpgrade: "
     "websocket\r\n\r\n",
     "101 [Switching Protocols] 1.1 keep tunnel upgrade fields=3"},
};

static enum fault parse(const struct row *row, struct slice text, struct arena *arena,
                        struct message *message_out)
{
    *message_out = (struct message){.status = 0};
    return row->is_request ? h1_parse_request(text, arena, message_out)
                           : h1_parse_response(text, METHOD_GET, arena, message_out);
}

static void write_row(void **state)
{
    const struct row *row = *state;
    struct arena arena;
    struct message message;
    char print[512];
    arena_init(&arena, NULL, 0);
    assert_int_equal(parse(row, row->text, &arena, &message), FAULT_NONE);
    size_t bound = h1_head_bound(&message);
    char *out = malloc(bound);
    size_t len = row->is_request ? h1_write_request(&message, row->connection, out)
                                 : h1_write_response(&message, row->connection, out);
    assert_in_range(len, 1, bound);
    assert_int_equal(len, strlen(row->written));
    assert_memory_equal(out, row->written, len);
    assert_int_equal(parse(row, slice_make(out, len), &arena, &message), FAULT_NONE);
    if (row->is_request)
        print_request(&message, print, sizeof print);
    else
        print_response(&message, print, sizeof print);
    assert_string_equal(print, row->print);
    free(out);
    arena_fini(&arena);
}

static void fields_that_are_gone_are_not_written(void **state)
{
    (void)state;
    struct arena arena;
    char out[512];
    struct message request = {.method_text = SLICE("GET"), .target = SLICE("/")};
    arena_init(&arena, NULL, 0);
    fields_add_id(&request.fields, &arena, FIELD_host, SLICE("a"));
    fields_add_id(&request.fields, &arena, FIELD_cookie, SLICE("b"));
    fields_add(&request.fields, &arena, SLICE("X-Empty"), (struct slice){NULL, 0});
    fields_remove(&request.fields, FIELD_cookie);
    size_t len = h1_write_request(&request, H1_KEEP_ALIVE, out);
    struct slice expected = SLICE("GET / HTTP/1.1\r\nhost: a\r\nX-Empty: \r\n\r\n");
    assert_true(slice_equal(slice_make(out, len), expected));
    arena_fini(&arena);
}

/* HEAD is answered with the length that GET would have. */
static void the_length_of_a_head_response_is_kept(void **state)
{
    (void)state;
    char out[512];
    struct message response = {.status = 200, .framing = {FRAMING_NONE, true, 5}};
    size_t len = h1_write_response(&response, H1_KEEP_ALIVE, out);
    assert_true(slice_equal(slice_make(out, len), SLICE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")));
}

static void chunk_heads(void **state)
{
    (void)state;
    static const struct {
        uint32_t len;
        bool first;
        const char *text;
    } heads[] = {
        {1, true, "1\r\n"},
        {15, false, "\r\nf\r\n"},
        {16, false, "\r\n10\r\n"},
        {0x1f4, true, "1f4\r\n"},
        {0x10000, true, "10000\r\n"},
        {0xa0b0c0, true, "a0b0c0\r\n"},
        {UINT32_MAX, false, "\r\nffffffff\r\n"},
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char out[H1_CHUNK_HEAD_MAX];
        size_t len = h1_write_chunk_head(heads[i].len, heads[i].first, out);
        assert_true(slice_equal(slice_make(out, len), slice_of(heads[i].text)));
    }
}

static void last_chunks(void **state)
{
    (void)state;
    struct arena arena;
    struct fields trailers = {.count = 0};
    char out[256];
    arena_init(&arena, NULL, 0);
    assert_true(slice_equal(slice_make(out, h1_write_last_chunk(NULL, true, out)), SLICE("0\r\n\r\n")));
    assert_true(
        slice_equal(slice_make(out, h1_write_last_chunk(&trailers, false, out)), SLICE("\r\n0\r\n\r\n")));
    fields_add(&trailers, &arena, SLICE("X-Sum"), SLICE("1"));
    fields_add_id(&trailers, &arena, FIELD_content_length, SLICE("9"));
    fields_add_id(&trailers, &arena, FIELD_authorization, SLICE("c"));
    size_t len = h1_write_last_chunk(&trailers, false, out);
    assert_in_range(len, 1, h1_last_chunk_bound(&trailers));
    assert_true(slice_equal(slice_make(out, len), SLICE("\r\n0\r\nX-Sum: 1\r\n\r\n")));
    arena_fini(&arena);
}

int main(void)
{
    static struct CMUnitTest tests[64] = {
        cmocka_unit_test(fields_that_are_gone_are_not_written),
        cmocka_unit_test(the_length_of_a_head_response_is_kept),
        cmocka_unit_test(chunk_heads),
        cmocka_unit_test(last_chunks),
    };
    size_t count = 4;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        tests[count++] =
            (struct CMUnitTest){rows[i].name, write_row, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    return _cmocka_run_group_tests("h1_write", tests, count, NULL, NULL);
}
