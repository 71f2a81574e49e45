/* Load for handshake scenarios: each of N threads connects, makes a handshake, one request, closes, again.
 *
 * bench/run.py starts it, with "full" or "resumed". It prints "ready" when every thread has made one
 * connection (in resumed mode that is where its first ticket is from) and begins at a line on stdin; after
 * the given seconds it prints one line, "connections seconds p50 p99 p999 faults" (latencies of the whole
 * connection, in microseconds). A handshake that is not of the kind asked for is a fault. Cipher and group
 * are what OPENSSL_CONF says. Threads that block are enough: they share one core, and what they cost is not
 * measured. */
#define _GNU_SOURCE
#include <openssl/ssl.h>
#include <pthread.h>

#include "load/answer.h"
#include "load/clock.h"
#include "load/dial.h"
#include "load/program.h"

enum { THREADS_MAX = 200 };

struct worker {
    pthread_t thread;
    unsigned number;
    SSL_SESSION *session; /* of the newest ticket, when resuming */
    bool expects;         /* resumption: it has made its first connection */
};

static SSL_CTX *context;
static bool resumes;
static uint16_t port;
static uint64_t duration, end; /* microseconds */
static pthread_barrier_t ready, go;
static struct latencies latencies;
static atomic_ullong faults;

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct worker *worker = SSL_get_app_data(ssl);
    if (!resumes)
        return 0;
    SSL_SESSION_free(worker->session);
    worker->session = session;
    return 1;
}

/* OpenSSL uses up a session with its first connection. A copy leaves the ticket for another one, because some
 * servers give no new ticket with a resumed handshake. */
static void offer_ticket(const struct worker *worker, SSL *ssl)
{
    SSL_SESSION *copy = worker->session ? SSL_SESSION_dup(worker->session) : NULL;
    if (copy)
        SSL_set_session(ssl, copy);
    SSL_SESSION_free(copy);
}

static bool exchange(SSL *ssl)
{
    static const char request[] = ANSWER_REQUEST;
    char answer[ANSWER_MOST];
    size_t length = 0;
    int judged = 0;
    if (SSL_write(ssl, request, sizeof request - 1) <= 0)
        return false;
    while (judged == 0) {
        int n = SSL_read(ssl, answer + length, (int)(sizeof answer - length));
        if (n <= 0)
            return false;
        length += (size_t)n;
        judged = judge_answer(answer, length);
    }
    return judged > 0;
}

static bool connect_once(struct worker *worker)
{
    int fd = dial(port, 1 + worker->number); /* each thread has an address of its own */
    if (fd < 0)
        return false;
    SSL *ssl = SSL_new(context);
    if (!ssl)
        die("SSL_new");
    SSL_set_app_data(ssl, worker);
    SSL_set_fd(ssl, fd);
    SSL_set_tlsext_host_name(ssl, "bench.test");
    offer_ticket(worker, ssl);
    bool good = SSL_connect(ssl) == 1 && SSL_session_reused(ssl) == worker->expects && exchange(ssl);
    if (good)
        SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
    return good;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    faults += !connect_once(worker);
    worker->expects = resumes;
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&go);
    for (uint64_t began = now_us(); began < end; began = now_us()) {
        if (!connect_once(worker)) {
            faults++;
            usleep(1000);
            continue;
        }
        latencies_add(&latencies, now_us() - began);
    }
    return NULL;
}

static void run(struct worker *workers, unsigned count)
{
    pthread_barrier_init(&ready, NULL, count + 1);
    pthread_barrier_init(&go, NULL, count + 1);
    for (unsigned i = 0; i < count; i++) {
        workers[i].number = i;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            die("pthread_create");
    }
    pthread_barrier_wait(&ready);
    say_ready();
    wait_for_begin();
    uint64_t began = now_us();
    end = began + duration;
    pthread_barrier_wait(&go);
    for (unsigned i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
    say_figures(&latencies, now_us() - began, faults);
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    unsigned count = argc == 5 ? (unsigned)number_of(argv[2], THREADS_MAX) : 0;
    if (count < 1)
        return fprintf(stderr, "usage: tls_load PORT CONNECTIONS full|resumed SECONDS\n"), 2;
    port = (uint16_t)number_of(argv[1], UINT16_MAX);
    resumes = strcmp(argv[3], "resumed") == 0;
    duration = microseconds_of(argv[4]);
    context = SSL_CTX_new(TLS_client_method());
    if (!context)
        die("SSL_CTX_new");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
    run(workers, count);
    return faults > 0;
}
