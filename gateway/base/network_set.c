/*
 * The ranges behind base/network_set.h. Networks are nested or apart, never crossing: one pass over them,
 * sorted, with the networks that are open at the moment on a stack, writes down where the innermost one
 * changes.
 */
#include "base/network_set.h"

#include <stdlib.h>

/* A network in the order of the pass. */
struct placed {
    struct network network;
    uint32_t index;
};

struct sweep {
    struct network_set *set;
    const struct placed *open[130]; /* each inside the one before it: fewer than masks have lengths */
    unsigned depth;
};

/* IPv4 as IPv6 keeps it: no IPv6 network reaches in here. */
static const struct network ipv4 = {.bytes = {[10] = 0xff, [11] = 0xff}, .bits = 96};

static int compare(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    int order = memcmp(a->network.bytes, b->network.bytes, sizeof a->network.bytes);
    if (order)
        return order;
    if (a->network.bits != b->network.bits)
        return a->network.bits < b->network.bits ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static void last_address(const struct network *network, unsigned char bytes_out[16])
{
    memcpy(bytes_out, network->bytes, 16);
    for (unsigned bit = network->bits; bit < 128; bit++)
        bytes_out[bit / 8] |= (unsigned char)(0x80u >> bit % 8);
}

/* The address behind this one; false when there is none. */
static bool step_behind(unsigned char bytes[16])
{
    for (unsigned i = 16; i > 0; i--)
        if (++bytes[i - 1] != 0)
            return true;
    return false;
}

/* From this address on, the innermost open network counts. */
static void begin_range(struct sweep *sweep, const unsigned char first[16])
{
    struct network_set *set = sweep->set;
    uint32_t network = sweep->depth > 0 ? sweep->open[sweep->depth - 1]->index : NETWORK_NONE;
    bool same_place = set->count > 0 && memcmp(set->ranges[set->count - 1].first, first, 16) == 0;
    struct network_range *range = &set->ranges[same_place ? set->count - 1 : set->count++];
    memcpy(range->first, first, 16);
    range->network = network;
}

/* Closes the networks that end before `next`, or all. */
static void close_ended(struct sweep *sweep, const unsigned char *next)
{
    while (sweep->depth > 0) {
        unsigned char behind[16];
        last_address(&sweep->open[sweep->depth - 1]->network, behind);
        if (next && memcmp(next, behind, 16) <= 0)
            return;
        sweep->depth--;
        if (step_behind(behind))
            begin_range(sweep, behind);
    }
}

static bool same_network(const struct network *a, const struct network *b)
{
    return a->bits == b->bits && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void network_set_build(struct network_set *set, struct arena *arena, const struct network *networks,
                       uint32_t count)
{
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    struct placed *placed = arena_alloc(&scratch, ((size_t)count + 1) * sizeof *placed);
    for (uint32_t i = 0; i < count; i++)
        placed[i] = (struct placed){networks[i], i};
    placed[count] = (struct placed){ipv4, NETWORK_NONE};
    qsort(placed, (size_t)count + 1, sizeof *placed, compare);

    *set = (struct network_set){arena_alloc(arena, (2 * (size_t)count + 3) * sizeof *set->ranges), 0};
    struct sweep sweep = {.set = set};
    begin_range(&sweep, (unsigned char[16]){0});
    for (uint32_t i = 0; i <= count; i++) {
        if (i > 0 && same_network(&placed[i].network, &placed[i - 1].network))
            continue;
        close_ended(&sweep, placed[i].network.bytes);
        sweep.open[sweep.depth++] = &placed[i];
        begin_range(&sweep, placed[i].network.bytes);
    }
    close_ended(&sweep, NULL);
    arena_fini(&scratch);
}

uint32_t network_set_find(const struct network_set *set, const struct address *address)
{
    unsigned char bytes[16];
    if (!address_bytes(&address->any, bytes))
        return NETWORK_NONE;
    uint32_t low = 0, high = set->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(set->ranges[middle].first, bytes, 16) <= 0)
            low = middle;
        else
            high = middle;
    }
    return set->ranges[low].network;
}
