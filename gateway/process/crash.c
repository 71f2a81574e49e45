/*
 * The signal handler behind process/crash.h. It copies what check_scene of the dying thread says and dies of
 * the same signal; it calls nothing that is not safe in a signal handler.
 */
#include "process/crash.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};

static struct crash_scene *watched;

static struct crash_scene *map(int fd)
{
    void *page = mmap(NULL, sizeof(struct crash_scene), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return page == MAP_FAILED ? NULL : page;
}

struct crash_scene *crash_scene_new(int *fd_out)
{
    int fd = memfd_create("portico-crash", MFD_CLOEXEC);
    struct crash_scene *scene = fd >= 0 && ftruncate(fd, (off_t)sizeof *scene) == 0 ? map(fd) : NULL;
    if (scene)
        *fd_out = fd;
    else if (fd >= 0)
        close(fd);
    return scene;
}

void crash_scene_free(struct crash_scene **scene)
{
    if (*scene)
        munmap(*scene, sizeof **scene);
    *scene = NULL;
}

static void copy(char *to, size_t size, const char *text)
{
    size_t at = 0;
    for (; text && text[at] && at + 1 < size; at++)
        to[at] = text[at];
    to[at] = '\0';
}

static void on_crash(int number, siginfo_t *info, void *machine)
{
    (void)machine;
    struct check_scene scene = check_scene;
    if (watched->signal == 0) {
        copy(watched->step, sizeof watched->step, scene.step);
        copy(watched->request, sizeof watched->request, scene.step ? scene.request : NULL);
        watched->syscall = number == SIGSYS ? info->si_syscall : 0;
        watched->signal = number;
    }
    signal(number, SIG_DFL); /* the second time it does what it does by itself */
    raise(number);
}

void crash_watch(int fd)
{
    watched = fd >= 0 ? map(fd) : NULL;
    if (fd >= 0)
        close(fd);
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_NODEFER};
    for (size_t i = 0; watched && i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        struct sigaction before;
        sigaction(SIGNALS[i], NULL, &before);
        if (before.sa_handler == SIG_DFL) /* a sanitizer has its own */
            sigaction(SIGNALS[i], &action, NULL);
    }
}
