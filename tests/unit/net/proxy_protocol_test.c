/*
 * net/proxy_protocol: headers of both versions as balancers write them, every beginning of one, and what is
 * no header.
 */
#include "net/proxy_protocol.h"

#include <string.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define SIGNATURE    "\r\n\r\n\0\r\nQUIT\n"
#define HEADER(text) SLICE(text)

/* What a header with something behind it gives, and that each of its beginnings wants more. */
static void assert_header(struct slice header, const char *source)
{
    struct proxy_header got;
    char text[ADDRESS_TEXT_MAX], bytes[PROXY_HEADER_MAX + 4];
    memcpy(bytes, header.at, header.len);
    memcpy(bytes + header.len, "GET", 3);
    for (size_t len = 0; len < header.len; len++)
        assert_int_equal(proxy_protocol_parse(slice_make(bytes, len), &got), PROXY_MORE);
    assert_int_equal(proxy_protocol_parse(slice_make(bytes, header.len + 3), &got), PROXY_DONE);
    assert_int_equal(got.len, header.len);
    assert_int_equal(got.has_source, source != NULL);
    if (source == NULL)
        return;
    address_print(&got.source, text);
    assert_string_equal(text, source);
}

static void headers(void **state)
{
    (void)state;
    static const struct {
        struct slice header;
        const char *source; /* NULL: the balancer's own connection */
    } rows[] = {
        {HEADER("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"), "192.0.2.1:56324"},
        {HEADER("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), "[2001:db8::1]:1"},
        {HEADER("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                "65535 65535\r\n"),
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
        {HEADER("PROXY UNKNOWN\r\n"), NULL},
        {HEADER("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), NULL},
        {HEADER(SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\7\xdc\4\1\xbb"), "192.0.2.1:56324"},
        {HEADER(SIGNATURE "\x21\x11\0\x0f\xc0\0\2\1\xc6\x33\x64\7\xdc\4\1\xbb\4\0\0"), "192.0.2.1:56324"},
        {HEADER(SIGNATURE "\x21\x21\0\x24 \1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1 "
                          "\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\1\xff\xff"),
         "[2001:db8::1]:1"},
        {HEADER(SIGNATURE "\x20\0\0\0"), NULL},
        {HEADER(SIGNATURE "\x20\x11\0\2xx"), NULL},
        {HEADER(SIGNATURE "\x21\0\0\3xxx"), NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_header(rows[i].header, rows[i].source);
}

static void no_headers(void **state)
{
    (void)state;
    static const struct slice rows[] = {
        HEADER("GET / HTTP/1.1\r\n"),
        HEADER("\x16\3\1"),
        HEADER("PROXY \r\n"),
        HEADER("PROXY \n"),
        HEADER("PROXY TCP4\r\n"),
        HEADER("PROXY TCP5 192.0.2.1 198.51.100.7 1 2\r\n"),
        HEADER("PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n"),
        HEADER("PROXY TCP4 192.0.2.1 198.51.100.7 1\r\n"),
        HEADER("PROXY TCP4 192.0.2.1 198.51.100.7 1 2 3\r\n"),
        HEADER("PROXY TCP4 192.0.2.1 198.51.100.7 1 65536\r\n"),
        HEADER("PROXY TCP4 192.0.2.1 198.51.100.7 01 2\r\n"),
        HEADER("PROXY TCP4 192.0.2.1 198.51.100.7 -1 2\r\n"),
        HEADER("PROXY TCP4  192.0.2.1 198.51.100.7 1 2\r\n"),
        HEADER("PROXY TCP4 ::1 ::2 1 2\r\n"),
        HEADER("PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n"),
        HEADER("PROXY TCP4 localhost 198.51.100.7 1 2\r\n"),
        HEADER("proxy TCP4 192.0.2.1 198.51.100.7 1 2\r\n"),
        HEADER(
            "PROXY UNKNOWN "
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        HEADER(SIGNATURE "\x11\x11\0\x0c............"),
        HEADER(SIGNATURE "\x22\x11\0\x0c............"),
        HEADER(SIGNATURE "\x21\x12\0\x0c............"), /* UDP */
        HEADER(SIGNATURE "\x21\x11\0\x0b..........."),
        HEADER(SIGNATURE "\x21\x21\0\x0c............"),
        HEADER(SIGNATURE "\x21\x11\xff\xff"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct proxy_header got;
        assert_int_equal(proxy_protocol_parse(rows[i], &got), PROXY_BAD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(no_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
