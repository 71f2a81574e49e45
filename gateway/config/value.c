/*
 * The units behind config/value.h: one table per kind, largest first, read in both directions. Whole decimal
 * numbers only; a number with leading zeros is refused because YAML's own readers take it for octal.
 */
#include "config/value.h"

#include <inttypes.h>
#include <stdio.h>

/* A unit and what one of it is in microseconds or bytes. */
struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"d", DAYS(1)}, {"h", HOURS(1)}, {"m", MINUTES(1)}, {"s", SECONDS(1)}, {"ms", MILLISECONDS(1)}, {NULL, 0},
};

static const struct unit size_units[] = {
    {"TiB", TIB(1)}, {"GiB", MIB(1024)}, {"MiB", MIB(1)}, {"KiB", KIB(1)}, {"GB", 1000000000},
    {"MB", 1000000}, {"KB", 1000},       {"B", 1},        {NULL, 0},
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum value_kind kind)
{
    return kind == VALUE_DURATION ? duration_units : kind == VALUE_SIZE ? size_units : no_units;
}

const char *value_units(enum value_kind kind)
{
    return kind == VALUE_DURATION ? "ms, s, m, h or d"
           : kind == VALUE_SIZE   ? "B, KiB, MiB, GiB, TiB, KB, MB or GB"
                                  : "";
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads the digits at the front of `text`; the number saturates. Gives how many there are. */
static size_t read_digits(struct slice text, uint64_t *number_out)
{
    uint64_t number = 0;
    size_t at = 0;
    for (; at < text.len && is_digit(text.at[at]); at++)
        if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.at[at] - '0'), &number))
            number = UINT64_MAX;
    *number_out = number;
    return at;
}

static bool looks_like_unit(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (ascii_lower(text.at[i]) < 'a' || ascii_lower(text.at[i]) > 'z')
            return false;
    return true;
}

enum value_problem value_parse(enum value_kind kind, struct slice text, uint64_t *value_out)
{
    uint64_t number;
    size_t digits = read_digits(text, &number);
    if (digits == 0 || (digits > 1 && text.at[0] == '0'))
        return VALUE_MALFORMED;
    struct slice name = slice_after(text, digits);
    if (name.len == 0 && number != 0 && kind != VALUE_COUNT)
        return VALUE_UNIT_MISSING;
    const struct unit *unit = units_of(kind);
    while (name.len > 0 && unit->name && !slice_equal(name, slice_of(unit->name)))
        unit++;
    if (!unit->name)
        return kind != VALUE_COUNT && looks_like_unit(name) ? VALUE_UNIT_UNKNOWN : VALUE_MALFORMED;
    if (number == UINT64_MAX || __builtin_mul_overflow(number, unit->factor, &number))
        return VALUE_TOO_LARGE;
    *value_out = number;
    return VALUE_OK;
}

size_t value_print(enum value_kind kind, uint64_t value, char text_out[VALUE_TEXT_MAX])
{
    const struct unit *unit = units_of(kind);
    while (value != 0 && unit[1].name && value % unit->factor != 0)
        unit++;
    int length = value == 0
                     ? snprintf(text_out, VALUE_TEXT_MAX, "0")
                     : snprintf(text_out, VALUE_TEXT_MAX, "%" PRIu64 "%s", value / unit->factor, unit->name);
    return (size_t)length;
}
