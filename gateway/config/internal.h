/*
 * What the files of this folder share while one configuration is made: the loader, the functions that the KEY
 * rows of config/settings.def name, and how a section is read.
 */
#ifndef PORTICO_CONFIG_INTERNAL_H
#define PORTICO_CONFIG_INTERNAL_H

#include "config/schema.h"

/* A file being read. */
struct source_file {
    const char *name;   /* as findings call it */
    const char *folder; /* what its relative paths are relative to; NULL for text without a file */
};

/* Nodes to be looked at when all files have been read. */
struct pending {
    struct pending *next;
    const struct yaml_node *node;
    const struct source_file *file;
};

/* A forward_auth whose upstream is to be found when all are known. */
struct asked_upstream {
    struct asked_upstream *next;
    struct config_forward_auth *auth;
};

/* A configuration in the making. */
struct loader {
    struct config *config;
    struct config_findings *findings;
    struct arena trees;             /* nodes and texts of the files; gone when the configuration is made */
    const struct source_file *file; /* that the node at hand stands in */
    struct asked_upstream *asked_upstreams;
    struct pending *upstreams, *sites, *includes; /* newest first until turned around */
    struct config_upstream **by_name;             /* all upstreams, sorted */
    bool *is_used;                                /* by upstream.index */
    struct config_scope_limits *scope_limits;     /* all lists of names, to be resolved at the end */
    bool has_listen, has_sites;                   /* such a key stands somewhere */
    bool is_incomplete;                           /* a file could not be read: names may be missing */
};

/* What a mapping is read into. */
struct section_target {
    void *object;                  /* KEY rows: passed to their readers; PART rows: holds the members */
    void *settings;                /* scalars: holds the members */
    struct config_origin *origins; /* scalars: a place for each row of their section */
};

/* Reads the keys of a mapping. False when one is unknown: it is then probably what seems to be missing. */
bool config_read_section(struct loader *loader, enum section_id section, const struct yaml_node *map,
                         struct section_target target);

/* Zeroed origins for a section's scalars, in the configuration's arena. */
struct config_origin *config_new_origins(struct loader *loader, enum section_id section);

/* A terminated copy in the configuration's arena. */
struct slice config_keep(struct loader *loader, struct slice text);

/* The origin with its texts in the configuration's arena. */
struct config_origin config_keep_origin(struct loader *loader, struct config_origin origin);

/* The path made absolute, relative ones against the folder of the file at hand, in the configuration's arena.
 */
struct slice config_absolute(struct loader *loader, struct slice path);

/* Reads a file that the file at hand names, as read_file(), for as long as the trees live, and lists it. */
MUST_USE const char *config_read_file(struct loader *loader, const char *path, size_t limit,
                                      struct slice *bytes_out);

/* The address that counts, as messages show it: that of an override, or what the file says. */
struct slice config_shown_endpoint(const struct yaml_node *node);

/* A scalar "host:port" or "unix:/path" split, with its texts kept. False after adding an error. */
bool config_read_endpoint(struct loader *loader, const struct yaml_node *node, struct slice *text_out,
                          struct endpoint_name *name_out);

/* A scalar that is a network, as 10.0.0.0/8. False after adding an error. */
bool config_read_network(struct loader *loader, const struct yaml_node *node, struct network *network_out);

/* Makes config.upstreams from loader.upstreams. */
void config_compile_upstreams(struct loader *loader);

/* The upstream that the scalar names; NULL after adding an error. */
struct config_upstream *config_find_upstream(struct loader *loader, const struct yaml_node *node);

/* Finds the upstreams that forward_auth names. */
void config_find_asked_upstreams(struct loader *loader);

/* Checks what listeners, certificates and sites say about TLS against each other. */
void config_check_tls(struct loader *loader);

/* Makes config.sites from loader.sites. */
void config_compile_sites(struct loader *loader);

/* Finds the limits that scopes name, and warns of those that none does. */
void config_link_limits(struct loader *loader);

/* Checks a route whose keys have all been read, and resolves what depends on its pattern. */
void config_finish_route(struct loader *loader, const struct yaml_node *node, struct config_route *route);

/* config_read_* and config_print_* of the rows. */
#define SECTION(...)
#define SETTING(...)
#define PART(...)
#define KEY(section, key, shape, fallback, read, print, reload, sentence) \
    setting_read_fn config_read_##read;                                   \
    setting_print_fn config_print_##print;
#include "config/settings.def"
#undef SECTION
#undef SETTING
#undef PART
#undef KEY

#endif
