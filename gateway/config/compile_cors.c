/*
 * The reader of `cors` and how it is printed. Origins are compared as they are written, so what no browser
 * would send (a path, a capital, a default port's slash) is refused here. Called through the KEY rows of
 * config/settings_cors.def.
 */
#include "config/names.h"
#include "config/printer.h"

#include <stdlib.h>

/* --- origins --- */

/* The host, and what follows it up to the end, of an origin behind its scheme. */
static const char *check_authority(struct slice authority)
{
    const char *colon = authority.len ? memrchr(authority.at, ':', authority.len) : NULL;
    bool has_port =
        colon && colon > authority.at && colon[-1] != ':' && memchr(colon, ']', authority.len) == NULL;
    struct slice port = has_port ? slice_after(authority, (size_t)(colon - authority.at) + 1) : SLICE("1");
    if (authority.len == 0 || port.len == 0)
        return "an origin has a host, as https://example.com";
    for (size_t i = 0; i < authority.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-._:[]", authority.at[i]))
            return "an origin is scheme, host and port in lower case and nothing else, as "
                   "https://example.com";
    for (size_t i = 0; i < port.len; i++)
        if (port.at[i] < '0' || port.at[i] > '9')
            return "the port is no number";
    return NULL;
}

static const char *check_origin(struct slice origin)
{
    const char *at = origin.len ? memmem(origin.at, origin.len, "://", 3) : NULL;
    if (slice_equal(origin, SLICE("*")))
        return NULL;
    if (at == NULL)
        return "an origin begins with its scheme, as https://example.com; \"*\" is every origin";
    struct slice scheme = slice_make(origin.at, (size_t)(at - origin.at));
    if (!names_is_token(scheme))
        return "an origin begins with its scheme, as https://example.com";
    return check_authority(slice_after(origin, scheme.len + 3));
}

static void add_origin(struct loader *loader, const struct yaml_node *node, struct slice text,
                       struct config_cors *cors)
{
    const char *problem = check_origin(text);
    struct slice shown = node->origin.redacted ? slice_of(node->origin.redacted) : text;
    if (problem)
        config_error(loader->findings, node->origin, "\"%.*s\": %s", SLICE_ARGS(shown), problem);
    cors->origins[cors->origin_count++] =
        (struct config_text){config_keep(loader, text), config_keep_origin(loader, node->origin)};
}

/* The next word of a text, between blanks, commas and line ends. */
static bool next_word(struct slice *rest, struct slice *word_out)
{
    size_t start = 0;
    while (start < rest->len && strchr(" \t\r\n,", rest->at[start]))
        start++;
    size_t end = start;
    while (end < rest->len && !strchr(" \t\r\n,", rest->at[end]))
        end++;
    *word_out = slice_make(rest->at + start, end - start);
    *rest = slice_after(*rest, end);
    return end > start;
}

static int compare_origins(const void *a, const void *b)
{
    const struct slice x = ((const struct config_text *)a)->text, y = ((const struct config_text *)b)->text;
    int order = memcmp(x.at, y.at, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

void config_read_cors_origins(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    (void)row;
    struct config_cors *cors = object;
    size_t most = node->kind == YAML_LIST ? node->count + 1u : node->text.len / 2 + 1;
    cors->origins = arena_zalloc(&loader->config->arena, most * sizeof *cors->origins);
    cors->origin_count = 0;
    if (node->kind == YAML_TEXT) {
        struct slice rest = node->text, word;
        while (next_word(&rest, &word))
            add_origin(loader, node, word, cors);
    } else if (schema_expect(loader->findings, node, YAML_LIST,
                             "a list of origins, as [\"https://example.com\"]")) {
        for (const struct yaml_node *child = node->children; child; child = child->next)
            if (schema_expect(loader->findings, child, YAML_TEXT, "an origin, as https://example.com"))
                add_origin(loader, child, child->text, cors);
    }
    if (cors->origin_count == 0)
        config_error(loader->findings, node->origin, "no origin is listed; `cors: off` allows none");
    else
        qsort(cors->origins, cors->origin_count, sizeof *cors->origins, compare_origins);
}

/* --- the mapping --- */

static struct slice *list_of(const struct setting *row, struct config_cors *cors)
{
    return strcmp(row->key, "methods") == 0   ? &cors->methods
           : strcmp(row->key, "headers") == 0 ? &cors->headers
                                              : &cors->expose;
}

void config_read_cors_names(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                            void *object)
{
    struct slice text = SLICE("");
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of names"))
        return;
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        struct slice shown = schema_shown(child);
        if (!names_is_token(child->text))
            config_error(loader->findings, child->origin, "\"%.*s\" is no name", SLICE_ARGS(shown));
        text = arena_printf(&loader->config->arena, "%.*s%s%.*s", SLICE_ARGS(text), text.len ? ", " : "",
                            SLICE_ARGS(child->text));
    }
    *list_of(row, object) = text;
}

static bool allows_all(const struct config_cors *cors)
{
    for (uint32_t i = 0; i < cors->origin_count; i++)
        if (slice_equal(cors->origins[i].text, SLICE("*")))
            return true;
    return false;
}

static void check_cors(struct loader *loader, const struct yaml_node *node, const struct config_cors *cors)
{
    if (cors->origins == NULL)
        config_error(loader->findings, node->origin, "missing key \"origins\" in cors");
    if (allows_all(cors) && cors->credentials)
        config_error(loader->findings, node->origin,
                     "credentials never go to every origin: list the origins, or leave credentials out");
    if (allows_all(cors) && cors->origin_count > 1)
        config_error(loader->findings, node->origin, "\"*\" is every origin; nothing can stand beside it");
}

static struct config_cors *begin_cors(struct loader *loader, const struct config_cors *inherited)
{
    size_t count;
    struct config_cors *cors = arena_zalloc(&loader->config->arena, sizeof *cors);
    schema_set_defaults(SECTION_cors, cors);
    cors->methods = SLICE("GET, HEAD, POST, PUT, PATCH, DELETE");
    cors->headers = SLICE("Authorization, Content-Type");
    cors->expose = SLICE("");
    if (inherited && inherited->origins)
        *cors = *inherited;
    schema_rows(SECTION_cors, &count);
    cors->origins_of_settings = config_new_origins(loader, SECTION_cors);
    if (inherited && inherited->origins)
        memcpy(cors->origins_of_settings, inherited->origins_of_settings,
               count * sizeof(struct config_origin));
    return cors;
}

void config_read_cors(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                      void *object)
{
    (void)row;
    struct config_scope *scope = object;
    bool off = node->kind == YAML_TEXT && slice_equal(node->text, SLICE("off"));
    struct config_cors *cors = begin_cors(loader, off ? NULL : scope->cors);
    cors->origin = config_keep_origin(loader, node->origin);
    scope->cors = cors;
    if (off || !schema_expect(loader->findings, node, YAML_MAP,
                              "off or a mapping, as { origins: [\"https://example.com\"] }"))
        return;
    struct section_target target = {.object = cors, .settings = cors, .origins = cors->origins_of_settings};
    config_read_section(loader, SECTION_cors, node, target);
    check_cors(loader, node, cors);
}

/* --- printing --- */

void config_print_cors(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_cors *cors = ((const struct config_scope *)object)->cors;
    if (cors == NULL)
        return;
    if (cors->origins == NULL) {
        printer_value(printer, row->key, SLICE("off"), cors->origin);
        return;
    }
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_cors, cors, cors->origins_of_settings);
    printer->indent -= 2;
}

/* What came from one ${} is one text again. */
void config_print_cors_origins(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_cors *cors = object;
    if (cors->origins[0].origin.redacted) {
        printer_text(printer, row, &cors->origins[0]);
        return;
    }
    printer_key(printer, row->key, false);
    for (uint32_t i = 0; i < cors->origin_count; i++)
        printer_element(printer, cors->origins[i].text, cors->origins[i].origin);
}

void config_print_cors_names(struct printer *printer, const struct setting *row, const void *object)
{
    struct config_cors cors = *(const struct config_cors *)object;
    struct slice rest = *list_of(row, &cors), name;
    printer_key(printer, row->key, rest.len == 0);
    while (next_word(&rest, &name))
        printer_element(printer, name, cors.origin);
}
