/*
 * The list of policy/policy_regexes.h.
 */
#include "policy/policy_regexes.h"

#include <stdlib.h>

/* One regex, in a chain. */
struct link {
    struct link *next;
    struct regex regex;
};

/* What `share` gives. */
struct regexes {
    struct link *first;
};

void *policy_regexes_new(const struct config *config, const void *previous, struct config_findings *findings)
{
    (void)config, (void)previous, (void)findings;
    struct regexes *list = calloc(1, sizeof *list);
    CHECK(list != NULL);
    return list;
}

void policy_regexes_free(void *regexes)
{
    struct regexes *list = regexes;
    for (struct link *link = list->first; link;) {
        struct link *next = link->next;
        regex_fini(&link->regex);
        free(link);
        link = next;
    }
    free(list);
}

struct regex *policy_regexes_add(void *regexes)
{
    struct regexes *list = regexes;
    struct link *link = calloc(1, sizeof *link);
    CHECK(link != NULL);
    link->next = list->first;
    list->first = link;
    return &link->regex;
}
