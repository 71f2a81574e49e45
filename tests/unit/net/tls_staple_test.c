/*
 * net/tls_staple: which certificates have one, what is asked, and which answers are kept: good ones of the
 * issuer or of whom it has charged, about this certificate and valid now. Nothing else ever is shown.
 */
#include "net/tls_staple.h"

#include "../certificates.h"

#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

enum { HOUR_S = 60 * 60, ANSWER_MAX = 16 * 1024 };

/* An answer to be made. */
struct answering {
    const char *about, *signer;
    int status; /* V_OCSP_CERTSTATUS_* */
    long from_s, until_s;
    bool undated;
};

static X509 *leaf, *issuer;
static struct tls_staple *staple;
static struct tls_error error;
static unsigned char answer[ANSWER_MAX];

static int make_files(void **state)
{
    (void)state;
    static const char responder[] = "http://127.0.0.1:9/ocsp";
    open_certificates();
    make_certificate((struct making){.name = "ca", .is_authority = true});
    make_certificate((struct making){.name = "stranger", .is_authority = true});
    make_certificate((struct making){.name = "leaf", .issuer = "ca", .responder = responder});
    make_certificate((struct making){.name = "other", .issuer = "ca", .responder = responder});
    make_certificate((struct making){.name = "charged", .issuer = "ca", .usage = "OCSPSigning"});
    make_certificate((struct making){.name = "uncharged", .issuer = "ca"});
    make_certificate((struct making){.name = "impostor", .issuer = "stranger", .usage = "OCSPSigning"});
    make_certificate((struct making){.name = "over-tls", .issuer = "ca", .responder = "https://127.0.0.1/"});
    make_certificate((struct making){.name = "without", .issuer = "ca"});
    leaf = read_certificate("leaf");
    issuer = read_certificate("ca");
    return 0;
}

static int remove_files(void **state)
{
    X509_free(leaf);
    X509_free(issuer);
    return remove_certificates(state);
}

static int start(void **state)
{
    (void)state;
    staple = tls_staple_of(leaf, issuer);
    assert_non_null(staple);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    tls_staple_unref(&staple);
    return 0;
}

static struct slice make_answer(struct answering wanted)
{
    X509 *about = read_certificate(wanted.about), *signer = read_certificate(wanted.signer);
    EVP_PKEY *key = read_key(wanted.signer);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, about, issuer);
    ASN1_TIME *from = X509_gmtime_adj(NULL, wanted.from_s), *until = X509_gmtime_adj(NULL, wanted.until_s);
    ASN1_TIME *revoked = wanted.status == V_OCSP_CERTSTATUS_REVOKED ? from : NULL;
    assert_non_null(OCSP_basic_add1_status(basic, id, wanted.status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
                                           revoked, from, wanted.undated ? NULL : until));
    unsigned long flags = strcmp(wanted.signer, "ca") == 0 ? OCSP_NOCERTS : 0;
    assert_int_equal(OCSP_basic_sign(basic, signer, key, EVP_sha256(), NULL, flags), 1);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    unsigned char *end = answer;
    int len = i2d_OCSP_RESPONSE(response, &end);
    assert_true(len > 0 && len <= ANSWER_MAX);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    EVP_PKEY_free(key);
    X509_free(signer);
    X509_free(about);
    return slice_make((const char *)answer, (size_t)len);
}

static const struct answering good = {"leaf", "ca", V_OCSP_CERTSTATUS_GOOD, -HOUR_S, HOUR_S, false};

static bool shows(struct slice expected)
{
    size_t len;
    unsigned char *copy = tls_staple_copy(staple, &len);
    bool same = copy && slice_equal(slice_make((const char *)copy, len), expected);
    OPENSSL_free(copy);
    return same;
}

static void who_has_one(void **state)
{
    (void)state;
    static const char *const without[] = {"over-tls", "without"};
    for (size_t i = 0; i < 2; i++) {
        X509 *certificate = read_certificate(without[i]);
        assert_null(tls_staple_of(certificate, issuer));
        X509_free(certificate);
    }
    assert_null(tls_staple_of(leaf, NULL));
    assert_string_equal(tls_staple_responder(staple), "http://127.0.0.1:9/ocsp");
    assert_string_equal(tls_staple_name(staple), "/CN=leaf");
}

static void one_for_each_certificate(void **state)
{
    (void)state;
    X509 *again = read_certificate("leaf"), *other = read_certificate("other");
    struct tls_staple *same = tls_staple_of(again, issuer), *different = tls_staple_of(other, issuer);
    assert_ptr_equal(same, staple);
    assert_ptr_not_equal(different, staple);
    assert_int_equal(tls_staple_judge(same, make_answer(good), &error), TLS_STAPLE_GOOD);
    tls_staple_unref(&same);
    tls_staple_unref(&different);
    assert_true(tls_staple_seconds_left(staple) > 0);
    X509_free(again);
    X509_free(other);
}

static void the_question(void **state)
{
    (void)state;
    size_t len;
    unsigned char *question = tls_staple_request(staple, &len);
    const unsigned char *at = question;
    OCSP_REQUEST *request = d2i_OCSP_REQUEST(NULL, &at, (long)len);
    assert_non_null(request);
    assert_int_equal(OCSP_request_onereq_count(request), 1);
    OCSP_CERTID *asked = OCSP_onereq_get0_id(OCSP_request_onereq_get0(request, 0));
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, leaf, issuer);
    assert_int_equal(OCSP_id_cmp(asked, id), 0);
    OCSP_CERTID_free(id);
    OCSP_REQUEST_free(request);
    free(question);
}

static void good_answers_are_kept(void **state)
{
    (void)state;
    struct answering wanted = good;
    assert_int_equal(tls_staple_seconds_left(staple), 0);
    struct slice made = make_answer(wanted);
    assert_false(shows(made));
    assert_int_equal(tls_staple_judge(staple, made, &error), TLS_STAPLE_GOOD);
    assert_true(shows(made));
    uint64_t left = tls_staple_seconds_left(staple);
    assert_true(left > HOUR_S - 60 && left <= HOUR_S);
    wanted.signer = "charged";
    assert_int_equal(tls_staple_judge(staple, make_answer(wanted), &error), TLS_STAPLE_GOOD);
    wanted.undated = true;
    assert_int_equal(tls_staple_judge(staple, make_answer(wanted), &error), TLS_STAPLE_GOOD);
    assert_true(tls_staple_seconds_left(staple) > 0);
}

static void useless_answers_are_ignored(void **state)
{
    (void)state;
    static const struct {
        struct answering wanted;
        const char *said;
    } rows[] = {
        {{"other", "ca", V_OCSP_CERTSTATUS_GOOD, -HOUR_S, HOUR_S, false}, "about another certificate"},
        {{"leaf", "stranger", V_OCSP_CERTSTATUS_GOOD, -HOUR_S, HOUR_S, false}, "not signed by"},
        {{"leaf", "impostor", V_OCSP_CERTSTATUS_GOOD, -HOUR_S, HOUR_S, false}, "not signed by"},
        {{"leaf", "uncharged", V_OCSP_CERTSTATUS_GOOD, -HOUR_S, HOUR_S, false}, "not signed by"},
        {{"leaf", "leaf", V_OCSP_CERTSTATUS_GOOD, -HOUR_S, HOUR_S, false}, "not signed by"},
        {{"leaf", "ca", V_OCSP_CERTSTATUS_GOOD, -2 * HOUR_S, -HOUR_S, false}, "not valid now"},
        {{"leaf", "ca", V_OCSP_CERTSTATUS_GOOD, -2 * HOUR_S, -10, false}, "not valid now"},
        {{"leaf", "ca", V_OCSP_CERTSTATUS_GOOD, HOUR_S, 2 * HOUR_S, false}, "not valid now"},
        {{"leaf", "ca", V_OCSP_CERTSTATUS_UNKNOWN, -HOUR_S, HOUR_S, false}, "does not know"},
        {{"leaf", "stranger", V_OCSP_CERTSTATUS_REVOKED, -HOUR_S, HOUR_S, false}, "not signed by"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(tls_staple_judge(staple, make_answer(rows[i].wanted), &error), TLS_STAPLE_USELESS);
        assert_non_null(strstr(error.text, rows[i].said));
        assert_int_equal(tls_staple_seconds_left(staple), 0);
    }
    assert_int_equal(tls_staple_judge(staple, make_answer(good), &error), TLS_STAPLE_GOOD);
    assert_int_equal(tls_staple_judge(staple, make_answer(rows[9].wanted), &error), TLS_STAPLE_USELESS);
    assert_true(tls_staple_seconds_left(staple) > 0); /* what a stranger says changes nothing */
}

static void garbage_is_ignored(void **state)
{
    (void)state;
    struct slice whole = make_answer(good);
    static const char try_later[] = "\x30\x03\x0a\x01\x03";
    assert_int_equal(tls_staple_judge(staple, SLICE(""), &error), TLS_STAPLE_USELESS);
    assert_int_equal(tls_staple_judge(staple, SLICE("<html>"), &error), TLS_STAPLE_USELESS);
    assert_int_equal(tls_staple_judge(staple, slice_make(try_later, 5), &error), TLS_STAPLE_USELESS);
    assert_string_equal(error.text, "trylater");
    for (size_t len = 0; len < whole.len; len += 7)
        assert_int_equal(tls_staple_judge(staple, slice_make(whole.at, len), &error), TLS_STAPLE_USELESS);
    whole.len++; /* a byte too many */
    assert_int_equal(tls_staple_judge(staple, whole, &error), TLS_STAPLE_USELESS);
    whole = make_answer(good);
    answer[whole.len - 3] ^= 1; /* in the signature */
    assert_int_equal(tls_staple_judge(staple, whole, &error), TLS_STAPLE_USELESS);
    assert_int_equal(tls_staple_seconds_left(staple), 0);
}

static void a_revocation_takes_the_good_answer_away(void **state)
{
    (void)state;
    struct answering revoked = good;
    size_t len;
    revoked.status = V_OCSP_CERTSTATUS_REVOKED;
    assert_int_equal(tls_staple_judge(staple, make_answer(good), &error), TLS_STAPLE_GOOD);
    assert_int_equal(tls_staple_judge(staple, make_answer(revoked), &error), TLS_STAPLE_REVOKED);
    assert_int_equal(tls_staple_seconds_left(staple), 0);
    assert_null(tls_staple_copy(staple, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_has_one, start, stop),
        cmocka_unit_test_setup_teardown(one_for_each_certificate, start, stop),
        cmocka_unit_test_setup_teardown(the_question, start, stop),
        cmocka_unit_test_setup_teardown(good_answers_are_kept, start, stop),
        cmocka_unit_test_setup_teardown(useless_answers_are_ignored, start, stop),
        cmocka_unit_test_setup_teardown(garbage_is_ignored, start, stop),
        cmocka_unit_test_setup_teardown(a_revocation_takes_the_good_answer_away, start, stop),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
