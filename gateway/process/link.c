/*
 * The socket pair of process/link.h. Called by supervisor.c and its parts on one side and by worker.c on the
 * other; knows what a message is made of, not what it means.
 */
#include "process/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SEND_TIMEOUT_S = 1 };

/* Room for the descriptors of one message. */
union ancillary {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))];
};

bool link_pair(int ends_out[2])
{
    struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_out) != 0)
        return false;
    for (int i = 0; i < 2; i++)
        setsockopt(ends_out[i], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    return true;
}

bool link_send(int link, const struct link_message *message)
{
    union ancillary room = {0};
    struct iovec iov = {.iov_base = (void *)message, .iov_len = sizeof *message};
    struct msghdr head = {.msg_iov = &iov, .msg_iovlen = 1};
    if (message->fd_count > 0) {
        head.msg_control = room.bytes;
        head.msg_controllen = CMSG_SPACE(message->fd_count * sizeof(int));
        struct cmsghdr *control = CMSG_FIRSTHDR(&head);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(message->fd_count * sizeof(int));
        memcpy(CMSG_DATA(control), message->fds, message->fd_count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(link, &head, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof *message;
}

bool link_say(int link, enum link_kind kind)
{
    struct link_message message = {.kind = kind};
    return link_send(link, &message);
}

static void take_fds(struct link_message *message, struct msghdr *head)
{
    struct cmsghdr *control = CMSG_FIRSTHDR(head);
    size_t count = 0;
    if (control && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS)
        count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (count > 0)
        memcpy(message->fds, CMSG_DATA(control), count * sizeof(int));
    CHECK(message->fd_count == count); /* fewer when this process may not have so many open */
}

enum link_end link_receive(int link, bool wait, struct link_message *message_out)
{
    union ancillary room;
    struct iovec iov = {.iov_base = message_out, .iov_len = sizeof *message_out};
    struct msghdr head = {.msg_iov = &iov, .msg_iovlen = 1};
    head.msg_control = room.bytes;
    head.msg_controllen = sizeof room.bytes;
    ssize_t received;
    do
        received = recvmsg(link, &head, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (received < 0 && errno == EINTR);
    if (received < 0 && errno == EAGAIN)
        return LINK_NOTHING;
    if (received != (ssize_t)sizeof *message_out)
        return LINK_CLOSED;
    take_fds(message_out, &head);
    return LINK_GOT;
}
