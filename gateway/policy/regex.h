/*
 * Regexes on paths: PCRE2 on bytes, JIT-compiled where the system allows it, each run bounded by limits so
 * that no path makes a pattern burn time. Shared by the router and the policies that take paths apart. A
 * compiled pattern is immutable and may be run by any thread, with its own scratch.
 */
#ifndef PORTICO_POLICY_REGEX_H
#define PORTICO_POLICY_REGEX_H

#define PCRE2_CODE_UNIT_WIDTH 8

#include "policy/route.h"

#include <pcre2.h>

/* Groups that can be asked for; a pattern may have more. */
enum { REGEX_GROUPS_MAX = 31 };

/* A compiled pattern; without JIT where the system forbids writable code. */
struct regex {
    pcre2_code *code;
    bool jit;
};

/* How a match ended. */
enum regex_outcome { REGEX_NO, REGEX_YES, REGEX_LIMIT };

/* What the groups of a match hold, [0] the whole; those that took no part are empty. */
struct regex_groups {
    struct slice at[REGEX_GROUPS_MAX + 1];
};

/* Compiles a pattern of the configuration. False after adding an error at `origin`. */
bool regex_read(struct regex *regex, struct slice pattern, struct config_origin origin,
                struct config_findings *findings);

/* The same without a word, with more of PCRE2's options. */
bool regex_init(struct regex *regex, struct slice pattern, uint32_t options);

/* Frees the compiled code. */
void regex_fini(struct regex *regex);

/* How many groups the pattern has. */
unsigned regex_group_count(const struct regex *regex);

/* The number of the group with this name, 0 for none. */
unsigned regex_group_named(const struct regex *regex, struct slice name);

/* Whether the pattern matches somewhere in the text, within the limits. */
enum regex_outcome regex_run(const struct regex *regex, struct slice text, struct router_scratch *scratch);

/* The same; with YES, the groups point into the text. */
enum regex_outcome regex_find(const struct regex *regex, struct slice text, struct router_scratch *scratch,
                              struct regex_groups *groups_out);

/* The text as findings may show it: what came from ${env:} or ${file:} is shown as it was written. */
static inline struct slice as_written(struct slice text, struct config_origin origin)
{
    return origin.redacted ? slice_of(origin.redacted) : text;
}

#endif
