/*
 * config/compile_headers: what is refused, with its place.
 */
#include "said.h"

#define BEFORE                                                                                         \
    "listen: [':80']\nupstreams: {app: 'a:1'}\nsites: [{hosts: ['*'], routes: [{prefix: /, upstream: " \
    "app}]}]\n"

static void refused(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {BEFORE "defaults: {headers: []}\n",
         "4:21: expected a mapping, as { response: { remove: [Server] } }, found a list\n"},
        {BEFORE "defaults: {headers: {reponse: {}}}\n",
         "4:22: unknown key \"reponse\" in headers; did you mean \"response\"?\n"},
        {BEFORE "defaults: {headers: {request: {sets: {}}}}\n",
         "4:32: unknown key \"sets\" in a mapping of header changes; did you mean \"set\"?\n"},
        {BEFORE "defaults: {headers: {request: {set: {'X Y': a}}}}\n",
         "4:38: \"X Y\" is no name of a field; they are written as X-Powered-By\n"},
        {BEFORE "defaults: {headers: {request: {remove: ['a:']}}}\n",
         "4:41: \"a:\" is no name of a field; they are written as X-Powered-By\n"},
        {BEFORE "defaults: {headers: {request: {set: {X: \"a\\nb\"}}}}\n",
         "4:41: \"a?b\": a field holds no line break; a text of several lines begins with \">-\"\n"},
        {BEFORE "defaults: {headers: {request: {set: {X: [a, b]}}}}\n",
         "4:41: expected the value of the field, found a list\n"},
        {BEFORE "defaults: {headers: {request: {add: {X: [a, \"\\x7f\"]}}}}\n",
         "4:45: \"?\": a field holds printable ASCII only\n"},
        {BEFORE "defaults: {headers: {request: {set: {X: a},\n  remove: [x]}}}\n",
         "5:12: something else is said about this name on line 4\n"},
        {BEFORE "defaults: {headers: {request: {add: {X: a},\n  keep: [x]}}}\n",
         "5:10: something else is said about this name on line 4\n"},
        {BEFORE "defaults: {headers: {request: {add: {X: a, x: b}}}}\n", ""},
        {BEFORE "defaults: {headers: {request: {add: {X: a}}, response: {remove: [X]}}}\n", ""},
        {BEFORE "defaults: {headers: {cookies: {same_site: none}}}\n",
         "4:31: browsers refuse cookies with SameSite=None that are not Secure; add `secure: true`\n"},
        {BEFORE "defaults: {headers: {cookies: {same_site: loose}}}\n",
         "4:43: unknown same_site \"loose\"; known are: unchanged lax strict none\n"},
    };
    SAID_ALL(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
