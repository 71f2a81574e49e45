/*
 * The comparison behind config/diff.h: both configurations are printed (config/print.h), read back as trees
 * and walked together, so that a key of the setting tables is compared without being named here. Called by
 * `check --against` and by a reload; changes nothing.
 */
#include "config/diff.h"

#include "base/hashmap.h"
#include "config/print.h"
#include "config/schema.h"

#include <stdlib.h>

enum { NAMED_ROUTES_MAX = 3 };

/* Something that has a name of its own: "route example.com /api". `group` is what its neighbours share. */
struct place {
    struct slice group, name;
    enum section_id section; /* whose rows its keys are, SECTION_none when nobody asks */
};

/* A difference found, in one place or in several of a group. */
struct difference {
    struct difference *next;
    struct slice group, names, text;
    unsigned named, more; /* places that `names` tells, and others */
    bool needs_restart;
};

/* Two trees being compared. */
struct comparison {
    struct arena arena;
    struct difference *first, **last;
    struct hashmap alike;   /* by group and text */
    struct hashmap noticed; /* by place and text */
};

/* The elements of a list, or the values of a mapping, by their names. */
struct elements {
    const struct yaml_node *node;
    struct hashmap by_name;
};

/* How the elements of a list, or the values of a mapping, are called. */
static const struct kind_row {
    const char *key, *noun;
    bool is_group; /* its elements are told together with the name of what they stand in */
} kinds[] = {{"listen", "listener", false},    {"certificates", "certificate", false},
             {"upstreams", "upstream", false}, {"limits", "limit", false},
             {"sites", "site", false},         {"routes", "route", true}};

static void compare_maps(struct comparison *all, const struct place *place, struct slice prefix,
                         const struct yaml_node *before, const struct yaml_node *after);

static const struct kind_row *kind_of(struct slice key)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_equal(key, slice_of(kinds[i].key)))
            return &kinds[i];
    return NULL;
}

/* --- texts --- */

/* A value on one line. */
static struct slice flat(struct arena *arena, const struct yaml_node *node)
{
    if (node->kind == YAML_TEXT)
        return node->text.len > 0 ? node->text : SLICE("\"\"");
    bool is_map = node->kind == YAML_MAP;
    struct slice text = is_map ? SLICE("{") : SLICE("[");
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        struct slice value = flat(arena, child), key = is_map ? child->key->text : SLICE("");
        text = arena_printf(arena, "%.*s%s%.*s%s%.*s", SLICE_ARGS(text), child == node->children ? "" : ", ",
                            SLICE_ARGS(key), is_map ? ": " : "", SLICE_ARGS(value));
    }
    return arena_printf(arena, "%.*s%c", SLICE_ARGS(text), is_map ? '}' : ']');
}

/* What makes an element of a list of mappings the same one in both: the value of the first of these keys. */
static struct slice identity(struct arena *arena, const struct yaml_node *element)
{
    static const char *const keys[] = {"hosts", "prefix", "path", "regex", "address", "chain", "name"};
    if (element->kind != YAML_MAP)
        return flat(arena, element);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct yaml_node *node = yaml_tree_find(element, keys[i]);
        if (node && node->kind == YAML_LIST && node->children)
            return flat(arena, node->children);
        if (node)
            return flat(arena, node);
    }
    return flat(arena, element);
}

/* --- differences --- */

/* One more place with the difference. */
static void add_name(struct comparison *all, struct difference *difference, struct slice name)
{
    if (difference->named == NAMED_ROUTES_MAX) {
        difference->more++;
        return;
    }
    difference->names = arena_printf(&all->arena, "%.*s%s%.*s", SLICE_ARGS(difference->names),
                                     difference->named > 0 ? ", " : "", SLICE_ARGS(name));
    difference->named++;
}

static struct slice key_of(struct comparison *all, struct slice group, struct slice name, struct slice text)
{
    return arena_printf(&all->arena, "%.*s %.*s: %.*s", SLICE_ARGS(group), SLICE_ARGS(name),
                        SLICE_ARGS(text));
}

__attribute__((format(printf, 4, 5))) static void note(struct comparison *all, const struct place *place,
                                                       bool needs_restart, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct slice text = arena_vprintf(&all->arena, format, arguments);
    va_end(arguments);
    struct slice group = place->group.len > 0 ? place->group : place->name;
    struct slice key = arena_printf(&all->arena, "%.*s: %.*s", SLICE_ARGS(group), SLICE_ARGS(text));
    struct difference *difference = hashmap_get(&all->alike, key);
    if (difference == NULL) {
        difference = arena_zalloc(&all->arena, sizeof *difference);
        *difference = (struct difference){
            .group = place->group, .names = SLICE(""), .text = text, .needs_restart = needs_restart};
        hashmap_set(&all->alike, key, difference);
        *all->last = difference;
        all->last = &difference->next;
    }
    add_name(all, difference, place->name);
    hashmap_set(&all->noticed, key_of(all, place->group, place->name, text), difference);
}

static bool needs_restart(const struct place *place, struct slice key)
{
    const struct setting *row = schema_find(place->section, key);
    return row && !row->reloadable;
}

static struct place place_in(struct comparison *all, const struct place *outer, const struct kind_row *kind,
                             struct slice name)
{
    struct slice group = kind->is_group
                             ? arena_printf(&all->arena, "%s %.*s", kind->noun, SLICE_ARGS(outer->name))
                             : slice_of(kind->noun);
    return (struct place){.group = group, .name = name};
}

/* --- lists --- */

static struct slice name_of(struct comparison *all, const struct yaml_node *element)
{
    return element->key ? element->key->text : identity(&all->arena, element);
}

static void elements_init(struct elements *elements, struct comparison *all, const struct yaml_node *node)
{
    elements->node = node;
    hashmap_init(&elements->by_name);
    for (struct yaml_node *child = node->children; child; child = child->next)
        if (!hashmap_get(&elements->by_name, name_of(all, child)))
            hashmap_set(&elements->by_name, name_of(all, child), child);
}

/* Whether the elements that both have stand in the same order. */
static bool same_order(struct comparison *all, const struct elements *before, const struct elements *after)
{
    const struct yaml_node *a = before->node->children, *b = after->node->children;
    while (a && b) {
        struct slice x = name_of(all, a), y = name_of(all, b);
        bool gone = !hashmap_get(&after->by_name, x), come = !hashmap_get(&before->by_name, y);
        if (!gone && !come && !slice_equal(x, y))
            return false;
        a = come && !gone ? a : a->next;
        b = gone ? b : b->next;
    }
    return true;
}

/* Elements with names of their own. */
static void compare_elements(struct comparison *all, const struct place *outer, const struct kind_row *kind,
                             const struct elements *before, const struct elements *after)
{
    for (const struct yaml_node *node = before->node->children; node; node = node->next) {
        struct place place = place_in(all, outer, kind, name_of(all, node));
        if (!hashmap_get(&after->by_name, place.name))
            note(all, &place, false, "removed");
    }
    for (const struct yaml_node *node = after->node->children; node; node = node->next) {
        struct place place = place_in(all, outer, kind, name_of(all, node));
        const struct yaml_node *old = hashmap_get(&before->by_name, place.name);
        if (!old)
            note(all, &place, false, "added");
        else if (old->kind == YAML_MAP && node->kind == YAML_MAP)
            compare_maps(all, &place, SLICE(""), old, node);
    }
    if (after->node->kind == YAML_LIST && !same_order(all, before, after))
        note(all, outer, false, "%ss in another order", kind->noun);
}

/* Elements that are only values. */
static void compare_values(struct comparison *all, const struct place *place, struct slice name,
                           const struct elements *before, const struct elements *after)
{
    for (const struct yaml_node *node = before->node->children; node; node = node->next) {
        struct slice value = name_of(all, node);
        if (!hashmap_get(&after->by_name, value))
            note(all, place, false, "%.*s without %.*s", SLICE_ARGS(name), SLICE_ARGS(value));
    }
    for (const struct yaml_node *node = after->node->children; node; node = node->next) {
        struct slice value = name_of(all, node);
        if (!hashmap_get(&before->by_name, value))
            note(all, place, false, "%.*s with %.*s", SLICE_ARGS(name), SLICE_ARGS(value));
    }
    if (!same_order(all, before, after))
        note(all, place, false, "%.*s in another order", SLICE_ARGS(name));
}

/* What has elements in both. */
static void compare_lists(struct comparison *all, const struct place *place, struct slice name,
                          const struct yaml_node *before, const struct yaml_node *after)
{
    struct elements old, now;
    elements_init(&old, all, before);
    elements_init(&now, all, after);
    const struct kind_row *kind = kind_of(after->key->text);
    if (kind)
        compare_elements(all, place, kind, &old, &now);
    else
        compare_values(all, place, name, &old, &now);
    hashmap_fini(&old.by_name);
    hashmap_fini(&now.by_name);
}

/* --- mappings --- */

/* The same key in both. */
static void compare_key(struct comparison *all, const struct place *place, struct slice name,
                        const struct yaml_node *before, const struct yaml_node *after)
{
    const struct setting *row = schema_find(place->section, after->key->text);
    if (before->kind != after->kind || after->kind == YAML_TEXT) {
        struct slice old = flat(&all->arena, before), now = flat(&all->arena, after);
        if (!slice_equal(old, now))
            note(all, place, needs_restart(place, after->key->text), "%.*s %.*s -> %.*s", SLICE_ARGS(name),
                 SLICE_ARGS(old), SLICE_ARGS(now));
    } else if (after->kind == YAML_LIST || kind_of(after->key->text)) {
        compare_lists(all, place, name, before, after);
    } else if (place->section == SECTION_root) {
        const struct place part = {.name = after->key->text, .section = row ? row->part : SECTION_none};
        compare_maps(all, &part, SLICE(""), before, after);
    } else {
        compare_maps(all, place, arena_printf(&all->arena, "%.*s.", SLICE_ARGS(name)), before, after);
    }
}

static void compare_maps(struct comparison *all, const struct place *place, struct slice prefix,
                         const struct yaml_node *before, const struct yaml_node *after)
{
    for (const struct yaml_node *node = before->children; node; node = node->next)
        if (!yaml_tree_find(after, node->key->text.at))
            note(all, place, needs_restart(place, node->key->text), "%.*s%.*s removed", SLICE_ARGS(prefix),
                 SLICE_ARGS(node->key->text));
    for (const struct yaml_node *node = after->children; node; node = node->next) {
        const struct yaml_node *old = yaml_tree_find(before, node->key->text.at);
        struct slice name =
            arena_printf(&all->arena, "%.*s%.*s", SLICE_ARGS(prefix), SLICE_ARGS(node->key->text));
        struct slice value = old ? SLICE("") : flat(&all->arena, node);
        if (old)
            compare_key(all, place, name, old, node);
        else
            note(all, place, needs_restart(place, node->key->text), "%.*s added: %.*s", SLICE_ARGS(name),
                 SLICE_ARGS(value));
    }
}

/* --- saying --- */

/* Whether the site, or `defaults`, says the same of itself: then its routes have only inherited it. */
static bool is_inherited(struct comparison *all, const struct difference *difference)
{
    struct slice group = difference->group, text = difference->text, route = SLICE("route ");
    if (group.len == 0)
        return false;
    if (hashmap_get(&all->noticed, key_of(all, SLICE(""), SLICE("defaults"), text)))
        return true;
    return slice_starts_with(group, route) &&
           hashmap_get(&all->noticed, key_of(all, SLICE("site"), slice_after(group, route.len), text));
}

static unsigned say_all(struct comparison *all, config_diff_fn *say, void *arg)
{
    unsigned count = 0;
    for (const struct difference *difference = all->first; difference; difference = difference->next) {
        if (is_inherited(all, difference))
            continue;
        struct slice group = difference->group, names = difference->names;
        if (difference->more > 0)
            names = arena_printf(&all->arena, "%.*s and %u more", SLICE_ARGS(names), difference->more);
        struct slice sentence =
            arena_printf(&all->arena, "%.*s%s%.*s%s%.*s", SLICE_ARGS(group), group.len > 0 ? " " : "",
                         SLICE_ARGS(names), names.len > 0 ? ": " : "", SLICE_ARGS(difference->text));
        say(arg, sentence, difference->needs_restart);
        count++;
    }
    return count;
}

static struct yaml_node *tree_of(struct arena *arena, const struct config *config)
{
    char *text = NULL;
    size_t len = 0;
    struct config_findings findings;
    config_findings_init(&findings);
    FILE *out = open_memstream(&text, &len);
    CHECK(out != NULL);
    config_print(config, out);
    CHECK(fclose(out) == 0);
    struct yaml_node *tree = yaml_tree_parse(arena, "", slice_make(text, len), &findings);
    CHECK(tree != NULL); /* what is printed can be read */
    config_findings_fini(&findings);
    free(text);
    return tree;
}

unsigned config_diff(const struct config *before, const struct config *after, config_diff_fn *say, void *arg)
{
    struct comparison all = {.first = NULL};
    all.last = &all.first;
    arena_init(&all.arena, NULL, 0);
    hashmap_init(&all.alike);
    hashmap_init(&all.noticed);
    const struct place root = {.section = SECTION_root};
    compare_maps(&all, &root, SLICE(""), tree_of(&all.arena, before), tree_of(&all.arena, after));
    unsigned count = say_all(&all, say, arg);
    hashmap_fini(&all.alike);
    hashmap_fini(&all.noticed);
    arena_fini(&all.arena);
    return count;
}
