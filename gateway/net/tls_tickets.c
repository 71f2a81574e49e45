/*
 * The keys behind net/tls_tickets.h: AES-256-CBC with HMAC-SHA256, as OpenSSL's own. Rotated by whoever seals
 * or opens a ticket after the period is over; a lock of the length of a copy is all that threads share.
 */
#include "net/tls_tickets.h"

#include "base/check.h"
#include "base/clock.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { NAME_LEN = 16, KEY_LEN = 32, KEYS = 2 };

static const uint64_t period_us = (uint64_t)TLS_TICKETS_PERIOD_S * 1000 * 1000;

/* One key; its name says which it is. */
struct ticket_key {
    unsigned char name[NAME_LEN];
    unsigned char cipher[KEY_LEN];
    unsigned char mac[KEY_LEN];
};

static struct {
    pthread_mutex_t lock;
    struct ticket_key keys[KEYS]; /* the current one, the one before */
    uint64_t since_us;            /* of the current one; 0: there is none yet */
    EVP_CIPHER *cipher;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void rotate(void)
{
    shared.keys[1] = shared.keys[0];
    CHECK(RAND_priv_bytes((unsigned char *)&shared.keys[0], sizeof shared.keys[0]) == 1);
}

/* With the lock held. After a long silence no key that is older than two periods may remain. */
static void renew(void)
{
    uint64_t now_us = clock_monotonic_us(), age_us = now_us - shared.since_us;
    if (shared.since_us > 0 && age_us < period_us)
        return;
    if (shared.since_us == 0 || age_us >= 2 * period_us)
        rotate();
    rotate();
    shared.since_us = now_us;
}

/* A copy of the current key. */
static struct ticket_key current_key(void)
{
    pthread_mutex_lock(&shared.lock);
    renew();
    struct ticket_key key = shared.keys[0];
    pthread_mutex_unlock(&shared.lock);
    return key;
}

/* A copy of the key with the name; false when there is none. */
static bool find_key(const unsigned char name[NAME_LEN], struct ticket_key *key_out, bool *is_old_out)
{
    bool found = false;
    pthread_mutex_lock(&shared.lock);
    renew();
    for (int i = 0; i < KEYS && !found; i++) {
        found = memcmp(shared.keys[i].name, name, NAME_LEN) == 0;
        if (found) {
            *key_out = shared.keys[i];
            *is_old_out = i > 0;
        }
    }
    pthread_mutex_unlock(&shared.lock);
    return found;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
                           OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key key = current_key();
    bool sealed = RAND_bytes(iv, EVP_CIPHER_get_iv_length(shared.cipher)) == 1 &&
                  EVP_EncryptInit_ex2(cipher, shared.cipher, key.cipher, iv, NULL) == 1 && set_mac(mac, &key);
    memcpy(name, key.name, NAME_LEN);
    OPENSSL_cleanse(&key, sizeof key);
    return sealed ? 1 : -1;
}

/* 0: not ours; 1: opened; 2: opened, and a new ticket is due. In TLS 1.3 a ticket is used once, so that
 * without a new one every second connection would be a full handshake. */
static int open_ticket(const unsigned char *name, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                       EVP_MAC_CTX *mac, bool is_single_use)
{
    struct ticket_key key;
    bool is_old = false;
    if (!find_key(name, &key, &is_old))
        return 0;
    bool opened = EVP_DecryptInit_ex2(cipher, shared.cipher, key.cipher, iv, NULL) == 1 && set_mac(mac, &key);
    OPENSSL_cleanse(&key, sizeof key);
    if (!opened)
        return -1;
    return is_single_use || is_old ? 2 : 1;
}

/* OpenSSL's own signature. */
#define TICKET_CALLBACK(callback)                                                                            \
    int callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, \
                 int sealing)

static TICKET_CALLBACK(on_ticket)
{
    if (sealing)
        return seal(name, iv, cipher, mac);
    return open_ticket(name, iv, cipher, mac, SSL_version(ssl) >= TLS1_3_VERSION);
}

void tls_tickets_attach(SSL_CTX *ctx)
{
    pthread_mutex_lock(&shared.lock);
    if (shared.cipher == NULL)
        shared.cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    CHECK(shared.cipher != NULL);
    pthread_mutex_unlock(&shared.lock);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}
