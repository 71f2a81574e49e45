/*
 * The search for the end of a head or trailer section, for codec/h1_parse.h. Called with every batch of bytes
 * that comes while a head is incomplete, so it looks at each byte once, 64 at a time, whatever the batches
 * are. Knows lines and their ends, nothing of what they say.
 */
#include "codec/h1_parse.h"

#include "http/bytes.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { WINDOW = 64, EMPTY_LINES_MAX = 2 };

/* Up to WINDOW bytes: bit i of `lf` is set where byte i is LF, and of `torn` where a LF has no CR before it
 * or a CR is not followed by LF; the latter shows on the byte after it. */
struct window {
    uint64_t lf;
    uint64_t torn;
    uint32_t width;
};

#ifdef __SSE2__
static inline uint64_t equal_bits_16(const char *at, char c)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
}

static inline uint64_t equal_bits(const char *at, char c)
{
    return equal_bits_16(at, c) | equal_bits_16(at + 16, c) << 16 | equal_bits_16(at + 32, c) << 32 |
           equal_bits_16(at + 48, c) << 48;
}
#else
static inline uint64_t equal_bits(const char *at, char c)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < WINDOW; i++)
        bits |= (uint64_t)(at[i] == c) << i;
    return bits;
}
#endif

/* The lowest `n` bits, n <= 64. */
static inline uint64_t low_bits(uint32_t n)
{
    return n < 64 ? ((uint64_t)1 << n) - 1 : UINT64_MAX;
}

/* Bits of the bytes from `at` on, of which there may be fewer than WINDOW: then the last WINDOW bytes are
 * looked at, or a padded copy when there are not even so many. */
static inline struct window look(struct slice unread, size_t at)
{
    char padded[WINDOW];
    size_t left = unread.len - at, passed = 0;
    const char *bytes = unread.at + at;
    if (left < WINDOW && unread.len >= WINDOW) {
        passed = WINDOW - left;
        bytes -= passed;
    } else if (left < WINDOW) {
        memset(padded, 0, sizeof padded);
        bytes = memcpy(padded, bytes, left);
    }
    uint32_t width = left < WINDOW ? (uint32_t)left : WINDOW;
    uint64_t lf = equal_bits(bytes, '\n') >> passed, cr = equal_bits(bytes, '\r') >> passed;
    uint64_t carried = at > 0 && unread.at[at - 1] == '\r';
    return (struct window){lf, (lf ^ (cr << 1 | carried)) & low_bits(width), width};
}

/* Whether the first `len` bytes are too many. The smaller limit speaks, as it would if bytes came one by one.
 */
static enum fault size_fault(const struct h1_scan *scan, const struct h1_limits *limits, size_t len)
{
    if (!scan->started && len > limits->line_max && limits->line_max <= limits->head_max)
        return FAULT_target_too_long;
    return len > limits->head_max ? FAULT_head_too_large : FAULT_NONE;
}

/* The line that ends with the LF at offset `lf`; the empty one ends the head. */
static enum fault end_line(struct h1_scan *scan, const struct h1_limits *limits, size_t lf, size_t *head_len)
{
    enum fault fault = size_fault(scan, limits, lf + 1);
    if (fault)
        return fault;
    bool empty = lf - scan->line_start == 1;
    scan->line_start = (uint32_t)lf + 1;
    if (scan->started && empty)
        *head_len = lf + 1;
    else if (scan->started && scan->fields++ >= limits->fields_max)
        return FAULT_too_many_fields;
    scan->started = true;
    return FAULT_NONE;
}

static enum fault scan_window(struct h1_scan *scan, const struct h1_limits *limits, struct window window,
                              size_t *head_len)
{
    size_t at = scan->scanned;
    uint32_t torn_at = window.torn ? (uint32_t)__builtin_ctzll(window.torn) : window.width;
    uint64_t lf = window.lf & low_bits(torn_at);
    enum fault fault = FAULT_NONE;
    for (; lf != 0 && !fault && *head_len == 0; lf &= lf - 1)
        fault = end_line(scan, limits, at + (uint32_t)__builtin_ctzll(lf), head_len);
    if (fault || *head_len > 0 || window.torn == 0)
        return fault;
    fault = size_fault(scan, limits, at + torn_at + 1);
    return fault ? fault : FAULT_bad_line_ending;
}

static enum fault scan_lines(struct slice unread, const struct h1_limits *limits, struct h1_scan *scan,
                             size_t *head_len_out)
{
    size_t head_len = 0;
    while (scan->scanned < unread.len && head_len == 0) {
        struct window window = look(unread, scan->scanned);
        enum fault fault = (window.lf | window.torn) != 0
                               ? scan_window(scan, limits, window, &head_len)
                               : size_fault(scan, limits, scan->scanned + window.width);
        if (fault)
            return fault;
        scan->scanned += window.width;
    }
    *head_len_out = head_len;
    return head_len == 0 ? size_fault(scan, limits, unread.len) : FAULT_NONE;
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
    scan->started = true;
    return scan_lines(unread, &limits, scan, len_out) ? FAULT_bad_trailer : FAULT_NONE;
}
