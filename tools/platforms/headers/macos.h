// The headers that `platform/macos/abi.py` is about.
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/fcntl.h>
#define __APPLE_USE_RFC_3542 1
#include <netinet/in.h>
#include <net/if.h>
#include <net/if_dl.h>
#include <net/if_utun.h>
#include <net/route.h>

// Not in the headers that zig has: sys/sys_domain.h, sys/kern_control.h of XNU.
#ifndef SYSPROTO_CONTROL
#define SYSPROTO_CONTROL 2
#endif
#ifndef AF_SYS_CONTROL
#define AF_SYS_CONTROL 2
#endif
