/*
 * For the tests of single policies: a configuration as it is written, its rules, and calls as the exchange
 * makes them. Everything lives until scene_close().
 */
#ifndef PORTICO_TESTS_POLICY_SCENE_H
#define PORTICO_TESTS_POLICY_SCENE_H

#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static struct {
    struct config_findings findings;
    struct config *config;
    struct pipeline *pipeline;
    struct arena arena;
    struct stream_client connection;
    struct stream_tls told;
    struct target target;
    struct authority authority;
} scene;

/* Two routes, /own with `route` and / without; each text is what stands in that scope, as flow mappings. */
static inline void scene_open(const char *defaults, const char *site, const char *route)
{
    config_findings_init(&scene.findings);
    arena_init(&scene.arena, NULL, 0);
    struct slice text =
        arena_printf(&scene.arena,
                     "listen: [':80']\nupstreams: {app: 'a:1'}\ndefaults: {%s}\n"
                     "sites:\n- hosts: ['*']\n%s%s\n  routes:\n"
                     "  - {prefix: /own, upstream: app%s%s}\n  - {prefix: /, upstream: app}\n",
                     defaults, site[0] ? "  " : "", site, route[0] ? ", " : "", route);
    scene.config = config_load_text("t.yaml", text, &scene.findings);
    if (scene.config == NULL)
        fail_msg("%.*s\n%.*s", SLICE_ARGS(text), SLICE_ARGS(scene.findings.first->text));
    scene.pipeline = pipeline_module.compile(scene.config, NULL, &scene.findings);
    assert_non_null(scene.pipeline);
}

static inline void scene_close(void)
{
    pipeline_module.free(scene.pipeline);
    config_free(&scene.config);
    config_findings_fini(&scene.findings);
    arena_fini(&scene.arena);
}

/* A call in the scope of the route /own. */
static inline struct policy_call scene_call(struct message *request)
{
    const struct config_site *site = &scene.config->sites[0];
    scene.connection.tls = &scene.told;
    struct policy_call call = {.arena = &scene.arena,
                               .connection = &scene.connection,
                               .request = request,
                               .target = &scene.target,
                               .authority = &scene.authority,
                               .site = site,
                               .route = &site->routes[0]};
    pipeline_enter(&call, scene.pipeline, &site->routes[0].scope);
    return call;
}

/* The call comes from this address, or through a Unix socket ("unix:"). */
static inline void scene_come_from(struct policy_call *call, const char *client)
{
    struct address address = {.any.sa_family = AF_UNIX};
    call->remote = call->client = slice_of(client);
    bool known = address_from_literal(call->client, 1, &address);
    assert_true(known || strcmp(client, "unix:") == 0);
    scene.connection.address = address_remote(&address);
}

/* The present fields as "name: value" lines, in their order. */
static inline const char *scene_lines(const struct fields *fields)
{
    struct slice text = SLICE("");
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        if (!(field->marks & FIELD_GONE))
            text = arena_printf(&scene.arena, "%.*s%.*s: %.*s\n", SLICE_ARGS(text),
                                SLICE_ARGS(field_name(field)), SLICE_ARGS(field_value(field)));
    }
    return arena_copy(&scene.arena, text);
}

/* Appends a field. */
static inline void scene_field(struct message *message, const char *name, const char *value)
{
    fields_add(&message->fields, &scene.arena, slice_of(name), slice_of(value));
}

#endif
