/*
 * Routes that send clients elsewhere (`redirect: https://example.com%{target}`). Where to is decided by the
 * configuration alone: the host is written there or is a name of the site, so that no request can choose it.
 * Called through policy/policy.h.
 */
#include "policy/policy_regexes.h"
#include "policy/url_template.h"

/* Longest Location. */
enum { LOCATION_MAX = 16 * 1024 };

/* Stands for what a request will say; no literal holds it. */
static const char UNKNOWN = '\x01';

/* The rule of a route. */
struct redirect_rule {
    struct url_template to;
    struct regex *regex; /* NULL: `to` has no groups */
    unsigned status;
    struct config_origin origin;
};

/* --- checking --- */

/* Bytes that a URL may hold (RFC 3986 section 2), but for those that browsers take for others. */
static bool is_legal(const struct url_template *to)
{
    for (unsigned i = 0; i < to->count; i++)
        for (size_t j = 0; to->pieces[i].kind == URL_LITERAL && j < to->pieces[i].literal.len; j++) {
            char c = to->pieces[i].literal.at[j];
            if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c))
                return false;
        }
    return true;
}

/* NULL, or what is wrong with where the template leads. */
static const char *check_example(struct arena *arena, struct slice url)
{
    struct authority ignored;
    if (url.len > 0 && url.at[0] == '/')
        return url.len > 1 && url.at[1] == '/' ? "\"//\" begins a host; write https://host/..." : NULL;
    size_t scheme = slice_starts_with(url, SLICE("https://"))  ? 8
                    : slice_starts_with(url, SLICE("http://")) ? 7
                                                               : 0;
    if (scheme == 0)
        return "write \"https://host/...\" or \"/...\"";
    struct slice authority = slice_after(url, scheme);
    size_t length = 0;
    while (length < authority.len && !strchr("/?#", authority.at[length]))
        length++;
    authority.len = length;
    if (memchr(authority.at, UNKNOWN, authority.len))
        return "no part of a request may become the host; write it out or use %{host}, and begin what "
               "follows "
               "with "
               "\"/\", %{path} or %{target}";
    return authority_parse(authority, arena, &ignored) ? NULL : "its host is none";
}

static void check(const struct policy_compile *given, const struct config_route_redirect *redirect,
                  const struct url_template *to)
{
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    const char *problem = !is_legal(to)
                              ? "a URL is written in visible ASCII, the rest as %XX"
                              : check_example(&scratch, url_template_example(to, &scratch, UNKNOWN));
    struct slice shown = as_written(redirect->to.text, redirect->to.origin);
    if (problem)
        config_error(given->findings, redirect->to.origin, "redirect to \"%.*s\": %s", SLICE_ARGS(shown),
                     problem);
    arena_fini(&scratch);
}

static const void *compile(const struct policy_compile *given)
{
    static const unsigned statuses[] = {[CONFIG_REDIRECT_301] = 301,
                                        [CONFIG_REDIRECT_302] = 302,
                                        [CONFIG_REDIRECT_303] = 303,
                                        [CONFIG_REDIRECT_307] = 307,
                                        [CONFIG_REDIRECT_308] = 308};
    const struct config_route_redirect *redirect = given->scope->redirect;
    if (redirect == NULL)
        return NULL;
    struct redirect_rule *rule = arena_zalloc(given->arena, sizeof *rule);
    rule->status = statuses[redirect->status];
    rule->origin = redirect->origin;
    if (redirect->regex.text.len > 0) {
        rule->regex = policy_regexes_add(given->shared);
        if (!regex_init(rule->regex, redirect->regex.text, 0))
            return NULL; /* the router has said so */
    }
    if (url_template_read(&rule->to, given->arena, &redirect->to, rule->regex, given->findings))
        check(given, redirect, &rule->to);
    return rule;
}

/* --- answering --- */

/* Whether the request comes through with what it carries. Clients may make a GET of what gets 301 or 302, and
 * leave the body behind; WebSocket clients follow nothing unless somebody has made them to. */
static enum fault survives(const struct redirect_rule *rule, const struct message *request)
{
    bool keeps = rule->status == 307 || rule->status == 308;
    if (request->wants_upgrade && !keeps)
        return FAULT_no_websocket;
    bool is_read = request->method == METHOD_GET || request->method == METHOD_HEAD;
    return is_read || keeps || rule->status == 303 ? FAULT_NONE : FAULT_method_not_allowed;
}

/* A relative URL must stay one: "//x" and "/\x" name hosts. */
static bool leads_away(struct slice url)
{
    return url.len > 1 && url.at[0] == '/' && (url.at[1] == '/' || url.at[1] == '\\');
}

static enum fault locate(const struct redirect_rule *rule, const struct policy_call *call,
                         struct slice *location_out)
{
    struct regex_groups groups;
    enum regex_outcome outcome = REGEX_YES;
    if (rule->regex)
        outcome = regex_find(rule->regex, call->target->raw_path, call->scratch, &groups);
    if (outcome != REGEX_YES)
        return outcome == REGEX_LIMIT ? FAULT_route_limit : FAULT_ambiguous_path;
    if (call->authority->host.len == 0 && url_host(call->site, call->authority->host).len == 0)
        return FAULT_bad_host;
    struct slice url = url_template_fill(&rule->to, call, &groups);
    if (url.len > LOCATION_MAX)
        return FAULT_target_too_long;
    if (leads_away(url))
        return FAULT_bad_rewrite;
    *location_out = url;
    return FAULT_NONE;
}

static enum policy_verdict judge(struct policy_call *call, const void *rule_pointer, void **state)
{
    const struct redirect_rule *rule = rule_pointer;
    struct slice location = {NULL, 0};
    call->fault = survives(rule, call->request);
    if (!call->fault)
        call->fault = locate(rule, call, &location);
    if (call->fault) {
        policy_say(call, "redirect", rule->origin, "not redirected with %u: %s", rule->status,
                   fault_row(call->fault)->sentence);
        *state = call; /* the refusal is ours */
        return POLICY_REFUSE;
    }
    policy_say(call, "redirect", rule->origin, "%u to %.*s", rule->status, SLICE_ARGS(location));
    call->answer =
        (struct policy_answer){.status = rule->status,
                               .type = SLICE("text/plain; charset=utf-8"),
                               .location = location,
                               .text = arena_printf(call->arena, "see %.*s\n", SLICE_ARGS(location))};
    return POLICY_ANSWER;
}

static void respond(struct policy_call *call, const void *rule, void **state, struct message *response)
{
    (void)rule;
    if (*state == NULL || call->fault != FAULT_method_not_allowed)
        return;
    fields_remove(&response->fields, FIELD_allow);
    fields_add_id(&response->fields, call->arena, FIELD_allow, SLICE("GET, HEAD"));
}

const struct policy policy_redirect = {.name = "redirect",
                                       .share = policy_regexes_new,
                                       .unshare = policy_regexes_free,
                                       .compile = compile,
                                       .judge = judge,
                                       .respond = respond};
