/*
 * The path that the upstream gets, where it is another than the client's (`strip_prefix: true`, `rewrite: {
 * regex, to }`). It is made of the path as sent, so that what was encoded stays so; what cannot be read in
 * one way only, and what an upstream could take for more than a path, is refused (A28). Called through
 * policy/policy.h.
 */
#include "policy/policy_regexes.h"
#include "policy/url_template.h"

/* Longest target that is sent on. */
enum { TARGET_MAX = 32 * 1024 };

/* The rule of a route. */
struct rewrite_rule {
    struct slice prefix; /* to be stripped; empty: `to` counts */
    struct regex *regex; /* NULL: every path is rewritten */
    struct url_template to;
    bool has_query; /* `to` brings one */
    struct config_origin origin;
};

/* --- compiling --- */

static bool is_legal(const struct url_piece *piece)
{
    for (size_t i = 0; i < piece->literal.len; i++) {
        char c = piece->literal.at[i];
        if (c <= ' ' || c >= 0x7f || c == '#' || c == '\\')
            return false;
    }
    return true;
}

/* NULL, or what is wrong with the template. */
static const char *check(struct arena *arena, const struct url_template *to)
{
    struct target target;
    for (unsigned i = 0; i < to->count; i++) {
        if (to->pieces[i].kind == URL_QUERY || to->pieces[i].kind == URL_TARGET)
            return "the client's query is kept anyway; %{path} is the path";
        if (!is_legal(&to->pieces[i]))
            return "a path is written in visible ASCII without \"#\" and \"\\\", the rest as %XX";
    }
    struct slice example = url_template_example(to, arena, 'x');
    if (example.len == 0 || example.at[0] != '/')
        return "a path begins with \"/\" or %{path}";
    if (target_parse(example, METHOD_GET, arena, &target) || target.dotted || target.hostlike)
        return "a path holds no \"%\" without two digits and no segment \".\" or \"..\", and begins with one "
               "\"/\"";
    return NULL;
}

static bool has_query(const struct url_template *to)
{
    for (unsigned i = 0; i < to->count; i++)
        if (to->pieces[i].kind == URL_LITERAL &&
            memchr(to->pieces[i].literal.at, '?', to->pieces[i].literal.len))
            return true;
    return false;
}

static bool read_regex(const struct policy_compile *given, const struct config_rewrite *rewrite,
                       struct rewrite_rule *rule)
{
    if (rewrite->regex.text.len == 0)
        return true;
    rule->regex = policy_regexes_add(given->shared);
    if (rewrite->is_route_regex) /* the router says what is wrong with it */
        return regex_init(rule->regex, rewrite->regex.text, 0);
    return regex_read(rule->regex, rewrite->regex.text, rewrite->regex.origin, given->findings);
}

static const void *compile(const struct policy_compile *given)
{
    const struct config_rewrite *rewrite = given->scope->rewrite;
    if (rewrite == NULL || (rewrite->strips && rewrite->prefix.text.len == 0))
        return NULL;
    struct rewrite_rule *rule = arena_zalloc(given->arena, sizeof *rule);
    rule->origin = rewrite->origin;
    rule->prefix = rewrite->prefix.text;
    if (rewrite->strips)
        return rule;
    if (!read_regex(given, rewrite, rule) ||
        !url_template_read(&rule->to, given->arena, &rewrite->to, rule->regex, given->findings))
        return NULL;
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    const char *problem = check(&scratch, &rule->to);
    struct slice shown = as_written(rewrite->to.text, rewrite->to.origin);
    if (problem)
        config_error(given->findings, rewrite->to.origin, "rewrite to \"%.*s\": %s", SLICE_ARGS(shown),
                     problem);
    arena_fini(&scratch);
    rule->has_query = has_query(&rule->to);
    return rule;
}

/* --- rewriting --- */

static enum regex_outcome applies(const struct rewrite_rule *rule, const struct policy_call *call,
                                  struct slice path)
{
    if (rule->prefix.len == 0)
        return rule->regex ? regex_run(rule->regex, path, call->scratch) : REGEX_YES;
    bool is_below = slice_starts_with(path, rule->prefix) &&
                    (path.len == rule->prefix.len || path.at[rule->prefix.len] == '/');
    return is_below ? REGEX_YES : REGEX_NO;
}

/* All readings of the path must agree on whether the rule applies. */
static enum fault decide(const struct rewrite_rule *rule, const struct policy_call *call, bool *applies_out)
{
    const struct target *target = call->target;
    enum regex_outcome raw = applies(rule, call, target->raw_path), path = raw, loose = raw;
    if (target->ambiguous) {
        path = applies(rule, call, target->path);
        loose = applies(rule, call, target->loose_path);
    }
    if (raw == REGEX_LIMIT || path == REGEX_LIMIT || loose == REGEX_LIMIT)
        return FAULT_route_limit;
    *applies_out = raw == REGEX_YES;
    return raw == path && raw == loose ? FAULT_NONE : FAULT_ambiguous_path;
}

/* The new path, and the query of `to` if it has one. */
static struct slice make_path(const struct rewrite_rule *rule, const struct policy_call *call)
{
    struct regex_groups groups = {.at = {{NULL, 0}}};
    struct url_piece rest = {.kind = URL_GROUP, .group = 0};
    struct url_template stripped = {&rest, 1};
    if (rule->prefix.len == 0 && rule->regex &&
        regex_find(rule->regex, call->target->raw_path, call->scratch, &groups) != REGEX_YES)
        return slice_make(NULL, 0); /* it matched a moment ago */
    if (rule->prefix.len == 0)
        return url_template_fill(&rule->to, call, &groups);
    groups.at[0] = slice_after(call->target->raw_path, rule->prefix.len);
    struct slice path = url_template_fill(&stripped, call, &groups);
    return path.len > 0 ? path : SLICE("/");
}

static enum fault make_target(const struct rewrite_rule *rule, const struct policy_call *call,
                              struct slice *text_out)
{
    struct target target;
    struct slice text = make_path(rule, call), query = call->target->query;
    if (query.len > 0)
        text = arena_printf(call->arena, "%.*s%c%.*s", SLICE_ARGS(text), rule->has_query ? '&' : '?',
                            SLICE_ARGS(query));
    if (text.len > TARGET_MAX)
        return FAULT_target_too_long;
    bool is_path = text.len > 0 && text.at[0] == '/' &&
                   target_parse(text, call->request->method, call->arena, &target) == FAULT_NONE;
    if (!is_path || target.dotted || target.hostlike)
        return FAULT_bad_rewrite;
    *text_out = text;
    return FAULT_NONE;
}

static enum policy_verdict judge(struct policy_call *call, const void *rule_pointer, void **state)
{
    const struct rewrite_rule *rule = rule_pointer;
    struct slice *text = arena_zalloc(call->arena, sizeof *text);
    bool applies = false;
    if (call->target->form == TARGET_ASTERISK)
        return POLICY_PASS;
    call->fault = decide(rule, call, &applies);
    if (!call->fault && !applies) {
        policy_say(call, "rewrite", rule->origin, "the path stays as it is");
        return POLICY_PASS;
    }
    if (!call->fault)
        call->fault = make_target(rule, call, text);
    if (call->fault) {
        policy_say(call, "rewrite", rule->origin, "not rewritten: %s", fault_row(call->fault)->sentence);
        return POLICY_REFUSE;
    }
    policy_say(call, "rewrite", rule->origin, "the upstream gets %.*s", SLICE_ARGS(*text));
    *state = text;
    return POLICY_PASS;
}

static void forward(struct policy_call *call, const void *rule, void **state)
{
    (void)rule;
    if (*state)
        call->request->target = *(const struct slice *)*state;
}

const struct policy policy_rewrite = {.name = "rewrite",
                                      .share = policy_regexes_new,
                                      .unshare = policy_regexes_free,
                                      .compile = compile,
                                      .judge = judge,
                                      .forward = forward};
