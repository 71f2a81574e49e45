/*
 * libyaml's events into the tree of config/yaml_tree.h, without recursion over what is being read: the open
 * lists and maps are a stack of YAML_DEPTH_MAX. Aliases copy the subtree they name, so that every node has
 * one place. Stops at the first error of syntax; duplicate keys are all reported.
 */
#include "config/yaml_tree.h"

#include <stdlib.h>
#include <yaml.h>

/* A named node. */
struct anchor {
    const char *name;
    struct yaml_node *node;
};

/* A tree in the making. */
struct builder {
    struct arena *arena;
    struct config_findings *findings;
    const char *file;
    struct slice text;
    yaml_parser_t parser;
    struct yaml_node *root;
    struct yaml_node *open[YAML_DEPTH_MAX];
    struct yaml_node *keys[YAML_DEPTH_MAX]; /* read, its value not yet */
    unsigned depth, copies, documents, anchor_count;
    struct anchor anchors[YAML_ANCHORS_MAX];
    bool failed;
};

static struct config_origin origin_of(const struct builder *builder, yaml_mark_t mark)
{
    return (struct config_origin){builder->file, (unsigned)mark.line + 1, (unsigned)mark.column + 1, NULL};
}

/* Says what is wrong and ends the parse. */
static void refuse(struct builder *builder, struct config_origin origin, const char *text)
{
    config_error(builder->findings, origin, "%s", text);
    builder->failed = true;
}

static struct yaml_node *node_new(struct builder *builder, enum yaml_kind kind, yaml_mark_t mark)
{
    struct yaml_node *node = arena_zalloc(builder->arena, sizeof *node);
    node->kind = kind;
    node->origin = origin_of(builder, mark);
    return node;
}

static void append(struct yaml_node *parent, struct yaml_node *child)
{
    if (parent->last_child)
        parent->last_child->next = child;
    else
        parent->children = child;
    parent->last_child = child;
    parent->count++;
}

static void place_key(struct builder *builder, struct yaml_node *key)
{
    if (key->kind != YAML_TEXT) {
        refuse(builder, key->origin, "a key must be a word, not a list or a mapping");
        return;
    }
    if (key->is_plain && slice_equal(key->text, SLICE("<<"))) {
        refuse(builder, key->origin,
               "merge keys (<<) are not supported; put what is shared into defaults or into the site");
        return;
    }
    builder->keys[builder->depth - 1] = key;
}

/* Puts a node where it was written: the root, the next of a list, a key or the value behind one. */
static void place(struct builder *builder, struct yaml_node *node)
{
    if (builder->depth == 0) {
        builder->root = node;
        return;
    }
    struct yaml_node *parent = builder->open[builder->depth - 1];
    if (parent->kind == YAML_MAP && !builder->keys[builder->depth - 1]) {
        place_key(builder, node);
        return;
    }
    node->key = builder->keys[builder->depth - 1];
    builder->keys[builder->depth - 1] = NULL;
    append(parent, node);
}

static struct anchor *find_anchor(struct builder *builder, const char *name)
{
    for (unsigned i = 0; i < builder->anchor_count; i++)
        if (strcmp(builder->anchors[i].name, name) == 0)
            return &builder->anchors[i];
    return NULL;
}

static void add_anchor(struct builder *builder, const yaml_char_t *name, struct yaml_node *node)
{
    if (!name || builder->failed)
        return;
    if (find_anchor(builder, (const char *)name)) {
        refuse(builder, node->origin, "this anchor's name is already taken");
        return;
    }
    if (builder->anchor_count == YAML_ANCHORS_MAX) {
        refuse(builder, node->origin, "too many anchors");
        return;
    }
    char *kept = arena_copy(builder->arena, slice_of((const char *)name));
    builder->anchors[builder->anchor_count++] = (struct anchor){kept, node};
}

/* A copy of a closed subtree that will stand `depth` deep; NULL when it is refused. Recursion is bounded by
 * the depth. */
static struct yaml_node *copy_tree(struct builder *builder, const struct yaml_node *original, unsigned depth)
{
    if (++builder->copies > YAML_COPIES_MAX || depth > YAML_DEPTH_MAX)
        return NULL;
    struct yaml_node *copy = arena_alloc(builder->arena, sizeof *copy);
    *copy = *original;
    copy->children = copy->last_child = copy->next = copy->key = NULL;
    copy->count = 0;
    for (const struct yaml_node *child = original->children; child; child = child->next) {
        struct yaml_node *child_copy = copy_tree(builder, child, depth + 1);
        if (!child_copy)
            return NULL;
        child_copy->key = child->key;
        append(copy, child_copy);
    }
    return copy;
}

static void read_alias(struct builder *builder, const yaml_event_t *event)
{
    struct config_origin origin = origin_of(builder, event->start_mark);
    const struct anchor *anchor = find_anchor(builder, (const char *)event->data.alias.anchor);
    if (!anchor) {
        refuse(builder, origin, "this alias names no anchor above it");
        return;
    }
    if (anchor->node->is_open) {
        refuse(builder, origin, "this alias stands inside of what it names; that would never end");
        return;
    }
    struct yaml_node *copy = copy_tree(builder, anchor->node, builder->depth + 1);
    if (copy)
        place(builder, copy);
    else
        refuse(builder, origin, "aliases stand for too much; write it out or use fewer of them");
}

static void read_scalar(struct builder *builder, const yaml_event_t *event)
{
    struct yaml_node *node = node_new(builder, YAML_TEXT, event->start_mark);
    struct slice text = slice_make((const char *)event->data.scalar.value, event->data.scalar.length);
    if (text.len > 0 && memchr(text.at, '\0', text.len)) {
        refuse(builder, node->origin, "a NUL character is not allowed");
        return;
    }
    node->text = slice_make(arena_copy(builder->arena, text), text.len);
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    place(builder, node);
    add_anchor(builder, event->data.scalar.anchor, node);
}

static void begin(struct builder *builder, struct yaml_node *node, const yaml_char_t *anchor)
{
    if (builder->depth == YAML_DEPTH_MAX) {
        refuse(builder, node->origin, "nested deeper than 64 levels");
        return;
    }
    place(builder, node);
    add_anchor(builder, anchor, node);
    node->is_open = true;
    builder->open[builder->depth] = node;
    builder->keys[builder->depth++] = NULL;
}

static int compare_children(const void *a, const void *b)
{
    const struct yaml_node *x = (*(const struct yaml_node *const *)a)->key;
    const struct yaml_node *y = (*(const struct yaml_node *const *)b)->key;
    int order = strcmp(x->text.at, y->text.at);
    if (order == 0)
        order = (x->origin.line > y->origin.line) - (x->origin.line < y->origin.line);
    return order ? order : (x->origin.column > y->origin.column) - (x->origin.column < y->origin.column);
}

/* Takes the duplicates off the map. */
static void keep_unique(struct yaml_node *map)
{
    struct yaml_node *child = map->children;
    map->children = map->last_child = NULL;
    map->count = 0;
    while (child) {
        struct yaml_node *next = child->next;
        child->next = NULL;
        if (!child->is_duplicate)
            append(map, child);
        child = next;
    }
}

/* Reports keys that are there already and keeps only the first, so that no reader meets a key twice. */
static void check_duplicates(struct builder *builder, struct yaml_node *map)
{
    struct yaml_node **children = arena_alloc(builder->arena, (map->count + 1) * sizeof *children);
    unsigned count = 0;
    bool is_unique = true;
    for (struct yaml_node *child = map->children; child; child = child->next)
        children[count++] = child;
    qsort(children, count, sizeof *children, compare_children);
    for (unsigned i = 1; i < count; i++) {
        const struct yaml_node *key = children[i]->key, *before = children[i - 1]->key;
        if (!slice_equal(key->text, before->text))
            continue;
        config_error(builder->findings, key->origin,
                     "duplicate key \"%.*s\"; it is already written in line %u", SLICE_ARGS(key->text),
                     before->origin.line);
        children[i]->is_duplicate = true;
        is_unique = false;
    }
    if (!is_unique)
        keep_unique(map);
}

static void end(struct builder *builder)
{
    struct yaml_node *node = builder->open[--builder->depth];
    node->is_open = false;
    if (node->kind == YAML_MAP)
        check_duplicates(builder, node);
}

static bool has_tag(const yaml_event_t *event)
{
    return (event->type == YAML_SCALAR_EVENT && event->data.scalar.tag) ||
           (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.tag) ||
           (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.tag);
}

static void read_event(struct builder *builder, const yaml_event_t *event)
{
    struct config_origin origin = origin_of(builder, event->start_mark);
    if (has_tag(event)) {
        refuse(builder, origin, "tags (!name) are not supported; write the value alone");
        return;
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (builder->documents++ > 0)
            refuse(builder, origin, "a second document (---) begins here; a file holds one");
        break;
    case YAML_ALIAS_EVENT: read_alias(builder, event); break;
    case YAML_SCALAR_EVENT: read_scalar(builder, event); break;
    case YAML_SEQUENCE_START_EVENT:
        begin(builder, node_new(builder, YAML_LIST, event->start_mark), event->data.sequence_start.anchor);
        break;
    case YAML_MAPPING_START_EVENT:
        begin(builder, node_new(builder, YAML_MAP, event->start_mark), event->data.mapping_start.anchor);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: end(builder); break;
    default: break;
    }
}

/* Line and column of a byte; libyaml gives only the offset of bytes that are no text. */
static struct config_origin origin_at(const struct builder *builder, size_t offset)
{
    struct config_origin origin = {builder->file, 1, 1, NULL};
    for (size_t i = 0; i < offset && i < builder->text.len; i++) {
        bool continues = ((unsigned char)builder->text.at[i] & 0xc0) == 0x80;
        if (builder->text.at[i] == '\n') {
            origin.line++;
            origin.column = 1;
        } else if (!continues) {
            origin.column++;
        }
    }
    return origin;
}

/* Whether the character at the mark is a tab; marks count characters, not bytes. */
static bool is_tab(const struct builder *builder, yaml_mark_t mark)
{
    size_t at = 0;
    for (size_t characters = 0; at < builder->text.len; at++) {
        bool continues = ((unsigned char)builder->text.at[at] & 0xc0) == 0x80;
        if (!continues && characters++ == mark.index)
            break;
    }
    return at < builder->text.len && builder->text.at[at] == '\t';
}

static void report_syntax(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    builder->failed = true;
    if (parser->error == YAML_READER_ERROR) {
        config_error(builder->findings, origin_at(builder, parser->problem_offset),
                     "not valid UTF-8 text: %s", parser->problem);
        return;
    }
    struct config_origin origin = origin_of(builder, parser->problem_mark);
    if (is_tab(builder, parser->problem_mark))
        config_error(builder->findings, origin, "a tab begins this; YAML is indented with spaces");
    else
        config_error(builder->findings, origin, "not valid YAML: %s",
                     parser->problem ? parser->problem : "?");
}

static void read_events(struct builder *builder)
{
    for (bool more = true; more && !builder->failed;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&builder->parser, &event)) {
            report_syntax(builder);
            return;
        }
        read_event(builder, &event);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
}

static struct yaml_node *build(struct builder *builder)
{
    CHECK(yaml_parser_initialize(&builder->parser));
    yaml_parser_set_encoding(&builder->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder->parser, (const unsigned char *)builder->text.at,
                                 builder->text.len);
    read_events(builder);
    yaml_parser_delete(&builder->parser);
    if (!builder->failed && !builder->root)
        refuse(builder, origin_at(builder, 0), "the file is empty");
    return builder->failed ? NULL : builder->root;
}

struct yaml_node *yaml_tree_parse(struct arena *arena, const char *file, struct slice text,
                                  struct config_findings *findings)
{
    struct builder *builder = arena_zalloc(arena, sizeof *builder);
    builder->arena = arena;
    builder->findings = findings;
    builder->file = file;
    builder->text = text.at ? text : SLICE("");
    return build(builder);
}

struct yaml_node *yaml_tree_find(const struct yaml_node *map, const char *key)
{
    for (struct yaml_node *child = map->children; child; child = child->next)
        if (strcmp(child->key->text.at, key) == 0)
            return child;
    return NULL;
}
