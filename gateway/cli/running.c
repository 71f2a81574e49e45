/*
 * From a configuration to a process, for cli/running.h. A handle is taken before anything is sent, so that no
 * other process that has got the number since can be meant.
 */
#include "cli/running.h"

#include "cli/cli.h"
#include "process/pidfile.h"
#include "process/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NAME_SIZE = 32 };

/* Whether the process is called as a supervisor calls itself; if not, its name. A gateway that was killed has
 * left its file behind, and its number goes to somebody else. What cannot be known (/proc is hidden) is taken
 * for good. */
static bool is_gateway(pid_t pid, char name_out[NAME_SIZE])
{
    char path[sizeof "/proc//comm" + NAME_SIZE];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    bool is_known = file && fgets(name_out, NAME_SIZE, file);
    if (file)
        fclose(file);
    if (!is_known)
        return true;
    name_out[strcspn(name_out, "\n")] = '\0';
    return strcmp(name_out, SUPERVISOR_NAME) == 0;
}

static int open_handle(const char *pidfile)
{
    char name[NAME_SIZE];
    pid_t pid = pidfile_read(pidfile);
    int handle = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pid == 0) {
        fprintf(stderr, "portico: no gateway runs: there is no process in %s\n", pidfile);
    } else if (handle < 0) {
        fprintf(stderr, "portico: no gateway runs: process %d of %s: %s\n", (int)pid, pidfile,
                strerror(errno));
    } else if (!is_gateway(pid, name)) {
        fprintf(stderr, "portico: no gateway runs: process %d of %s is \"%s\"\n", (int)pid, pidfile, name);
        close(handle);
        handle = -1;
    }
    return handle;
}

int running_find(const char *path)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *config = config_load(path, &findings);
    int handle = -1;
    if (config == NULL)
        cli_print_findings(&findings, stderr);
    else if (slice_equal(config->process.pidfile, SLICE("off")))
        fprintf(stderr, "portico: %s says nothing of a pidfile; add process: { pidfile: PATH }\n", path);
    else
        handle = open_handle(config->process.pidfile.at);
    config_free(&config);
    config_findings_fini(&findings);
    return handle;
}

bool running_signal(int handle, int number)
{
    if (syscall(SYS_pidfd_send_signal, handle, number, NULL, 0) == 0)
        return true;
    fprintf(stderr, "portico: cannot signal the gateway: %s\n", strerror(errno));
    return false;
}

bool running_wait(int handle, int timeout_ms)
{
    struct pollfd ended = {.fd = handle, .events = POLLIN};
    return poll(&ended, 1, timeout_ms) == 1;
}
