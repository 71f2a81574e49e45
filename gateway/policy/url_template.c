/*
 * The templates of policy/url_template.h. Called by the policies that make URLs from requests; knows no field
 * and no status. The variables are those of policy/template.c.
 */
#include "policy/url_template.h"

#include <ctype.h>

/* Variables and groups of one text; bounds what a short request can be blown up to. */
enum { VALUES_MAX = 16 };

/* --- reading --- */

/* The text while it is taken apart. */
struct reading {
    struct url_template *template;
    const struct config_text *text;
    const struct regex *regex;
    struct config_findings *findings;
    unsigned values;
};

static struct url_piece *add_piece(struct url_template *template, enum url_kind kind)
{
    template->pieces[template->count].kind = kind;
    return &template->pieces[template->count++];
}

static void add_literal(struct url_template *template, const char *at, size_t len)
{
    if (len > 0)
        add_piece(template, URL_LITERAL)->literal = slice_make(at, len);
}

/* The group with this number or name; 0 is none of those that can be asked for. */
static unsigned group_named(const struct regex *regex, struct slice name)
{
    if (regex == NULL || name.len == 0)
        return 0;
    bool is_number = name.len == 1 && isdigit((unsigned char)name.at[0]);
    unsigned group = is_number ? (unsigned)(name.at[0] - '0') : regex_group_named(regex, name);
    return group <= regex_group_count(regex) && group <= REGEX_GROUPS_MAX ? group : 0;
}

static enum url_kind kind_of(struct slice name)
{
    return slice_equal(name, SLICE("host"))     ? URL_HOST
           : slice_equal(name, SLICE("path"))   ? URL_PATH
           : slice_equal(name, SLICE("query"))  ? URL_QUERY
           : slice_equal(name, SLICE("target")) ? URL_TARGET
           : slice_equal(name, SLICE("scheme")) ? URL_SCHEME
                                                : URL_VARIABLE;
}

static bool report(const struct reading *reading, struct slice name)
{
    struct config_origin origin = reading->text->origin;
    int shown = (int)(name.len < 40 ? name.len : 40);
    if (name.len > 0 && isdigit((unsigned char)name.at[0]))
        config_error(reading->findings, origin,
                     "there is no group \"%%{%.*s}\"; %%{1} is the first \"(...)\" of the regex", shown,
                     name.at);
    else
        config_error(reading->findings, origin,
                     "unknown variable \"%%{%.*s}\"; known are%s and the regex's groups", shown, name.at,
                     template_variables);
    return false;
}

static bool add_value(struct reading *reading, struct slice name)
{
    unsigned group = group_named(reading->regex, name);
    template_value_fn *value = template_variable(name);
    if (++reading->values > VALUES_MAX) {
        config_error(reading->findings, reading->text->origin, "more than %d variables in one text",
                     VALUES_MAX);
        return false;
    }
    if (group > 0) /* nearer than a variable of that name */
        add_piece(reading->template, URL_GROUP)->group = group;
    else if (value)
        add_piece(reading->template, kind_of(name))->value = value;
    return group > 0 || value || report(reading, name);
}

/* The variable that `rest` begins with; moves behind it. */
static bool take_value(struct reading *reading, struct slice *rest)
{
    const char *end = memchr(rest->at, '}', rest->len);
    if (end == NULL) {
        config_error(reading->findings, reading->text->origin, "\"%%{\" has no closing \"}\"");
        return false;
    }
    struct slice name = slice_make(rest->at + 2, (size_t)(end - rest->at) - 2);
    *rest = slice_after(*rest, name.len + 3);
    return add_value(reading, name);
}

static size_t count_signs(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == '%';
    return count;
}

/* What came from ${env:} and ${file:} holds no variables, and "%%{" is a plain "%{", as in policy/template.c.
 */
bool url_template_read(struct url_template *template, struct arena *arena, const struct config_text *text,
                       const struct regex *regex, struct config_findings *findings)
{
    struct reading reading = {template, text, regex, findings, 0};
    size_t most = 2 * count_signs(text->text) + 1;
    *template = (struct url_template){.pieces = arena_zalloc(arena, most * sizeof *template->pieces)};
    struct slice rest = slice_make(arena_copy(arena, text->text), text->text.len);
    while (rest.len > 0) {
        const char *sign = text->origin.redacted ? NULL : memmem(rest.at, rest.len, "%{", 2);
        size_t len = sign ? (size_t)(sign - rest.at) : rest.len;
        bool is_escaped = sign && len > 0 && sign[-1] == '%';
        add_literal(template, rest.at, len - is_escaped);
        rest = slice_after(rest, len);
        if (is_escaped) {
            add_literal(template, rest.at, 2);
            rest = slice_after(rest, 2);
        } else if (sign && !take_value(&reading, &rest)) {
            return false;
        }
    }
    return true;
}

/* --- values --- */

static bool is_name_of(struct slice name, struct slice host)
{
    if (name.len < 2 || name.at[0] != '*')
        return slice_equal(name, host);
    struct slice tail = slice_after(name, 1);
    return host.len > tail.len && slice_equal(slice_after(host, host.len - tail.len), tail);
}

struct slice url_host(const struct config_site *site, struct slice asked)
{
    const struct config_host *own = NULL;
    for (uint32_t i = site->host_count; i-- > 0;) {
        if (is_name_of(site->hosts[i].name, asked))
            return asked;
        if (site->hosts[i].name.at[0] != '*')
            own = &site->hosts[i];
    }
    return own ? own->name : asked;
}

static struct slice value_of(const struct url_piece *piece, const struct policy_call *call,
                             const struct regex_groups *groups)
{
    bool is_target = piece->kind == URL_PATH || piece->kind == URL_TARGET;
    if (is_target && call->target->form == TARGET_ASTERISK) /* goes where the root goes */
        return SLICE("/");
    switch (piece->kind) {
    case URL_LITERAL: return piece->literal;
    case URL_GROUP: return groups->at[piece->group];
    case URL_HOST: return url_host(call->site, call->authority->host);
    default: return piece->value(call);
    }
}

/* --- URLs --- */

static bool is_unreserved(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("-._~", c));
}

/* Whether a byte of a value stays as it is: in a path whatever is part of one (what is encoded stays so), in
 * a query what separates nothing. A URI as a value is text: its own encodings are encoded once more. */
static bool stays(enum url_kind kind, bool in_query, char c)
{
    unsigned char byte = (unsigned char)c;
    bool is_plain = byte > 0x20 && byte < 0x7f && !strchr("#\\\"<>", c);
    if (kind == URL_QUERY)
        return is_plain;
    if (!in_query)
        return is_plain && (c != '?' || kind == URL_TARGET);
    return is_unreserved(c) || c == '/' || (c == '%' && kind != URL_TARGET);
}

/* Writes a value behind `end`, where there is room for three bytes of each; gives the new end. */
static char *append(char *end, enum url_kind kind, bool in_query, struct slice value)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.at[i];
        if (kind == URL_LITERAL || stays(kind, in_query, value.at[i])) {
            *end++ = value.at[i];
            continue;
        }
        *end++ = '%';
        *end++ = digits[byte / 16];
        *end++ = digits[byte % 16];
    }
    return end;
}

static struct slice example_value(const struct url_piece *piece, struct arena *arena, char unknown)
{
    switch (piece->kind) {
    case URL_LITERAL: return piece->literal;
    case URL_SCHEME: return SLICE("https");
    case URL_HOST: return SLICE("host");
    case URL_PATH:
    case URL_TARGET: return arena_printf(arena, "/%c", unknown);
    default: return arena_printf(arena, "%c", unknown);
    }
}

struct slice url_template_example(const struct url_template *template, struct arena *arena, char unknown)
{
    struct slice url = SLICE("");
    for (unsigned i = 0; i < template->count; i++) {
        struct slice value = example_value(&template->pieces[i], arena, unknown);
        url = arena_printf(arena, "%.*s%.*s", SLICE_ARGS(url), SLICE_ARGS(value));
    }
    return url;
}

struct slice url_template_fill(const struct url_template *template, const struct policy_call *call,
                               const struct regex_groups *groups)
{
    size_t room = 1;
    for (unsigned i = 0; i < template->count; i++)
        room += 3 * value_of(&template->pieces[i], call, groups).len;
    char *url = arena_alloc(call->arena, room), *end = url;
    bool in_query = false;
    for (unsigned i = 0; i < template->count; i++) {
        const struct url_piece *piece = &template->pieces[i];
        end = append(end, piece->kind, in_query, value_of(piece, call, groups));
        if (piece->kind == URL_LITERAL && memchr(piece->literal.at, '?', piece->literal.len))
            in_query = true;
    }
    return slice_make(url, (size_t)(end - url));
}
