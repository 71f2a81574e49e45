/*
 * A header that opens as it should:
 * what it owns,
 * what it must not know.
 */
#pragma once
#include <stddef.h>

struct forward;

/* A commented struct. */
struct told {
    int a;

    int b;
};

struct untold {
    int a;
};

/* Two neighbours under one comment. */
int told_open(struct told *told);
int told_close(struct told *told);

int untold_open(struct untold *untold,
                int flags);

static inline int untold_flags(void)
{
    return 1;
}

/* A comment with a gap is a comment on nothing. */

typedef int (*untold_fn)(int);
