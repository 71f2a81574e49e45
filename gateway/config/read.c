/*
 * A mapping of a file into what its section fills, row by row, and what every reader needs for it: kept
 * texts, absolute paths, addresses. Called by the readers of the KEY rows, which call it again for the
 * sections inside.
 */
#include "base/read_file.h"
#include "config/internal.h"

#include <stdlib.h>
#include <unistd.h>

struct slice config_keep(struct loader *loader, struct slice text)
{
    return slice_make(arena_copy(&loader->config->arena, text), text.len);
}

struct config_origin config_keep_origin(struct loader *loader, struct config_origin origin)
{
    if (origin.redacted)
        origin.redacted = arena_copy(&loader->config->arena, slice_of(origin.redacted));
    return origin;
}

struct config_origin *config_new_origins(struct loader *loader, enum section_id section)
{
    size_t count;
    schema_rows(section, &count);
    return arena_zalloc(&loader->config->arena, (count + 1) * sizeof(struct config_origin));
}

struct slice config_absolute(struct loader *loader, struct slice path)
{
    const char *folder = loader->file->folder ? loader->file->folder : ".";
    if (path.len > 0 && path.at[0] == '/')
        return config_keep(loader, path);
    char *current = folder[0] == '/' ? NULL : getcwd(NULL, 0);
    struct slice absolute =
        folder[0] == '/' ? arena_printf(&loader->config->arena, "%s/%.*s", folder, SLICE_ARGS(path))
        : strcmp(folder, ".") == 0
            ? arena_printf(&loader->config->arena, "%s/%.*s", current ? current : "", SLICE_ARGS(path))
            : arena_printf(&loader->config->arena, "%s/%s/%.*s", current ? current : "", folder,
                           SLICE_ARGS(path));
    free(current);
    return absolute;
}

const char *config_read_file(struct loader *loader, const char *path, size_t limit, struct slice *bytes_out)
{
    struct config *config = loader->config;
    struct config_file *file = arena_alloc(&config->arena, sizeof *file);
    *file = (struct config_file){config->files, arena_copy(&config->arena, slice_of(path)), limit};
    config->files = file;
    return read_file(&loader->trees, path, limit, bytes_out);
}

static bool is_target_word(const struct setting *row, struct slice text)
{
    struct slice words = slice_of(row->words), word;
    while (schema_next_word(&words, &word))
        if (slice_equal(word, text))
            return true;
    return false;
}

static void keep_target(struct loader *loader, const struct setting *row, void *object)
{
    struct slice text;
    char *member = (char *)object + row->offset;
    memcpy(&text, member, sizeof text);
    text = is_target_word(row, text) ? config_keep(loader, text) : config_absolute(loader, text);
    memcpy(member, &text, sizeof text);
}

static void read_scalar(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                        struct section_target target)
{
    if (!schema_read_scalar(loader->findings, row, node, target.settings))
        return;
    if (row->type == SETTING_TARGET)
        keep_target(loader, row, target.settings);
    target.origins[schema_slot(row)] = config_keep_origin(loader, node->origin);
}

/* What is inherited stands with the settings, whatever object is being read. */
static void read_key(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                     struct section_target target)
{
    bool inherited = row->section == SECTION_inherited;
    row->read(loader, row, node, inherited ? target.settings : target.object);
    if (inherited)
        target.origins[schema_slot(row)] = config_keep_origin(loader, node->origin);
}

static void read_part(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                      void *object)
{
    if (!schema_expect(loader->findings, node, YAML_MAP, "a mapping"))
        return;
    struct section_target target = {.object = (char *)object + row->offset,
                                    .settings = (char *)object + row->offset};
    target.origins = schema_part_origins(row, object);
    config_read_section(loader, row->part, node, target);
}

/* What the top level requires is checked when all files have been read. */
static void check_required(struct loader *loader, enum section_id section, const struct yaml_node *map)
{
    size_t count;
    const struct setting *rows = schema_rows(section, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].fallback, "required") == 0 && section != SECTION_root &&
            !yaml_tree_find(map, rows[i].key))
            config_error(loader->findings, map->origin, "missing key \"%s\" in %s", rows[i].key,
                         schema_sections[section].noun);
}

bool config_read_section(struct loader *loader, enum section_id section, const struct yaml_node *map,
                         struct section_target target)
{
    bool all_known = true;
    for (const struct yaml_node *node = map->children; node; node = node->next) {
        const struct setting *row = schema_find(section, node->key->text);
        all_known = all_known && row;
        if (!row)
            schema_report_unknown(loader->findings, section, node->key);
        else if (row->type == SETTING_KEY)
            read_key(loader, row, node, target);
        else if (row->type == SETTING_PART)
            read_part(loader, row, node, target.object);
        else
            read_scalar(loader, row, node, target);
    }
    if (all_known)
        check_required(loader, section, map);
    return all_known;
}
