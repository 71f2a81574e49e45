/*
 * ${env:NAME} and ${file:path} in the scalars of a tree: replaced in place, the text as written kept in
 * origin.redacted, because what comes from outside is a secret. "$${" is a plain "${".
 */
#ifndef PORTICO_CONFIG_SUBSTITUTE_H
#define PORTICO_CONFIG_SUBSTITUTE_H

#include "config/internal.h"

/* Largest file and longest text with what replaces its references; most references in one file. */
enum { SUBSTITUTE_TEXT_MAX = 64 << 10, SUBSTITUTE_REFERENCES_MAX = 1000 };

/* Replaces in every value under `node` (keys stay as they are), which stands in the file at hand; text that
 * stands in none may have no ${file:}. Adds an error for what is missing. */
void substitute_tree(struct loader *loader, struct yaml_node *node);

#endif
