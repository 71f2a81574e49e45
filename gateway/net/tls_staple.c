/*
 * The staples of net/tls_staple.h, found by the hash of their certificate. Called when certificates are
 * loaded, by process/ocsp.c with answers, and by OpenSSL in handshakes; knows no socket.
 */
#include "net/tls_staple.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    NAME_MAX_LEN = 128,
    SKEW_S = 300,           /* between the responder's clock and ours */
    UNDATED_S = 60 * 60,    /* an answer that does not say for how long it is good */
    LIFE_MAX_S = 30 * 86400 /* longer promises are not relied on */
};

struct tls_staple {
    struct tls_staple *next;
    unsigned char id[SHA256_DIGEST_LENGTH]; /* of the certificate */
    X509 *leaf, *issuer;
    char *responder;
    char name[NAME_MAX_LEN];

    /* With shared.lock. */
    unsigned refs;
    unsigned char *answer; /* NULL: none is known */
    size_t len;
    time_t until; /* it may be shown */
};

/* What several threads touch, and all staples' own part of it. */
static struct {
    pthread_mutex_t lock;
    struct tls_staple *first;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- making --- */

/* The first responder with a plain URL (RFC 5280 section 4.2.2.1): asking over TLS for whether TLS is good
 * would go in circles. */
static char *find_responder(X509 *leaf)
{
    STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(leaf);
    char *found = NULL;
    for (int i = 0; i < sk_OPENSSL_STRING_num(urls) && found == NULL; i++) {
        const char *url = sk_OPENSSL_STRING_value(urls, i);
        if (strncasecmp(url, "http://", 7) == 0)
            found = strdup(url);
    }
    X509_email_free(urls);
    return found;
}

static struct tls_staple *find_known(const unsigned char *id)
{
    struct tls_staple *staple = shared.first;
    while (staple && memcmp(staple->id, id, sizeof staple->id) != 0)
        staple = staple->next;
    return staple;
}

static struct tls_staple *make(X509 *leaf, X509 *issuer, char *responder)
{
    struct tls_staple *staple = calloc(1, sizeof *staple);
    CHECK(staple != NULL && X509_up_ref(leaf) == 1 && X509_up_ref(issuer) == 1);
    staple->leaf = leaf;
    staple->issuer = issuer;
    staple->responder = responder;
    X509_NAME_oneline(X509_get_subject_name(leaf), staple->name, sizeof staple->name);
    return staple;
}

struct tls_staple *tls_staple_of(X509 *leaf, X509 *issuer)
{
    unsigned char id[SHA256_DIGEST_LENGTH];
    char *responder = issuer ? find_responder(leaf) : NULL;
    if (responder == NULL)
        return NULL;
    CHECK(X509_digest(leaf, EVP_sha256(), id, NULL) == 1);
    pthread_mutex_lock(&shared.lock);
    struct tls_staple *staple = find_known(id);
    if (staple) {
        free(responder);
    } else {
        staple = make(leaf, issuer, responder);
        memcpy(staple->id, id, sizeof id);
        staple->next = shared.first;
        shared.first = staple;
    }
    staple->refs++;
    pthread_mutex_unlock(&shared.lock);
    return staple;
}

struct tls_staple *tls_staple_ref(struct tls_staple *staple)
{
    pthread_mutex_lock(&shared.lock);
    staple->refs++;
    pthread_mutex_unlock(&shared.lock);
    return staple;
}

void tls_staple_unref(struct tls_staple **staple_at)
{
    struct tls_staple *staple = *staple_at;
    *staple_at = NULL;
    if (staple == NULL)
        return;
    pthread_mutex_lock(&shared.lock);
    bool is_last = --staple->refs == 0;
    struct tls_staple **link = &shared.first;
    while (is_last && *link != staple)
        link = &(*link)->next;
    if (is_last)
        *link = staple->next;
    pthread_mutex_unlock(&shared.lock);
    if (!is_last)
        return;
    X509_free(staple->leaf);
    X509_free(staple->issuer);
    free(staple->responder);
    OPENSSL_free(staple->answer);
    free(staple);
}

const char *tls_staple_name(const struct tls_staple *staple)
{
    return staple->name;
}

const char *tls_staple_responder(const struct tls_staple *staple)
{
    return staple->responder;
}

/* --- asking --- */

/* SHA-1 names the certificate here and secures nothing; responders know no other (RFC 5019 section 2.1.1). */
static OCSP_CERTID *id_of(const struct tls_staple *staple)
{
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, staple->leaf, staple->issuer);
    CHECK(id != NULL);
    return id;
}

unsigned char *tls_staple_request(const struct tls_staple *staple, size_t *len_out)
{
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    CHECK(request != NULL && OCSP_request_add0_id(request, id_of(staple)) != NULL);
    int len = i2d_OCSP_REQUEST(request, NULL);
    unsigned char *bytes = len > 0 ? malloc((size_t)len) : NULL;
    CHECK(bytes != NULL);
    unsigned char *end = bytes;
    i2d_OCSP_REQUEST(request, &end);
    OCSP_REQUEST_free(request);
    *len_out = (size_t)len;
    return bytes;
}

/* --- judging --- */

static void say(struct tls_error *error, const char *text)
{
    *error = (struct tls_error){.in_key = false};
    snprintf(error->text, sizeof error->text, "%s", text);
}

/* Signed by the issuer, or by whom it has charged with that (RFC 6960 section 4.2.2.2). */
static bool is_signed(const struct tls_staple *staple, OCSP_BASICRESP *basic)
{
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *issuers = sk_X509_new_null();
    CHECK(store != NULL && issuers != NULL && sk_X509_push(issuers, staple->issuer) > 0);
    CHECK(X509_STORE_add_cert(store, staple->issuer) == 1);
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    bool is_valid = OCSP_basic_verify(basic, issuers, store, 0) == 1;
    sk_X509_free(issuers);
    X509_STORE_free(store);
    return is_valid;
}

static bool set_until(const ASN1_GENERALIZEDTIME *next, time_t *until_out)
{
    int days = 0, seconds = 0;
    if (next && ASN1_TIME_diff(&days, &seconds, NULL, next) != 1)
        return false;
    long left_s = next ? (long)days * 86400 + seconds : UNDATED_S;
    *until_out = time(NULL) + (left_s < LIFE_MAX_S ? left_s : LIFE_MAX_S);
    return left_s > 0;
}

static enum tls_staple_verdict judge_basic(const struct tls_staple *staple, OCSP_BASICRESP *basic,
                                           time_t *until_out, struct tls_error *error)
{
    int status = V_OCSP_CERTSTATUS_UNKNOWN;
    ASN1_GENERALIZEDTIME *from = NULL, *next = NULL;
    OCSP_CERTID *id = id_of(staple);
    bool is_there = OCSP_resp_find_status(basic, id, &status, NULL, NULL, &from, &next) == 1;
    OCSP_CERTID_free(id);
    enum tls_staple_verdict verdict = TLS_STAPLE_USELESS;
    if (!is_there) {
        say(error, "the answer is about another certificate");
    } else if (!is_signed(staple, basic)) {
        say(error, "the answer is not signed by the certificate's issuer");
    } else if (OCSP_check_validity(from, next, SKEW_S, -1) != 1 || !set_until(next, until_out)) {
        say(error, "the answer is not valid now");
    } else if (status == V_OCSP_CERTSTATUS_REVOKED) {
        say(error, "the certificate is revoked: replace it");
        verdict = TLS_STAPLE_REVOKED;
    } else if (status == V_OCSP_CERTSTATUS_GOOD) {
        verdict = TLS_STAPLE_GOOD;
    } else {
        say(error, "the responder does not know the certificate");
    }
    return verdict;
}

static enum tls_staple_verdict judge(const struct tls_staple *staple, struct slice answer, time_t *until_out,
                                     struct tls_error *error)
{
    const unsigned char *at = (const unsigned char *)answer.at;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)answer.len);
    bool is_whole = response && at == (const unsigned char *)answer.at + answer.len;
    OCSP_BASICRESP *basic = NULL;
    enum tls_staple_verdict verdict = TLS_STAPLE_USELESS;
    if (!is_whole)
        say(error, "the answer is no OCSP response");
    else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        say(error, OCSP_response_status_str(OCSP_response_status(response)));
    else if ((basic = OCSP_response_get1_basic(response)) == NULL)
        say(error, "the answer is of an unknown kind");
    else
        verdict = judge_basic(staple, basic, until_out, error);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return verdict;
}

static void replace(struct tls_staple *staple, unsigned char *answer, size_t len, time_t until)
{
    pthread_mutex_lock(&shared.lock);
    unsigned char *before = staple->answer;
    staple->answer = answer;
    staple->len = len;
    staple->until = until;
    pthread_mutex_unlock(&shared.lock);
    OPENSSL_free(before);
}

enum tls_staple_verdict tls_staple_judge(struct tls_staple *staple, struct slice answer,
                                         struct tls_error *error_out)
{
    time_t until = 0;
    enum tls_staple_verdict verdict = judge(staple, answer, &until, error_out);
    if (verdict == TLS_STAPLE_GOOD) {
        unsigned char *copy = OPENSSL_memdup(answer.at, answer.len);
        CHECK(copy != NULL);
        replace(staple, copy, answer.len, until);
    } else if (verdict == TLS_STAPLE_REVOKED) {
        replace(staple, NULL, 0, 0);
    }
    return verdict;
}

/* --- showing --- */

uint64_t tls_staple_seconds_left(struct tls_staple *staple)
{
    time_t now = time(NULL);
    pthread_mutex_lock(&shared.lock);
    uint64_t left = staple->answer && staple->until > now ? (uint64_t)(staple->until - now) : 0;
    pthread_mutex_unlock(&shared.lock);
    return left;
}

unsigned char *tls_staple_copy(struct tls_staple *staple, size_t *len_out)
{
    time_t now = time(NULL);
    pthread_mutex_lock(&shared.lock);
    bool is_fresh = staple->answer && staple->until > now;
    unsigned char *copy = is_fresh ? OPENSSL_memdup(staple->answer, staple->len) : NULL;
    *len_out = copy ? staple->len : 0;
    pthread_mutex_unlock(&shared.lock);
    return copy;
}
