/*
 * The calendar behind http/date.h. gmtime_r takes a lock and strftime the locale; a proleptic Gregorian date
 * is four divisions. Called about once a second by each thread, which keeps the text; knows no clock.
 */
#include "http/date.h"

#include "base/check.h"

#include <string.h>

enum { SECONDS_PER_DAY = 86400, DAYS_PER_ERA = 146097, DAYS_TO_1970 = 719468 };

struct day {
    unsigned year, month, day; /* month 1..12, day 1..31 */
};

/* Counts from March 1st of year 0 in eras of 400 years, so that the leap day is the last of its year. */
static struct day day_of(unsigned days_since_1970)
{
    unsigned days = days_since_1970 + DAYS_TO_1970;
    unsigned era = days / DAYS_PER_ERA, of_era = days % DAYS_PER_ERA;
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned march_month = (5 * of_year + 2) / 153;
    unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
    return (struct day){.year = era * 400 + year + (month <= 2),
                        .month = month,
                        .day = of_year - (153 * march_month + 2) / 5 + 1};
}

static void put_two(char *at, unsigned number)
{
    at[0] = (char)('0' + number / 10);
    at[1] = (char)('0' + number % 10);
}

void http_date_print(int64_t seconds, char text_out[HTTP_DATE_LEN + 1])
{
    static const char week_days[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const int64_t year_10000 = 253402300800;
    CHECK(seconds >= 0 && seconds < year_10000);
    unsigned days = (unsigned)(seconds / SECONDS_PER_DAY), second = (unsigned)(seconds % SECONDS_PER_DAY);
    struct day day = day_of(days);
    memcpy(text_out, "Day, 00 Mon 0000 00:00:00 GMT", HTTP_DATE_LEN + 1);
    memcpy(text_out, week_days + days % 7 * 3, 3);
    put_two(text_out + 5, day.day);
    memcpy(text_out + 8, months + (day.month - 1) * 3, 3);
    put_two(text_out + 12, day.year / 100);
    put_two(text_out + 14, day.year % 100);
    put_two(text_out + 17, second / 3600);
    put_two(text_out + 20, second / 60 % 60);
    put_two(text_out + 23, second % 60);
}

struct slice http_date_cached(struct http_date_cache *cache, int64_t seconds)
{
    if (cache->seconds != seconds || cache->text[0] == '\0') {
        http_date_print(seconds, cache->text);
        cache->seconds = seconds;
    }
    return slice_make(cache->text, HTTP_DATE_LEN);
}
