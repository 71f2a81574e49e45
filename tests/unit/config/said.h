/*
 * For the tests of this folder: findings as one text, "line:column: what" a line ("file:" in front when it is
 * not "t.yaml"; "warning: " in front of a warning), so that a case is a text and what is said about it.
 */
#ifndef PORTICO_TESTS_SAID_H
#define PORTICO_TESTS_SAID_H

#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SAID_MAX = 64 * 1024 };

/* All findings; valid until the next call. */
static inline const char *said(const struct config_findings *findings)
{
    static char text[SAID_MAX];
    size_t used = 0;
    text[0] = '\0';
    for (const struct config_finding *finding = findings->first; finding; finding = finding->next) {
        bool is_other = strcmp(finding->origin.file, "t.yaml") != 0;
        int length =
            snprintf(text + used, sizeof text - used, "%s%s%u:%u: %s%.*s\n",
                     is_other ? finding->origin.file : "", is_other ? ":" : "", finding->origin.line,
                     finding->origin.column, finding->is_error ? "" : "warning: ", SLICE_ARGS(finding->text));
        used += (size_t)length;
    }
    return text;
}

/* A case: the text of t.yaml and what is said about it. */
struct said_case {
    const char *text, *expected;
};

/* Fails with both texts when they differ. */
static inline void said_compare(const struct said_case *row, const struct config_findings *findings)
{
    if (strcmp(said(findings), row->expected) == 0)
        return;
    fail_msg("\n--- t.yaml\n%.400s\n--- said\n%.1500s\n--- expected\n%s", row->text, said(findings),
             row->expected);
}

/* Loads the text and compares what is said; NULL when there is any error. */
static inline struct config *said_load(const struct said_case *row)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *config = config_load_text("t.yaml", slice_of(row->text), &findings);
    said_compare(row, &findings);
    assert_true((config != NULL) == (findings.errors == 0));
    config_findings_fini(&findings);
    return config;
}

/* All cases of a table. */
static inline void said_all(const struct said_case *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct config *config = said_load(&rows[i]);
        config_free(&config);
    }
}

#define SAID_ALL(rows) said_all(rows, sizeof(rows) / sizeof *(rows))

#endif
