/*
 * The sorted list behind net/tls_names.h: a lookup is one search for the name and one for each wildcard that
 * could hold it. Called by tls_context.c, at handshakes by every worker.
 */
#include "net/tls_names.h"

#include "base/check.h"

#include <stdlib.h>

/* A name and its number. */
struct entry {
    struct slice name;
    unsigned number, order;
};

struct tls_names {
    struct entry *entries;
    size_t count, room;
};

struct tls_names *tls_names_new(void)
{
    struct tls_names *names = calloc(1, sizeof *names);
    CHECK(names != NULL);
    return names;
}

void tls_names_free(struct tls_names **names_at)
{
    struct tls_names *names = *names_at;
    *names_at = NULL;
    if (names == NULL)
        return;
    for (size_t i = 0; i < names->count; i++)
        free((char *)names->entries[i].name.at);
    free(names->entries);
    free(names);
}

void tls_names_add(struct tls_names *names, struct slice name, unsigned number)
{
    if (names->count == names->room) {
        names->room = names->room ? 2 * names->room : 16;
        names->entries = realloc(names->entries, names->room * sizeof *names->entries);
        CHECK(names->entries != NULL);
    }
    char *copy = malloc(name.len + 1);
    CHECK(copy != NULL);
    if (name.len > 0)
        memcpy(copy, name.at, name.len);
    names->entries[names->count] = (struct entry){slice_make(copy, name.len), number, (unsigned)names->count};
    names->count++;
}

static int compare_names(struct slice a, struct slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.at, b.at, shorter) : 0;
    if (order)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = compare_names(x->name, y->name);
    if (order)
        return order;
    return x->order < y->order ? -1 : x->order > y->order;
}

void tls_names_seal(struct tls_names *names)
{
    if (names->count > 0)
        qsort(names->entries, names->count, sizeof *names->entries, compare_entries);
}

static bool find(const struct tls_names *names, struct slice name, unsigned *number_out)
{
    size_t low = 0, high = names->count;
    while (low < high) { /* the first entry that is not below the name */
        size_t middle = low + (high - low) / 2;
        if (compare_names(names->entries[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == names->count || !slice_equal(names->entries[low].name, name))
        return false;
    *number_out = names->entries[low].number;
    return true;
}

/* Moves to the wildcard above: "a.b.c" to "*.b.c", "*.b.c" to "*.c". The text lies in `buffer`. False at the
 * end. */
static bool climb(struct slice *name, char *buffer, size_t room)
{
    size_t from = name->len >= 2 && name->at[0] == '*' ? 2 : 0;
    const char *dot = name->len > from ? memchr(name->at + from, '.', name->len - from) : NULL;
    if (dot == NULL)
        return false;
    size_t tail = (size_t)(name->at + name->len - dot);
    if (tail + 1 > room)
        return false;
    memmove(buffer + 1, dot, tail);
    buffer[0] = '*';
    *name = slice_make(buffer, tail + 1);
    return true;
}

bool tls_names_find_one_label(const struct tls_names *names, struct slice name, unsigned *number_out)
{
    char buffer[256];
    if (name.len == 0)
        return false;
    return find(names, name, number_out) ||
           (climb(&name, buffer, sizeof buffer) && find(names, name, number_out));
}

bool tls_names_find_any(const struct tls_names *names, struct slice name, unsigned *number_out)
{
    char buffer[256];
    if (name.len > 0 && find(names, name, number_out))
        return true;
    while (climb(&name, buffer, sizeof buffer))
        if (find(names, name, number_out))
            return true;
    return find(names, SLICE("*"), number_out);
}
