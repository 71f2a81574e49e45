/*
 * The checks behind policy/verifier.h. A check is made once for all tickets that wait for it; it runs on a
 * thread of the offload and posts a letter to the loop of each. Everything that threads share lies under one
 * lock, which is never held while something is hashed slowly.
 */
#include "policy/verifier.h"

#include "base/mailbox.h"
#include "base/offload.h"
#include "policy/password.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

enum { DIGEST_LEN = 32, KNOWN_SETS = 256, KNOWN_WAYS = 4, SUSPECTS = 1024, SUSPECT_S = 60 };

/* Credentials that were right. */
struct known {
    unsigned char digest[DIGEST_LEN];
    uint64_t until_us; /* monotonic; 0: a free place */
};

/* A client whose last check failed. */
struct suspect {
    unsigned char client[16];
    uint64_t until_us;
};

struct verifier {
    _Atomic uint32_t refs;
    unsigned char key[DIGEST_LEN];
    struct {
        pthread_mutex_t lock;
        struct list checks; /* struct check, until they are answered */
        struct known known[KNOWN_SETS][KNOWN_WAYS];
        struct suspect suspects[SUSPECTS]; /* by a hash of the client */
    } shared;
};

/* Credentials being verified. */
struct check {
    struct offload_job job;
    struct verifier *verifier;
    struct list_node node; /* shared.checks */
    struct list waiting;   /* struct verifier_ticket */
    unsigned char digest[DIGEST_LEN], client[16];
    bool is_user;
    char *password, *hash;
};

struct verifier_ticket {
    struct letter letter;
    struct list_node node; /* check->waiting; under the lock */
    struct check *check;   /* NULL once the letter has been posted; under the lock */
    struct verifier *verifier;
    struct mailbox *mailbox;
    enum verifier_answer found; /* written before the letter is posted */
    /* Of the loop's thread. */
    struct task *task; /* NULL: dropped */
    enum verifier_answer answer;
};

/* --- life --- */

struct verifier *verifier_new(void)
{
    struct verifier *verifier = calloc(1, sizeof *verifier);
    CHECK(verifier != NULL);
    atomic_init(&verifier->refs, 1);
    CHECK(getrandom(verifier->key, sizeof verifier->key, 0) == sizeof verifier->key);
    pthread_mutex_init(&verifier->shared.lock, NULL);
    list_init(&verifier->shared.checks);
    return verifier;
}

struct verifier *verifier_ref(struct verifier *verifier)
{
    atomic_fetch_add_explicit(&verifier->refs, 1, memory_order_relaxed);
    return verifier;
}

void verifier_unref(struct verifier **verifier_at)
{
    struct verifier *verifier = *verifier_at;
    *verifier_at = NULL;
    if (!verifier || atomic_fetch_sub_explicit(&verifier->refs, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&verifier->shared.lock);
    explicit_bzero(verifier, sizeof *verifier);
    free(verifier);
}

/* --- what is known --- */

/* The stored hash is part of it: with another hash, other credentials are right. */
static void digest_of(const struct verifier *verifier, const struct verifier_question *question,
                      unsigned char digest_out[DIGEST_LEN])
{
    size_t size = question->user.len + question->hash.len + question->password.len + 3;
    char *text = malloc(size);
    CHECK(text != NULL);
    char *end = text;
    *end++ = question->is_user ? 'u' : 'n';
    const struct slice parts[] = {question->user, question->hash, question->password};
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len > 0)
            memcpy(end, parts[i].at, parts[i].len);
        end += parts[i].len;
        if (i < 2)
            *end++ = '\0'; /* in no user and in no hash */
    }
    unsigned len = DIGEST_LEN;
    CHECK(HMAC(EVP_sha256(), verifier->key, DIGEST_LEN, (unsigned char *)text, size, digest_out, &len));
    explicit_bzero(text, size);
    free(text);
}

/* The places that the digest may have. */
static struct known *set_of(struct verifier *verifier, const unsigned char digest[DIGEST_LEN])
{
    return verifier->shared.known[digest[0] % KNOWN_SETS];
}

static bool is_known(struct verifier *verifier, const unsigned char digest[DIGEST_LEN], uint64_t now_us)
{
    const struct known *set = set_of(verifier, digest);
    for (unsigned i = 0; i < KNOWN_WAYS; i++)
        if (set[i].until_us > now_us && memcmp(set[i].digest, digest, DIGEST_LEN) == 0)
            return true;
    return false;
}

/* Takes the place of what is forgotten first. */
static void remember(struct verifier *verifier, const unsigned char digest[DIGEST_LEN], uint64_t now_us)
{
    struct known *set = set_of(verifier, digest), *oldest = &set[0];
    for (unsigned i = 1; i < KNOWN_WAYS; i++)
        if (set[i].until_us < oldest->until_us)
            oldest = &set[i];
    memcpy(oldest->digest, digest, DIGEST_LEN);
    oldest->until_us = now_us + (uint64_t)VERIFIER_KNOWN_S * 1000000;
}

static struct suspect *suspect_of(struct verifier *verifier, const unsigned char client[16])
{
    uint64_t hash = 0xcbf29ce484222325u ^ verifier->key[0];
    for (unsigned i = 0; i < 16; i++)
        hash = (hash ^ client[i] ^ (uint64_t)verifier->key[i] << 8) * 0x100000001b3u;
    return &verifier->shared.suspects[(hash ^ hash >> 32) % SUSPECTS];
}

static bool is_suspect(struct verifier *verifier, const unsigned char client[16], uint64_t now_us)
{
    const struct suspect *suspect = suspect_of(verifier, client);
    return suspect->until_us > now_us && memcmp(suspect->client, client, sizeof suspect->client) == 0;
}

static void note_outcome(struct check *check, bool right)
{
    uint64_t now_us = clock_monotonic_us();
    struct suspect *suspect = suspect_of(check->verifier, check->client);
    if (right) {
        remember(check->verifier, check->digest, now_us);
        return;
    }
    memcpy(suspect->client, check->client, sizeof suspect->client);
    suspect->until_us = now_us + (uint64_t)SUSPECT_S * 1000000;
}

/* --- a check, on a thread of the offload --- */

static void deliver(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct verifier_ticket *ticket = CONTAINER_OF(letter, verifier_ticket, letter);
    if (ticket->task == NULL) {
        verifier_unref(&ticket->verifier);
        free(ticket);
        return;
    }
    ticket->answer = ticket->found;
    task_wake(ticket->task);
}

/* Under the lock. */
static void answer_all(struct check *check, enum verifier_answer answer)
{
    struct list_node *node;
    list_remove(&check->verifier->shared.checks, &check->node);
    while ((node = list_pop(&check->waiting)) != NULL) {
        struct verifier_ticket *ticket = CONTAINER_OF(node, verifier_ticket, node);
        ticket->check = NULL;
        ticket->found = answer;
        ticket->letter.deliver = deliver;
        mailbox_post(ticket->mailbox, &ticket->letter);
    }
}

static void check_free(struct check *check)
{
    explicit_bzero(check->password, strlen(check->password));
    free(check->password);
    free(check->hash);
    verifier_unref(&check->verifier);
    free(check);
}

static void run(struct offload_job *job, bool stopping)
{
    struct check *check = CONTAINER_OF(job, check, job);
    struct verifier *verifier = check->verifier;
    pthread_mutex_lock(&verifier->shared.lock);
    bool wanted = check->waiting.count > 0 && !stopping;
    if (!wanted)
        answer_all(check, VERIFIER_BUSY);
    pthread_mutex_unlock(&verifier->shared.lock);
    if (wanted) {
        bool right = password_matches(check->hash, check->password) && check->is_user;
        pthread_mutex_lock(&verifier->shared.lock);
        note_outcome(check, right);
        answer_all(check, right ? VERIFIER_RIGHT : VERIFIER_WRONG);
        pthread_mutex_unlock(&verifier->shared.lock);
    }
    check_free(check);
}

/* --- asking, on a loop's thread --- */

/* A check of the same that is under way; else NULL, with the number of those that the client has. */
static struct check *find_check(struct verifier *verifier, const unsigned char digest[DIGEST_LEN],
                                const struct verifier_question *question, unsigned *clients_out)
{
    struct list *checks = &verifier->shared.checks;
    unsigned clients = 0;
    for (struct list_node *node = list_first(checks); node; node = list_next(checks, node)) {
        struct check *check = CONTAINER_OF(node, check, node);
        if (memcmp(check->digest, digest, DIGEST_LEN) == 0)
            return check;
        clients += memcmp(check->client, question->client, sizeof check->client) == 0;
    }
    *clients_out = clients;
    return NULL;
}

static struct check *check_new(struct verifier *verifier, const unsigned char digest[DIGEST_LEN],
                               const struct verifier_question *question)
{
    struct check *check = calloc(1, sizeof *check);
    CHECK(check != NULL);
    check->job.run = run;
    check->verifier = verifier_ref(verifier);
    check->is_user = question->is_user;
    check->password = strndup(question->password.at, question->password.len);
    check->hash = strndup(question->hash.at, question->hash.len);
    CHECK(check->password != NULL && check->hash != NULL);
    memcpy(check->digest, digest, DIGEST_LEN);
    memcpy(check->client, question->client, sizeof check->client);
    list_init(&check->waiting);
    list_append(&verifier->shared.checks, &check->node);
    return check;
}

/* The check that answers this question, begun if need be; NULL when that is too much. Under the lock. */
static struct check *obtain_check(struct verifier *verifier, struct loop *loop,
                                  const unsigned char digest[DIGEST_LEN],
                                  const struct verifier_question *question)
{
    unsigned clients;
    struct check *check = find_check(verifier, digest, question, &clients);
    if (check || clients >= VERIFIER_CLIENT_MAX)
        return check;
    bool late = is_suspect(verifier, question->client, clock_now_us(&loop->clock));
    check = check_new(verifier, digest, question);
    if (offload_submit(loop->offload, &check->job, late ? OFFLOAD_LOW : OFFLOAD_HIGH))
        return check;
    list_remove(&verifier->shared.checks, &check->node);
    check_free(check);
    return NULL;
}

static struct verifier_ticket *wait_for(struct check *check, struct loop *loop, struct task *task)
{
    struct verifier_ticket *ticket = calloc(1, sizeof *ticket);
    CHECK(ticket != NULL);
    ticket->check = check;
    ticket->verifier = verifier_ref(check->verifier);
    ticket->mailbox = loop->mailbox;
    ticket->task = task;
    list_append(&check->waiting, &ticket->node);
    return ticket;
}

enum verifier_answer verifier_ask(struct verifier *verifier, struct loop *loop, struct task *task,
                                  const struct verifier_question *question,
                                  struct verifier_ticket **ticket_out)
{
    unsigned char digest[DIGEST_LEN];
    enum verifier_answer answer = VERIFIER_RIGHT;
    digest_of(verifier, question, digest);
    pthread_mutex_lock(&verifier->shared.lock);
    if (!is_known(verifier, digest, clock_now_us(&loop->clock))) {
        struct check *check = obtain_check(verifier, loop, digest, question);
        answer = check ? VERIFIER_PENDING : VERIFIER_BUSY;
        if (check)
            *ticket_out = wait_for(check, loop, task);
    }
    pthread_mutex_unlock(&verifier->shared.lock);
    return answer;
}

enum verifier_answer verifier_answer_of(const struct verifier_ticket *ticket)
{
    return ticket->answer;
}

void verifier_drop(struct verifier_ticket **ticket_at)
{
    struct verifier_ticket *ticket = *ticket_at;
    *ticket_at = NULL;
    if (ticket == NULL)
        return;
    struct verifier *verifier = ticket->verifier;
    pthread_mutex_lock(&verifier->shared.lock);
    bool is_posted = ticket->check == NULL;
    if (!is_posted)
        list_remove(&ticket->check->waiting, &ticket->node);
    pthread_mutex_unlock(&verifier->shared.lock);
    ticket->task = NULL;
    if (is_posted && ticket->answer == VERIFIER_PENDING)
        return; /* the letter is on its way and frees it */
    verifier_unref(&ticket->verifier);
    free(ticket);
}
