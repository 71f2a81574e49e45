/*
 * Preloaded by lib/clock.py: the wall clock of the process and the one that never jumps are ahead by as many
 * seconds as the file named in CLOCKS says at that moment. The file is mapped before the process enters its
 * sandbox and read without a system call. What the kernel waits for lasts as long as ever.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Seconds; NULL: the clocks are right. */
static const volatile struct ahead {
    int64_t wall, monotonic;
} * ahead;

__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("CLOCKS");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (at != MAP_FAILED)
        ahead = at;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    long result = syscall(SYS_clock_gettime, id, now);
    if (result == 0 && ahead && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += ahead->wall;
    if (result == 0 && ahead && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE))
        now->tv_sec += ahead->monotonic;
    return (int)result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    *now = (struct timeval){precise.tv_sec, precise.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *now)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now)
        *now = precise.tv_sec;
    return precise.tv_sec;
}
