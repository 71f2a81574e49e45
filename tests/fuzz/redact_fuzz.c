/*
 * A secret in a URL of any bytes, behind a parameter name in any spelling, never shows in a line of the
 * access log, and the line stays one: valid JSON, or printable ASCII. Input: two bytes that choose name and
 * spelling, then the URL; the parameter goes in behind its first zero byte, or at its end.
 */
#include "observe/log_line.h"
#include "observe/redact.h"

#include "../unit/observe/json_check.h"

#include <stdio.h>
#include <stdlib.h>

enum { URL_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct slice NAMES[] = {{"access_token", 12}, {"token", 5}, {"code", 4}, {"sig", 3}};
static const struct slice SECRET = {"qzSECRETzq", 10};

/* The name with each letter, by turns of the spelling's bits, as it is, in upper case or percent-encoded. */
static size_t spell(char *out, struct slice name, unsigned spelling)
{
    size_t len = 0;
    for (size_t i = 0; i < name.len; i++, spelling = spelling >> 1 | (spelling & 1) << 7) {
        char c = name.at[i], upper = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
        if ((spelling & 3) == 3)
            len += (size_t)sprintf(out + len, (spelling & 4) ? "%%%02X" : "%%%02x", (unsigned)upper);
        else
            out[len++] = (spelling & 3) == 1 ? upper : c;
    }
    return len;
}

/* begin "?" or "&" name=SECRET rest; `rest` goes on as a value or with a separator, as the input has it. */
static size_t make_url(char *url, const uint8_t *data, size_t size)
{
    const uint8_t *zero = memchr(data + 2, 0, size - 2);
    size_t begin = zero ? (size_t)(zero - data) - 2 : size - 2, len = begin;
    memcpy(url, data + 2, begin);
    url[len++] = memchr(url, '?', begin) || memchr(url, '#', begin) ? "&;?#"[data[0] >> 6] : '?';
    len += spell(url + len, NAMES[data[0] & 3], data[1]);
    url[len++] = '=';
    memcpy(url + len, SECRET.at, SECRET.len);
    len += SECRET.len;
    size_t rest = zero ? size - 2 - begin - 1 : 0;
    if (rest)
        memcpy(url + len, zero + 1, rest);
    return len + rest;
}

static void check(bool holds, const char *line, size_t len)
{
    if (holds)
        return;
    fwrite(line, 1, len, stderr);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char url[URL_MAX + 128], line[LOG_LINE_MAX];
    static struct log_second second;
    if (size < 2 || size > URL_MAX || memmem(data, size, SECRET.at, SECRET.len) != NULL)
        return 0;
    size_t url_len = make_url(url, data, size);
    char *exact = malloc(url_len); /* its end is ASan's */
    memcpy(exact, url, url_len);
    struct slice target = slice_make(exact, url_len);
    struct record record = {.target = target,
                            .referer = target,
                            .method = SLICE("GET"),
                            .user_agent = slice_make((const char *)data, size)};

    size_t len = log_line_json(&record, &second, line);
    check(len <= LOG_LINE_MAX && json_line_is_valid(line, len), line, len);
    check(memmem(line, len, SECRET.at, SECRET.len) == NULL, line, len);

    len = log_line_combined(&record, &second, line);
    check(memmem(line, len, SECRET.at, SECRET.len) == NULL, line, len);
    for (size_t i = 0; i + 1 < len; i++)
        check(line[i] >= 0x20 && line[i] < 0x7f, line, len);
    check(line[len - 1] == '\n', line, len);
    free(exact);
    return 0;
}
