/*
 * Intrusive doubly linked list that knows its length. A node is a member of the object it links; an object
 * may sit on as many lists as it has nodes. A node that is on no list has next == NULL. A ring is a list that
 * does not know its length: its nodes can be taken off by who does not know which it is. Not safe across
 * threads.
 */
#ifndef PORTICO_BASE_LIST_H
#define PORTICO_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A place on a list, inside the object that is listed. */
struct list_node {
    struct list_node *next, *prev;
};

/* A list: the ring's anchor and the number of nodes on it. */
struct list {
    struct list_node ring;
    size_t count;
};

/* Makes an empty ring of its anchor. */
static inline void ring_init(struct list_node *ring)
{
    ring->next = ring->prev = ring;
}

/* Appends a node that is on no ring and no list. */
static inline void ring_append(struct list_node *ring, struct list_node *node)
{
    node->prev = ring->prev;
    node->next = ring;
    ring->prev->next = node;
    ring->prev = node;
}

/* Takes a node off its ring. */
static inline void ring_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

/* Takes off and gives the first node, or NULL. */
static inline struct list_node *ring_pop(struct list_node *ring)
{
    struct list_node *node = ring->next;
    if (node == ring)
        return NULL;
    ring_remove(node);
    return node;
}

/* Moves all nodes of a ring to an anchor that is no ring yet. */
static inline void ring_move(struct list_node *from, struct list_node *to)
{
    ring_init(to);
    if (from->next == from)
        return;
    *to = *from;
    to->next->prev = to->prev->next = to;
    ring_init(from);
}

/* Makes an empty list. */
static inline void list_init(struct list *list)
{
    ring_init(&list->ring);
    list->count = 0;
}

/* Whether the node is on some list or ring. */
static inline bool list_linked(const struct list_node *node)
{
    return node->next != NULL;
}

/* Appends a node that is on no list. */
static inline void list_append(struct list *list, struct list_node *node)
{
    ring_append(&list->ring, node);
    list->count++;
}

/* Puts a node that is on no list at the front. */
static inline void list_prepend(struct list *list, struct list_node *node)
{
    node->next = list->ring.next;
    node->prev = &list->ring;
    list->ring.next->prev = node;
    list->ring.next = node;
    list->count++;
}

/* Puts a node that is on no list behind another of the list; NULL: at the front. */
static inline void list_insert(struct list *list, struct list_node *before, struct list_node *node)
{
    struct list_node *prev = before ? before : &list->ring;
    node->prev = prev;
    node->next = prev->next;
    prev->next->prev = node;
    prev->next = node;
    list->count++;
}

/* Takes the node off its list, if it is on it. */
static inline void list_remove(struct list *list, struct list_node *node)
{
    if (node->next == NULL)
        return;
    ring_remove(node);
    list->count--;
}

/* The first node, or NULL. */
static inline struct list_node *list_first(const struct list *list)
{
    return list->count ? list->ring.next : NULL;
}

/* The last node, or NULL. */
static inline struct list_node *list_last(const struct list *list)
{
    return list->count ? list->ring.prev : NULL;
}

/* Takes off and gives the first node, or NULL. */
static inline struct list_node *list_pop(struct list *list)
{
    struct list_node *node = list_first(list);
    if (node)
        list_remove(list, node);
    return node;
}

/* The node before `node`, or NULL at the start. */
static inline struct list_node *list_previous(const struct list *list, const struct list_node *node)
{
    return node->prev == &list->ring ? NULL : node->prev;
}

/* The node behind `node`, or NULL at the end. */
static inline struct list_node *list_next(const struct list *list, const struct list_node *node)
{
    return node->next == &list->ring ? NULL : node->next;
}

#endif
