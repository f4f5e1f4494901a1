/* LD_PRELOAD this, and a system call refuses what is merged, with the number in the environment, as some kernels do:
   REFUSE_TRAINS for sendmsg with UDP_SEGMENT, REFUSE_MERGED for writev of a virtio header with a GSO type. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { UDP_SEGMENT_OPTION = 103, VIRTIO_HEADER = 10, GSO_TYPE = 1 };

static int refuse(const char *name)
{
    const char *number = getenv(name);
    if (number)
        errno = atoi(number);
    return number != NULL;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR((struct msghdr *)message, each))
        if (each->cmsg_level == IPPROTO_UDP && each->cmsg_type == UDP_SEGMENT_OPTION && refuse("REFUSE_TRAINS"))
            return -1;
    return real(fd, message, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
    if (parts->iov_len == VIRTIO_HEADER && ((const char *)parts->iov_base)[GSO_TYPE] && refuse("REFUSE_MERGED"))
        return -1;
    return real(fd, parts, count);
}
