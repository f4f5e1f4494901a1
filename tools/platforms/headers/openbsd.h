// The headers that `platform/openbsd/abi.py` is about.
#include <sys/types.h>
#include <sys/param.h>
#include <sys/ioctl.h>
#include <sys/event.h>
#include <sys/fcntl.h>
#include <sys/socket.h>
#include <sys/sockio.h>
#include <net/if.h>
#include <net/if_dl.h>
#include <net/if_tun.h>
#include <net/route.h>
#include <netinet/in.h>
