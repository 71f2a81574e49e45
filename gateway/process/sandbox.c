/*
 * The walls of process/sandbox.h, from the outside in; seccomp comes last because it forbids what builds the
 * others. Called by worker.c; knows nothing of what is served.
 */
#include "process/sandbox.h"

#include "base/log.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool IS_SANITIZED = true;
#else
static const bool IS_SANITIZED = false;
#endif

static bool fails(const char *what, int error)
{
    log_error("worker", "cannot build the sandbox: %s: %s; process: { sandbox: off } goes without", what,
              strerror(error));
    return false;
}

/* --- capabilities --- */

static bool drop_capabilities(void)
{
    cap_t none = cap_init();
    bool dropped = none != NULL && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && cap_reset_ambient() == 0 &&
                   cap_set_proc(none) == 0;
    int error = errno;
    cap_free(none);
    return dropped || fails("capabilities", error);
}

/* --- Landlock --- */

/* Of the kernel's header, as far as it is newer than the one that may be installed. */
enum { FS_TRUNCATE_BIT = 14, NET_BIND_TCP_BIT = 0, SCOPE_SIGNAL_BIT = 1 };
enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_NET = 4, ABI_SCOPE = 6 };

struct ruleset {
    uint64_t fs, net, scoped;
};

/* All that would change the file system or execute a program from it. */
static struct ruleset rules_for(long abi)
{
    struct ruleset rules = {
        .fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
              LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
              LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
              LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM};
    if (abi >= ABI_REFER)
        rules.fs |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= ABI_TRUNCATE)
        rules.fs |= 1ull << FS_TRUNCATE_BIT;
    if (abi >= ABI_NET)
        rules.net = 1ull << NET_BIND_TCP_BIT;
    if (abi >= ABI_SCOPE)
        rules.scoped = 1ull << SCOPE_SIGNAL_BIT;
    return rules;
}

static bool lock_file_system(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return true; /* a kernel without it */
    struct ruleset rules = rules_for(abi);
    size_t size = abi >= ABI_SCOPE ? sizeof rules : abi >= ABI_NET ? 2 * sizeof rules.fs : sizeof rules.fs;
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    bool locked = fd >= 0 && syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    return locked || fails("Landlock", error);
}

/* --- seccomp --- */

static const int SYSCALLS[] = {
#define SYSCALL(name) SCMP_SYS(name),
#include "tables/syscalls.def"
#undef SYSCALL
};

static const int FAMILIES[] = {AF_UNIX, AF_INET, AF_INET6};
static const unsigned long IOCTLS[] = {FIONBIO, FIONREAD, TCGETS};
static const int PRCTLS[] = {PR_SET_NAME};

/* Threads, not processes. The arguments of clone3() are out of a filter's sight; without it libc uses
 * clone(). */
static int allow_threads(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    struct scmp_arg_cmp is_thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
    return error ? error : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, is_thread);
}

/* Libraries try families that they can do without (netlink, above those that are allowed): an error is enough
 * for them. */
static int allow_by_argument(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_GT, AF_INET6));
    for (size_t i = 0; i < sizeof FAMILIES / sizeof FAMILIES[0] && !error; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)FAMILIES[i]));
    for (size_t i = 0; i < sizeof IOCTLS / sizeof IOCTLS[0] && !error; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, IOCTLS[i]));
    for (size_t i = 0; i < sizeof PRCTLS / sizeof PRCTLS[0] && !error; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)PRCTLS[i]));
    return error;
}

static int fill(scmp_filter_ctx filter)
{
    int error = 0;
    for (size_t i = 0; i < sizeof SYSCALLS / sizeof SYSCALLS[0] && !error; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SYSCALLS[i], 0);
    error = error ? error : allow_threads(filter);
    return error ? error : allow_by_argument(filter);
}

/* SCMP_ACT_TRAP: a signal, so that the crash scene can name the call. */
static bool forbid_syscalls(enum config_sandbox mode)
{
    scmp_filter_ctx filter = seccomp_init(mode == CONFIG_SANDBOX_LOG ? SCMP_ACT_LOG : SCMP_ACT_TRAP);
    int error = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) : -ENOMEM;
    error = error ? error : fill(filter);
    error = error ? error : seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    return error == 0 || fails("seccomp", -error);
}

bool sandbox_enter(enum config_sandbox mode)
{
    if (mode == CONFIG_SANDBOX_OFF || IS_SANITIZED)
        return true;
    return drop_capabilities() && lock_file_system() && forbid_syscalls(mode);
}

char *sandbox_syscall_name(int number)
{
    return seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
}
