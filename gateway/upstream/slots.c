/*
 * The counts and the queue behind upstream/slots.h: one lock for each bounded upstream, held for a few list
 * operations. After every change settle() gives free slots to the first of the queue, so that never both are
 * there: a waiting claim and a slot that it could have.
 */
#include "upstream/slots.h"

#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>

struct tally {
    struct slots *slots;
    struct address address;
    struct {
        struct list_node node; /* slots->tallies */
        uint32_t taken;        /* connections and unused slots */
        uint32_t endpoints;    /* of threads that count here */
        uint32_t listed;       /* of threads that choose it */
        uint64_t avoid_until_us;
    } shared;
};

struct slots {
    struct slots_book *book;
    char *upstream;
    struct {
        struct list_node node; /* book->all; under the book's lock, as refs */
        uint32_t refs;         /* members and tallies */
        pthread_mutex_t lock;
        uint32_t connections_max, queue_max;
        struct list waiting; /* struct claim, who came first first */
        struct list members, tallies;
    } shared;
};

struct slots_book {
    struct {
        pthread_mutex_t lock;
        struct list all;
    } shared;
};

/* --- who is there --- */

struct slots_book *slots_book_new(void)
{
    struct slots_book *book = calloc(1, sizeof *book);
    CHECK(book != NULL);
    pthread_mutex_init(&book->shared.lock, NULL);
    list_init(&book->shared.all);
    return book;
}

void slots_book_free(struct slots_book **book_at)
{
    struct slots_book *book = *book_at;
    *book_at = NULL;
    if (book == NULL)
        return;
    CHECK(book->shared.all.count == 0);
    pthread_mutex_destroy(&book->shared.lock);
    free(book);
}

static struct slots *slots_new(struct slots_book *book, const char *upstream)
{
    struct slots *slots = calloc(1, sizeof *slots);
    CHECK(slots != NULL);
    slots->book = book;
    slots->upstream = strdup(upstream);
    CHECK(slots->upstream != NULL);
    pthread_mutex_init(&slots->shared.lock, NULL);
    list_init(&slots->shared.waiting);
    list_init(&slots->shared.members);
    list_init(&slots->shared.tallies);
    list_append(&book->shared.all, &slots->shared.node);
    return slots;
}

static struct slots *find(struct slots_book *book, const char *upstream)
{
    for (struct list_node *node = list_first(&book->shared.all); node;
         node = list_next(&book->shared.all, node)) {
        struct slots *slots = CONTAINER_OF(node, slots, shared.node);
        if (strcmp(slots->upstream, upstream) == 0)
            return slots;
    }
    return NULL;
}

static struct slots *slots_ref(struct slots_book *book, const char *upstream)
{
    pthread_mutex_lock(&book->shared.lock);
    struct slots *slots = find(book, upstream);
    if (slots == NULL)
        slots = slots_new(book, upstream);
    slots->shared.refs++;
    pthread_mutex_unlock(&book->shared.lock);
    return slots;
}

static void slots_unref(struct slots *slots)
{
    struct slots_book *book = slots->book;
    pthread_mutex_lock(&book->shared.lock);
    bool last = --slots->shared.refs == 0;
    if (last)
        list_remove(&book->shared.all, &slots->shared.node);
    pthread_mutex_unlock(&book->shared.lock);
    if (!last)
        return;
    pthread_mutex_destroy(&slots->shared.lock);
    free(slots->upstream);
    free(slots);
}

static void lock(struct slots *slots)
{
    pthread_mutex_lock(&slots->shared.lock);
}

static void unlock(struct slots *slots)
{
    pthread_mutex_unlock(&slots->shared.lock);
}

/* --- reaching other threads; under the lock --- */

static void post(struct slots_member *member)
{
    if (!atomic_exchange(&member->posted, true))
        mailbox_post(member->mailbox, &member->letter);
}

static struct claim *first(const struct list *claims)
{
    struct list_node *node = list_first(claims);
    return node ? CONTAINER_OF(node, claim, shared.node) : NULL;
}

static struct claim *first_own(const struct list *claims)
{
    struct list_node *node = list_first(claims);
    return node ? CONTAINER_OF(node, claim, shared.own) : NULL;
}

/* Somebody on another thread waits who has no shared connection at all: then busy ones have to go as well, or
 * it would wait as long as they are busy. */
static bool is_starved(const struct slots *slots, const struct slots_member *member)
{
    const struct claim *head = first(&slots->shared.waiting);
    return head && head->member != member && head->member->shared.channels == 0;
}

static void deliver(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct slots_member *member = CONTAINER_OF(letter, slots_member, letter);
    struct slots *slots = member->slots;
    atomic_store(&member->posted, false);
    if (slots == NULL)
        return;
    lock(slots);
    for (struct list_node *node = list_first(&member->shared.granted); node;
         node = list_next(&member->shared.granted, node))
        task_wake(CONTAINER_OF(node, claim, shared.own)->task);
    size_t waiting = slots->shared.waiting.count;
    uint32_t count = member->shared.asked < waiting ? member->shared.asked : (uint32_t)waiting;
    bool busy = is_starved(slots, member);
    member->shared.asked = 0;
    unlock(slots);
    if (count > 0)
        member->give_up(member, count, busy);
}

/* --- the queue; under the lock --- */

static void enqueue(struct slots *slots, struct claim *claim)
{
    struct list *all = &slots->shared.waiting, *own = &claim->member->shared.waiting;
    struct list_node *before = list_last(all);
    while (before && CONTAINER_OF(before, claim, shared.node)->since_us > claim->since_us)
        before = list_previous(all, before);
    list_insert(all, before, &claim->shared.node);
    before = list_last(own);
    while (before && CONTAINER_OF(before, claim, shared.own)->since_us > claim->since_us)
        before = list_previous(own, before);
    list_insert(own, before, &claim->shared.own);
}

static void dequeue(struct slots *slots, struct claim *claim)
{
    list_remove(&slots->shared.waiting, &claim->shared.node);
    list_remove(&claim->member->shared.waiting, &claim->shared.own);
}

/* The endpoint with the fewest connections among those that every thread knows; NULL when all that can be
 * connected to are full. */
static struct tally *choose(const struct slots *slots, bool avoided)
{
    uint64_t now_us = clock_monotonic_us();
    struct tally *best = NULL;
    bool any = false;
    for (struct list_node *node = list_first(&slots->shared.tallies); node;
         node = list_next(&slots->shared.tallies, node)) {
        struct tally *tally = CONTAINER_OF(node, tally, shared.node);
        bool known = tally->shared.listed >= slots->shared.members.count;
        if (!known || (tally->shared.avoid_until_us > now_us && !avoided))
            continue;
        any = true;
        if (tally->shared.taken < slots->shared.connections_max &&
            (best == NULL || tally->shared.taken < best->shared.taken))
            best = tally;
    }
    return any || avoided ? best : choose(slots, true);
}

static void settle(struct slots *slots, const struct slots_member *self)
{
    struct claim *claim;
    struct tally *tally;
    while ((claim = first(&slots->shared.waiting)) != NULL && (tally = choose(slots, false)) != NULL) {
        dequeue(slots, claim);
        list_append(&claim->member->shared.granted, &claim->shared.own);
        claim->shared.slot = tally;
        tally->shared.taken++;
        if (claim->member == self)
            task_wake(claim->task);
        else
            post(claim->member);
    }
}

/* Asks the thread that has the most for one connection: a resting one, or, for a claim whose thread has none,
 * one that exchanges share. */
static void ask_for_one(struct slots *slots, const struct slots_member *asking)
{
    struct slots_member *giver = NULL;
    uint32_t most = 0;
    bool starved = asking->shared.channels == 0;
    for (struct list_node *node = list_first(&slots->shared.members); node;
         node = list_next(&slots->shared.members, node)) {
        struct slots_member *member = CONTAINER_OF(node, slots_member, shared.node);
        uint32_t has = member->shared.spare;
        if (starved && member->shared.channels > has)
            has = member->shared.channels;
        if (has > member->shared.asked && has - member->shared.asked > most) {
            most = has - member->shared.asked;
            giver = member;
        }
    }
    if (giver) {
        giver->shared.asked++;
        post(giver);
    }
}

/* --- members --- */

void slots_join(struct slots_book *book, struct slots_member *member, const char *upstream)
{
    CHECK(book != NULL && member->slots == NULL);
    struct slots *slots = slots_ref(book, upstream);
    member->letter.deliver = deliver;
    list_init(&member->shared.waiting);
    list_init(&member->shared.granted);
    member->shared.spare = member->shared.channels = member->shared.asked = 0;
    lock(slots);
    list_append(&slots->shared.members, &member->shared.node);
    unlock(slots);
    member->slots = slots;
}

static void dismiss(struct claim *claim)
{
    claim->member = NULL;
    claim->shared.slot = NULL;
    task_wake(claim->task);
}

/* Nobody counts here any more. */
static void drop_if_unused(struct tally *tally)
{
    if (tally->shared.endpoints > 0 || tally->shared.taken > 0)
        return;
    list_remove(&tally->slots->shared.tallies, &tally->shared.node);
    free(tally);
}

void slots_quit(struct slots_member *member)
{
    struct slots *slots = member->slots;
    struct claim *claim;
    lock(slots);
    while ((claim = first_own(&member->shared.waiting)) != NULL) {
        dequeue(slots, claim);
        dismiss(claim);
    }
    while ((claim = first_own(&member->shared.granted)) != NULL) {
        list_remove(&member->shared.granted, &claim->shared.own);
        claim->shared.slot->shared.taken--;
        drop_if_unused(claim->shared.slot);
        dismiss(claim);
    }
    list_remove(&slots->shared.members, &member->shared.node);
    settle(slots, NULL);
    unlock(slots);
    member->slots = NULL;
    slots_unref(slots);
}

void slots_bound(struct slots_member *member, uint32_t connections_max, uint32_t queue_max)
{
    struct slots *slots = member->slots;
    lock(slots);
    slots->shared.connections_max = connections_max;
    slots->shared.queue_max = queue_max;
    settle(slots, member);
    unlock(slots);
}

/* --- tallies --- */

static struct tally *find_tally(const struct slots *slots, const struct address *address)
{
    for (struct list_node *node = list_first(&slots->shared.tallies); node;
         node = list_next(&slots->shared.tallies, node)) {
        struct tally *tally = CONTAINER_OF(node, tally, shared.node);
        if (address_equal(&tally->address, address))
            return tally;
    }
    return NULL;
}

struct tally *tally_join(struct slots_member *member, const struct address *address, uint32_t connections)
{
    struct slots *slots = slots_ref(member->slots->book, member->slots->upstream);
    lock(slots);
    struct tally *tally = find_tally(slots, address);
    if (tally == NULL) {
        tally = calloc(1, sizeof *tally);
        CHECK(tally != NULL);
        tally->slots = slots;
        tally->address = *address;
        list_append(&slots->shared.tallies, &tally->shared.node);
    }
    tally->shared.endpoints++;
    tally->shared.listed++;
    tally->shared.taken += connections;
    settle(slots, member);
    unlock(slots);
    return tally;
}

void tally_retire(struct tally *tally)
{
    lock(tally->slots);
    tally->shared.listed--;
    unlock(tally->slots);
}

void tally_quit(struct tally **tally_at, struct slots_member *member, uint32_t connections)
{
    struct tally *tally = *tally_at;
    *tally_at = NULL;
    if (tally == NULL)
        return;
    struct slots *slots = tally->slots;
    lock(slots);
    tally->shared.taken -= connections;
    tally->shared.endpoints--;
    drop_if_unused(tally);
    settle(slots, member);
    unlock(slots);
    slots_unref(slots);
}

void tally_avoid(struct tally *tally, uint64_t until_us)
{
    lock(tally->slots);
    tally->shared.avoid_until_us = until_us;
    unlock(tally->slots);
}

bool tally_is_over(struct tally *tally)
{
    lock(tally->slots);
    bool over = tally->shared.taken > tally->slots->shared.connections_max;
    unlock(tally->slots);
    return over;
}

/* --- claims --- */

static bool is_first(const struct slots *slots, const struct claim *claim)
{
    const struct claim *head = first(&slots->shared.waiting);
    return head == NULL || claim->since_us < head->since_us;
}

bool claim_try(struct claim *claim, struct slots_member *member, struct tally *tally)
{
    struct slots *slots = member->slots;
    lock(slots);
    bool free_slot = is_first(slots, claim) && tally->shared.taken < slots->shared.connections_max;
    if (free_slot) {
        claim->member = member;
        claim->shared.slot = tally;
        tally->shared.taken++;
        list_append(&member->shared.granted, &claim->shared.own);
    }
    unlock(slots);
    return free_slot;
}

bool claim_try_spare(struct claim *claim, struct slots_member *member)
{
    lock(member->slots);
    bool may = is_first(member->slots, claim) && member->shared.spare > 0;
    member->shared.spare -= may;
    unlock(member->slots);
    return may;
}

bool claim_wait(struct claim *claim, struct slots_member *member)
{
    struct slots *slots = member->slots;
    lock(slots);
    bool has_room = slots->shared.waiting.count < slots->shared.queue_max;
    if (has_room) {
        claim->member = member;
        enqueue(slots, claim);
        settle(slots, member);
        if (list_linked(&claim->shared.node))
            ask_for_one(slots, member);
    }
    unlock(slots);
    return has_room;
}

bool claim_waits(struct claim *claim)
{
    if (claim->member == NULL)
        return false;
    lock(claim->member->slots);
    bool waits = list_linked(&claim->shared.node);
    unlock(claim->member->slots);
    return waits;
}

struct tally *claim_slot(struct claim *claim)
{
    if (claim->member == NULL)
        return NULL;
    lock(claim->member->slots);
    struct tally *slot = claim->shared.slot;
    unlock(claim->member->slots);
    return slot;
}

void claim_use(struct claim *claim)
{
    struct slots_member *member = claim->member;
    CHECK(member != NULL);
    lock(member->slots);
    CHECK(claim->shared.slot != NULL);
    list_remove(&member->shared.granted, &claim->shared.own);
    claim->shared.slot = NULL;
    claim->member = NULL;
    unlock(member->slots);
}

void claim_give_up(struct claim *claim)
{
    struct slots_member *member = claim->member;
    struct slots *slots = member->slots;
    lock(slots);
    struct tally *slot = claim->shared.slot;
    if (slot) {
        list_remove(&member->shared.granted, &claim->shared.own);
        slot->shared.taken--;
        drop_if_unused(slot);
        settle(slots, member);
    } else {
        dequeue(slots, claim);
    }
    claim->shared.slot = NULL;
    claim->member = NULL;
    unlock(slots);
}

/* --- connections --- */

void slots_free(struct slots_member *member, struct tally *tally, bool spare)
{
    struct slots *slots = tally->slots;
    lock(slots);
    if (member->slots == slots)
        member->shared.spare -= spare;
    tally->shared.taken--;
    settle(slots, member);
    unlock(slots);
}

enum slots_rest slots_rest(struct slots_member *member, struct tally *tally, struct claim **heir_out)
{
    struct slots *slots = member->slots;
    enum slots_rest rest = SLOTS_CLOSE;
    lock(slots);
    struct claim *head = first(&slots->shared.waiting), *own = first_own(&member->shared.waiting);
    bool over = tally->shared.taken > slots->shared.connections_max;
    if (!over && head == NULL) {
        member->shared.spare++;
        rest = SLOTS_REST;
    } else if (!over && own && !own->fresh && own->since_us <= head->since_us + SLOTS_LEAD_US) {
        dequeue(slots, own);
        own->member = NULL;
        *heir_out = own;
        rest = SLOTS_HEIR;
    }
    unlock(slots);
    return rest;
}

void slots_note(struct slots_member *member, int channels, int spare)
{
    lock(member->slots);
    member->shared.channels += (uint32_t)channels;
    member->shared.spare += (uint32_t)spare;
    unlock(member->slots);
}

void slots_call(struct slots_member *member, uint32_t count)
{
    struct slots *slots = member->slots;
    struct claim *claim;
    lock(slots);
    while (count-- > 0 && (claim = first_own(&member->shared.waiting)) != NULL) {
        dequeue(slots, claim);
        dismiss(claim);
    }
    unlock(slots);
}
