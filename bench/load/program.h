/* What a load and bench/lib have to tell each other: arguments; "ready" when everything is open; a line on
 * stdin when it shall begin; one line of figures; the end of stdin when its connections may go. Included by
 * each load. */
#ifndef BENCH_LOAD_PROGRAM_H
#define BENCH_LOAD_PROGRAM_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "load/latency.h"

static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

/* An argument that is a number of at most so much. */
static inline uint64_t number_of(const char *text, uint64_t most)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno || end == text || *end || number > most) {
        fprintf(stderr, "\"%s\" is no number up to %llu\n", text, (unsigned long long)most);
        exit(2);
    }
    return number;
}

/* An argument that is a time in seconds, as microseconds. */
static inline uint64_t microseconds_of(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds > 0 && seconds < 3600)) {
        fprintf(stderr, "\"%s\" is no time in seconds\n", text);
        exit(2);
    }
    return (uint64_t)(seconds * 1e6);
}

static inline void say_ready(void)
{
    puts("ready");
    fflush(stdout);
}

/* Waits for the line; without one nothing shall be measured any more. */
static inline void wait_for_begin(void)
{
    if (getchar() == EOF)
        exit(1);
}

/* "units seconds p50 p99 p999 faults", latencies in microseconds. */
static inline void say_figures(const struct latencies *latencies, uint64_t took_us, uint64_t faults)
{
    static const double shares[] = {0.5, 0.99, 0.999};
    printf("%llu %.6f", (unsigned long long)latencies->count, (double)took_us / 1e6);
    for (int i = 0; i < 3; i++)
        printf(" %llu", (unsigned long long)latencies_percentile(latencies, shares[i]));
    printf(" %llu\n", (unsigned long long)faults);
    fflush(stdout);
}

/* Holds what is open, so that the proxy can be looked at. */
static inline void wait_for_end(void)
{
    while (getchar() != EOF)
        continue;
}

#endif
