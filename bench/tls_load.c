/* Load for handshake scenarios: each of N threads connects, makes a handshake, one request, closes, again.
 *
 * bench/run.py starts it, with "full" or "resumed". It prints "ready" when every thread has made one
 * connection (in resumed mode that is where its first ticket is from) and begins at a line on stdin; after
 * the given seconds it prints one line, "connections seconds p50 p99 p999 faults" (latencies of the whole
 * connection, in microseconds). A handshake that is not of the kind asked for is a fault. Cipher and group
 * are what OPENSSL_CONF says. Threads that block are enough: they share one core, and what they cost is not
 * measured. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLOWEST = 2 * 1000 * 1000, THREADS_MAX = 200 };

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
static atomic_uint histogram[SLOWEST + 1];
static atomic_ullong connections, faults;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

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

/* Each thread has an address of its own, so that its ports outlast what waits in TIME_WAIT. */
static int open_socket(const struct worker *worker)
{
    struct sockaddr_in own = {.sin_family = AF_INET}, peer = {.sin_family = AF_INET, .sin_port = htons(port)};
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + worker->number);
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&own, sizeof own) == 0 &&
        connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0)
        return fd;
    close(fd);
    return -1;
}

/* One request; the answer is 128 bytes of "x" or the like after its head. */
static bool exchange(SSL *ssl)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n";
    char answer[4096];
    size_t length = 0;
    if (SSL_write(ssl, request, sizeof request - 1) <= 0)
        return false;
    for (;;) {
        int n = SSL_read(ssl, answer + length, (int)(sizeof answer - 1 - length));
        if (n <= 0)
            return false;
        length += (size_t)n;
        answer[length] = '\0';
        const char *body = strstr(answer, "\r\n\r\n");
        if (body && length >= (size_t)(body + 4 - answer) + 128)
            return strncmp(answer, "HTTP/1.1 200", 12) == 0;
    }
}

static bool connect_once(struct worker *worker)
{
    int fd = open_socket(worker);
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
    for (uint64_t began = now(); began < end; began = now()) {
        if (!connect_once(worker)) {
            faults++;
            usleep(1000);
            continue;
        }
        uint64_t took = now() - began;
        histogram[took < SLOWEST ? took : SLOWEST]++;
        connections++;
    }
    return NULL;
}

static size_t percentile(double share)
{
    uint64_t wanted = (uint64_t)((double)connections * share), seen = 0;
    size_t took = 0;
    while (took < SLOWEST && (seen += histogram[took]) < wanted)
        took++;
    return took;
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
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF)
        exit(1);
    uint64_t began = now();
    end = began + duration;
    pthread_barrier_wait(&go);
    for (unsigned i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
    printf("%llu %.6f %zu %zu %zu %llu\n", connections, (double)(now() - began) / 1e6, percentile(0.5),
           percentile(0.99), percentile(0.999), faults);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    unsigned count = argc == 5 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (count < 1 || count > THREADS_MAX)
        return fprintf(stderr, "usage: tls_load PORT CONNECTIONS full|resumed SECONDS\n"), 2;
    port = (uint16_t)strtoul(argv[1], NULL, 10);
    resumes = strcmp(argv[3], "resumed") == 0;
    duration = (uint64_t)(strtod(argv[4], NULL) * 1e6);
    context = SSL_CTX_new(TLS_client_method());
    if (!context)
        die("SSL_CTX_new");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
    run(workers, count);
    return faults > 0;
}
