/*
 * Whether a file is still the one that was read: its identity, size and time of change. For small local files
 * of the system (resolv.conf, hosts) that others rewrite; one stat() a look.
 */
#ifndef PORTICO_UPSTREAM_FILE_STAMP_H
#define PORTICO_UPSTREAM_FILE_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>

/* A file as of the last look; all zero for one that did not exist or was never looked at. */
struct file_stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* Looks at the file (links are followed) and tells whether it differs from the stamp, which is brought up to
 * date. */
bool file_stamp_renew(struct file_stamp *stamp, const char *path);

#endif
