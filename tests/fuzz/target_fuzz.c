/*
 * Request-targets and authorities. The first byte chooses the method, the rest is the target. Beyond memory
 * safety: canonical paths hold no dot segments and do not change when they are made canonical again;
 * `ambiguous` tells the truth; and where the three spellings begin with the same segments, no reading of the
 * raw path that an upstream may have begins with others (A27, A28): the readings here are written
 * independently of gateway/http/path.c.
 */
#include "http/target.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { READ_MAX = 96 };

/* How an upstream may read a path; each member that is set is something it does. */
struct reading {
    unsigned decodes; /* times */
    bool splits;      /* at separators that were encoded */
    bool backslash, cuts_first, cuts_last, merges, resolves_first, resolves_last;
};

/* A path being read. */
struct path {
    char at[READ_MAX + 1];
    size_t len;
};

static bool has_dot_segment(struct slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        size_t end = i + 1;
        while (end < path.len && path.at[end] != '/')
            end++;
        struct slice segment = slice_make(path.at + i + 1, end - i - 1);
        if (path.at[i] == '/' && (slice_equal(segment, SLICE(".")) || slice_equal(segment, SLICE(".."))))
            return true;
    }
    return false;
}

static bool holds(struct slice path, const char *text)
{
    return path.len > 0 && memmem(path.at, path.len, text, strlen(text)) != NULL;
}

static void decode(struct path *path, bool splits)
{
    size_t len = 0;
    for (size_t i = 0; i < path->len; i++) {
        char digits[3] = {0}, *end = NULL;
        if (path->at[i] == '%' && i + 2 < path->len)
            memcpy(digits, path->at + i + 1, 2);
        long byte = strspn(digits, "0123456789abcdefABCDEF") == 2 ? strtol(digits, &end, 16) : 0;
        bool keeps = byte == 0 || (!splits && (byte == '/' || byte == '\\'));
        path->at[len++] = keeps ? path->at[i] : (char)byte;
        i += keeps ? 0 : 2;
    }
    path->len = len;
}

static void backslashes(struct path *path)
{
    for (size_t i = 0; i < path->len; i++)
        if (path->at[i] == '\\')
            path->at[i] = '/';
}

static void cut(struct path *path)
{
    size_t len = 0;
    for (size_t i = 0; i < path->len; i++) {
        while (i < path->len && path->at[i] == ';')
            while (i < path->len && path->at[i] != '/')
                i++;
        if (i < path->len)
            path->at[len++] = path->at[i];
    }
    path->len = len;
}

static void merge(struct path *path)
{
    size_t len = 0;
    for (size_t i = 0; i < path->len; i++)
        if (path->at[i] != '/' || len == 0 || path->at[len - 1] != '/')
            path->at[len++] = path->at[i];
    path->len = len;
}

/* Clamps at the root, as most do. */
static void resolve(struct path *path)
{
    struct path done = {.len = 0};
    for (size_t i = 0; i < path->len;) {
        size_t end = i + 1;
        while (end < path->len && path->at[end] != '/')
            end++;
        struct slice segment = slice_make(path->at + i + 1, end - i - 1);
        bool dot = slice_equal(segment, SLICE(".")), dotdot = slice_equal(segment, SLICE(".."));
        while (dotdot && done.len > 0 && done.at[--done.len] != '/')
            ;
        if (!dot && !dotdot) {
            memcpy(done.at + done.len, path->at + i, end - i);
            done.len += end - i;
        } else if (end == path->len) {
            done.at[done.len++] = '/';
        }
        i = end;
    }
    *path = done;
}

static struct path read_as(struct slice raw, struct reading reading)
{
    struct path path = {.len = raw.len};
    memcpy(path.at, raw.at, raw.len);
    if (reading.cuts_first)
        cut(&path);
    if (reading.resolves_first)
        resolve(&path);
    for (unsigned i = 0; i < reading.decodes; i++)
        decode(&path, reading.splits);
    if (reading.backslash)
        backslashes(&path);
    if (reading.cuts_last)
        cut(&path);
    if (reading.merges)
        merge(&path);
    if (reading.resolves_last)
        resolve(&path);
    return path;
}

/* The first `count` segments, with the slashes before them. */
static struct slice first_segments(struct slice path, unsigned count)
{
    size_t len = 0;
    while (len < path.len && (path.at[len] != '/' || count-- > 0))
        len++;
    return slice_make(path.at, len);
}

/* Whether these are `count` segments, none of them empty. */
static bool are_segments(struct slice path, unsigned count)
{
    for (size_t i = 0; i < path.len; i++)
        count -= path.at[i] == '/';
    return count == 0 && !holds(path, "//") && path.at[path.len - 1] != '/';
}

static void check_readings(const struct target *target, unsigned count)
{
    struct slice begin = first_segments(target->path, count);
    if (!are_segments(begin, count) || !slice_equal(begin, first_segments(target->raw_path, count)) ||
        !slice_equal(begin, first_segments(target->loose_path, count)))
        return;
    for (unsigned bits = 0; bits < 3 * 128; bits++) {
        struct reading reading = {bits / 128, bits & 1,  bits & 2,  bits & 4,
                                  bits & 8,   bits & 16, bits & 32, bits & 64};
        struct path path = read_as(target->raw_path, reading);
        CHECK(slice_equal(begin, first_segments(slice_make(path.at, path.len), count)));
    }
}

/* Percent-encodes all but letters, digits, dots and separators; what is canonical stays so. */
static void check_again(const struct target *target, struct arena *arena)
{
    struct target again;
    char *text = arena_alloc(arena, target->path.len * 3);
    size_t len = 0;
    for (size_t i = 0; i < target->path.len; i++) {
        char c = target->path.at[i], lower = ascii_lower(c);
        bool plain = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || strchr("/.\\", c);
        if (!plain)
            text[len++] = '%';
        text[len++] = plain ? c : "0123456789abcdef"[(unsigned char)c >> 4];
        if (!plain)
            text[len++] = "0123456789abcdef"[c & 15];
    }
    CHECK(target_parse(slice_make(text, len), METHOD_GET, arena, &again) == FAULT_NONE);
    CHECK(slice_equal(again.path, target->path));
    CHECK(slice_equal(again.loose_path, target->loose_path));
}

static void check_target(const struct target *target, struct arena *arena)
{
    CHECK(target->path.len > 0 && target->path.at[0] == '/');
    CHECK(target->loose_path.len > 0 && target->loose_path.at[0] == '/');
    CHECK(!has_dot_segment(target->path) && !has_dot_segment(target->loose_path));
    CHECK(!holds(target->loose_path, "//") && !holds(target->loose_path, "\\") &&
          !holds(target->loose_path, ";"));
    bool differ =
        !slice_equal(target->raw_path, target->path) || !slice_equal(target->path, target->loose_path);
    CHECK(target->ambiguous == differ);
    CHECK(target->raw.len > 0 && (target->raw.at[0] == '/' || slice_equal(target->raw, SLICE("*"))));
    for (size_t i = 0; i < target->raw.len; i++)
        CHECK(target->raw.at[i] > ' ' && target->raw.at[i] < 0x7f && target->raw.at[i] != '#');
    check_again(target, arena);
    if (!differ || target->raw_path.len > READ_MAX)
        return;
    check_readings(target, 1);
    check_readings(target, 2);
}

static void check_authority(struct slice text, struct arena *arena)
{
    struct authority authority, again;
    if (!authority_parse(text, arena, &authority))
        return;
    CHECK(authority.host.len > 0 && authority.host.at[authority.host.len - 1] != '.' &&
          authority.port <= 65535);
    for (size_t i = 0; i < authority.host.len; i++)
        CHECK(authority.host.at[i] > ' ' && authority.host.at[i] < 0x7f &&
              strchr("/\\@?#%", authority.host.at[i]) == NULL &&
              authority.host.at[i] == ascii_lower(authority.host.at[i]));
    CHECK(authority_parse(authority.host, arena, &again) && again.port == 0);
    CHECK(slice_equal(again.host, authority.host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum method methods[] = {METHOD_GET, METHOD_OPTIONS, METHOD_CONNECT, METHOD_OTHER};
    struct arena arena;
    struct target target;
    if (size == 0)
        return 0;
    struct slice text = slice_make((const char *)data + 1, size - 1);
    arena_init(&arena, NULL, 0);
    enum fault fault = target_parse(text, methods[data[0] % 4], &arena, &target);
    if (fault == FAULT_NONE)
        check_target(&target, &arena);
    else
        CHECK(fault == FAULT_bad_target || fault == FAULT_path_above_root || fault == FAULT_ambiguous_path ||
              fault == FAULT_method_refused);
    check_authority(text, &arena);
    arena_fini(&arena);
    return 0;
}
