/*
 * Whether bytes are one JSON line as the access log writes them: an object of strings, integers and booleans,
 * strict UTF-8, no control characters, one line feed at the end. Shared by unit tests and fuzz targets.
 */
#ifndef PORTICO_TESTS_JSON_CHECK_H
#define PORTICO_TESTS_JSON_CHECK_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The bytes that are left. */
struct json_check {
    const unsigned char *at, *end;
};

static inline bool json_take(struct json_check *check, const char *literal)
{
    size_t len = strlen(literal);
    if ((size_t)(check->end - check->at) < len || memcmp(check->at, literal, len) != 0)
        return false;
    check->at += len;
    return true;
}

static inline bool json_escape_is_valid(struct json_check *check)
{
    if (check->at == check->end)
        return false;
    if (*check->at != 'u')
        return strchr("\"\\/bfnrt", *check->at++) != NULL;
    if (check->end - check->at < 5)
        return false;
    for (int i = 1; i < 5; i++)
        if (!isxdigit(check->at[i]))
            return false;
    check->at += 5;
    return true;
}

static inline bool json_utf8_is_valid(struct json_check *check, unsigned lead)
{
    unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    unsigned least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80, point = lead & (0x3fu >> more);
    if (lead < 0xc0 || lead > 0xf7 || (size_t)(check->end - check->at) < more)
        return false;
    while (more-- > 0) {
        if ((*check->at & 0xc0) != 0x80)
            return false;
        point = point << 6 | (*check->at++ & 0x3f);
    }
    bool is_c1 = point < 0xa0, is_surrogate = point >= 0xd800 && point < 0xe000;
    return point >= least && point <= 0x10ffff && !is_c1 && !is_surrogate;
}

static inline bool json_string_is_valid(struct json_check *check)
{
    if (!json_take(check, "\""))
        return false;
    while (check->at < check->end && *check->at != '"') {
        unsigned char c = *check->at++;
        bool valid = c == '\\'  ? json_escape_is_valid(check)
                     : c < 0x80 ? c >= 0x20 && c != 0x7f
                                : json_utf8_is_valid(check, c);
        if (!valid)
            return false;
    }
    return json_take(check, "\"");
}

static inline bool json_value_is_valid(struct json_check *check)
{
    if (check->at < check->end && *check->at == '"')
        return json_string_is_valid(check);
    if (json_take(check, "true") || json_take(check, "false"))
        return true;
    const unsigned char *begin = check->at;
    while (check->at < check->end && isdigit(*check->at))
        check->at++;
    return check->at > begin && (*begin != '0' || check->at == begin + 1);
}

static inline bool json_line_is_valid(const char *line, size_t len)
{
    struct json_check check = {(const unsigned char *)line, (const unsigned char *)line + len};
    if (!json_take(&check, "{"))
        return false;
    do {
        if (!json_string_is_valid(&check) || !json_take(&check, ":") || !json_value_is_valid(&check))
            return false;
    } while (json_take(&check, ","));
    return json_take(&check, "}\n") && check.at == check.end;
}

#endif
