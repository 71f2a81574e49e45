/*
 * What a client says first on a TLS port, to the same contexts and choices of certificate as in production:
 * one that shows its first certificate to strangers, and one that is strict and asks for client certificates.
 * Beyond memory safety: nobody gets in without a key exchange, the name that is kept is one, and pieces of
 * any size mean the same as the whole.
 */
#include "net/tls.h"

#include "../unit/certificates.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE_MAX_FED = 20000, NAME_LEN_MAX = 255 };

/* How a handshake stood when all had been said. */
struct outcome {
    bool failed;
    char name[NAME_LEN_MAX + 1];
};

static struct tls_context *easy, *strict;

static void end(void)
{
    tls_context_unref(&easy);
    tls_context_unref(&strict);
    CHECK(remove_certificates(NULL) == 0);
}

static void start(void)
{
    static const char *const names[] = {"one.test", "two.test", NULL};
    struct tls_error error;
    open_certificates();
    make_certificate((struct making){.name = "one.test", .alternatives = "DNS:one.test,DNS:*.wild.test"});
    make_certificate((struct making){.name = "two.test", .alternatives = "DNS:two.test"});
    struct tls_client_rule *rule = tls_client_rule_load(path_of("one.test", "pem"), true, &error);
    CHECK(rule != NULL);
    static struct tls_host hosts[1];
    hosts[0] = (struct tls_host){.name = SLICE("two.test"), .rule = 1};
    easy = make_server(names, (struct tls_settings){.offer_h2 = true});
    strict = make_server(
        names, (struct tls_settings){
                   .strict_sni = true, .rules = &rule, .rule_count = 1, .hosts = hosts, .host_count = 1});
    atexit(end);
}

static void keep_name(struct outcome *outcome, struct tls *tls)
{
    struct slice name = tls_facts(tls).server_name;
    CHECK(name.len <= NAME_LEN_MAX);
    for (size_t i = 0; i < name.len; i++)
        CHECK(name.at[i] != '\0' && name.at[i] == ascii_lower(name.at[i]));
    if (name.len > 0)
        memcpy(outcome->name, name.at, name.len);
}

static struct outcome talk(struct tls_context *server, const uint8_t *data, size_t size, size_t piece)
{
    struct outcome outcome = {.failed = false};
    char heard[4096];
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    struct tls *tls = tls_accept(server, ends[0]);
    CHECK(tls != NULL);
    for (size_t at = 0; at < size && !outcome.failed; at += piece) {
        size_t len = size - at < piece ? size - at : piece;
        CHECK(write(ends[1], data + at, len) == (ssize_t)len);
        enum tls_result result = tls_handshake(tls);
        CHECK(result != TLS_OK);
        outcome.failed = result == TLS_FAILED || result == TLS_END;
        while (read(ends[1], heard, sizeof heard) > 0)
            continue;
    }
    keep_name(&outcome, tls);
    tls_free(&tls);
    close(ends[0]);
    close(ends[1]);
    return outcome;
}

static void compare(struct tls_context *server, const uint8_t *data, size_t size)
{
    struct outcome whole = talk(server, data, size, size ? size : 1), pieces = talk(server, data, size, 61);
    CHECK(whole.failed == pieces.failed);
    CHECK(strcmp(whole.name, pieces.name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (easy == NULL)
        start();
    if (size > SIZE_MAX_FED)
        return 0;
    compare(easy, data, size);
    compare(strict, data, size);
    return 0;
}
