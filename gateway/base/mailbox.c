/*
 * The queue behind base/mailbox.h: an eventfd wakes the worker when the first letter arrives.
 */
#include "base/mailbox.h"

#include "base/check.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

void mailbox_deliver(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->shared.lock);
    struct letter *letter = mailbox->shared.first;
    mailbox->shared.first = NULL;
    mailbox->shared.last = &mailbox->shared.first;
    pthread_mutex_unlock(&mailbox->shared.lock);
    while (letter) {
        struct letter *next = letter->next;
        letter->deliver(letter, mailbox->receiver);
        letter = next;
    }
}

static void on_letters(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    uint64_t count;
    if (read((int)fd, &count, sizeof count) == (ssize_t)sizeof count)
        mailbox_deliver(arg);
}

void mailbox_open(struct mailbox *mailbox, struct event_base *base, void *receiver)
{
    pthread_mutex_init(&mailbox->shared.lock, NULL);
    mailbox->shared.first = NULL;
    mailbox->shared.last = &mailbox->shared.first;
    mailbox->receiver = receiver;
    mailbox->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(mailbox->event_fd >= 0);
    mailbox->event = event_new(base, mailbox->event_fd, EV_READ | EV_PERSIST, on_letters, mailbox);
    CHECK(mailbox->event != NULL && event_add(mailbox->event, NULL) == 0);
}

void mailbox_close(struct mailbox *mailbox)
{
    mailbox_deliver(mailbox);
    event_free(mailbox->event);
    close(mailbox->event_fd);
    pthread_mutex_destroy(&mailbox->shared.lock);
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    letter->next = NULL;
    pthread_mutex_lock(&mailbox->shared.lock);
    bool was_empty = mailbox->shared.first == NULL;
    *mailbox->shared.last = letter;
    mailbox->shared.last = &letter->next;
    pthread_mutex_unlock(&mailbox->shared.lock);
    uint64_t one = 1;
    if (was_empty)
        CHECK(write(mailbox->event_fd, &one, sizeof one) == (ssize_t)sizeof one);
}
