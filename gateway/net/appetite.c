/*
 * The rules of net/appetite.h. Called by net/conn and its parts around every read.
 */
#include "net/appetite.h"

#include "base/block.h"

enum {
    MUCH = 8 * 1024,       /* bytes that are passed on at once */
    HEAD_READ = 2 * 1024,  /* bytes to read where little but a head is wanted */
    LARGE_READ = 4 * 1024, /* a read of less than this needs no large block */
    LARGE_CREDIT = 8,      /* small reads in a row after which large blocks are not used any more */
    WARY = 3               /* filled blocks after which one who was slow gets large ones again */
};

size_t appetite_block(const struct appetite *appetite)
{
    return appetite->large && !appetite->head_only ? BLOCK_SIZE_LARGE : BLOCK_SIZE;
}

size_t appetite_next(struct appetite *appetite, size_t room)
{
    bool head_only = appetite->head_only;
    appetite->head_only = false;
    return head_only && room > HEAD_READ ? HEAD_READ : room;
}

void appetite_note(struct appetite *appetite, size_t got, bool filled)
{
    appetite->much = got >= MUCH;
    if (filled && appetite->wary > 0)
        appetite->wary--;
    else if (filled || (appetite->large > 0 && got >= LARGE_READ))
        appetite->large = LARGE_CREDIT;
    else if (appetite->large > 0)
        appetite->large--;
}

void appetite_note_spliced(struct appetite *appetite, size_t got)
{
    appetite_note(appetite, got, got >= BLOCK_SIZE_LARGE);
    appetite->head_only = true;
}

void appetite_spoil(struct appetite *appetite)
{
    appetite->large = 0;
    appetite->wary = WARY;
}
