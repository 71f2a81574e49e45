/*
 * The reader of `basic_auth`: users from a file or from the configuration, each with a hash that is worth its
 * name. What is wrong in the file is said with the file's own lines; hashes never are.
 */
#include "config/internal.h"

#include "base/read_file.h"
#include "config/htpasswd.h"

#include <stdlib.h>

enum { USERS_FILE_MAX = 1024 * 1024, REALM_MAX = 128 };

/* Users in the making. */
struct draft {
    struct loader *loader;
    struct config_basic_auth *auth;
    size_t capacity;
};

static void add_user(struct draft *draft, struct config_text name, struct config_text hash)
{
    struct config_basic_auth *auth = draft->auth;
    struct config_findings *findings = draft->loader->findings;
    const char *problem = htpasswd_check_name(name.text);
    if (problem)
        config_error(findings, name.origin, "%s", problem);
    problem = htpasswd_check_hash(hash.text);
    if (problem)
        config_error(findings, hash.origin, "what stands for the user \"%.*s\" %s", SLICE_ARGS(name.text),
                     problem);
    CHECK(auth->user_count < draft->capacity);
    auth->users[auth->user_count++] = (struct config_user){name, hash};
}

static int compare_users(const void *left, const void *right)
{
    const struct config_user *a = left, *b = right;
    size_t common = a->name.text.len < b->name.text.len ? a->name.text.len : b->name.text.len;
    int order = common ? memcmp(a->name.text.at, b->name.text.at, common) : 0;
    if (order)
        return order;
    if (a->name.text.len != b->name.text.len)
        return a->name.text.len < b->name.text.len ? -1 : 1;
    return (a->name.origin.line > b->name.origin.line) - (a->name.origin.line < b->name.origin.line);
}

static void sort_users(struct draft *draft)
{
    struct config_basic_auth *auth = draft->auth;
    if (auth->user_count > 1)
        qsort(auth->users, auth->user_count, sizeof *auth->users, compare_users);
    for (uint32_t i = 1; i < auth->user_count; i++) {
        const struct config_text *name = &auth->users[i].name, *before = &auth->users[i - 1].name;
        if (slice_equal(name->text, before->text))
            config_error(draft->loader->findings, name->origin, "the user \"%.*s\" stands in line %u already",
                         SLICE_ARGS(name->text), before->origin.line);
    }
}

static void make_room(struct draft *draft, size_t count)
{
    struct arena *arena = &draft->loader->config->arena;
    draft->capacity = count;
    draft->auth->users = arena_zalloc(arena, (count + 1) * sizeof *draft->auth->users);
    draft->auth->user_count = 0;
    draft->auth->file = (struct config_text){.text = {NULL, 0}};
}

static void read_lines(struct draft *draft, struct slice text)
{
    struct loader *loader = draft->loader;
    const char *path = draft->auth->file.text.at;
    struct htpasswd_line line = {.number = 0};
    while (htpasswd_next(&text, &line)) {
        struct config_origin origin = {path, line.number, 1, NULL};
        if (line.hash.at == NULL) {
            config_error(loader->findings, origin, "expected NAME:HASH, as htpasswd -nB NAME writes it");
            continue;
        }
        add_user(draft, (struct config_text){config_keep(loader, line.name), origin},
                 (struct config_text){config_keep(loader, line.hash), origin});
    }
}

static size_t count_lines(struct slice text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == '\n';
    return count;
}

static void read_users_file(struct draft *draft, const struct yaml_node *node)
{
    struct loader *loader = draft->loader;
    struct slice path = config_absolute(loader, node->text), text;
    const char *problem = config_read_file(loader, path.at, USERS_FILE_MAX, &text);
    if (problem) {
        config_error(loader->findings, node->origin, "%.*s %s", SLICE_ARGS(schema_shown(node)), problem);
        return;
    }
    make_room(draft, count_lines(text));
    draft->auth->file = (struct config_text){path, config_keep_origin(loader, node->origin)};
    read_lines(draft, text);
    if (draft->auth->user_count == 0)
        config_error(loader->findings, node->origin, "%.*s has no users", SLICE_ARGS(schema_shown(node)));
    sort_users(draft);
}

static void read_user(struct draft *draft, const struct yaml_node *node)
{
    struct loader *loader = draft->loader;
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a password hash"))
        return;
    struct config_text name = {config_keep(loader, node->key->text),
                               config_keep_origin(loader, node->key->origin)};
    struct config_text hash = {config_keep(loader, node->text), config_keep_origin(loader, node->origin)};
    add_user(draft, name, hash);
}

void config_read_users(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                       void *object)
{
    (void)row;
    struct draft draft = {.loader = loader, .auth = object};
    if (node->kind == YAML_TEXT) {
        read_users_file(&draft, node);
        return;
    }
    if (!schema_expect(loader->findings, node, YAML_MAP, "a file, or a mapping of names to hashes"))
        return;
    make_room(&draft, node->count);
    for (const struct yaml_node *child = node->children; child; child = child->next)
        read_user(&draft, child);
    if (node->count == 0)
        config_error(loader->findings, node->origin,
                     "without users nobody comes in; write basic_auth: off for everybody");
    sort_users(&draft);
}

void config_read_realm(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                       void *object)
{
    (void)row;
    struct config_basic_auth *auth = object;
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a name for the place"))
        return;
    auth->realm =
        (struct config_text){config_keep(loader, node->text), config_keep_origin(loader, node->origin)};
    bool plain = node->text.len <= REALM_MAX;
    for (size_t i = 0; i < node->text.len; i++)
        plain = plain && (unsigned char)node->text.at[i] >= 0x20 && node->text.at[i] != 0x7f &&
                node->text.at[i] != '"' && node->text.at[i] != '\\';
    if (!plain)
        config_error(loader->findings, node->origin,
                     "a realm has up to %d bytes, no control characters, no '\"' and no '\\'", REALM_MAX);
}

/* What a scope begins with when it inherits nothing. */
static void set_defaults(struct loader *loader, struct config_basic_auth *auth)
{
    schema_set_defaults(SECTION_basic_auth, auth);
    auth->realm = (struct config_text){.text = SLICE("Restricted")};
    auth->origins = config_new_origins(loader, SECTION_basic_auth);
}

/* A copy with origins of its own. */
static void inherit(struct loader *loader, struct config_basic_auth *auth,
                    const struct config_basic_auth *from)
{
    size_t count;
    schema_rows(SECTION_basic_auth, &count);
    *auth = *from;
    auth->origins = config_new_origins(loader, SECTION_basic_auth);
    memcpy(auth->origins, from->origins, count * sizeof *auth->origins);
}

void config_read_basic_auth(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                            void *object)
{
    (void)row;
    struct config_scope *scope = object;
    struct config_basic_auth *auth = arena_zalloc(&loader->config->arena, sizeof *auth);
    bool is_off = node->kind == YAML_TEXT && slice_equal(node->text, SLICE("off"));
    if (scope->basic_auth && !is_off)
        inherit(loader, auth, scope->basic_auth);
    else
        set_defaults(loader, auth);
    auth->origin = config_keep_origin(loader, node->origin);
    scope->basic_auth = auth;
    struct section_target target = {.object = auth, .settings = auth, .origins = auth->origins};
    if (is_off || !schema_expect(loader->findings, node, YAML_MAP, "a mapping with users, or off"))
        return;
    size_t errors = loader->findings->errors;
    config_read_section(loader, SECTION_basic_auth, node, target);
    if (auth->user_count == 0 && loader->findings->errors == errors)
        config_error(loader->findings, node->origin,
                     "basic_auth needs users: a file, or a mapping of names to hashes");
}
