/*
 * policy/security_headers: which fields a response carries, what they replace, and who is told to use TLS.
 */
#include "policy_scene.h"

static const char *respond(bool secure, const char *const *sent)
{
    struct message request = {0}, response = {.status = 200};
    struct policy_call call = scene_call(&request);
    call.secure = secure;
    for (; *sent; sent += 2)
        scene_field(&response, sent[0], sent[1]);
    pipeline_respond(&call, &response);
    return scene_lines(&response.fields);
}

static const char *const nothing[] = {NULL};

static void presets(void **state)
{
    (void)state;
    scene_open("", "security_headers: recommended", "");
    assert_string_equal(respond(true, nothing), "strict-transport-security: max-age=31536000\n"
                                                "x-frame-options: SAMEORIGIN\n"
                                                "x-content-type-options: nosniff\n");
    assert_string_equal(respond(false, nothing), "x-frame-options: SAMEORIGIN\n"
                                                 "x-content-type-options: nosniff\n");
    scene_close();
    scene_open("security_headers: recommended", "", "security_headers: off");
    assert_string_equal(respond(true, nothing), "");
    scene_close();
    scene_open("security_headers: {csp: \"default-src 'none'\"}", "", "security_headers: recommended");
    assert_null(strstr(respond(true, nothing), "default-src"));
    scene_close();
}

static void mappings_merge_by_name(void **state)
{
    (void)state;
    scene_open("security_headers: {base: recommended, coep: require-corp}",
               "security_headers: {frame_options: DENY, xss_protection: '1; mode=block'}",
               "security_headers: {csp: \"default-src 'self'\", remove: [hsts, coep]}");
    assert_string_equal(respond(true, nothing), "content-security-policy: default-src 'self'\n"
                                                "x-frame-options: DENY\n"
                                                "x-content-type-options: nosniff\n"
                                                "x-xss-protection: 1; mode=block\n");
    scene_close();
    scene_open("security_headers: {csp: \"default-src 'none'\"}", "",
               "security_headers: {base: recommended, remove: [hsts, frame_options]}");
    assert_string_equal(respond(true, nothing), "x-content-type-options: nosniff\n");
    scene_close();
}

static void every_field_of_the_table(void **state)
{
    (void)state;
    scene_open("", "",
               "security_headers: {hsts: max-age=1, csp: a, csp_report_only: b, frame_options: DENY, "
               "content_type_options: nosniff, referrer_policy: c, permissions_policy: d, coop: e, corp: f, "
               "coep: g, xss_protection: '0'}");
    assert_string_equal(respond(true, nothing), "strict-transport-security: max-age=1\n"
                                                "content-security-policy: a\n"
                                                "content-security-policy-report-only: b\n"
                                                "x-frame-options: DENY\n"
                                                "x-content-type-options: nosniff\n"
                                                "referrer-policy: c\n"
                                                "permissions-policy: d\n"
                                                "cross-origin-opener-policy: e\n"
                                                "cross-origin-resource-policy: f\n"
                                                "cross-origin-embedder-policy: g\n"
                                                "x-xss-protection: 0\n");
    scene_close();
}

static void the_service_s_own_are_replaced(void **state)
{
    (void)state;
    static const char *const sent[] = {"X-FRAME-OPTIONS",
                                       "ALLOWALL",
                                       "Strict-Transport-Security",
                                       "max-age=0",
                                       "x-frame-options",
                                       "DENY",
                                       "Content-Security-Policy",
                                       "default-src 'none'",
                                       "X-Frame-Option",
                                       "not ours",
                                       NULL};
    scene_open("security_headers: recommended", "", "");
    assert_string_equal(respond(true, sent), "Content-Security-Policy: default-src 'none'\n"
                                             "X-Frame-Option: not ours\n"
                                             "strict-transport-security: max-age=31536000\n"
                                             "x-frame-options: SAMEORIGIN\n"
                                             "x-content-type-options: nosniff\n");
    assert_null(strstr(respond(false, sent), "ransport")); /* nobody tells a client without TLS */
    scene_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets),
        cmocka_unit_test(mappings_merge_by_name),
        cmocka_unit_test(every_field_of_the_table),
        cmocka_unit_test(the_service_s_own_are_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
