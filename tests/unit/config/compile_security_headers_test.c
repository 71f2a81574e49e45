/*
 * config/compile_security_headers: what is refused, with its place and what to write instead.
 */
#include "said.h"

#define BEFORE                                                                                         \
    "listen: [':80']\nupstreams: {app: 'a:1'}\nsites: [{hosts: ['*'], routes: [{prefix: /, upstream: " \
    "app}]}]\n"

static void refused(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {BEFORE "defaults: {security_headers: recomended}\n",
         "4:30: expected recommended, strict, off or a mapping, found \"recomended\"\n"},
        {BEFORE "defaults: {security_headers: [off]}\n",
         "4:30: expected recommended, strict, off or a mapping, found a list\n"},
        {BEFORE "defaults: {security_headers: {base: loose}}\n",
         "4:37: expected recommended, strict or off, found \"loose\"\n"},
        {BEFORE "defaults: {security_headers: {cps: x}}\n",
         "4:31: unknown key \"cps\" in security_headers; did you mean \"csp\"?\n"},
        {BEFORE "defaults:\n  security_headers:\n    csp: \"default-src 'self'\\r\\nSet-Cookie: a=b\"\n",
         "6:10: csp: \"default-src 'self'??Set-Cookie: a=b\": a field holds no line break; a text of several "
         "lines "
         "begins with \">-\"\n"},
        {BEFORE "defaults:\n  security_headers:\n    csp: |\n      default-src 'self';\n      img-src *\n",
         "6:10: csp: \"default-src 'self';?img-src *?\": a field holds no line break; a text of several "
         "lines begins "
         "with \">-\"\n"},
        {BEFORE "defaults: {security_headers: {coop: \"a\\x01b\"}}\n",
         "4:37: coop: \"a?b\": a field holds printable ASCII only\n"},
        {BEFORE "defaults: {security_headers: {corp: \"caf\\xe9\"}}\n",
         "4:37: corp: \"caf\xc3\xa9\": a field holds printable ASCII only\n"},
        {BEFORE "defaults: {security_headers: {corp: ' a'}}\n",
         "4:37: corp: \" a\": a field neither begins nor ends with a blank\n"},
        {BEFORE "defaults: {security_headers: {corp: ''}}\n",
         "4:37: expected the value of the field, found \"\"\n"},
        {BEFORE "defaults: {security_headers: {hsts: 1y}}\n",
         "4:37: hsts: \"1y\": it begins with the seconds, as \"max-age=31536000\"\n"},
        {BEFORE "defaults: {security_headers: {frame_options: ALLOWALL}}\n",
         "4:46: frame_options: \"ALLOWALL\": browsers know DENY and SAMEORIGIN; other origins are listed by "
         "`csp`, in "
         "frame-ancestors\n"},
        {BEFORE "defaults: {security_headers: {content_type_options: sniff}}\n",
         "4:53: content_type_options: \"sniff\": the only value is nosniff; `remove` takes the field away\n"},
        {BEFORE "defaults: {security_headers: {remove: [X-Frame-Options]}}\n",
         "4:40: \"X-Frame-Options\" is no key of security_headers; they are written as csp\n"},
        {BEFORE "defaults: {security_headers: {csp: a, remove: [csp]}}\n",
         "4:48: csp is removed and set by one mapping\n"},
    };
    SAID_ALL(rows);
}

static void folded_text_is_one_line(void **state)
{
    (void)state;
    const struct said_case row = {
        BEFORE "defaults:\n  security_headers:\n    csp: >-\n      default-src 'self';\n      img-src *\n",
        ""};
    struct config *config = said_load(&row);
    const struct config_text *csp = &config->defaults.security_headers->values[CONFIG_SECURITY_csp];
    assert_true(slice_equal(csp->text, SLICE("default-src 'self'; img-src *")));
    assert_int_equal(csp->origin.line, 6);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(folded_text_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
