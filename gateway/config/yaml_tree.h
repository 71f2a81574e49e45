/*
 * YAML text as a tree of nodes that know where they stand. What YAML allows and a configuration must not hold
 * is refused here: duplicate keys, keys that are not words, tags, merge keys, alias cycles, more than one
 * document, nesting deeper than YAML_DEPTH_MAX, aliases that stand for more than YAML_COPIES_MAX nodes.
 * Scalars are text; what they mean is the schema's. The only file that calls libyaml.
 */
#ifndef PORTICO_CONFIG_YAML_TREE_H
#define PORTICO_CONFIG_YAML_TREE_H

#include "config/config.h"

/* What a file may cost: levels, nodes that aliases stand for, anchors, bytes. */
enum { YAML_DEPTH_MAX = 64, YAML_COPIES_MAX = 10000, YAML_ANCHORS_MAX = 1000, YAML_FILE_MAX = 1 << 20 };

/* What a node is. */
enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

/* A node. In a map each child has its key; children are in the order of the file. */
struct yaml_node {
    enum yaml_kind kind;
    bool is_plain;               /* YAML_TEXT: written without quotes */
    struct config_origin origin; /* 1-based; of the value, not of its key */
    struct slice text;           /* YAML_TEXT: terminated, without NUL inside */
    struct yaml_node *key;       /* always a YAML_TEXT; NULL outside of maps */
    struct yaml_node *children, *last_child;
    struct yaml_node *next; /* the next child of the same list or map */
    unsigned count;         /* of children */
    bool is_duplicate;      /* its key is there already; not in the finished tree */
    bool is_open;           /* still being read: an alias to it is a cycle */
};

/* Parses one file's text; `file` names it in origins and must live as long as the arena. NULL after adding an
 * error. */
struct yaml_node *yaml_tree_parse(struct arena *arena, const char *file, struct slice text,
                                  struct config_findings *findings);

/* The value of a key of a map, or NULL. */
struct yaml_node *yaml_tree_find(const struct yaml_node *map, const char *key);

#endif
