/*
 * The chunked coding of RFC 9112 section 7.1, read strictly: what precedes and follows the content of a chunk
 * is known byte by byte, extensions are checked, counted and thrown away. Called by whoever feeds a body from
 * a connection's unread bytes; content is handed out as slices of them. Knows no trailers, which are a head's
 * business.
 */
#include "codec/h1_parse.h"

#include "http/bytes.h"

/* What the next byte may be. The first must be 0: a new h1_chunks is all zero. */
enum state {
    SIZE_FIRST = 0, /* a digit */
    SIZE,           /* a digit, or what ends the size */
    EXT_SPACE,      /* BWS before ';' */
    EXT_NAME,       /* BWS behind ';', or the first byte of a name */
    EXT,            /* a byte of an extension, or CR */
    EXT_QUOTED,     /* a byte of a quoted value */
    EXT_ESCAPED,    /* the byte behind a backslash in it */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    REFUSED
};

enum { DIGITS_MAX = 16 };

static unsigned hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    char lower = ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a' + 10) : 16;
}

/* At most 2^63-1 and DIGITS_MAX digits, leading zeros among them (A11, CVE-2021-40346). */
static enum state add_digit(struct h1_chunks *chunks, unsigned digit)
{
    if (chunks->size_digits == DIGITS_MAX || chunks->left > (uint64_t)INT64_MAX >> 4)
        return REFUSED;
    chunks->size_digits++;
    chunks->left = chunks->left << 4 | digit;
    return SIZE;
}

/* Extensions mean nothing here, but all that stands between the size and CR counts (A10). */
static enum state count_extension(struct h1_chunks *chunks, enum state next)
{
    if (chunks->ext_len == H1_CHUNK_EXT_MAX || chunks->ext_total == H1_CHUNK_EXT_TOTAL_MAX)
        return REFUSED;
    chunks->ext_len++;
    chunks->ext_total++;
    return next;
}

/* The state behind a byte of an extension other than CR, which is legal here. */
static enum state behind_ext_byte(enum state state, char c)
{
    if (state == EXT_ESCAPED)
        return EXT_QUOTED;
    if (c == '"')
        return state == EXT ? EXT_QUOTED : EXT;
    return state == EXT_QUOTED && c == '\\' ? EXT_ESCAPED : state;
}

/* RFC 9112 section 7.1.1: *( BWS ";" BWS name [ BWS "=" BWS value ] ). Spaces without an extension are not in
 * the grammar. Of what follows a name only the bytes are checked, and that quotes are closed: no control
 * characters, hence no line ends, whatever is quoted (A10). */
static enum state read_extension(struct h1_chunks *chunks, enum state state, char c)
{
    bool space = c == ' ' || c == '\t';
    if (state == EXT_SPACE && (space || c == ';'))
        return count_extension(chunks, space ? EXT_SPACE : EXT_NAME);
    if (state == EXT_NAME && (space || byte_is(c, BYTE_TOKEN)))
        return count_extension(chunks, space ? EXT_NAME : EXT);
    if (state == EXT && c == '\r')
        return SIZE_LF;
    if (state >= EXT && byte_is(c, BYTE_VALUE) && (unsigned char)c < 0x80)
        return count_extension(chunks, behind_ext_byte(state, c));
    return REFUSED;
}

static enum state read_size(struct h1_chunks *chunks, enum state state, char c)
{
    unsigned digit = hex_value(c);
    if (digit < 16)
        return add_digit(chunks, digit);
    if (state == SIZE_FIRST)
        return REFUSED;
    return c == '\r' ? SIZE_LF : read_extension(chunks, EXT_SPACE, c);
}

/* The state behind one byte that is not content. */
static enum state step(struct h1_chunks *chunks, char c)
{
    enum state state = (enum state)chunks->state;
    switch (state) {
    case SIZE_FIRST:
    case SIZE: return read_size(chunks, state, c);
    case EXT_SPACE:
    case EXT_NAME:
    case EXT:
    case EXT_QUOTED:
    case EXT_ESCAPED: return read_extension(chunks, state, c);
    case SIZE_LF: return c == '\n' ? DATA : REFUSED;
    case DATA_CR: return c == '\r' ? DATA_LF : REFUSED;
    case DATA_LF: return c == '\n' ? SIZE_FIRST : REFUSED;
    default: return REFUSED;
    }
}

/* The content at hand. */
static struct slice take_data(struct h1_chunks *chunks, struct slice bytes)
{
    size_t len = bytes.len < chunks->left ? bytes.len : (size_t)chunks->left;
    chunks->left -= len;
    if (chunks->left == 0) {
        uint32_t ext_total = chunks->ext_total;
        *chunks = (struct h1_chunks){.state = DATA_CR, .ext_total = ext_total};
    }
    return slice_make(bytes.at, len);
}

enum fault h1_chunks_next(struct h1_chunks *chunks, struct slice bytes, enum h1_chunk_event *event_out,
                          size_t *consumed_out, struct slice *data_out)
{
    size_t at = 0;
    while (at < bytes.len && chunks->state != DATA) {
        chunks->state = (uint8_t)step(chunks, bytes.at[at++]);
        if (chunks->state == REFUSED)
            return FAULT_bad_chunk;
        if (chunks->state == DATA && chunks->left == 0) {
            *event_out = H1_CHUNK_TRAILERS;
            *consumed_out = at;
            return FAULT_NONE;
        }
    }
    struct slice data = at < bytes.len ? take_data(chunks, slice_after(bytes, at)) : (struct slice){NULL, 0};
    *event_out = data.len > 0 ? H1_CHUNK_DATA : H1_CHUNK_MORE;
    *consumed_out = at + data.len;
    *data_out = data;
    return FAULT_NONE;
}
