/*
 * The lines and rules of config/htpasswd.h. Called by the reader of `basic_auth`; what passes here, libcrypt
 * can verify, in bounded time.
 */
#include "config/htpasswd.h"

#include <stdint.h>

enum { NAME_MAX_LEN = 255, BCRYPT_LEN = 60, BCRYPT_COST_MIN = 4, BCRYPT_COST_MAX = 14 };
enum { SHA512_SALT_MAX = 16, SHA512_LEN = 86, SHA512_ROUNDS_MIN = 1000, SHA512_ROUNDS_MAX = 1000000 };

bool htpasswd_next(struct slice *rest, struct htpasswd_line *line)
{
    while (rest->len > 0) {
        const char *feed = memchr(rest->at, '\n', rest->len);
        struct slice text = slice_make(rest->at, feed ? (size_t)(feed - rest->at) : rest->len);
        *rest = slice_after(*rest, text.len + (feed != NULL));
        line->number++;
        if (text.len > 0 && text.at[text.len - 1] == '\r')
            text.len--;
        text = slice_trim(text);
        if (text.len == 0 || text.at[0] == '#')
            continue;
        const char *colon = memchr(text.at, ':', text.len);
        line->name = slice_make(text.at, colon ? (size_t)(colon - text.at) : text.len);
        line->hash = colon ? slice_after(text, line->name.len + 1) : slice_make(NULL, 0);
        return true;
    }
    return false;
}

const char *htpasswd_check_name(struct slice name)
{
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return "a user's name has 1 to 255 bytes";
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.at[i] < 0x20 || name.at[i] == 0x7f || name.at[i] == ':')
            return "a user's name has no colon and no control character";
    return NULL;
}

/* Whether all characters are of the alphabet that libcrypt writes bytes in. */
static bool is_encoded(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.at[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '.' && c <= '9'))
            return false;
    }
    return true;
}

/* Takes a decimal number without leading zero and the '$' behind it. */
static bool take_number(struct slice *text, uint32_t *number_out)
{
    uint32_t number = 0;
    size_t len = 0;
    for (; len < text->len && len < 9 && text->at[len] >= '0' && text->at[len] <= '9'; len++)
        number = number * 10 + (uint32_t)(text->at[len] - '0');
    if (len == 0 || len == text->len || text->at[len] != '$' || text->at[0] == '0')
        return false;
    *text = slice_after(*text, len + 1);
    *number_out = number;
    return true;
}

static const char *check_bcrypt(struct slice hash)
{
    static const char malformed[] =
        "is no complete bcrypt hash; it has 60 characters, as htpasswd -nB writes it";
    if (hash.len != BCRYPT_LEN || hash.at[6] != '$' || !is_encoded(slice_after(hash, 7)))
        return malformed;
    unsigned tens = (unsigned)(hash.at[4] - '0'), ones = (unsigned)(hash.at[5] - '0');
    if (tens > 9 || ones > 9)
        return malformed;
    unsigned cost = tens * 10 + ones;
    return cost < BCRYPT_COST_MIN || cost > BCRYPT_COST_MAX
               ? "has a cost that is not between 4 and 14; each step doubles the time of a check"
               : NULL;
}

static const char *check_sha512(struct slice hash)
{
    static const char malformed[] = "is no complete SHA-512 hash, as mkpasswd -m sha512crypt writes it";
    struct slice rest = slice_after(hash, 3), rounds = SLICE("rounds=");
    uint32_t number = SHA512_ROUNDS_MIN;
    if (slice_starts_with(rest, rounds)) {
        rest = slice_after(rest, rounds.len);
        if (!take_number(&rest, &number))
            return malformed;
    }
    const char *dollar = rest.len ? memchr(rest.at, '$', rest.len) : NULL;
    size_t salt = dollar ? (size_t)(dollar - rest.at) : rest.len;
    if (dollar == NULL || salt == 0 || salt > SHA512_SALT_MAX || rest.len - salt - 1 != SHA512_LEN ||
        !is_encoded(slice_make(rest.at, salt)) || !is_encoded(slice_after(rest, salt + 1)))
        return malformed;
    return number < SHA512_ROUNDS_MIN || number > SHA512_ROUNDS_MAX
               ? "has rounds that are not between 1000 and 1000000"
               : NULL;
}

const char *htpasswd_check_hash(struct slice hash)
{
    if (slice_starts_with(hash, SLICE("$2y$")) || slice_starts_with(hash, SLICE("$2b$")))
        return check_bcrypt(hash);
    if (slice_starts_with(hash, SLICE("$6$")))
        return check_sha512(hash);
    if (slice_starts_with(hash, SLICE("$apr1$")) || slice_starts_with(hash, SLICE("{SHA}")))
        return "is a hash that is quick to guess; make a bcrypt one: htpasswd -nB NAME";
    return "is neither bcrypt ($2y$, $2b$) nor SHA-512 ($6$); make one: htpasswd -nB NAME";
}
