/*
 * Texts of the configuration with variables: "%{client_ip}" and the others of tables/variables.def; "%%{"
 * stands for "%{". They are taken apart when a configuration is compiled and put together for a request. ${}
 * is not theirs: config/substitute.c has replaced it before, and what came from there holds no variables.
 */
#ifndef PORTICO_POLICY_TEMPLATE_H
#define PORTICO_POLICY_TEMPLATE_H

#include "policy/policy.h"

/* What a variable stands for in a request. */
typedef struct slice template_value_fn(const struct policy_call *call);

/* The variable of this name, NULL for none. */
template_value_fn *template_variable(struct slice name);

/* The names of all, each behind a blank. */
extern const char template_variables[];

/* A compiled text. */
struct template;

/* Takes the text apart; it must live as long as the arena. NULL after adding an error at its origin. */
const struct template *template_compile(struct arena *arena, const struct config_text *text,
                                        struct config_findings *findings);

/* The text for this request. A text without variables is not copied. */
struct slice template_expand(const struct template *template, const struct policy_call *call);

/* The same for the value of a field: false when it is empty, or when a variable brings a byte that no field
 * may hold (RFC 9110 section 5.5). */
MUST_USE bool template_field_value(const struct template *template, const struct policy_call *call,
                                   struct slice *value_out);

#endif
