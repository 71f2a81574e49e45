/*
 * The canonical and the loose spelling of a path (http/target.h), for target.c. Only paths with a
 * percent-encoding, an empty or dotted segment, a backslash or a parameter come here. What upstreams do to
 * paths differs: decode once or twice or not at all, split at encoded separators or not, merge slashes or
 * not, cut parameters or not, resolve dots before or after (A27, A28, D12). Two spellings stand for all of
 * these only while no segment is popped in between: hence the rule in dots_are_plain().
 */
#include "http/internal.h"

/* Bytes that are being rewritten in place; never longer than the raw path. */
struct text {
    char *at;
    size_t len;
};

/* How a spelling falls into segments. */
struct shape {
    size_t segments, dots, dotdots; /* `dots` counts "." and ".." */
    bool has_empty;                 /* an empty segment that is not the last */
};

static int hex_value(char c)
{
    char lower = ascii_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte that %XX at the start stands for, -1 when it is none. */
static int encoded_byte(struct slice rest)
{
    if (rest.len < 3 || rest.at[0] != '%' || hex_value(rest.at[1]) < 0 || hex_value(rest.at[2]) < 0)
        return -1;
    return hex_value(rest.at[1]) * 16 + hex_value(rest.at[2]);
}

static void put_encoded(struct text *text, int byte)
{
    static const char digits[] = "0123456789ABCDEF";
    text->at[text->len++] = '%';
    text->at[text->len++] = digits[byte / 16];
    text->at[text->len++] = digits[byte % 16];
}

/* Decodes once. Encoded separators stay, in upper case (RFC 3986 section 6.2.2.1): they are data here. False
 * for %00 and for what is no percent-encoding. */
static bool decode_canonical(struct slice raw, struct text *text)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.at[i] != '%') {
            text->at[text->len++] = raw.at[i];
            continue;
        }
        int byte = encoded_byte(slice_after(raw, i));
        if (byte <= 0)
            return false;
        if (byte == '/' || byte == '\\')
            put_encoded(text, byte);
        else
            text->at[text->len++] = (char)byte;
        i += 2;
    }
    return true;
}

/* Decodes in place what is still encoded in a canonical path: the separators, and what was encoded twice. %00
 * stays. */
static void decode_again(struct text *text)
{
    size_t len = 0;
    for (size_t i = 0; i < text->len; i++) {
        int byte = encoded_byte(slice_make(text->at + i, text->len - i));
        text->at[len++] = byte > 0 ? (char)byte : text->at[i];
        i += byte > 0 ? 2 : 0;
    }
    text->len = len;
}

/* Backslashes become slashes and every segment loses its ;parameters. */
static void loosen(struct text *text)
{
    size_t len = 0;
    bool in_parameters = false;
    for (size_t i = 0; i < text->len; i++) {
        char c = text->at[i] == '\\' ? '/' : text->at[i];
        in_parameters = c != '/' && (in_parameters || c == ';');
        if (!in_parameters)
            text->at[len++] = c;
    }
    text->len = len;
}

/* The segment behind the slash at `at`. */
static struct slice segment_at(const struct text *text, size_t at)
{
    const char *first = text->at + at + 1;
    size_t left = text->len - at - 1;
    const char *slash = left ? memchr(first, '/', left) : NULL;
    return slice_make(first, slash ? (size_t)(slash - first) : left);
}

static struct shape shape_of(const struct text *text)
{
    struct shape shape = {.segments = 0};
    for (size_t at = 0; at < text->len;) {
        struct slice segment = segment_at(text, at);
        bool dot = slice_equal(segment, SLICE(".")), dotdot = slice_equal(segment, SLICE(".."));
        at += segment.len + 1;
        shape.segments++;
        shape.dots += dot || dotdot;
        shape.dotdots += dotdot;
        shape.has_empty |= segment.len == 0 && at < text->len;
    }
    return shape;
}

/* Whether ".." removes the same segment for every upstream. It does when all dot segments are written in one
 * way, plain or percent-encoded once, and nothing else is there that some upstreams take for a separator, a
 * dot segment or no segment at all. Otherwise a path can be built that both our spellings take to one place
 * and some upstream to another, as in /public/..;/admin//..;/public/x. No client but an attacker's sends such
 * a thing. */
static bool dots_are_plain(struct shape raw, struct shape canonical, struct shape loose)
{
    if (loose.dotdots == 0)
        return true;
    return loose.dots == canonical.dots && loose.segments == canonical.segments && !loose.has_empty &&
           (raw.dots == 0 || raw.dots == canonical.dots);
}

/* Removes the last segment and its slash; false at the root. */
static bool pop_segment(struct text *text)
{
    if (text->len == 0)
        return false;
    while (text->at[--text->len] != '/')
        ;
    return true;
}

/* Resolves dot segments in place (RFC 3986 section 5.2.4) and, if asked to, drops empty ones; false when the
 * path climbs above its root. */
static bool resolve(struct text *text, bool merges)
{
    struct text done = {.at = text->at};
    for (size_t at = 0; at < text->len;) {
        struct slice segment = segment_at(text, at);
        at += segment.len + 1;
        bool last = at >= text->len;
        bool dot = slice_equal(segment, SLICE(".")), dotdot = slice_equal(segment, SLICE(".."));
        bool dropped = dot || dotdot || (merges && segment.len == 0);
        if (dotdot && !pop_segment(&done))
            return false;
        if (dropped && !last)
            continue;
        done.at[done.len++] = '/';
        if (!dropped)
            memmove(done.at + done.len, segment.at, segment.len);
        done.len += dropped ? 0 : segment.len;
    }
    *text = done;
    return true;
}

static struct slice slice_of_text(struct text text)
{
    return slice_make(text.at, text.len);
}

/* Whether a byte can stand in a path as itself: target_parse() takes nothing else, '?' and '#' end the path.
 */
static bool has_plain_form(int byte)
{
    return byte > 0x20 && byte < 0x7f && byte != '?' && byte != '#';
}

/* The path for an upstream that decodes nothing: what can only be written encoded is decoded even so, for no
 * route could name it otherwise ("/caf%C3%A9" is the one spelling of "/café"). */
static struct slice decode_unavoidable(struct slice raw, struct arena *arena)
{
    struct text text = {.at = arena_alloc(arena, raw.len)};
    for (size_t i = 0; i < raw.len; i++) {
        int byte = encoded_byte(slice_after(raw, i));
        bool unavoidable = byte > 0 && !has_plain_form(byte);
        text.at[text.len++] = unavoidable ? (char)byte : raw.at[i];
        i += unavoidable ? 2 : 0;
    }
    return slice_of_text(text);
}

enum fault path_spell(struct target *target, struct arena *arena)
{
    struct text raw = {arena_copy(arena, target->raw_path), target->raw_path.len};
    struct text path = {.at = arena_alloc(arena, raw.len)};
    if (!decode_canonical(target->raw_path, &path))
        return FAULT_bad_target;
    struct text loose = {arena_copy(arena, slice_of_text(path)), path.len};
    decode_again(&loose);
    loosen(&loose);
    struct shape raw_shape = shape_of(&raw), path_shape = shape_of(&path), loose_shape = shape_of(&loose);
    target->dotted = raw_shape.dots + path_shape.dots + loose_shape.dots > 0;
    target->hostlike = loose.len > 1 && loose.at[1] == '/';
    if (!resolve(&path, false))
        return FAULT_path_above_root;
    if (!dots_are_plain(raw_shape, path_shape, loose_shape) || !resolve(&loose, true))
        return FAULT_ambiguous_path;
    target->raw_path = decode_unavoidable(target->raw_path, arena);
    target->path = slice_of_text(path);
    target->loose_path = slice_of_text(loose);
    target->ambiguous =
        !slice_equal(target->path, target->raw_path) || !slice_equal(target->path, target->loose_path);
    return FAULT_NONE;
}
