/*
 * "Did you mean": the known word that is nearest to an unknown one, by insertions, deletions, replacements
 * and swaps of neighbours (optimal string alignment). Pure text.
 */
#ifndef PORTICO_CONFIG_SUGGEST_H
#define PORTICO_CONFIG_SUGGEST_H

#include "base/slice.h"

/* A search for the word nearest to `word`; offer the known words one by one. */
struct suggestion {
    struct slice word;
    struct slice best; /* empty until something is near enough */
    unsigned distance; /* of best; before, the first that is too far */
};

/* Starts a search. */
struct suggestion suggest_start(struct slice word);

/* Takes `known` if it is nearer than what was offered before. */
void suggest_offer(struct suggestion *suggestion, struct slice known);

#endif
