/*
 * The texts of loadtest/text.h. Called by everything that reports; depends on no locale.
 */
#include "loadtest/text.h"

#include <stdio.h>

enum { US_PER_MS = 1000, US_PER_S = 1000000 };

static struct load_text in_unit(double value, const char *unit)
{
    struct load_text text;
    int digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(text.at, sizeof text.at, "%.*f%s", digits, value, unit);
    return text;
}

struct load_text load_text_duration(uint64_t duration_us)
{
    struct load_text text;
    if (duration_us >= US_PER_S)
        return in_unit((double)duration_us / US_PER_S, "s");
    if (duration_us >= US_PER_MS)
        return in_unit((double)duration_us / US_PER_MS, "ms");
    snprintf(text.at, sizeof text.at, "%uus", (unsigned)duration_us);
    return text;
}

struct load_text load_text_count(uint64_t count)
{
    char digits[24];
    struct load_text text;
    size_t len = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)count), at = 0;
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            text.at[at++] = ',';
        text.at[at++] = digits[i];
    }
    text.at[at] = '\0';
    return text;
}

struct load_text load_text_rate(double per_s)
{
    if (per_s >= 100)
        return load_text_count((uint64_t)(per_s + 0.5));
    struct load_text text;
    snprintf(text.at, sizeof text.at, "%.1f", per_s);
    return text;
}

struct load_text load_text_bytes(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    unsigned unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    return in_unit(value, units[unit]);
}
