/* The upstream's usual answer, 128 bytes of content behind a head, as it comes in. */
#ifndef BENCH_LOAD_ANSWER_H
#define BENCH_LOAD_ANSWER_H

#include <stddef.h>
#include <string.h>

enum { ANSWER_CONTENT = 128, ANSWER_MOST = 4096 };

#define ANSWER_REQUEST "GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n"

/* 1 when what has come is the whole of it with status 200, 0 when there is more to come, -1 when it is
 * something else. */
static inline int judge_answer(const char *bytes, size_t length)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end || length < (size_t)(end + 4 - bytes) + ANSWER_CONTENT)
        return length < ANSWER_MOST ? 0 : -1;
    return strncmp(bytes, "HTTP/1.1 200 ", 13) == 0 ? 1 : -1;
}

#endif
