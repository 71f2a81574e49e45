/*
 * The writer of cli/json.h. Called by the stand-ins to say what they received; reads nothing.
 */
#include "cli/json.h"

#include <stdio.h>

enum { FIRST_CAPACITY = 1024, CHARACTER_MAX = 6 };

/* Room for `len` more bytes. */
static char *room(struct json *json, size_t len)
{
    if (json->len + len > json->capacity) {
        size_t capacity = 2 * json->capacity + len;
        char *text = arena_alloc(json->arena, capacity);
        memcpy(text, json->text, json->len);
        json->text = text;
        json->capacity = capacity;
    }
    return json->text + json->len;
}

static void put(struct json *json, struct slice bytes)
{
    memcpy(room(json, bytes.len), bytes.at, bytes.len);
    json->len += bytes.len;
}

static void put_character(struct json *json, char c)
{
    char *out = room(json, CHARACTER_MAX + 1);
    unsigned char byte = (unsigned char)c;
    if (byte < 0x20 || byte >= 0x7f) {
        json->len += (size_t)sprintf(out, "\\u%04x", byte);
        return;
    }
    if (c == '"' || c == '\\')
        *out++ = '\\', json->len++;
    *out = c;
    json->len++;
}

static void put_quoted(struct json *json, struct slice text)
{
    put(json, SLICE("\""));
    for (size_t i = 0; i < text.len; i++)
        put_character(json, text.at[i]);
    put(json, SLICE("\""));
}

static void put_key(struct json *json, const char *key)
{
    put(json, json->len > 1 ? SLICE(",\n  ") : SLICE("\n  "));
    put_quoted(json, slice_of(key));
    put(json, SLICE(": "));
}

void json_open(struct json *json, struct arena *arena)
{
    *json =
        (struct json){.arena = arena, .text = arena_alloc(arena, FIRST_CAPACITY), .capacity = FIRST_CAPACITY};
    put(json, SLICE("{"));
}

void json_text(struct json *json, const char *key, struct slice text)
{
    put_key(json, key);
    put_quoted(json, text);
}

void json_number(struct json *json, const char *key, uint64_t number)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    put_key(json, key);
    put(json, slice_make(digits, (size_t)len));
}

void json_fields(struct json *json, const char *key, const struct fields *fields)
{
    put_key(json, key);
    put(json, SLICE("["));
    bool is_first = true;
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        if (field->marks & FIELD_GONE)
            continue;
        put(json, is_first ? SLICE("\n    [") : SLICE(",\n    ["));
        put_quoted(json, field_name(field));
        put(json, SLICE(", "));
        put_quoted(json, field_value(field));
        put(json, SLICE("]"));
        is_first = false;
    }
    put(json, is_first ? SLICE("]") : SLICE("\n  ]"));
}

struct slice json_close(struct json *json)
{
    put(json, SLICE("\n}\n"));
    return slice_make(json->text, json->len);
}
