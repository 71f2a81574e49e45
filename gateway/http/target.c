/*
 * The request-target of http/target.h: its forms, its legal bytes, and the spellings of its path. Called by
 * the exchange once per request. A path without anything special is found so in one pass over its bytes and
 * costs no allocation; the others go through path_spell(). Knows no route: which spellings must agree is the
 * caller's business.
 */
#include "http/target.h"

#include "http/internal.h"

/* What a byte of an origin-form means to the first pass. PLAIN goes on; everything else is looked at. */
enum byte_class { PLAIN = 0, SLASH, ODD, QUESTION, ILLEGAL };

/* VCHAR (RFC 5234) is legal but '#': a fragment is never sent (RFC 9112 section 3.2). ODD bytes make a path
 * that upstreams may read in several ways. */
static const unsigned char byte_classes[256] = {
    [0 ... 0x20] = ILLEGAL, ['#'] = ILLEGAL,  [0x7f ... 0xff] = ILLEGAL,
    ['/'] = SLASH,          ['?'] = QUESTION, ['%'] = ODD,
    ['\\'] = ODD,           [';'] = ODD,
};

static enum byte_class class_of(char c)
{
    return (enum byte_class)byte_classes[(unsigned char)c];
}

/* Whether the segment behind a slash is empty and not the last, or made of dots. */
static bool is_odd_segment(struct slice rest)
{
    size_t dots = 0;
    if (rest.len > 0 && rest.at[0] == '/')
        return true;
    while (dots < rest.len && dots < 3 && rest.at[dots] == '.')
        dots++;
    if (dots == 0 || dots == 3)
        return false;
    return dots == rest.len || rest.at[dots] == '/' || rest.at[dots] == '?';
}

/* What the first pass found: where the path ends, and whether it has but one spelling. */
struct scan {
    size_t path_len;
    bool odd;
};

static bool scan_path(struct slice text, struct scan *scan_out)
{
    struct scan scan = {.odd = false};
    for (; scan.path_len < text.len; scan.path_len++) {
        enum byte_class class = class_of(text.at[scan.path_len]);
        if (class == PLAIN)
            continue;
        if (class == ILLEGAL)
            return false;
        if (class == QUESTION)
            break;
        if (class == ODD || is_odd_segment(slice_after(text, scan.path_len + 1)))
            scan.odd = true;
    }
    *scan_out = scan;
    return true;
}

static bool is_legal(struct slice text)
{
    bool legal = true;
    for (size_t i = 0; i < text.len; i++)
        legal &= class_of(text.at[i]) != ILLEGAL;
    return legal;
}

/* The origin-form, in target->raw: path, then '?' and query. */
static enum fault parse_origin(struct target *target, struct arena *arena)
{
    struct slice text = target->raw;
    struct scan scan;
    if (!scan_path(text, &scan) || !is_legal(slice_after(text, scan.path_len)))
        return FAULT_bad_target;
    target->raw_path = target->path = target->loose_path = slice_make(text.at, scan.path_len);
    if (scan.path_len < text.len)
        target->query = slice_after(text, scan.path_len + 1);
    return scan.odd ? path_spell(target, arena) : FAULT_NONE;
}

/* OPTIONS for the server as a whole. It goes where the root goes. */
static void set_asterisk(struct target *target)
{
    target->raw = SLICE("*");
    target->raw_path = target->path = target->loose_path = SLICE("/");
}

/* The length of "http://" or "https://" at the start, 0 when there is none. */
static size_t scheme_len(struct slice text)
{
    static const struct slice schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < 2; i++)
        if (text.len >= schemes[i].len && slice_equal_nocase(slice_make(text.at, schemes[i].len), schemes[i]))
            return schemes[i].len;
    return 0;
}

/* Letters, digits and the punctuation of host[:port]. No '@' (userinfo, RFC 9110 section 4.2.4), no '\',
 * which some parsers take for the end of the authority. Its grammar is authority_parse()'s business. */
static bool is_authority_text(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char lower = ascii_lower(text.at[i]);
        bool alphanumeric = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
        if (!alphanumeric && (lower == '\0' || strchr("-._:[]", lower) == NULL))
            return false;
    }
    return text.len > 0;
}

/* RFC 9112 section 3.2.2: what is forwarded is the origin-form of it. An empty path is "/", or "*" for
 * OPTIONS without a query (section 3.2.4). */
static enum fault parse_absolute(struct slice rest, enum method method, struct arena *arena,
                                 struct target *target)
{
    size_t len = 0;
    while (len < rest.len && rest.at[len] != '/' && rest.at[len] != '?')
        len++;
    target->authority = slice_make(rest.at, len);
    target->raw = slice_after(rest, len);
    if (!is_authority_text(target->authority))
        return FAULT_bad_target;
    if (target->raw.len == 0 && method == METHOD_OPTIONS) {
        set_asterisk(target);
        return FAULT_NONE;
    }
    if (target->raw.len == 0)
        target->raw = SLICE("/");
    else if (target->raw.at[0] == '?')
        target->raw = arena_printf(arena, "/%.*s", SLICE_ARGS(target->raw));
    return parse_origin(target, arena);
}

static enum fault parse_form(struct slice text, enum method method, struct arena *arena,
                             struct target *target)
{
    size_t scheme = scheme_len(text);
    if (method == METHOD_CONNECT)
        return FAULT_method_refused;
    if (text.len > 0 && text.at[0] == '/') {
        target->form = TARGET_ORIGIN;
        target->raw = text;
        return parse_origin(target, arena);
    }
    if (scheme > 0) {
        target->form = TARGET_ABSOLUTE;
        return parse_absolute(slice_after(text, scheme), method, arena, target);
    }
    if (!slice_equal(text, SLICE("*")) || method != METHOD_OPTIONS)
        return FAULT_bad_target;
    target->form = TARGET_ASTERISK;
    set_asterisk(target);
    return FAULT_NONE;
}

enum fault target_parse(struct slice text, enum method method, struct arena *arena, struct target *target_out)
{
    struct target target = {.form = TARGET_ORIGIN};
    enum fault fault = parse_form(text, method, arena, &target);
    if (fault == FAULT_NONE)
        *target_out = target;
    return fault;
}
