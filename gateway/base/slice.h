/*
 * A view of bytes that somebody else owns: a pointer and a length, no terminator. A slice MUST NOT outlive
 * the memory it points into (a block, an arena, a literal). Comparisons that ignore case are ASCII only,
 * whatever the locale.
 */
#ifndef PORTICO_BASE_SLICE_H
#define PORTICO_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Bytes at `at`, `len` of them. An empty slice may have any pointer, NULL included. */
struct slice {
    const char *at;
    size_t len;
};

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

/* printf arguments for "%.*s". */
#define SLICE_ARGS(s) ((int)(s).len), ((s).at ? (s).at : "")

/* A slice of `len` bytes at `at`. */
static inline struct slice slice_make(const char *at, size_t len)
{
    return (struct slice){at, len};
}

/* A slice of a terminated string; NULL gives the empty slice. */
static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

/* `c` in lower case, ASCII only. */
static inline char ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

/* Whether both hold the same bytes. */
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* The same, ignoring ASCII case. */
static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.at[i] != b.at[i] && ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
            return false;
    return true;
}

/* Whether `s` begins with `prefix`, byte for byte. */
static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}

/* `s` without its first `n` bytes (n <= s.len). */
static inline struct slice slice_after(struct slice s, size_t n)
{
    return (struct slice){s.at + n, s.len - n};
}

/* `s` without spaces and tabs at either end (OWS of RFC 9110 section 5.6.3). */
static inline struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && (s.at[0] == ' ' || s.at[0] == '\t'))
        s = slice_after(s, 1);
    while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The next element of a comma-separated list, trimmed; moves `rest` behind it. False at the end. Elements may
 * be empty. */
static inline bool slice_next_element(struct slice *rest, struct slice *element_out)
{
    if (rest->at == NULL)
        return false;
    const char *comma = rest->len ? memchr(rest->at, ',', rest->len) : NULL;
    size_t len = comma ? (size_t)(comma - rest->at) : rest->len;
    *element_out = slice_trim(slice_make(rest->at, len));
    *rest = comma ? slice_after(*rest, len + 1) : (struct slice){NULL, 0};
    return true;
}

#endif
