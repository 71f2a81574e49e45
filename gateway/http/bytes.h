/*
 * The byte classes of RFC 9110 section 5.6 and RFC 9112, and the search for the first byte outside of one.
 * Used by parsers, which look at every byte of a head once: names by table, values and targets 16 bytes at a
 * time.
 */
#ifndef PORTICO_HTTP_BYTES_H
#define PORTICO_HTTP_BYTES_H

#include "base/slice.h"

#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Classes of a byte, to be tested with byte_is(). */
enum byte_class {
    BYTE_TOKEN = 1,   /* tchar, RFC 9110 section 5.6.2 */
    BYTE_TARGET = 2,  /* VCHAR: what a request-target may hold before its own grammar is asked */
    BYTE_VALUE = 4,   /* field-content, RFC 9110 section 5.5: HT, SP, VCHAR, obs-text */
    BYTE_HOST = 8,    /* letters, digits, '-', '_' and '.': the hosts that authority_parse() takes */
    BYTE_BASE64 = 16, /* the alphabet of RFC 4648 section 4, without padding */
    BYTE_UPPER = 32,  /* letters in upper case */
    BYTE_DOT = 64
};

/* The classes of every byte, enum byte_class. */
extern const uint8_t byte_classes_of[256];

/* Whether the byte belongs to the class. */
static inline bool byte_is(char c, enum byte_class class)
{
    return (byte_classes_of[(unsigned char)c] & class) != 0;
}

/* The first byte in [at, end) outside of the class, or `end`. */
static inline const char *bytes_skip(const char *at, const char *end, enum byte_class class)
{
    while (at < end && byte_is(*at, class))
        at++;
    return at;
}

/* Whether all bytes belong to the class; true of an empty slice. */
static inline bool bytes_all(struct slice s, enum byte_class class)
{
    return s.len == 0 || bytes_skip(s.at, s.at + s.len, class) == s.at + s.len;
}

/* The classes that any of the bytes belongs to. */
static inline unsigned bytes_classes(struct slice s)
{
    unsigned classes = 0;
    for (size_t i = 0; i < s.len; i++)
        classes |= byte_classes_of[(unsigned char)s.at[i]];
    return classes;
}

/* Whether the slice is a token of RFC 9110 section 5.6.2; an empty one is not. */
static inline bool bytes_are_token(struct slice s)
{
    return s.len > 0 && bytes_all(s, BYTE_TOKEN);
}

/* bytes_skip() for BYTE_VALUE. */
static inline const char *bytes_skip_value(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i us = _mm_set1_epi8(0x1f), ht = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, us), bytes);
        __m128i bad =
            _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, ht), control), _mm_cmpeq_epi8(bytes, del));
        int mask = _mm_movemask_epi8(bad);
        if (mask != 0)
            return at + __builtin_ctz((unsigned)mask);
        at += 16;
    }
#endif
    return bytes_skip(at, end, BYTE_VALUE);
}

/* bytes_skip() for BYTE_TARGET. */
static inline const char *bytes_skip_target(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i sp = _mm_set1_epi8(' '), del = _mm_set1_epi8(0x7f);
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* The comparison is signed, so that bytes from 0x80 on fail it too. */
        __m128i good = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, del), _mm_cmpgt_epi8(bytes, sp));
        int mask = _mm_movemask_epi8(good);
        if (mask != 0xffff)
            return at + __builtin_ctz(~(unsigned)mask);
        at += 16;
    }
#endif
    return bytes_skip(at, end, BYTE_TARGET);
}

#endif
