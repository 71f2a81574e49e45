/*
 * The regexes of routes. Reads of a pattern just enough to know what every match must begin with and whether
 * it may be joined with others into one; a pattern that it does not understand is simply always run by
 * itself. How a regex is compiled and run is policy/regex.c's.
 */
#include "policy/internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* Regexes asked in one go. A run costs some 30 ns before it looks at a byte; of n regexes that all fail, n /
 * JOINED joint runs are left, and one that matches costs at most JOINED more. About the root of 100 is best
 * at 100. */
enum { JOINED = 10 };

/* What a pattern's text tells. */
struct pattern_facts {
    bool plain;      /* only syntax whose extent is known here; else the other facts mean nothing */
    bool alternates; /* has a '|' outside of all groups */
};

static char byte_at(struct slice text, size_t at)
{
    return at < text.len ? text.at[at] : '\0';
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* Whether a backslash and `c` stand for themselves alone: no \Q, \c, back reference or recursion, no \E that
 * hides what a quantifier belongs to. */
static bool is_plain_escape(char c)
{
    return c != '\0' && (!isalnum((unsigned char)c) || is_one_of(c, "dDwWsShHvVbBAzZnrtfex"));
}

/* Length of "[:name:]" at `at`, or 0. */
static size_t posix_class_length(struct slice text, size_t at)
{
    if (byte_at(text, at + 1) != ':')
        return 0;
    size_t end = at + 2;
    while (islower((unsigned char)byte_at(text, end)) || byte_at(text, end) == '^')
        end++;
    return byte_at(text, end) == ':' && byte_at(text, end + 1) == ']' ? end + 2 - at : 0;
}

/* The place behind the character class whose '[' is at `at`, or 0 when it is not plain. */
static size_t class_end(struct slice text, size_t at)
{
    at += byte_at(text, at + 1) == '^' ? 2 : 1;
    if (byte_at(text, at) == ']') /* first in a class it is a member */
        at++;
    while (at < text.len && text.at[at] != ']') {
        size_t posix = text.at[at] == '[' ? posix_class_length(text, at) : 0;
        if (posix == 0 && text.at[at] == '\\' && !is_plain_escape(byte_at(text, at + 1)))
            return 0;
        at += posix ? posix : text.at[at] == '\\' ? 2 : 1;
    }
    return at < text.len ? at + 1 : 0;
}

/* Whether the parenthesis at `at` opens a capture, named or not, a plain or atomic group or a look-around. */
static bool is_plain_group(struct slice text, size_t at)
{
    if (byte_at(text, at + 1) == '*')
        return false;
    if (byte_at(text, at + 1) != '?')
        return true;
    char kind = byte_at(text, at + 2);
    return is_one_of(kind, ":=!<>") || (kind == 'P' && byte_at(text, at + 3) == '<');
}

/* The place behind the item at `at`, or 0 when it is not plain. */
static size_t item_end(struct slice text, size_t at)
{
    switch (text.at[at]) {
    case '\0': return 0;
    case '\\': return is_plain_escape(byte_at(text, at + 1)) ? at + 2 : 0;
    case '[': return class_end(text, at);
    case '(': return is_plain_group(text, at) ? at + 1 : 0;
    default: return at + 1;
    }
}

static struct pattern_facts pattern_read(struct slice text)
{
    struct pattern_facts facts = {.plain = false};
    size_t depth = 0;
    for (size_t at = 0; at < text.len;) {
        size_t end = item_end(text, at);
        if (end == 0)
            return facts;
        if (text.at[at] == '(')
            depth++;
        else if (text.at[at] == ')')
            depth--;
        else if (text.at[at] == '|' && depth == 0)
            facts.alternates = true;
        at = end;
    }
    facts.plain = true;
    return facts;
}

/* Reads the one literal byte at *at and moves behind it; false when there is something else. */
static bool literal_byte(struct slice text, size_t *at, char *byte_out)
{
    char c = byte_at(text, *at);
    bool escaped = c == '\\';
    if (escaped)
        c = byte_at(text, *at + 1);
    if (c == '\0' || (escaped ? isalnum((unsigned char)c) != 0 : is_one_of(c, "^$.[|()?*+{")))
        return false;
    *at += escaped ? 2 : 1;
    *byte_out = c;
    return true;
}

/* What every match of an anchored pattern without top-level alternatives begins with. */
static struct slice pattern_literal(struct slice text, struct arena *arena)
{
    char *literal = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    char byte;
    for (size_t at = 1; literal_byte(text, &at, &byte);) {
        char next = byte_at(text, at);
        if (is_one_of(next, "?*{")) /* the byte may be absent */
            break;
        literal[len++] = byte;
    }
    return slice_make(literal, len);
}

bool route_regex_compile(struct route_regex *regex, struct arena *arena, const struct config_route *route,
                         struct config_findings *findings)
{
    struct slice text = route->pattern;
    *regex = (struct route_regex){.route = route->index, .text = text};
    if (!regex_read(&regex->own, text, route->pattern_origin, findings))
        return false;
    struct pattern_facts facts = pattern_read(text);
    regex->plain = facts.plain;
    if (facts.plain && !facts.alternates && byte_at(text, 0) == '^')
        regex->literal = pattern_literal(text, arena);
    return true;
}

/* One pattern that matches where any of the regexes does. Names of groups may repeat; nothing refers to them.
 */
static void join(struct route_regex *regexes, uint32_t count)
{
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    size_t size = 0, len = 0;
    for (uint32_t i = 0; i < count; i++)
        size += regexes[i].text.len + sizeof "|(?:)";
    char *pattern = arena_alloc(&scratch, size + 1);
    for (uint32_t i = 0; i < count; i++)
        len += (size_t)snprintf(pattern + len, size + 1 - len, "%s(?:%.*s)", i ? "|" : "",
                                SLICE_ARGS(regexes[i].text));
    if (regex_init(&regexes[0].any, slice_make(pattern, len), PCRE2_DUPNAMES))
        regexes[0].any_count = count;
    arena_fini(&scratch);
}

void route_regex_join(struct route_regex *regexes, uint32_t count)
{
    for (uint32_t from = 0, to; from < count; from = to) {
        to = from;
        while (to < count && to - from < JOINED && regexes[to].plain)
            to++;
        if (to - from > 2) /* of two, joining saves next to nothing */
            join(&regexes[from], to - from);
        to += to == from;
    }
}

void route_regex_fini(struct route_regex *regex)
{
    regex_fini(&regex->own);
    regex_fini(&regex->any);
}
