/*
 * The replacement behind config/substitute.h. A value that arrives is never looked into again: a secret that
 * contains
 * "${env:X}" stays as it is. Messages name the variable or the file, never what they hold.
 */
#include "config/substitute.h"

#include <stdlib.h>

/* One file's scalars being rewritten, one after the other. */
struct rewrite {
    struct loader *loader;
    struct arena *arena; /* of the trees */
    struct config_findings *findings;
    unsigned references;
    struct config_origin origin; /* of the scalar at hand */
    bool is_secret;
    char *text; /* what it becomes */
    size_t used, capacity;
};

static struct slice without_newline(struct slice text)
{
    if (text.len > 0 && text.at[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0 && text.at[text.len - 1] == '\r')
        text.len--;
    return text;
}

static struct slice from_environment(struct rewrite *rewrite, const char *name)
{
    const char *value = getenv(name);
    if (!value)
        config_error(rewrite->findings, rewrite->origin, "the environment variable \"%s\" is not set", name);
    return slice_of(value);
}

static struct slice from_file(struct rewrite *rewrite, const char *path)
{
    struct slice bytes = {0};
    const char *folder = rewrite->loader->file->folder;
    if (!folder) {
        config_error(rewrite->findings, rewrite->origin, "${file:} works only in a file");
        return bytes;
    }
    if (path[0] != '/')
        path = arena_printf(rewrite->arena, "%s/%s", folder, path).at;
    const char *problem = config_read_file(rewrite->loader, path, SUBSTITUTE_TEXT_MAX, &bytes);
    if (!problem && bytes.len > 0 && memchr(bytes.at, '\0', bytes.len))
        problem = "is not text";
    if (problem)
        config_error(rewrite->findings, rewrite->origin, "%s %s", path, problem);
    return problem ? (struct slice){0} : without_newline(bytes);
}

/* The value of what stands between the braces. */
static struct slice resolve(struct rewrite *rewrite, struct slice name)
{
    if (++rewrite->references > SUBSTITUTE_REFERENCES_MAX) {
        config_error(rewrite->findings, rewrite->origin, "too many ${} in one file");
        return (struct slice){0};
    }
    if (slice_starts_with(name, SLICE("env:")))
        return from_environment(rewrite, arena_copy(rewrite->arena, slice_after(name, 4)));
    if (slice_starts_with(name, SLICE("file:")))
        return from_file(rewrite, arena_copy(rewrite->arena, slice_after(name, 5)));
    config_error(rewrite->findings, rewrite->origin,
                 "unknown \"${%.*s}\"; known are ${env:NAME} and ${file:path}, and $${ stands for ${",
                 (int)(name.len < 40 ? name.len : 40), name.at);
    return (struct slice){0};
}

static void add_text(struct rewrite *rewrite, struct slice text)
{
    if (rewrite->used + text.len >= rewrite->capacity) {
        rewrite->capacity = 2 * (rewrite->used + text.len) + 1;
        char *larger = arena_alloc(rewrite->arena, rewrite->capacity);
        if (rewrite->used > 0)
            memcpy(larger, rewrite->text, rewrite->used);
        rewrite->text = larger;
    }
    if (text.len > 0)
        memcpy(rewrite->text + rewrite->used, text.at, text.len);
    rewrite->used += text.len;
    rewrite->text[rewrite->used] = '\0';
}

/* The front of `rest` up to a "${" or "$${", which `rest` then begins with. */
static struct slice take_plain(struct slice *rest)
{
    const char *at = rest->len ? memmem(rest->at, rest->len, "${", 2) : NULL;
    size_t len = at ? (size_t)(at - rest->at) : rest->len;
    bool escaped = at && len > 0 && at[-1] == '$';
    struct slice plain = slice_make(rest->at, len - escaped);
    *rest = slice_after(*rest, len - escaped);
    return plain;
}

/* What replaces the "${...}" or "$${" at the front of `rest`, which moves behind it. */
static struct slice take_reference(struct rewrite *rewrite, struct slice *rest)
{
    if (rest->at[1] == '$') {
        *rest = slice_after(*rest, 3);
        return SLICE("${");
    }
    const char *end = memchr(rest->at, '}', rest->len);
    if (!end) {
        config_error(rewrite->findings, rewrite->origin, "\"${\" has no closing \"}\"; $${ stands for ${");
        *rest = (struct slice){0};
        return *rest;
    }
    struct slice name = slice_make(rest->at + 2, (size_t)(end - rest->at) - 2);
    *rest = slice_after(*rest, name.len + 3);
    rewrite->is_secret = true;
    return resolve(rewrite, name);
}

static void substitute_text(struct rewrite *rewrite, struct yaml_node *node)
{
    rewrite->origin = node->origin;
    rewrite->is_secret = false;
    rewrite->text = NULL;
    rewrite->used = rewrite->capacity = 0;
    struct slice rest = node->text;
    while (rest.len > 0 && rewrite->used <= SUBSTITUTE_TEXT_MAX) {
        add_text(rewrite, take_plain(&rest));
        if (rest.len > 0)
            add_text(rewrite, take_reference(rewrite, &rest));
    }
    if (rewrite->used > SUBSTITUTE_TEXT_MAX)
        config_error(rewrite->findings, rewrite->origin, "this becomes longer than 64KiB");
    if (rewrite->is_secret)
        node->origin.redacted = node->text.at;
    node->text = slice_make(rewrite->text, rewrite->used);
    node->is_plain = false;
}

static void substitute_below(struct rewrite *rewrite, struct yaml_node *node)
{
    if (node->kind == YAML_TEXT && node->text.len > 0 && memmem(node->text.at, node->text.len, "${", 2))
        substitute_text(rewrite, node);
    for (struct yaml_node *child = node->children; child; child = child->next)
        substitute_below(rewrite, child);
}

void substitute_tree(struct loader *loader, struct yaml_node *node)
{
    struct rewrite rewrite = {.loader = loader, .arena = &loader->trees, .findings = loader->findings};
    substitute_below(&rewrite, node);
}
