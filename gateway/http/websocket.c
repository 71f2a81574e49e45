/*
 * The handshake check of http/websocket.h; frames are nobody's business here.
 */
#include "http/websocket.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

void websocket_key_of(const unsigned char nonce[WEBSOCKET_NONCE_LEN], char key_out[WEBSOCKET_KEY_LEN + 1])
{
    EVP_EncodeBlock((unsigned char *)key_out, nonce, WEBSOCKET_NONCE_LEN);
}

/* base64(SHA-1(key + GUID)) */
void websocket_accept_of(struct slice key, char accept_out[WEBSOCKET_ACCEPT_LEN + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[64];
    unsigned char digest[SHA_DIGEST_LENGTH];
    CHECK(key.len == WEBSOCKET_KEY_LEN);
    memcpy(text, key.at, key.len);
    memcpy(text + key.len, guid, sizeof guid - 1);
    SHA1((unsigned char *)text, key.len + sizeof guid - 1, digest);
    EVP_EncodeBlock((unsigned char *)accept_out, digest, sizeof digest);
}

bool websocket_accepts(const struct fields *request, const struct fields *response)
{
    const struct field *key = fields_find(request, FIELD_sec_websocket_key);
    const struct field *accept = fields_find(response, FIELD_sec_websocket_accept);
    if (key == NULL || key->value_len != WEBSOCKET_KEY_LEN || accept == NULL)
        return false;
    if (fields_count(response, FIELD_sec_websocket_accept) != 1)
        return false;
    if (fields_find(response, FIELD_sec_websocket_protocol) &&
        !fields_find(request, FIELD_sec_websocket_protocol))
        return false;
    char expected[WEBSOCKET_ACCEPT_LEN + 1];
    websocket_accept_of(field_value(key), expected);
    return slice_equal(field_value(accept), slice_of(expected));
}
