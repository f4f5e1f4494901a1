// The headers that the modules of `platform/linux` are about.
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/rtnetlink.h>
#include <linux/netlink.h>
#include <linux/net_namespace.h>
#include <net/if.h>
