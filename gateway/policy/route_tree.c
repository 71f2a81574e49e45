/*
 * The literals of a site as a compressed radix tree: prefixes, exact paths and what regexes begin with, all
 * met in one walk whose cost grows with the text and not with the number of keys. Built once per
 * configuration, level by level, so that the children of a node are neighbours and their first bytes can be
 * searched without touching them. Also serves host names, which are entered reversed.
 */
#include "policy/internal.h"

#include "base/check.h"

#include <stdlib.h>

/* The sorted keys that share a node, and how much of them the way to the node has read. */
struct key_range {
    uint32_t from, to;
    uint32_t parent;
    uint32_t bucket; /* the parent's */
    size_t depth;
};

struct builder {
    struct tree *tree;
    struct tree_key *keys;
    struct key_range *ranges; /* by node */
    uint32_t text_len;
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int compare_keys(const void *left, const void *right)
{
    const struct tree_key *a = left, *b = right;
    size_t common = a->text.len < b->text.len ? a->text.len : b->text.len;
    int order = common ? memcmp(a->text.at, b->text.at, common) : 0;
    if (order)
        return order;
    if (a->text.len != b->text.len)
        return a->text.len < b->text.len ? -1 : 1;
    return (a->value > b->value) - (a->value < b->value);
}

static size_t common_length(struct slice a, struct slice b, size_t from)
{
    while (from < a.len && from < b.len && a.at[from] == b.at[from])
        from++;
    return from;
}

static uint32_t bucket_new(struct tree *tree, uint32_t up)
{
    tree->bucket_up[tree->bucket_count] = up;
    return tree->bucket_count++;
}

/* Enters a key that ends at the node. */
static void node_take(struct builder *builder, struct tree_node *node, const struct key_range *range,
                      struct tree_key *key)
{
    node->least = smaller(node->least, key->value);
    switch (key->kind) {
    case TREE_EXACT: node->exact = smaller(node->exact, key->value); break;
    case TREE_UNDER: node->under = smaller(node->under, key->value); break;
    case TREE_RAW:
        if (node->bucket == range->bucket)
            node->bucket = bucket_new(builder->tree, range->bucket);
        key->bucket = node->bucket;
        break;
    }
}

/* Makes a child of the keys from `from` on that continue with the same byte; gives the first key behind them.
 */
static uint32_t node_add_child(struct builder *builder, uint32_t parent, uint32_t from, size_t depth)
{
    struct tree *tree = builder->tree;
    const struct tree_key *keys = builder->keys;
    uint32_t to = from + 1, end = builder->ranges[parent].to;
    while (to < end && keys[to].text.at[depth] == keys[from].text.at[depth])
        to++;
    uint32_t child = tree->node_count++;
    tree->firsts[child] = (unsigned char)keys[from].text.at[depth];
    tree->nodes[parent].child_count++;
    builder->ranges[child] = (struct key_range){from, to, parent, tree->nodes[parent].bucket, depth + 1};
    return to;
}

static void node_fill(struct builder *builder, uint32_t index)
{
    struct tree *tree = builder->tree;
    struct tree_node *node = &tree->nodes[index];
    const struct key_range *range = &builder->ranges[index];
    *node = (struct tree_node){
        .exact = TREE_NONE, .under = TREE_NONE, .bucket = range->bucket, .least = TREE_NONE};
    if (range->from == range->to)
        return;
    /* The keys are sorted: what the first and the last share, all share. */
    struct slice text = builder->keys[range->from].text;
    size_t depth = common_length(text, builder->keys[range->to - 1].text, range->depth);
    node->label = builder->text_len;
    node->label_len = (uint32_t)(depth - range->depth);
    if (node->label_len)
        memcpy(tree->text + node->label, text.at + range->depth, node->label_len);
    builder->text_len += node->label_len;

    uint32_t key = range->from;
    for (; key < range->to && builder->keys[key].text.len == depth; key++)
        node_take(builder, node, range, &builder->keys[key]);
    node->child = tree->node_count;
    while (key < range->to)
        key = node_add_child(builder, index, key, depth);
}

void tree_build(struct tree *tree, struct arena *arena, struct tree_key *keys, uint32_t count)
{
    size_t text_len = 0;
    for (uint32_t i = 0; i < count; i++)
        text_len += keys[i].text.len;
    CHECK(text_len < UINT32_MAX && count < UINT32_MAX / 4);
    if (count)
        qsort(keys, count, sizeof *keys, compare_keys);

    /* Every node but the root ends a key or divides some. */
    size_t nodes_max = 2 * (size_t)count + 1;
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    *tree = (struct tree){
        .nodes = arena_alloc(arena, nodes_max * sizeof *tree->nodes),
        .firsts = arena_alloc(arena, nodes_max),
        .text = arena_alloc(arena, text_len + 1),
        .bucket_up = arena_alloc(arena, ((size_t)count + 1) * sizeof *tree->bucket_up),
        .node_count = 1,
    };
    struct builder builder = {tree, keys, arena_alloc(&scratch, nodes_max * sizeof *builder.ranges), 0};
    builder.ranges[0] = (struct key_range){0, count, 0, TREE_NONE, 0};
    tree->firsts[0] = 0;
    for (uint32_t node = 0; node < tree->node_count; node++)
        node_fill(&builder, node);
    for (uint32_t node = tree->node_count - 1; node > 0; node--) {
        struct tree_node *parent = &tree->nodes[builder.ranges[node].parent];
        parent->least = smaller(parent->least, tree->nodes[node].least);
    }
    arena_fini(&scratch);
}

/* The child that begins with the byte, or 0: the root is nobody's child. */
static uint32_t child_of(const struct tree *tree, const struct tree_node *node, char byte)
{
    const unsigned char *firsts = tree->firsts + node->child;
    const unsigned char *found = memchr(firsts, (unsigned char)byte, node->child_count);
    return found ? node->child + (uint32_t)(found - firsts) : 0;
}

struct tree_hit tree_walk(const struct tree *tree, struct slice text)
{
    struct tree_hit hit = {TREE_NONE, TREE_NONE, TREE_NONE};
    uint32_t index = 0;
    for (size_t at = 0;; at++) {
        const struct tree_node *node = &tree->nodes[index];
        size_t len = node->label_len;
        if (text.len - at < len || (len && memcmp(text.at + at, tree->text + node->label, len) != 0))
            return hit;
        at += len;
        hit.bucket = node->bucket;
        if (at == text.len) {
            hit.exact = node->exact;
            hit.under = smaller(hit.under, node->under);
            return hit;
        }
        if (text.at[at] == '/' || at == 0)
            hit.under = smaller(hit.under, node->under);
        index = child_of(tree, node, text.at[at]);
        if (index == 0 || tree->nodes[index].least >= hit.under)
            return hit;
    }
}
