/*
 * Templates of redirects and rewrites: the first line is what stands behind `to`, the rest a request-target.
 * Whatever both hold, a redirect is visible ASCII and leads to a host that the request has no part in, and a
 * rewritten target is one that target_parse() takes, without dot segments and without a second host.
 */
#include "policy/policy.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A configuration with one route that has the template. */
struct subject {
    struct config_findings findings;
    struct config *config;
    struct pipeline *pipeline;
    struct router_scratch *scratch;
    struct arena arena;
};

/* The text in single quotes, as YAML has it. */
static struct slice quote(struct arena *arena, struct slice text)
{
    char *quoted = arena_alloc(arena, 2 * text.len + 3), *end = quoted;
    *end++ = '\'';
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\'')
            *end++ = '\'';
        *end++ = text.at[i];
    }
    *end++ = '\'';
    return slice_make(quoted, (size_t)(end - quoted));
}

/* False when the template is none. `where` is what stands before it in a route. */
static bool compile(struct subject *subject, const char *where, struct slice template)
{
    struct slice to = quote(&subject->arena, template);
    struct slice text =
        arena_printf(&subject->arena,
                     "listen: [':80']\nupstreams: {app: 'a:1'}\nsites:\n- hosts: [a.test, b.test]\n"
                     "  routes: [{regex: '^/(?<one>[^/]*)(.*)$', %s: %.*s}]\n",
                     where, SLICE_ARGS(to));
    subject->config = config_load_text("fuzz.yaml", text, &subject->findings);
    if (subject->config)
        subject->pipeline = pipeline_module.compile(subject->config, NULL, &subject->findings);
    return subject->findings.errors == 0;
}

/* The request becomes what the upstream would get. */
static enum policy_verdict ask(struct subject *subject, struct policy_call *call, const struct target *target)
{
    static const struct authority authority = {{"a.test", 6}, 0};
    static const struct stream_client connection = {.tls = NULL};
    const struct config_site *site = &subject->config->sites[0];
    call->arena = &subject->arena;
    call->scratch = subject->scratch;
    call->connection = &connection;
    call->remote = call->client = SLICE("192.0.2.1");
    call->target = target;
    call->authority = &authority;
    call->request_id = SLICE("0123456789abcdef");
    call->site = site;
    call->route = &site->routes[0];
    call->request->target = target->raw;
    pipeline_enter(call, subject->pipeline, &call->route->scope);
    enum policy_verdict verdict = pipeline_judge(call);
    if (verdict == POLICY_PASS)
        pipeline_forward(call);
    return verdict;
}

static void check_visible(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        CHECK(text.at[i] > ' ' && text.at[i] < 0x7f);
}

/* Scheme and authority; empty when it is relative. */
static struct slice origin_of(struct slice url)
{
    const char *slashes = url.len > 0 && url.at[0] != '/' ? memmem(url.at, url.len, "://", 3) : NULL;
    if (slashes == NULL) {
        CHECK(url.len > 0 && url.at[0] == '/' && (url.len == 1 || !strchr("/\\", url.at[1])));
        return slice_make(NULL, 0);
    }
    size_t length = (size_t)(slashes - url.at) + 3;
    while (length < url.len && !strchr("/?#\\", url.at[length]))
        length++;
    return slice_make(url.at, length);
}

static void check_redirect(struct subject *subject, const struct target *target)
{
    struct target root;
    struct message request = {.method = METHOD_GET, .method_text = SLICE("GET")}, other = request;
    struct policy_call call = {.request = &request}, plain = {.request = &other};
    CHECK(target_parse(SLICE("/x/y"), METHOD_GET, &subject->arena, &root) == FAULT_NONE);
    if (ask(subject, &call, target) != POLICY_ANSWER)
        return;
    check_visible(call.answer.location);
    struct slice origin = origin_of(call.answer.location);
    if (ask(subject, &plain, &root) == POLICY_ANSWER)
        CHECK(slice_equal(origin, origin_of(plain.answer.location)));
}

static void check_rewrite(struct subject *subject, const struct target *target)
{
    struct target again;
    struct message request = {.method = METHOD_GET, .method_text = SLICE("GET")};
    struct policy_call call = {.request = &request};
    if (ask(subject, &call, target) != POLICY_PASS)
        return;
    check_visible(request.target);
    CHECK(target_parse(request.target, METHOD_GET, &subject->arena, &again) == FAULT_NONE);
    CHECK(again.form == TARGET_ORIGIN && !again.dotted && !again.hostlike);
    struct slice query = target->query;
    CHECK(request.target.len >= query.len &&
          slice_equal(slice_after(request.target, request.target.len - query.len), query));
}

static void try_template(const char *where, struct slice template, struct slice asked,
                         void (*check)(struct subject *subject, const struct target *target))
{
    struct subject subject = {.scratch = router_scratch_new()};
    struct target target;
    config_findings_init(&subject.findings);
    arena_init(&subject.arena, NULL, 0);
    if (compile(&subject, where, template) &&
        target_parse(asked, METHOD_GET, &subject.arena, &target) == FAULT_NONE)
        check(&subject, &target);
    if (subject.pipeline)
        pipeline_module.free(subject.pipeline);
    config_free(&subject.config);
    config_findings_fini(&subject.findings);
    arena_fini(&subject.arena);
    router_scratch_free(&subject.scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *line = size > 0 ? memchr(text, '\n', size) : NULL;
    struct slice template = slice_make(text, line ? (size_t)(line - text) : size);
    struct slice asked = line ? slice_after(slice_make(text, size), template.len + 1) : SLICE("/a/b?c");
    try_template("redirect", template, asked, check_redirect);
    try_template("upstream: app, rewrite", template, asked, check_rewrite);
    return 0;
}
