/*
 * Prints Proxy-Status from the fault table. Called when an answer is made here; must not know why it is made.
 * Says nothing that is not in the table, so no address or name of the inside can leak.
 */
#include "observe/proxy_status.h"

struct slice proxy_status_quote(struct arena *arena, struct slice text)
{
    char *begin = arena_alloc(arena, 2 * text.len + 2), *at = begin;
    *at++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '"' || c == '\\')
            *at++ = '\\';
        *at++ = c >= 0x20 && c < 0x7f ? c : '?';
    }
    *at++ = '"';
    return slice_make(begin, (size_t)(at - begin));
}

struct slice proxy_status_print(struct arena *arena, enum fault fault, enum fault detail)
{
    const struct fault_row *row = fault_row(fault);
    if (row->proxy_error[0] == '\0')
        return SLICE("portico");
    struct slice details = slice_of(row->sentence);
    if (detail != FAULT_NONE)
        details = arena_printf(arena, "%s: %s", row->sentence, fault_row(detail)->sentence);
    struct slice quoted = proxy_status_quote(arena, details);
    return arena_printf(arena, "portico; error=%s; details=%.*s", row->proxy_error, SLICE_ARGS(quoted));
}
