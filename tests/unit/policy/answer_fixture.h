/*
 * For the tests of the policies that answer or rewrite: the routes of one site, compiled, and a request that
 * is routed and judged as an exchange does it.
 */
#ifndef PORTICO_TESTS_ANSWER_FIXTURE_H
#define PORTICO_TESTS_ANSWER_FIXTURE_H

#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

/* A configuration in force. */
struct fixture {
    struct config_findings findings;
    struct config *config;
    struct router *router;
    struct pipeline *pipeline;
    struct router_scratch *scratch;
    struct arena arena;
};

/* What has become of a request. */
struct outcome {
    enum policy_verdict verdict;
    enum fault fault;
    struct policy_answer answer;
    struct slice target; /* as the upstream gets it */
    struct message response;
};

/* A request. */
struct asked {
    const char *method, *target, *host;
    bool upgrade;
};

/* Compiles one site, "a.test" and "*.b.test", with these lines of routes. Without errors, pipeline is set. */
static inline void fixture_init(struct fixture *fixture, const char *routes)
{
    *fixture = (struct fixture){.scratch = router_scratch_new()};
    config_findings_init(&fixture->findings);
    arena_init(&fixture->arena, NULL, 0);
    struct slice text = arena_printf(
        &fixture->arena,
        "listen: [':80']\nupstreams: {app: 'a:1'}\n"
        "sites:\n- hosts: [a.test, '*.b.test']\n  routes:\n  - {path: /first, upstream: app}\n%s",
        routes);
    fixture->config = config_load_text("t.yaml", text, &fixture->findings);
    if (fixture->config == NULL)
        return;
    fixture->router = route_module.compile(fixture->config, NULL, &fixture->findings);
    fixture->pipeline = pipeline_module.compile(fixture->config, NULL, &fixture->findings);
}

static inline void fixture_fini(struct fixture *fixture)
{
    if (fixture->router)
        route_module.free(fixture->router);
    if (fixture->pipeline)
        pipeline_module.free(fixture->pipeline);
    config_free(&fixture->config);
    config_findings_fini(&fixture->findings);
    arena_fini(&fixture->arena);
    router_scratch_free(&fixture->scratch);
}

/* The first error, else the first warning, as text; "" when there is none. */
static inline const char *fixture_said(struct fixture *fixture)
{
    const struct config_finding *finding = fixture->findings.first;
    for (const struct config_finding *next = finding; next && !finding->is_error; next = next->next)
        if (next->is_error)
            finding = next;
    return finding ? arena_printf(&fixture->arena, "%u:%u: %.*s", finding->origin.line,
                                  finding->origin.column, SLICE_ARGS(finding->text))
                         .at
                   : "";
}

static inline bool fixture_agrees(struct fixture *fixture, const struct config_site *site, struct slice path,
                                  const struct config_route *route)
{
    const struct config_route *found = NULL;
    return !router_find_route(fixture->router, site, path, fixture->scratch, &found) && found == route;
}

/* Routes and judges; a target that is none or routed nowhere is a fault of the outcome. */
static inline struct outcome fixture_ask(struct fixture *fixture, struct asked asked)
{
    struct outcome outcome = {.verdict = POLICY_REFUSE};
    struct message request = {.method_text = slice_of(asked.method), .wants_upgrade = asked.upgrade};
    struct target target;
    struct slice text = SLICE("192.0.2.1");
    struct address address;
    struct stream_client connection = {.tls = NULL};
    struct authority authority = {slice_of(asked.host ? asked.host : "a.test"), 0};
    struct policy_call call = {.arena = &fixture->arena,
                               .scratch = fixture->scratch,
                               .request = &request,
                               .target = &target,
                               .authority = &authority,
                               .connection = &connection,
                               .remote = text,
                               .client = text};
    if (!address_from_literal(text, 1, &address))
        return outcome;
    connection.address = address_remote(&address);
    request.method = method_of(request.method_text);
    outcome.fault = target_parse(slice_of(asked.target), request.method, &fixture->arena, &target);
    if (outcome.fault)
        return outcome;
    call.site = &fixture->config->sites[0];
    outcome.fault = router_find_route(fixture->router, call.site, target.path, fixture->scratch, &call.route);
    if (outcome.fault)
        return outcome;
    if (target.ambiguous && (!fixture_agrees(fixture, call.site, target.raw_path, call.route) ||
                             !fixture_agrees(fixture, call.site, target.loose_path, call.route))) {
        outcome.fault = FAULT_ambiguous_path;
        return outcome;
    }
    request.target = target.raw;
    pipeline_enter(&call, fixture->pipeline, &call.route->scope);
    outcome.verdict = pipeline_judge(&call);
    outcome.fault = call.fault;
    outcome.answer = call.answer;
    if (outcome.verdict == POLICY_PASS)
        pipeline_forward(&call);
    outcome.target = request.target;
    outcome.response.status = outcome.answer.status;
    pipeline_respond(&call, &outcome.response);
    return outcome;
}

/* The configuration of a file's tests, made of `fixture_routes` and without errors; for
 * cmocka_run_group_tests(). */
static struct fixture fixture;
static const char *fixture_routes;

static inline int fixture_open(void **state)
{
    (void)state;
    fixture_init(&fixture, fixture_routes);
    assert_string_equal(fixture_said(&fixture), "");
    assert_non_null(fixture.pipeline);
    return 0;
}

static inline int fixture_close(void **state)
{
    (void)state;
    fixture_fini(&fixture);
    return 0;
}

#endif
