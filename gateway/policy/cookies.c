/*
 * The change of policy/cookies.h. A cookie is taken apart at its semicolons alone, as browsers do (RFC 6265
 * section 5.2), so that an attribute that is there is found whatever stands around it.
 */
#include "policy/cookies.h"

static const char *const same_site_words[] = {[CONFIG_SAME_SITE_LAX] = "; SameSite=Lax",
                                              [CONFIG_SAME_SITE_STRICT] = "; SameSite=Strict",
                                              [CONFIG_SAME_SITE_NONE] = "; SameSite=None"};

/* The next piece up to a semicolon, with blanks; moves `rest` behind it. */
static bool next_piece(struct slice *rest, struct slice *piece_out)
{
    if (rest->at == NULL)
        return false;
    const char *end = rest->len ? memchr(rest->at, ';', rest->len) : NULL;
    *piece_out = slice_make(rest->at, end ? (size_t)(end - rest->at) : rest->len);
    *rest = end ? slice_after(*rest, piece_out->len + 1) : slice_make(NULL, 0);
    return true;
}

static bool is_attribute(struct slice piece, struct slice name)
{
    const char *equals = piece.len ? memchr(piece.at, '=', piece.len) : NULL;
    size_t len = equals ? (size_t)(equals - piece.at) : piece.len;
    return slice_equal_nocase(slice_trim(slice_make(piece.at, len)), name);
}

/* What is asked for replaces what is there, so that each attribute stands once. */
static bool is_replaced(const struct config_cookies *cookies, struct slice piece)
{
    return (cookies->secure && is_attribute(piece, SLICE("secure"))) ||
           (cookies->http_only && is_attribute(piece, SLICE("httponly"))) ||
           (cookies->same_site != CONFIG_SAME_SITE_UNCHANGED && is_attribute(piece, SLICE("samesite")));
}

static char *put(char *at, struct slice text)
{
    if (text.len > 0)
        memcpy(at, text.at, text.len);
    return at + text.len;
}

struct slice cookie_fix(const struct config_cookies *cookies, struct slice value, struct arena *arena)
{
    static const char most[] = "; Secure; HttpOnly; SameSite=Strict";
    char *text = arena_alloc(arena, value.len + sizeof most), *at = text;
    struct slice rest = value, piece;
    bool first = true;
    while (next_piece(&rest, &piece)) {
        if (!first && is_replaced(cookies, piece))
            continue;
        at = put(first ? at : put(at, SLICE(";")), piece);
        first = false;
    }
    if (cookies->secure)
        at = put(at, SLICE("; Secure"));
    if (cookies->http_only)
        at = put(at, SLICE("; HttpOnly"));
    if (cookies->same_site != CONFIG_SAME_SITE_UNCHANGED)
        at = put(at, slice_of(same_site_words[cookies->same_site]));
    return slice_make(text, (size_t)(at - text));
}
