/*
 * The search for the end of a head or trailer section, for codec/h1_parse.h. Called with every batch of bytes
 * that comes while a head is incomplete, so it looks at each byte once, whatever the batches are. Knows lines
 * by their LFs, nothing of what they say: what else a line must not hold, a CR for one, the parser refuses.
 */
#include "codec/h1_parse.h"

#include "http/bytes.h"

enum { EMPTY_LINES_MAX = 2 };

/* Whether a start line of `len` bytes is too long. The smaller limit speaks, as it would if bytes came one by
 * one. */
static inline bool is_long_line(const struct h1_limits *limits, size_t len)
{
    return len > limits->line_max && limits->line_max <= limits->head_max;
}

/* The start line is no field. What lies beyond head_max is not looked at. */
static enum fault scan_lines(struct slice unread, const struct h1_limits *limits, struct h1_scan *scan,
                             size_t *head_len_out)
{
    bool is_whole = unread.len <= limits->head_max;
    const char *at = unread.at + scan->scanned, *end = unread.at + (is_whole ? unread.len : limits->head_max);
    const char *line = unread.at + scan->line_start;
    uint32_t lines = scan->lines;
    *head_len_out = 0;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        size_t len = (size_t)(++at - line);
        if (lines == 0 && is_long_line(limits, len))
            return FAULT_target_too_long;
        if (len < 2 || at[-2] != '\r')
            return FAULT_bad_line_ending;
        if (len == 2 && lines > 0) {
            *head_len_out = (size_t)(at - unread.at);
            return FAULT_NONE;
        }
        if (lines++ > limits->fields_max)
            return FAULT_too_many_fields;
        line = at;
    }
    *scan = (struct h1_scan){(uint32_t)unread.len, (uint32_t)(line - unread.at), lines};
    if (lines == 0 && is_long_line(limits, unread.len))
        return FAULT_target_too_long;
    return is_whole ? FAULT_NONE : FAULT_head_too_large;
}

/* A head that cannot become one is refused at its first byte. Empty lines are h1_skip_empty_lines()'
 * business; those that it left are too many. */
static enum fault first_byte_fault(struct slice unread)
{
    if (byte_is(unread.at[0], BYTE_TOKEN))
        return FAULT_NONE;
    if (unread.at[0] == '\n' || (unread.at[0] == '\r' && unread.at[1] != '\n'))
        return FAULT_bad_line_ending;
    return FAULT_bad_request_line;
}

enum fault h1_head_scan(struct slice unread, const struct h1_limits *limits, struct h1_scan *scan,
                        size_t *head_len_out)
{
    bool undecided = unread.len == 0 || (unread.len == 1 && unread.at[0] == '\r');
    if (scan->scanned == 0 && undecided) {
        *head_len_out = 0;
        return FAULT_NONE;
    }
    enum fault fault = scan->scanned == 0 ? first_byte_fault(unread) : FAULT_NONE;
    return fault ? fault : scan_lines(unread, limits, scan, head_len_out);
}

size_t h1_skip_empty_lines(struct slice unread)
{
    size_t len = 0;
    while (len < 2 * EMPTY_LINES_MAX && unread.len - len >= 2 && memcmp(unread.at + len, "\r\n", 2) == 0)
        len += 2;
    return len;
}

enum fault h1_trailer_scan(struct slice unread, struct h1_scan *scan, size_t *len_out)
{
    static const struct h1_limits limits = {
        .line_max = UINT32_MAX, .head_max = H1_TRAILER_SECTION_MAX, .fields_max = H1_TRAILER_FIELDS_MAX};
    if (scan->scanned == 0)
        scan->lines = 1; /* as if a start line had ended */
    return scan_lines(unread, &limits, scan, len_out) ? FAULT_bad_trailer : FAULT_NONE;
}
