/*
 * The printing of config/print.h, driven by the setting tables: a new scalar appears by itself, a new KEY row
 * names its function here. Text is quoted so that YAML and ${} read it back as it is.
 */
#include "config/print.h"

#include "config/internal.h"

/* The output and where its cursor stands. */
struct printer {
    FILE *out;
    int indent;
    bool is_item; /* the next line begins an element of a list */
    struct arena texts;
};

/* Bytes that need no quotes, provided the first is none of the signs. */
static bool is_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.at[i]);
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (i == 0 || !strchr("_-./", c)))
            return false;
    }
    return text.len > 0 && memchr(text.at, '\0', text.len) == NULL;
}

/* The text as a YAML scalar. `is_written`: ${} inside stay references. */
static struct slice quote(struct arena *arena, struct slice text, bool is_written)
{
    if (is_word(text))
        return text;
    char *quoted = arena_alloc(arena, 4 * text.len + 3), *end = quoted;
    *end++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '"' || c == '\\')
            *end++ = '\\';
        if (c == '$' && !is_written && i + 1 < text.len && text.at[i + 1] == '{')
            *end++ = '$';
        if (c < 0x20 || c == 0x7f)
            end += sprintf(end, "\\x%02x", c);
        else
            *end++ = (char)c;
    }
    *end++ = '"';
    return slice_make(quoted, (size_t)(end - quoted));
}

static struct slice shown(struct printer *printer, struct slice text, struct config_origin origin)
{
    if (origin.redacted)
        return quote(&printer->texts, slice_of(origin.redacted), true);
    return quote(&printer->texts, text, false);
}

static void print_indent(struct printer *printer)
{
    fprintf(printer->out, "%*s%s", printer->is_item ? printer->indent - 2 : printer->indent, "",
            printer->is_item ? "- " : "");
    printer->is_item = false;
}

static void print_origin(struct printer *printer, struct config_origin origin)
{
    if (origin.line > 0)
        fprintf(printer->out, "  # %s:%u\n", origin.file, origin.line);
    else
        fprintf(printer->out, "  # default\n");
}

/* "key: value  # origin" */
static void print_value(struct printer *printer, const char *key, struct slice value,
                        struct config_origin origin)
{
    print_indent(printer);
    fprintf(printer->out, "%s: %.*s", key, SLICE_ARGS(value));
    print_origin(printer, origin);
}

/* "- value  # origin" */
static void print_element(struct printer *printer, struct slice text, struct config_origin origin)
{
    struct slice value = shown(printer, text, origin);
    fprintf(printer->out, "%*s- %.*s", printer->indent + 2, "", SLICE_ARGS(value));
    print_origin(printer, origin);
}

/* "key:", or "key: []" of an empty list. */
static void print_key(struct printer *printer, const char *key, bool is_empty)
{
    print_indent(printer);
    fprintf(printer->out, "%s:%s\n", key, is_empty ? " []" : "");
}

static void print_scalar(struct printer *printer, const struct setting *row, const void *object,
                         const struct config_origin *origins)
{
    struct config_origin origin = origins[schema_slot(row)];
    struct slice text = schema_print_scalar(&printer->texts, row, object);
    print_value(printer, row->key, shown(printer, text, origin), origin);
}

static void print_rows(struct printer *printer, enum section_id section, const void *object,
                       const struct config_origin *origins)
{
    size_t count;
    const struct setting *rows = schema_rows(section, &count);
    for (size_t i = 0; i < count; i++) {
        const struct setting *row = &rows[i];
        if (row->type == SETTING_KEY) {
            row->print(printer, row, object);
        } else if (row->type == SETTING_PART) {
            print_key(printer, row->key, false);
            printer->indent += 2;
            print_rows(printer, row->part, (const char *)object + row->offset,
                       schema_part_origins(row, object));
            printer->indent -= 2;
        } else {
            print_scalar(printer, row, object, origins);
        }
    }
}

void config_print_nothing(struct printer *printer, const struct setting *row, const void *object)
{
    (void)printer, (void)row, (void)object; /* its effect stands elsewhere */
}

void config_print_listener_address(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_listener *listener = object;
    print_value(printer, row->key, shown(printer, listener->text, listener->origin), listener->origin);
}

void config_print_listeners(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config *config = object;
    print_key(printer, row->key, config->listener_count == 0);
    for (uint32_t i = 0; i < config->listener_count; i++) {
        printer->indent += 4;
        printer->is_item = true;
        print_rows(printer, SECTION_listener, &config->listeners[i], config->listeners[i].origins);
        printer->indent -= 4;
    }
}

void config_print_trusted_proxies(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config *config = object;
    print_key(printer, row->key, config->trusted_proxy_count == 0);
    for (uint32_t i = 0; i < config->trusted_proxy_count; i++)
        print_element(printer, config->trusted_proxy_texts[i].text, config->trusted_proxy_texts[i].origin);
}

static void print_text(struct printer *printer, const struct setting *row, const struct config_text *text)
{
    print_value(printer, row->key, shown(printer, text->text, text->origin), text->origin);
}

void config_print_certificate_chain(struct printer *printer, const struct setting *row, const void *object)
{
    print_text(printer, row, &((const struct config_certificate *)object)->chain);
}

void config_print_certificate_key(struct printer *printer, const struct setting *row, const void *object)
{
    print_text(printer, row, &((const struct config_certificate *)object)->key);
}

void config_print_certificates(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_tls *tls = object;
    print_key(printer, row->key, tls->certificate_count == 0);
    for (uint32_t i = 0; i < tls->certificate_count; i++) {
        printer->indent += 4;
        printer->is_item = true;
        print_rows(printer, SECTION_certificate, &tls->certificates[i], NULL);
        printer->indent -= 4;
    }
}

void config_print_client_ca(struct printer *printer, const struct setting *row, const void *object)
{
    print_text(printer, row, &((const struct config_client_certificates *)object)->ca);
}

void config_print_client_certificates(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_client_certificates *wanted =
        &((const struct config_site *)object)->client_certificates;
    if (wanted->ca.text.len == 0)
        return;
    print_key(printer, row->key, false);
    printer->indent += 2;
    print_rows(printer, SECTION_client_certificates, wanted, wanted->origins);
    printer->indent -= 2;
}

void config_print_upstream_ca(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_text *ca = &((const struct config_upstream_tls *)object)->ca;
    if (ca->text.len > 0)
        print_text(printer, row, ca);
}

void config_print_upstream_server_name(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_text *name = &((const struct config_upstream_tls *)object)->server_name;
    if (name->text.len > 0)
        print_text(printer, row, name);
}

void config_print_upstream_tls(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_upstream_tls *tls = &((const struct config_upstream *)object)->tls;
    if (!tls->on)
        return;
    print_key(printer, row->key, false);
    printer->indent += 2;
    print_rows(printer, SECTION_upstream_tls, tls, tls->origins);
    printer->indent -= 2;
}

void config_print_servers(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_upstream *upstream = object;
    print_key(printer, row->key, upstream->server_count == 0);
    for (uint32_t i = 0; i < upstream->server_count; i++)
        print_element(printer, upstream->servers[i].text, upstream->servers[i].origin);
}

void config_print_upstreams(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config *config = object;
    print_key(printer, row->key, false);
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        const struct config_upstream *upstream = &config->upstreams[i];
        struct slice name = quote(&printer->texts, upstream->name, false);
        printer->indent += 2;
        print_indent(printer);
        fprintf(printer->out, "%.*s:", SLICE_ARGS(name));
        print_origin(printer, upstream->origin);
        printer->indent += 2;
        print_rows(printer, SECTION_upstream, upstream, upstream->origins);
        printer->indent -= 4;
    }
}

void config_print_hosts(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_site *site = object;
    print_key(printer, row->key, site->host_count == 0);
    for (uint32_t i = 0; i < site->host_count; i++)
        print_element(printer, site->hosts[i].name, site->hosts[i].origin);
}

/* A canonical path as a file writes it: what is no plain character is percent-encoded again. */
static struct slice encode_path(struct arena *arena, struct slice path)
{
    char *encoded = arena_alloc(arena, 3 * path.len + 1), *end = encoded;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.at[i];
        if (c <= 0x20 || c >= 0x7f || strchr("%?#", c))
            end += sprintf(end, "%%%02X", c);
        else
            *end++ = (char)c;
    }
    return slice_make(encoded, (size_t)(end - encoded));
}

void config_print_pattern(struct printer *printer, const struct setting *row, const void *object)
{
    static const char *const keys[] = {
        [CONFIG_MATCH_PREFIX] = "prefix", [CONFIG_MATCH_EXACT] = "path", [CONFIG_MATCH_REGEX] = "regex"};
    const struct config_route *route = object;
    if (strcmp(keys[route->match], row->key) != 0)
        return;
    struct slice pattern =
        route->match == CONFIG_MATCH_REGEX ? route->pattern : encode_path(&printer->texts, route->pattern);
    print_value(printer, row->key, shown(printer, pattern, route->pattern_origin), route->pattern_origin);
}

void config_print_route_upstream(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_route *route = object;
    print_value(printer, row->key, quote(&printer->texts, route->upstream->name, false), route->origin);
}

void config_print_routes(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_site *site = object;
    print_key(printer, row->key, site->route_count == 0);
    for (uint32_t i = 0; i < site->route_count; i++) {
        const struct config_route *route = &site->routes[i];
        printer->indent += 4;
        printer->is_item = true;
        print_rows(printer, SECTION_route, route, NULL);
        print_rows(printer, SECTION_inherited, route, route->origins);
        printer->indent -= 4;
    }
}

void config_print_sites(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config *config = object;
    print_key(printer, row->key, config->site_count == 0);
    for (uint32_t i = 0; i < config->site_count; i++) {
        printer->indent += 4;
        printer->is_item = true;
        print_rows(printer, SECTION_site, &config->sites[i], NULL);
        printer->indent -= 4;
    }
}

void config_print(const struct config *config, FILE *out)
{
    struct printer printer = {.out = out};
    arena_init(&printer.texts, NULL, 0);
    fprintf(out, "# %.*s, as it takes effect\n", SLICE_ARGS(config->file));
    print_rows(&printer, SECTION_root, config, NULL);
    arena_fini(&printer.texts);
}

void config_print_route_settings(const struct config_route *route, FILE *out, int indent)
{
    struct printer printer = {.out = out, .indent = indent};
    arena_init(&printer.texts, NULL, 0);
    print_rows(&printer, SECTION_inherited, route, route->origins);
    arena_fini(&printer.texts);
}
