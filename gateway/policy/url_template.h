/*
 * URLs of the configuration with variables ("%{host}", "%{path}", ...: tables/variables.def) and, beside a
 * regex, its groups ("%{1}", "%{name}"). As policy/template.h, but every value is encoded for its place: no
 * request can end a path, begin a query or choose a host by what it holds.
 */
#ifndef PORTICO_POLICY_URL_TEMPLATE_H
#define PORTICO_POLICY_URL_TEMPLATE_H

#include "policy/regex.h"
#include "policy/template.h"

/* What a piece stands for: itself, a group, or a variable; those that mean something in a URL by name. */
enum url_kind { URL_LITERAL, URL_GROUP, URL_HOST, URL_PATH, URL_QUERY, URL_TARGET, URL_SCHEME, URL_VARIABLE };

/* A piece of a template. */
struct url_piece {
    enum url_kind kind;
    struct slice literal;     /* LITERAL */
    unsigned group;           /* GROUP */
    template_value_fn *value; /* of variables */
};

/* A template, in the arena that it was read into. */
struct url_template {
    struct url_piece *pieces;
    unsigned count;
};

/* Reads a text; `regex` is what groups belong to, or NULL. False after adding an error. */
bool url_template_read(struct url_template *template, struct arena *arena, const struct config_text *text,
                       const struct regex *regex, struct config_findings *findings);

/* The URL for this request, in the call's arena: literals as they are, values with percent-encodings where
 * their bytes would mean something else or nothing. Behind the template's "?" a value is one value: only
 * %{query} brings its own separators. `groups` may be NULL when the template has none. */
struct slice url_template_fill(const struct url_template *template, const struct policy_call *call,
                               const struct regex_groups *groups);

/* What could become of a template, to be checked before there is a request: `unknown` stands for every value
 * whose bytes are anybody's, "/" and `unknown` for those that are paths. */
struct slice url_template_example(const struct url_template *template, struct arena *arena, char unknown);

/* The host as a name that the configuration knows: what was asked for if the site has it, else the site's
 * first name; what was asked for when it has none but "*". What %{host} is in a URL. */
struct slice url_host(const struct config_site *site, struct slice asked);

#endif
