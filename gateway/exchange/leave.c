/*
 * Exchanges that have to end for the gateway's sake: all tunnels when it stops, and what lasts on a route
 * that a new configuration does not have any more, if `on_reload` says so. Not all at once: their clients
 * come back, and somebody must take them. What leaving means for an exchange is decided in exchange.c.
 */
#include "exchange/deadline.h"

/* The index-th of `count` exchanges leaves in its part of the window. */
static void leave_in_turn(struct exchange *x, enum fault why, uint64_t window_us, size_t index)
{
    deadline_leave(x, why, window_us * index / (x->home->exchanges.count + 1));
}

void exchange_home_drain(struct exchange_home *home)
{
    size_t index = 0;
    home->draining = true;
    /* half of the time is for the answers of the last ones */
    uint64_t window_us = home->pin->config->process.shutdown_timeout_us / 2;
    for (struct list_node *node = list_first(&home->exchanges); node;
         node = list_next(&home->exchanges, node), index++) {
        struct exchange *x = CONTAINER_OF(node, exchange, node);
        if (x->tunnel && !x->leaving)
            leave_in_turn(x, FAULT_shutdown, window_us, index);
    }
}

void leave_late(struct exchange *x)
{
    if (x->home->draining)
        deadline_leave(x, FAULT_shutdown, 0);
}

static bool has_route(const struct config_site *site, const struct exchange *x)
{
    for (uint32_t i = 0; i < site->route_count; i++)
        if (site->routes[i].match == x->terms.match && slice_equal(site->routes[i].pattern, x->record.route))
            return true;
    return false;
}

/* Whether some site of the configuration still has the exchange's route, whatever it says now. */
static bool is_kept(const struct config *config, const struct exchange *x)
{
    for (uint32_t i = 0; i < config->site_count; i++) {
        const struct config_site *site = &config->sites[i];
        for (uint32_t j = 0; j < site->host_count; j++)
            if (slice_equal(site->hosts[j].name, x->record.site))
                return has_route(site, x);
    }
    return false;
}

void leave_removed_route(struct exchange *x, size_t index)
{
    if (x->terms.leaves && x->leave_why == FAULT_NONE && !is_kept(x->home->pin->config, x))
        leave_in_turn(x, FAULT_route_removed, x->terms.leaves_within_us, index);
}
