/*
 * Finds the secrets of a URL, see observe/redact.h. Called by the access log for each record that has a
 * target; must not know where the pieces go. Parameters begin behind '?', '#', '&' and ';' alike, so that
 * fragments with a query of their own ("#/done?code=1") are covered. Names are compared percent-decoded and
 * without case.
 */
#include "observe/redact.h"

enum { SECRET_NAME_MAX = 12 };

static const struct slice SECRET_NAMES[] = {
    {"access_token", 12},
    {"token", 5},
    {"code", 4},
    {"sig", 3},
};

static const struct slice REDACTED = {"[redacted]", 10};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One decoded character of [at, end), lower case; gives the position behind it. */
static const char *decode(const char *at, const char *end, char *c_out)
{
    *c_out = ascii_lower(*at);
    if (*at != '%' || end - at < 3)
        return at + 1;
    int high = hex_digit(at[1]), low = hex_digit(at[2]);
    if (high < 0 || low < 0)
        return at + 1;
    *c_out = ascii_lower((char)(high * 16 + low));
    return at + 3;
}

static bool is_secret(const char *at, const char *end)
{
    char name[SECRET_NAME_MAX];
    size_t len = 0;
    while (at < end) {
        if (len == SECRET_NAME_MAX)
            return false;
        at = decode(at, end, &name[len++]);
    }
    for (size_t i = 0; i < sizeof SECRET_NAMES / sizeof *SECRET_NAMES; i++)
        if (slice_equal(slice_make(name, len), SECRET_NAMES[i]))
            return true;
    return false;
}

static bool separates(char c)
{
    return c == '&' || c == ';' || c == '#' || c == '?';
}

/* The first separator in [at, end), or `end`; with `equals`, an '=' stops too. */
static const char *name_end(const char *at, const char *end, bool equals)
{
    while (at < end && !separates(*at) && !(equals && *at == '='))
        at++;
    return at;
}

/*
 * The end of a secret value. '&' always ends it; ';' and '#' are part of it for some servers, so they end it
 * only where another parameter visibly follows; '?' never does.
 */
static const char *value_end(const char *at, const char *end)
{
    for (; at < end && *at != '&'; at++) {
        if (*at != ';' && *at != '#')
            continue;
        const char *next = name_end(at + 1, end, true);
        if (next < end && *next == '=' && next > at + 1)
            return at;
    }
    return at;
}

static void find_secret(struct redact *redact)
{
    const char *at = redact->name, *end = redact->end;
    while (at != NULL) {
        const char *stop = name_end(at, end, true);
        bool has_value = stop < end && *stop == '=';
        if (has_value && is_secret(at, stop)) {
            redact->hide = stop + 1;
            redact->hide_end = stop = value_end(stop + 1, end);
        } else {
            stop = name_end(stop, end, false);
        }
        at = stop < end ? stop + 1 : NULL;
        if (redact->hide)
            break;
    }
    redact->name = at;
}

/* Where the authority begins: behind "//" or "scheme://", or at once in authority-form; NULL for a path. */
static const char *authority_begin(const char *at, const char *end)
{
    const char *begin = at;
    while (at < end && *at != '/' && *at != '?' && *at != '#')
        at++;
    bool slashes = end - at >= 2 && at[0] == '/' && at[1] == '/';
    if (slashes && (at == begin || at[-1] == ':'))
        return at + 2;
    return at == begin ? NULL : begin;
}

static void find_userinfo(struct redact *redact)
{
    const char *begin = authority_begin(redact->at, redact->end);
    if (begin == NULL)
        return;
    const char *last = begin;
    for (const char *at = begin; at < redact->end && *at != '/' && *at != '?' && *at != '#'; at++)
        if (*at == '@')
            last = at;
    if (last == begin)
        return;
    redact->hide = begin;
    redact->hide_end = last;
}

void redact_begin(struct redact *redact, struct slice url)
{
    *redact = (struct redact){.at = url.at, .end = url.len ? url.at + url.len : url.at};
    if (url.len == 0)
        return;
    find_userinfo(redact);
    const char *at = url.at;
    while (at < redact->end && *at != '?' && *at != '#')
        at++;
    redact->name = at < redact->end ? at + 1 : NULL;
}

bool redact_next(struct redact *redact, struct slice *piece_out)
{
    if (redact->hide == NULL)
        find_secret(redact);
    const char *until = redact->hide ? redact->hide : redact->end;
    if (redact->at < until) {
        *piece_out = slice_make(redact->at, (size_t)(until - redact->at));
        redact->at = until;
        return true;
    }
    if (redact->hide == NULL)
        return false;
    *piece_out = REDACTED;
    redact->at = redact->hide_end;
    redact->hide = NULL;
    return true;
}
