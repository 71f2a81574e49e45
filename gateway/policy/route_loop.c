/*
 * Warnings for redirects that lead back to their own route, where clients go in circles. Only says what is
 * certain from the text of the redirect: where it says %{target} or %{path}, and where it names a path that
 * no value of a request changes.
 */
#include "policy/internal.h"

#include "http/target.h"

static bool take(struct slice *text, struct slice front)
{
    if (!slice_starts_with(*text, front))
        return false;
    *text = slice_after(*text, front.len);
    return true;
}

/* Whether clients come in by what the scheme stands for. */
static bool is_served(const struct config *config, bool secure)
{
    for (uint32_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        if (listener->tls == secure && listener->redirect == CONFIG_REDIRECT_OFF)
            return true;
    }
    return false;
}

static bool is_host_of(const struct config_site *site, struct slice authority)
{
    bool is_own = slice_equal(authority, SLICE("%{host}"));
    for (uint32_t i = 0; i < site->host_count && !is_own; i++)
        is_own = slice_equal(authority, site->hosts[i].name);
    return is_own;
}

/* Takes scheme and host off the text; false when they lead elsewhere, or who knows where. */
static bool stays_here(const struct config *config, const struct config_site *site, struct slice *text)
{
    if (slice_starts_with(*text, SLICE("//")) || slice_starts_with(*text, SLICE("/%{")))
        return false; /* an error, or who knows */
    if (slice_starts_with(*text, SLICE("/")) || slice_starts_with(*text, SLICE("%{target}")) ||
        slice_starts_with(*text, SLICE("%{path}")))
        return true;
    bool served = take(text, SLICE("%{scheme}://")) ||
                  (take(text, SLICE("https://")) && is_served(config, true)) ||
                  (take(text, SLICE("http://")) && is_served(config, false));
    size_t length = 0;
    while (length < text->len && !strchr("/?#", text->at[length]) && !(length > 0 && text->at[length] == '%'))
        length++;
    struct slice authority = slice_make(text->at, length);
    *text = slice_after(*text, length);
    return served && is_host_of(site, authority);
}

static bool ends_path(struct slice rest)
{
    return rest.len == 0 || rest.at[0] == '?' || rest.at[0] == '#';
}

/* Whether what is left of the text is a path of the route, for every request or for those that count. */
static bool leads_back(const struct site_routes *routes, const struct config_route *route, struct slice text,
                       struct router_scratch *scratch)
{
    if (take(&text, SLICE("%{target}")) || take(&text, SLICE("%{path}")))
        return ends_path(text);
    size_t length = 0;
    while (length < text.len && !strchr("?#", text.at[length]))
        length++;
    struct slice path = slice_make(text.at, length);
    if (length > 0 && memmem(path.at, length, "%{", 2))
        return false;
    struct arena arena;
    struct target target;
    uint32_t index;
    arena_init(&arena, NULL, 0);
    bool is_back = !target_parse(length > 0 ? path : SLICE("/"), METHOD_GET, &arena, &target) &&
                   routes_find(routes, target.path, scratch, &index) == FAULT_NONE && index == route->index;
    arena_fini(&arena);
    return is_back;
}

void route_warn_loops(const struct config *config, const struct site_routes *routes,
                      struct router_scratch *scratch, struct config_findings *findings)
{
    for (uint32_t i = 0; i < routes->site->route_count; i++) {
        const struct config_route *route = &routes->site->routes[i];
        if (route->scope.redirect == NULL)
            continue;
        const struct config_text *to = &route->scope.redirect->to;
        struct slice text = to->text, shown = as_written(text, to->origin);
        if (stays_here(config, routes->site, &text) && leads_back(routes, route, text, scratch))
            config_warning(
                findings, to->origin,
                "the redirect to \"%.*s\" leads back to this route: clients go in circles; name a path or a "
                "host that another route has",
                SLICE_ARGS(shown));
    }
}
