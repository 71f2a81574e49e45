/*
 * One stat() behind upstream/file_stamp.h. Called by the resolver, once a second and when a configuration
 * changes. A file that cannot be looked at counts as missing.
 */
#include "upstream/file_stamp.h"

static bool same(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

bool file_stamp_renew(struct file_stamp *stamp, const char *path)
{
    struct file_stamp now = {.size = 0};
    struct stat found;
    if (stat(path, &found) == 0)
        now = (struct file_stamp){found.st_dev, found.st_ino, found.st_size, found.st_mtim};
    if (same(stamp, &now))
        return false;
    *stamp = now;
    return true;
}
