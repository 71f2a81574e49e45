/*
 * The limits of policy/rate_limit.c that count users: asked when it is known who the user is, so that a name
 * that somebody only claims uses up nothing of what its owner may. Called through policy/policy.h.
 */
#include "policy/rate_limit.h"

/* The route that the scope is of, with its site; false when it is the scope of something else. */
static bool find_route(const struct policy_compile *given, const struct config_site **site_out)
{
    for (uint32_t i = 0; i < given->config->site_count; i++) {
        const struct config_site *site = &given->config->sites[i];
        for (uint32_t j = 0; j < site->route_count; j++)
            if (&site->routes[j].scope == given->scope) {
                *site_out = site;
                return true;
            }
    }
    return false;
}

static bool has_users(const struct policy_compile *given)
{
    const struct config_site *site;
    const struct config_basic_auth *auth = given->scope->basic_auth;
    return (auth && auth->user_count > 0) || !find_route(given, &site) ||
           site->client_certificates.ca.text.len > 0;
}

static const void *compile(const struct policy_compile *given)
{
    const struct config_scope_limits *limits = given->scope->limits;
    const struct config_limit *first = NULL;
    for (uint32_t i = limits ? limits->count : 0; i > 0; i--)
        if (rate_limit_counts_users(limits->limits[i - 1]))
            first = limits->limits[i - 1];
    if (first && !has_users(given))
        config_warning(
            given->findings, limits->origin,
            "the limit \"%.*s\" counts users, and here nobody proves to be one: add basic_auth, or "
            "client_certificates to the site",
            SLICE_ARGS(first->name));
    return first;
}

static enum policy_verdict judge(struct policy_call *call, const void *rule, void **state)
{
    (void)rule, (void)state;
    return rate_limit_judge_users(call);
}

const struct policy policy_user_limit = {.name = "user_limit", .compile = compile, .judge = judge};
