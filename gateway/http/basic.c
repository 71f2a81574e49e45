/*
 * The parsing of http/basic.h. Called by the policy basic_auth; base64 is read in its one canonical form, so
 * that the same credentials have one spelling.
 */
#include "http/basic.h"

#include <stdint.h>

/* The six bits of a character, or 64. */
static unsigned bits_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Decodes into `bytes`, which has room for 3/4 of the text. */
static bool decode(struct slice text, char *bytes, size_t *len_out)
{
    size_t padding = 0, len = 0;
    while (padding < 2 && text.len > padding && text.at[text.len - 1 - padding] == '=')
        padding++;
    if (text.len == 0 || text.len % 4 != 0)
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned six = i < text.len - padding ? bits_of(text.at[i]) : 0;
        if (six == 64)
            return false;
        bits = bits << 6 | six;
        if (i % 4 != 3)
            continue;
        bytes[len++] = (char)(bits >> 16 & 0xff);
        bytes[len++] = (char)(bits >> 8 & 0xff);
        bytes[len++] = (char)(bits & 0xff);
    }
    bool clean = padding == 0 || (bits & (padding == 1 ? 0xffu : 0xffffu)) == 0;
    *len_out = len - padding;
    return clean;
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return true;
    return false;
}

bool basic_read(struct slice value, struct arena *arena, struct basic_credentials *credentials_out)
{
    struct slice scheme = SLICE("Basic ");
    if (value.len < scheme.len || !slice_equal_nocase(slice_make(value.at, scheme.len), scheme))
        return false;
    struct slice text = slice_trim(slice_after(value, scheme.len));
    char *bytes = arena_alloc(arena, text.len + 1);
    size_t len;
    if (!decode(text, bytes, &len))
        return false;
    bytes[len] = '\0';
    char *colon = memchr(bytes, ':', len);
    if (colon == NULL || has_control(slice_make(bytes, len)))
        return false;
    *colon = '\0';
    struct slice password = slice_after(slice_make(bytes, len), (size_t)(colon - bytes) + 1);
    if (password.len > BASIC_PASSWORD_MAX)
        return false;
    *credentials_out = (struct basic_credentials){slice_make(bytes, (size_t)(colon - bytes)), password};
    return true;
}
