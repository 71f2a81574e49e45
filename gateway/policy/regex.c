/*
 * The regexes of policy/regex.h, and the memory that a thread runs them in. The only file that calls PCRE2.
 */
#include "policy/regex.h"

#include <stdlib.h>

/* Limits of one run. `^(a+)+$` takes 0.1 s with PCRE2's own, 0.03-0.15 ms with these. */
enum { MATCH_LIMIT = 10000, HEAP_LIMIT_KIB = 4096, JIT_STACK_FIRST = 32 * 1024, JIT_STACK_MAX = 256 * 1024 };

/* Longer names no group can have. */
enum { NAME_MAX_LENGTH = 128 };

/* A path is bytes, not text of lines: '.' is any byte and '$' only the very end, so that no encoded line feed
 * slips by. */
#define COMPILE_OPTIONS (PCRE2_DOLLAR_ENDONLY | PCRE2_DOTALL | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP)

struct router_scratch {
    pcre2_match_data *data;      /* where the whole match lies */
    pcre2_match_data *groups;    /* and its groups */
    pcre2_match_context *limits; /* and the JIT stack */
    pcre2_jit_stack *stack;      /* NULL without JIT */
};

struct router_scratch *router_scratch_new(void)
{
    struct router_scratch *scratch = calloc(1, sizeof *scratch);
    CHECK(scratch != NULL);
    scratch->data = pcre2_match_data_create(1, NULL);
    scratch->groups = pcre2_match_data_create(REGEX_GROUPS_MAX + 1, NULL);
    scratch->limits = pcre2_match_context_create(NULL);
    CHECK(scratch->data != NULL && scratch->groups != NULL && scratch->limits != NULL);
    pcre2_set_match_limit(scratch->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(scratch->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(scratch->limits, HEAP_LIMIT_KIB);
    scratch->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MAX, NULL);
    if (scratch->stack)
        pcre2_jit_stack_assign(scratch->limits, NULL, scratch->stack);
    return scratch;
}

void router_scratch_free(struct router_scratch **scratch)
{
    if (*scratch == NULL)
        return;
    pcre2_jit_stack_free((*scratch)->stack);
    pcre2_match_context_free((*scratch)->limits);
    pcre2_match_data_free((*scratch)->groups);
    pcre2_match_data_free((*scratch)->data);
    free(*scratch);
    *scratch = NULL;
}

/* PCRE2 takes no NULL, which an empty slice may have. */
static PCRE2_SPTR bytes_of(struct slice text)
{
    return (PCRE2_SPTR)(text.at ? text.at : "");
}

static bool prepare(struct regex *regex, pcre2_code *code)
{
    *regex = (struct regex){code, false};
    if (code)
        regex->jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
    return code != NULL;
}

bool regex_init(struct regex *regex, struct slice pattern, uint32_t options)
{
    int error;
    PCRE2_SIZE offset;
    return prepare(regex, pcre2_compile(bytes_of(pattern), pattern.len, COMPILE_OPTIONS | options, &error,
                                        &offset, NULL));
}

bool regex_read(struct regex *regex, struct slice pattern, struct config_origin origin,
                struct config_findings *findings)
{
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile(bytes_of(pattern), pattern.len, COMPILE_OPTIONS, &error, &offset, NULL);
    if (prepare(regex, code))
        return true;
    char message[256];
    struct slice shown = as_written(pattern, origin);
    pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
    config_error(findings, origin, "regex \"%.*s\": %s at offset %zu", SLICE_ARGS(shown), message,
                 (size_t)offset);
    return false;
}

void regex_fini(struct regex *regex)
{
    pcre2_code_free(regex->code);
    regex->code = NULL;
}

unsigned regex_group_count(const struct regex *regex)
{
    uint32_t count = 0;
    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &count);
    return count;
}

unsigned regex_group_named(const struct regex *regex, struct slice name)
{
    char text[NAME_MAX_LENGTH + 1];
    if (name.len >= sizeof text)
        return 0;
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    int number = pcre2_substring_number_from_name(regex->code, (PCRE2_SPTR)text);
    return number > 0 ? (unsigned)number : 0;
}

static enum regex_outcome run(const struct regex *regex, struct slice text, struct router_scratch *scratch,
                              pcre2_match_data *data)
{
    PCRE2_SPTR bytes = bytes_of(text);
    int result = regex->jit ? pcre2_jit_match(regex->code, bytes, text.len, 0, 0, data, scratch->limits)
                            : pcre2_match(regex->code, bytes, text.len, 0, 0, data, scratch->limits);
    if (result >= 0)
        return REGEX_YES;
    return result == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_LIMIT;
}

enum regex_outcome regex_run(const struct regex *regex, struct slice text, struct router_scratch *scratch)
{
    return run(regex, text, scratch, scratch->data);
}

enum regex_outcome regex_find(const struct regex *regex, struct slice text, struct router_scratch *scratch,
                              struct regex_groups *groups_out)
{
    enum regex_outcome outcome = run(regex, text, scratch, scratch->groups);
    if (outcome != REGEX_YES)
        return outcome;
    *groups_out = (struct regex_groups){.at = {{NULL, 0}}};
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(scratch->groups);
    unsigned count = regex_group_count(regex);
    for (unsigned i = 0; i <= count && i <= REGEX_GROUPS_MAX; i++)
        if (ends[2 * i] != PCRE2_UNSET && ends[2 * i] <= ends[2 * i + 1]) /* \K may turn the whole around */
            groups_out->at[i] = slice_make(text.at + ends[2 * i], ends[2 * i + 1] - ends[2 * i]);
    return REGEX_YES;
}
