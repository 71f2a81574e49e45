/*
 * What the files of the router share: a tree of literals that is walked once along a path (or along a
 * reversed host name), the compiled regexes, and what one site's routes become. route.c puts them together
 * and answers the callers of policy/route.h; route_tree.c and route_regex.c know neither sites nor hosts;
 * route_shadow.c only warns.
 */
#ifndef PORTICO_POLICY_INTERNAL_H
#define PORTICO_POLICY_INTERNAL_H

#include "policy/regex.h"
#include "policy/route.h"

/* No value, no bucket. Larger than any value, so that the smaller of two wins. */
#define TREE_NONE UINT32_MAX

/* When a key's value counts. EXACT: the text ends with the key. UNDER: it ends there or goes on with '/'; the
 * empty key lies above everything. RAW: it begins with the key, at whatever byte; equal RAW keys share a
 * bucket. */
enum tree_key_kind { TREE_EXACT, TREE_UNDER, TREE_RAW };

/* One literal; among several that match, the smallest value wins. The text is copied, it may die after
 * tree_build. */
struct tree_key {
    struct slice text;
    enum tree_key_kind kind;
    uint32_t value;
    uint32_t bucket; /* set by tree_build for RAW keys */
};

/* A node: its label has been read behind the byte that led to it. The fields fill half a cache line. */
struct tree_node {
    uint32_t label, label_len; /* in tree.text */
    uint32_t child;        /* the first of its children, which are neighbours in order of their first byte */
    uint32_t exact, under; /* smallest values of the keys that end here */
    uint32_t bucket;       /* of the RAW keys that end here, else the nearest above */
    uint32_t least;        /* smallest value at or below: a walk with something smaller in hand may stop */
    uint16_t child_count;
};

/* A compressed radix tree, immutable once built; lives in the arena that it was built in. */
struct tree {
    struct tree_node *nodes;
    unsigned char *firsts; /* by node: the byte that leads to it */
    char *text;
    uint32_t *bucket_up; /* by bucket: the bucket of the nearest shorter RAW key that it begins with, or
                            TREE_NONE */
    uint32_t node_count, bucket_count;
};

/* What a walk met. Values that can no longer win may be missing. */
struct tree_hit {
    uint32_t exact; /* of the key that is the text */
    uint32_t under; /* the smallest of the keys that the text lies under */
    uint32_t
        bucket; /* of the longest RAW key that the text begins with; bucket_up leads to the shorter ones */
};

/* Builds the tree; sorts `keys` and numbers their buckets from 0. */
void tree_build(struct tree *tree, struct arena *arena, struct tree_key *keys, uint32_t count);

/* Follows `text` from the root. The cost is bounded by the length of the text, whatever the tree holds. */
struct tree_hit tree_walk(const struct tree *tree, struct slice text);

/* A route's regex. */
struct route_regex {
    struct regex own;
    struct regex
        any; /* code may be NULL: matches where at least one of the `any_count` regexes from here on does */
    uint32_t any_count;
    uint32_t route;       /* index in the site */
    uint32_t bucket;      /* of `literal` in the site's tree */
    struct slice text;    /* the pattern */
    struct slice literal; /* every path that matches begins with it; may be empty */
    bool plain;           /* written in the common syntax only, so that it may be joined with others */
};

/* Compiles the pattern of a regex route; false after adding an error. The literal is copied into the arena.
 */
bool route_regex_compile(struct route_regex *regex, struct arena *arena, const struct config_route *route,
                         struct config_findings *findings);

/* Fills `any` of neighbours among these regexes, which are asked one after the other, where that saves runs.
 */
void route_regex_join(struct route_regex *regexes, uint32_t count);

/* Frees the compiled code. */
void route_regex_fini(struct route_regex *regex);

/* The routes of one site, compiled. The tree holds prefixes (UNDER), exact paths and the regexes' literals
 * (RAW). */
struct site_routes {
    const struct config_site *site;
    struct tree tree;
    struct route_regex *regexes; /* by bucket, within it by route */
    uint32_t *bucket_first;      /* by bucket, its first regex; one more at the end */
    uint32_t regex_count;
};

/* The prefix without its trailing slash: what a path must begin with, up to a boundary. */
struct slice route_prefix_base(const struct config_route *route);

/* Warns of the site's routes that an earlier one leaves no path. */
void route_warn_shadowed(const struct site_routes *routes, struct router_scratch *scratch,
                         struct config_findings *findings);

/* Warns of the site's redirects that lead back to their own route. */
void route_warn_loops(const struct config *config, const struct site_routes *routes,
                      struct router_scratch *scratch, struct config_findings *findings);

/* The index of the first route that matches, in *index_out. Faults as router_find_route. */
MUST_USE enum fault routes_find(const struct site_routes *routes, struct slice path,
                                struct router_scratch *scratch, uint32_t *index_out);

#endif
