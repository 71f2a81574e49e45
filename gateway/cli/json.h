/*
 * Writes one JSON object for a person to read, an entry a line, into an arena. Whatever bytes a text holds,
 * what comes out is valid and ASCII: bytes beyond it are written as the Latin-1 characters they are, fields
 * of HTTP name no other charset.
 */
#ifndef PORTICO_CLI_JSON_H
#define PORTICO_CLI_JSON_H

#include "http/fields.h"

/* An object in the making. */
struct json {
    struct arena *arena;
    char *text;
    size_t len, capacity;
};

/* Begins an object. */
void json_open(struct json *json, struct arena *arena);

/* "key": "text" */
void json_text(struct json *json, const char *key, struct slice text);

/* "key": number */
void json_number(struct json *json, const char *key, uint64_t number);

/* "key": [["name", "value"], ...]: all fields in their order, repeated ones too. */
void json_fields(struct json *json, const char *key, const struct fields *fields);

/* Ends it; gives the text with a line feed behind it, in the arena. */
struct slice json_close(struct json *json);

#endif
