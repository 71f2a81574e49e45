/*
 * A configuration of sites and routes written by hand, one thing a line of t.yaml, and the router compiled
 * from it; for the tests of policy/route.h.
 */
#ifndef PORTICO_TESTS_ROUTE_FIXTURE_H
#define PORTICO_TESTS_ROUTE_FIXTURE_H

#include "policy/internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

/* The five routes of StarMeet. */
#define STARMEET "/api/v1/streaming /api /join /_next /"

enum { SITES_MAX = 12, HOSTS_MAX = 8 };

struct fixture {
    struct config config;
    struct config_findings findings;
    const struct router *router;
    struct router_scratch *scratch;
    unsigned line; /* where the next thing is written */
};

/* An empty one. */
static inline void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){.line = 1};
    arena_init(&fixture->config.arena, NULL, 0);
    fixture->config.sites = arena_zalloc(&fixture->config.arena, SITES_MAX * sizeof(struct config_site));
    config_findings_init(&fixture->findings);
    fixture->scratch = router_scratch_new();
}

/* Frees it. */
static inline void fixture_fini(struct fixture *fixture)
{
    route_module.free((void *)fixture->router);
    router_scratch_free(&fixture->scratch);
    assert_null(fixture->scratch);
    config_findings_fini(&fixture->findings);
    arena_fini(&fixture->config.arena);
}

static inline struct config_origin origin_at(unsigned line, unsigned column)
{
    return (struct config_origin){.file = "t.yaml", .line = line, .column = column};
}

static inline struct config_site *site_add(struct fixture *fixture, unsigned routes_max)
{
    struct arena *arena = &fixture->config.arena;
    struct config_site *site = &fixture->config.sites[fixture->config.site_count];
    assert_true(fixture->config.site_count < SITES_MAX);
    *site = (struct config_site){
        .hosts = arena_zalloc(arena, HOSTS_MAX * sizeof(struct config_host)),
        .routes = arena_zalloc(arena, (routes_max + 1) * sizeof(struct config_route)),
        .index = fixture->config.site_count++,
        .origin = origin_at(fixture->line, 5),
    };
    return site;
}

static inline void host_add(struct fixture *fixture, struct config_site *site, struct slice name)
{
    assert_true(site->host_count < HOSTS_MAX);
    site->hosts[site->host_count++] = (struct config_host){slice_of(arena_copy(&fixture->config.arena, name)),
                                                           origin_at(fixture->line++, 9)};
}

static inline void route_add(struct fixture *fixture, struct config_site *site, enum config_match match,
                             struct slice pattern)
{
    struct config_route *route = &site->routes[site->route_count];
    *route = (struct config_route){
        .match = match,
        .pattern = slice_make(arena_copy(&fixture->config.arena, pattern), pattern.len),
        .index = site->route_count++,
        .site = site,
        .origin = origin_at(fixture->line, 9),
        .pattern_origin = origin_at(fixture->line, 19),
    };
    fixture->line++;
}

/* The next of the words, which single blanks divide. */
static inline bool next_word(const char **words, struct slice *word_out)
{
    size_t len = strcspn(*words, " ");
    *word_out = slice_make(*words, len);
    *words += len + ((*words)[len] == ' ');
    return len > 0;
}

/* Hosts, and routes written as /prefix, =/exact and ~regex, each on a line of its own from line 1 on. */
static inline struct config_site *site_of(struct fixture *fixture, const char *hosts, const char *routes)
{
    struct config_site *site = site_add(fixture, (unsigned)strlen(routes));
    struct slice word;
    while (next_word(&hosts, &word))
        host_add(fixture, site, word);
    while (next_word(&routes, &word)) {
        if (word.at[0] == '=')
            route_add(fixture, site, CONFIG_MATCH_EXACT, slice_after(word, 1));
        else if (word.at[0] == '~')
            route_add(fixture, site, CONFIG_MATCH_REGEX, slice_after(word, 1));
        else
            route_add(fixture, site, CONFIG_MATCH_PREFIX, word);
    }
    return site;
}

static inline void compile(struct fixture *fixture)
{
    fixture->router = route_module.compile(&fixture->config, NULL, &fixture->findings);
    assert_int_equal(fixture->router == NULL, fixture->findings.errors > 0);
}

#endif
