/*
 * Prints access records, see observe/log_line.h. Called by the access log on the hot path of every exchange:
 * texts are copied eight bytes at a time as long as nothing in them needs escaping. Must not know where lines
 * go.
 */
#include "observe/log_line.h"

#include "observe/redact.h"

#include <time.h>

#define ELLIPSIS "\xE2\x80\xA6"

/* Where printing stands. `limit` is the end of the room for the text at hand. */
struct printer {
    char *at;
    const char *limit;
    bool cut; /* the text at hand did not fit */
};

static inline void put(struct printer *printer, struct slice bytes)
{
    memcpy(printer->at, bytes.at, bytes.len);
    printer->at += bytes.len;
}

static void put_number(struct printer *printer, uint64_t number)
{
    char digits[20], *at = digits + sizeof digits;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    put(printer, slice_make(at, (size_t)(digits + sizeof digits - at)));
}

/* Texts ------------------------------------------------------------------------------------------------ */

/* Copies whole words of eight bytes up to the first that holds '"', '\', a control character, DEL or a byte
 * above it. */
static inline size_t copy_plain(struct printer *printer, struct slice text)
{
    const uint64_t ones = 0x0101010101010101u;
    size_t done = 0;
    while (text.len - done >= 8 && printer->limit - printer->at >= 8) {
        uint64_t word;
        memcpy(&word, text.at + done, 8);
        uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\', del = word ^ ones * 0x7f;
        uint64_t special = (word - ones * 0x20) | (quote - ones) | (backslash - ones) | (del - ones) | word;
        if (special & ones * 0x80)
            break;
        memcpy(printer->at, &word, 8);
        printer->at += 8;
        done += 8;
    }
    return done;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Puts the bytes if they fit, otherwise notes that the text is cut. */
static bool put_bounded(struct printer *printer, struct slice bytes)
{
    if ((size_t)(printer->limit - printer->at) < bytes.len) {
        printer->cut = true;
        return false;
    }
    put(printer, bytes);
    return true;
}

/* The length of the UTF-8 character at the start of the text, 0 when there is none (RFC 3629 section 4). */
static size_t utf8_length(struct slice text)
{
    unsigned char lead = (unsigned char)text.at[0];
    size_t len = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (len == 0 || text.len < len)
        return 0;
    unsigned char second = (unsigned char)text.at[1];
    unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < least || second > most)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (((unsigned char)text.at[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* Prints one character that is not plain as JSON has it; gives how many bytes of the text it was. */
static size_t escape_json(struct printer *printer, struct slice text)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char c = (unsigned char)text.at[0];
    char pair[2] = {'\\', (char)c};
    if (c == '"' || c == '\\')
        return put_bounded(printer, slice_make(pair, 2)) ? 1 : 0;
    size_t len = c >= 0x80 ? utf8_length(text) : 0;
    bool is_c1 = len == 2 && c == 0xc2 && (unsigned char)text.at[1] < 0xa0; /* terminals obey these too */
    if (len != 0 && !is_c1)
        return put_bounded(printer, slice_make(text.at, len)) ? len : 0;
    c = (unsigned char)text.at[is_c1];
    char escaped[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    return put_bounded(printer, slice_make(escaped, 6)) ? 1u + is_c1 : 0;
}

/* The same as nginx has it. */
static size_t escape_combined(struct printer *printer, struct slice text)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char c = (unsigned char)text.at[0];
    char escaped[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
    return put_bounded(printer, slice_make(escaped, 4)) ? 1 : 0;
}

typedef size_t escape_fn(struct printer *printer, struct slice text);

/* Prints the text's first character; gives how many bytes it was, 0 when it did not fit. */
static inline size_t put_character(struct printer *printer, struct slice text, escape_fn *escape)
{
    if (!is_plain((unsigned char)text.at[0]))
        return escape(printer, text);
    return put_bounded(printer, slice_make(text.at, 1)) ? 1 : 0;
}

static inline void put_escaped(struct printer *printer, struct slice text, escape_fn *escape)
{
    while (text.len > 0 && !printer->cut) {
        text = slice_after(text, copy_plain(printer, text));
        for (unsigned i = 0; i < 8 && text.len > 0 && !printer->cut; i++)
            text = slice_after(text, put_character(printer, text, escape));
    }
}

static inline void begin_text(struct printer *printer)
{
    printer->limit = printer->at + LOG_TEXT_MAX;
    printer->cut = false;
}

static inline void put_text(struct printer *printer, struct slice text, escape_fn *escape)
{
    begin_text(printer);
    put_escaped(printer, text, escape);
}

static inline void put_url(struct printer *printer, struct slice url, escape_fn *escape)
{
    struct redact redact;
    struct slice piece;
    begin_text(printer);
    redact_begin(&redact, url);
    while (!printer->cut && redact_next(&redact, &piece))
        put_escaped(printer, piece, escape);
}

/* Dates ------------------------------------------------------------------------------------------------ */

static void see_second(struct log_second *second, uint64_t now)
{
    if (second->second == now && second->rfc3339[0] != '\0')
        return;
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const uint64_t year_9999 = 253402300799u;
    time_t seconds = (time_t)(now < year_9999 ? now : year_9999);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    second->second = now;
    strftime(second->rfc3339, sizeof second->rfc3339, "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(second->combined, sizeof second->combined, "%d/Jan/%Y:%H:%M:%S +0000", &tm);
    memcpy(second->combined + 3, months[tm.tm_mon], 3); /* "%b" would follow the locale */
}

static void put_milliseconds(struct printer *printer, uint64_t us)
{
    unsigned ms = (unsigned)(us % 1000000 / 1000);
    char text[5] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z'};
    put(printer, slice_make(text, sizeof text));
}

static struct slice protocol_text(uint8_t version_minor)
{
    return version_minor == 20  ? SLICE("HTTP/2.0")
           : version_minor == 0 ? SLICE("HTTP/1.0")
                                : SLICE("HTTP/1.1");
}

/* JSON: one function for each kind of field ------------------------------------------------------------ */

static inline void json_time(struct printer *printer, struct log_second *second, uint64_t us)
{
    see_second(second, us / 1000000);
    put(printer, SLICE("\""));
    put(printer, slice_make(second->rfc3339, sizeof second->rfc3339 - 1));
    put_milliseconds(printer, us);
    put(printer, SLICE("\""));
}

static void close_text(struct printer *printer)
{
    if (printer->cut)
        put(printer, SLICE(ELLIPSIS));
    *printer->at++ = '"';
}

static void json_text(struct printer *printer, struct slice text)
{
    *printer->at++ = '"';
    put_text(printer, text, escape_json);
    close_text(printer);
}

static void json_url(struct printer *printer, struct slice url)
{
    *printer->at++ = '"';
    put_url(printer, url, escape_json);
    close_text(printer);
}

static void json_word(struct printer *printer, struct slice word)
{
    *printer->at++ = '"';
    put(printer, word);
    *printer->at++ = '"';
}

/* What follows a key; OPTIONAL, WORD and DETAIL take their key back when they have nothing to say. */
#define PUT_TIME(value) json_time(&printer, second, value)
#define PUT_TEXT(value) json_text(&printer, value)
#define PUT_OPTIONAL(value)   \
    do {                      \
        if ((value).len == 0) \
            printer.at = key; \
        else                  \
            PUT_TEXT(value);  \
    } while (0)
#define PUT_WORD(value)                 \
    do {                                \
        if ((value).len == 0)           \
            printer.at = key;           \
        else                            \
            json_word(&printer, value); \
    } while (0)
#define PUT_URL(value)      json_url(&printer, value)
#define PUT_NUMBER(value)   put_number(&printer, value)
#define PUT_FLAG(value)     put(&printer, (value) ? SLICE("true") : SLICE("false"))
#define PUT_PROTOCOL(value) json_word(&printer, protocol_text(value))
#define PUT_CAUSE(value)    json_word(&printer, slice_of(fault_row(value)->name))
#define PUT_DETAIL(value)          \
    do {                           \
        if ((value) == FAULT_NONE) \
            printer.at = key;      \
        else                       \
            PUT_CAUSE(value);      \
    } while (0)

size_t log_line_json(const struct record *record, struct log_second *second, char *line_out)
{
    struct printer printer = {.at = line_out};
    char *key;
#define LOG_FIELD(name, kind, member, sentence) \
    key = printer.at;                           \
    put(&printer, SLICE(",\"" name "\":"));     \
    PUT_##kind(record->member);
#include "tables/log_fields.def"
#undef LOG_FIELD
    (void)key;
    line_out[0] = '{';
    put(&printer, SLICE("}\n"));
    return (size_t)(printer.at - line_out);
}

/* The most that a field can take, its key and the two bytes of the line's end left aside. */
enum {
    ROOM_TIME = 26,
    ROOM_TEXT = LOG_TEXT_MAX + 5,
    ROOM_OPTIONAL = ROOM_TEXT,
    ROOM_WORD = 66,
    ROOM_URL = ROOM_TEXT,
    ROOM_NUMBER = 20,
    ROOM_FLAG = 5,
    ROOM_PROTOCOL = 10,
    ROOM_CAUSE = 64,
    ROOM_DETAIL = ROOM_CAUSE
};
_Static_assert(2
#define LOG_FIELD(name, kind, member, sentence) +sizeof(",\"" name "\":") + ROOM_##kind
#include "tables/log_fields.def"
#undef LOG_FIELD
                   <= LOG_LINE_MAX,
               "a JSON line fits");

/* Combined ---------------------------------------------------------------------------------------------- */

static void close_combined(struct printer *printer)
{
    if (!printer->cut)
        return;
    begin_text(printer);
    put_escaped(printer, SLICE(ELLIPSIS), escape_combined);
}

static void combined_text(struct printer *printer, struct slice text)
{
    put_text(printer, text.len ? text : SLICE("-"), escape_combined);
    close_combined(printer);
}

static void combined_url(struct printer *printer, struct slice url)
{
    put_url(printer, url.len ? url : SLICE("-"), escape_combined);
    close_combined(printer);
}

/* The request line; "-" when none was read. */
static void combined_request(struct printer *printer, const struct record *record)
{
    combined_text(printer, record->method);
    if (record->method.len == 0 && record->target.len == 0)
        return;
    put(printer, SLICE(" "));
    combined_url(printer, record->target);
    put(printer, SLICE(" "));
    put(printer, protocol_text(record->version_minor));
}

size_t log_line_combined(const struct record *record, struct log_second *second, char *line_out)
{
    struct printer printer = {.at = line_out};
    see_second(second, record->begun_wall_us / 1000000);
    combined_text(&printer, record->client);
    put(&printer, SLICE(" - "));
    combined_text(&printer, record->user);
    put(&printer, SLICE(" ["));
    put(&printer, slice_make(second->combined, sizeof second->combined - 1));
    put(&printer, SLICE("] \""));
    combined_request(&printer, record);
    put(&printer, SLICE("\" "));
    put_number(&printer, record->status);
    put(&printer, SLICE(" "));
    put_number(&printer, record->bytes_out);
    put(&printer, SLICE(" \""));
    combined_url(&printer, record->referer);
    put(&printer, SLICE("\" \""));
    combined_text(&printer, record->user_agent);
    put(&printer, SLICE("\"\n"));
    return (size_t)(printer.at - line_out);
}
