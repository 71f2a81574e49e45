/*
 * libcrypt behind policy/password.h. Called by the verifier on threads beside the loops, and by `explain`.
 */
#include "policy/password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

bool password_matches(const char *hash, const char *password)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    CHECK(data != NULL);
    /* Not crypt_r(): sanitizers put their own in its place, and libcrypt would not be linked. */
    const char *made = crypt_rn(password, hash, data, sizeof *data);
    size_t len = strlen(hash);
    bool same = made && strlen(made) == len && CRYPTO_memcmp(made, hash, len) == 0;
    explicit_bzero(data, sizeof *data);
    free(data);
    return same;
}
