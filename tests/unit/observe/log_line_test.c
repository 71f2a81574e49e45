/*
 * Lines of the access log: exact ones in both formats, and every kind of byte that could break one.
 */
#include "observe/log_line.h"

#include "json_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char line[LOG_LINE_MAX + 1];
static struct log_second second;

static const char *json(const struct record *record)
{
    size_t len = log_line_json(record, &second, line);
    assert_true(len <= LOG_LINE_MAX);
    assert_true(json_line_is_valid(line, len));
    line[len] = '\0';
    return line;
}

static const char *combined(const struct record *record)
{
    size_t len = log_line_combined(record, &second, line);
    assert_true(len <= LOG_LINE_MAX);
    assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
    line[len] = '\0';
    return line;
}

/* What stands between the key and the next. */
static const char *json_member(const struct record *record, const char *key, const char *next)
{
    char *begin = strstr(json(record), key);
    assert_non_null(begin);
    begin += strlen(key);
    char *end = strstr(begin, next);
    assert_non_null(end);
    *end = '\0';
    return begin;
}

static struct record full_record(void)
{
    return (struct record){
        .begun_wall_us = 1795227000123999,
        .request_id = SLICE("0123456789abcdef0123456789abcdef"),
        .client = SLICE("2001:db8::7"),
        .method = SLICE("GET"),
        .host = SLICE("star.example"),
        .target = SLICE("/api/v1/streaming?access_token=abc&stream=user"),
        .tls_version = SLICE("TLSv1.3"),
        .tls_cipher = SLICE("TLS_AES_128_GCM_SHA256"),
        .tls_name = SLICE("star.example"),
        .referer = SLICE("https://u:p@star.example/?code=1"),
        .user_agent = SLICE("curl/7.88.1"),
        .route = SLICE("/api/v1/streaming"),
        .site = SLICE("star.example"),
        .upstream = SLICE("streaming"),
        .endpoint = SLICE("10.0.0.2:4000"),
        .bytes_in = 0,
        .bytes_out = 18446744073709551615u,
        .queue_us = 120,
        .connect_us = 210,
        .first_byte_us = 1400,
        .upload_us = 220,
        .total_us = 1500,
        .status = 502,
        .attempts = 2,
        .version_minor = 1,
        .reused = true,
        .cause = FAULT_upstream_malformed,
        .detail = FAULT_bad_chunk,
    };
}

static void json_is_exact(void **state)
{
    (void)state;
    struct record record = full_record();
    assert_string_equal(
        json(&record),
        "{\"time\":\"2026-11-21T02:10:00.123Z\",\"request_id\":\"0123456789abcdef0123456789abcdef\","
        "\"client\":\"2001:db8::7\",\"method\":\"GET\",\"host\":\"star.example\","
        "\"target\":\"/api/v1/streaming?access_token=[redacted]&stream=user\",\"protocol\":\"HTTP/"
        "1.1\",\"tls_version\":\"TLSv1.3\",\"tls_cipher\":\"TLS_AES_128_GCM_SHA256\","
        "\"tls_name\":\"star.example\",\"status\":502,"
        "\"cause\":\"upstream_malformed\",\"detail\":\"bad_chunk\",\"site\":\"star.example\","
        "\"route\":\"/api/v1/"
        "streaming\",\"upstream\":\"streaming\",\"endpoint\":\"10.0.0.2:4000\",\"bytes_in\":0,"
        "\"bytes_out\":18446744073709551615,\"attempts\":2,\"reused\":true,\"tunneled\":false,\"queue_us\":"
        "120,"
        "\"connect_us\":210,"
        "\"first_byte_us\":1400,\"upload_us\":220,\"total_us\":1500,"
        "\"referer\":\"https://[redacted]@star.example/?code=[redacted]\",\"user_agent\":\"curl/7.88.1\"}\n");
}

static void empty_json_is_exact(void **state)
{
    (void)state;
    struct record record = {0};
    assert_string_equal(
        json(&record),
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"request_id\":\"\",\"client\":\"\",\"method\":\"\",\"host\":"
        "\"\","
        "\"target\":\"\",\"protocol\":\"HTTP/"
        "1.0\",\"status\":0,\"cause\":\"ok\",\"site\":\"\",\"route\":\"\","
        "\"upstream\":\"\",\"endpoint\":\"\",\"bytes_in\":0,\"bytes_out\":0,\"attempts\":0,\"reused\":false,"
        "\"tunneled\":false,\"queue_us\":0,\"connect_us\":0,\"first_byte_us\":0,\"upload_us\":0,\"total_us\":"
        "0,\"referer\":"
        "\"\","
        "\"user_agent\":\"\"}\n");
}

static void combined_is_exact(void **state)
{
    (void)state;
    struct record record = full_record();
    record.status = 200;
    record.bytes_out = 123;
    assert_string_equal(combined(&record),
                        "2001:db8::7 - - [21/Nov/2026:02:10:00 +0000] "
                        "\"GET /api/v1/streaming?access_token=[redacted]&stream=user HTTP/1.1\" 200 123 "
                        "\"https://[redacted]@star.example/?code=[redacted]\" \"curl/7.88.1\"\n");
    record = (struct record){.status = 408, .version_minor = 20};
    assert_string_equal(combined(&record), "- - - [01/Jan/1970:00:00:00 +0000] \"-\" 408 0 \"-\" \"-\"\n");
    record.method = SLICE("GET");
    record.target = SLICE("/x");
    assert_string_equal(combined(&record),
                        "- - - [01/Jan/1970:00:00:00 +0000] \"GET /x HTTP/2.0\" 408 0 \"-\" \"-\"\n");
}

static void dates_follow_the_record(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        const char *expected;
    } rows[] = {
        {951782399999999, "\"2000-02-28T23:59:59.999Z\""},
        {951782400000000, "\"2000-02-29T00:00:00.000Z\""},
        {1795227000123999, "\"2026-11-21T02:10:00.123Z\""},
        {1795227000999000, "\"2026-11-21T02:10:00.999Z\""},
        {253402300799000000, "\"9999-12-31T23:59:59.000Z\""},
        {UINT64_MAX, "\"9999-12-31T23:59:59.551Z\""},
        {1795227000999000, "\"2026-11-21T02:10:00.999Z\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct record record = {.begun_wall_us = rows[i].us};
        assert_string_equal(json_member(&record, "\"time\":", ",\"request_id\""), rows[i].expected);
    }
}

/* Text, JSON, combined. Each is tried at eight offsets, since texts are copied by words. */
static const char *const escapes[][3] = {
    {"plain ~!#[]^", "plain ~!#[]^", "plain ~!#[]^"},
    {"\"", "\\\"", "\\x22"},
    {"\\", "\\\\", "\\x5C"},
    {"a\nb\rc\td", "a\\u000ab\\u000dc\\u0009d", "a\\x0Ab\\x0Dc\\x09d"},
    {"\x1b[31m\x7f\x01", "\\u001b[31m\\u007f\\u0001", "\\x1B[31m\\x7F\\x01"},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
     "\\xC3\\xA9\\xE2\\x82\\xAC\\xF0\\x9F\\x98\\x80"},
    {"\xc2\x9b"
     "31m\xc2\xa0",
     "\\u009b31m\xc2\xa0", "\\xC2\\x9B31m\\xC2\\xA0"},
    {"\xff\xfe\x80", "\\u00ff\\u00fe\\u0080", "\\xFF\\xFE\\x80"},
    {"\xc0\xaf\xc1\xbf", "\\u00c0\\u00af\\u00c1\\u00bf", "\\xC0\\xAF\\xC1\\xBF"},
    {"\xe0\x9f\xbf", "\\u00e0\\u009f\\u00bf", "\\xE0\\x9F\\xBF"},
    {"\xed\xa0\x80", "\\u00ed\\u00a0\\u0080", "\\xED\\xA0\\x80"},
    {"\xf0\x8f\xbf\xbf", "\\u00f0\\u008f\\u00bf\\u00bf", "\\xF0\\x8F\\xBF\\xBF"},
    {"\xf4\x90\x80\x80", "\\u00f4\\u0090\\u0080\\u0080", "\\xF4\\x90\\x80\\x80"},
    {"\xf5\x80\x80\x80", "\\u00f5\\u0080\\u0080\\u0080", "\\xF5\\x80\\x80\\x80"},
    {"\xe2\x82", "\\u00e2\\u0082", "\\xE2\\x82"},
    {"\xe2\x82z", "\\u00e2\\u0082z", "\\xE2\\x82z"},
};

static void check_escape(const char *const row[3], size_t offset)
{
    char text[64], expected[128];
    snprintf(text, sizeof text, "%.*s%s", (int)offset, "0123456789", row[0]);
    struct record record = {.user_agent = slice_of(text), .referer = slice_of(text)};
    snprintf(expected, sizeof expected, "\"%.*s%s\"", (int)offset, "0123456789", row[1]);
    assert_string_equal(json_member(&record, "\"user_agent\":", "}\n"), expected);
    assert_string_equal(json_member(&record, "\"referer\":", ",\"user_agent\""), expected);
    snprintf(expected, sizeof expected, " \"%.*s%s\"\n", (int)offset, "0123456789", row[2]);
    const char *printed = combined(&record);
    assert_string_equal(printed + strlen(printed) - strlen(expected), expected);
}

static void bytes_are_escaped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
        for (size_t offset = 0; offset < 8; offset++)
            check_escape(escapes[i], offset);
}

static void every_byte_makes_a_valid_line(void **state)
{
    (void)state;
    char text[16];
    for (unsigned c = 0; c < 256; c++) {
        memset(text, (int)c, sizeof text);
        struct record record = {.target = slice_make(text, sizeof text), .host = slice_make(text, c % 17)};
        json(&record);
        combined(&record);
    }
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    static char text[3000], expected[3000];
    memset(text, 'x', sizeof text);
    struct record record = {.user_agent = slice_make(text, LOG_TEXT_MAX)};
    snprintf(expected, sizeof expected, "\"%.*s\"", LOG_TEXT_MAX, text);
    assert_string_equal(json_member(&record, "\"user_agent\":", "}\n"), expected);
    record.user_agent.len++;
    snprintf(expected, sizeof expected, "\"%.*s\xe2\x80\xa6\"", LOG_TEXT_MAX, text);
    assert_string_equal(json_member(&record, "\"user_agent\":", "}\n"), expected);
    text[LOG_TEXT_MAX - 5] = '\n'; /* its six bytes do not fit */
    snprintf(expected, sizeof expected, "\"%.*s\xe2\x80\xa6\"", LOG_TEXT_MAX - 5, text);
    assert_string_equal(json_member(&record, "\"user_agent\":", "}\n"), expected);
    snprintf(expected, sizeof expected, "\"%.*s\\x0Ax\\xE2\\x80\\xA6\"\n", LOG_TEXT_MAX - 5, text);
    const char *printed = combined(&record);
    assert_string_equal(printed + strlen(printed) - strlen(expected), expected);
}

static void the_longest_line_fits(void **state)
{
    (void)state;
    static char text[70000];
    memset(text, 0xff, sizeof text);
    struct slice all = slice_make(text, sizeof text);
    struct record record = {.begun_wall_us = UINT64_MAX,
                            .request_id = all,
                            .client = all,
                            .method = all,
                            .host = all,
                            .tls_version = all,
                            .tls_cipher = all,
                            .tls_name = all,
                            .target = all,
                            .referer = all,
                            .user_agent = all,
                            .route = all,
                            .site = all,
                            .upstream = all,
                            .endpoint = all,
                            .bytes_in = UINT64_MAX,
                            .bytes_out = UINT64_MAX,
                            .cause = FAULT_upstream_head_too_large,
                            .detail = FAULT_upstream_head_too_large};
    json(&record);
    combined(&record);
}

static void every_cause_has_its_name(void **state)
{
    (void)state;
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        char expected[80];
        struct record record = {.cause = (enum fault)fault};
        snprintf(expected, sizeof expected, "\"%s\"", fault_row((enum fault)fault)->name);
        assert_string_equal(json_member(&record, "\"cause\":", ",\"site\""), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_exact),
        cmocka_unit_test(empty_json_is_exact),
        cmocka_unit_test(combined_is_exact),
        cmocka_unit_test(dates_follow_the_record),
        cmocka_unit_test(bytes_are_escaped),
        cmocka_unit_test(every_byte_makes_a_valid_line),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(the_longest_line_fits),
        cmocka_unit_test(every_cause_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
