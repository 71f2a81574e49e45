/*
 * Invariants that stay on in release. CHECK() is for what cannot happen unless Portico itself is wrong; input
 * from a socket or a file is a fault (base/fault.h), never a CHECK. Structs that travel through void * begin
 * with a magic word and come back through MAGIC_CAST, so that a wrong pointer dies at the door.
 */
#ifndef PORTICO_BASE_CHECK_H
#define PORTICO_BASE_CHECK_H

#include <stdint.h>

/* What the calling thread is doing, printed by a failed CHECK. Owned by the thread; texts must be static. */
struct check_scene {
    const char *step;    /* the running step's name, or NULL */
    const char *request; /* id of the running exchange, or NULL; valid while step is set */
};
extern _Thread_local struct check_scene check_scene;

/* Prints the broken expression, its place and the scene on stderr, then aborts. */
_Noreturn void check_failed(const char *expression, const char *file, int line);

/* Aborts with a report unless the expression holds. */
#define CHECK(expression)                                  \
    do {                                                   \
        if (__builtin_expect(!(expression), 0))            \
            check_failed(#expression, __FILE__, __LINE__); \
    } while (0)

/* The object behind an untyped pointer, after its first member `magic` has been compared. */
#define MAGIC_CAST(type, pointer, expected)                     \
    ({                                                          \
        struct type *object_ = (struct type *)(pointer);        \
        CHECK(object_ != NULL && object_->magic == (expected)); \
        object_;                                                \
    })

/* The struct that holds `member`, given a pointer to that member. */
#define CONTAINER_OF(pointer, type, member) \
    ((struct type *)(void *)((char *)(pointer)-offsetof(struct type, member)))

/* The result must not be ignored. */
#define MUST_USE __attribute__((warn_unused_result))

#endif
