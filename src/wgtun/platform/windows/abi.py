"""Constants and structs of 64-bit Windows, under the names of its headers (`make check-platforms` compares them)."""

from __future__ import annotations

from wgtun.platform.layout import Layout

# winsock2.h, ws2tcpip.h, mswsock.h
AF_INET = 2
AF_INET6 = 23
AF_UNSPEC = 0
IPPROTO_IP = 0
IPPROTO_IPV6 = 41
IPPROTO_UDP = 17
IPV6_ECN = 50
IPV6_PKTINFO = 19
IPV6_RECVECN = 50
IPV6_UNICAST_IF = 31
IP_ECN = 50
IP_PKTINFO = 19
IP_RECVECN = 50
IP_UNICAST_IF = 31
SIO_GET_EXTENSION_FUNCTION_POINTER = 0xC8000006
SIO_UDP_CONNRESET = 0x9800000C
SIO_UDP_NETRESET = 0x9800000F
SOL_SOCKET = 0xFFFF
SO_EXCLUSIVEADDRUSE = -5
UDP_COALESCED_INFO = 3
UDP_RECV_MAX_COALESCED_SIZE = 3
UDP_SEND_MSG_SIZE = 2
WSAEWOULDBLOCK = 10035

# winerror.h
ERROR_ACCESS_DENIED = 5
ERROR_ALREADY_EXISTS = 183
ERROR_BROKEN_PIPE = 109
ERROR_BUFFER_OVERFLOW = 111
ERROR_FAILED_SERVICE_CONTROLLER_CONNECT = 1063
ERROR_FILE_NOT_FOUND = 2
ERROR_HANDLE_EOF = 38
ERROR_INVALID_DATA = 13
ERROR_INVALID_OWNER = 1307
ERROR_IO_PENDING = 997
ERROR_MOD_NOT_FOUND = 126
ERROR_NO_DATA = 232
ERROR_NO_MORE_ITEMS = 259
ERROR_OPERATION_ABORTED = 995
ERROR_PIPE_BUSY = 231
ERROR_PIPE_CONNECTED = 535
ERROR_SERVICE_ALREADY_RUNNING = 1056
ERROR_SERVICE_DOES_NOT_EXIST = 1060
ERROR_SERVICE_EXISTS = 1073
ERROR_SERVICE_NOT_ACTIVE = 1062
ERROR_SERVICE_SPECIFIC_ERROR = 1066

# wincon.h, winbase.h, namedpipeapi.h, fileapi.h, synchapi.h, libloaderapi.h
CTRL_BREAK_EVENT = 1
CTRL_C_EVENT = 0
FILE_FLAG_FIRST_PIPE_INSTANCE = 0x80000
FILE_FLAG_OVERLAPPED = 0x40000000
GENERIC_READ = 0x80000000
GENERIC_WRITE = 0x40000000
INFINITE = 0xFFFFFFFF
LOAD_LIBRARY_SEARCH_APPLICATION_DIR = 0x200
LOAD_LIBRARY_SEARCH_SYSTEM32 = 0x800
OPEN_EXISTING = 3
PIPE_ACCESS_DUPLEX = 3
PIPE_READMODE_BYTE = 0
PIPE_REJECT_REMOTE_CLIENTS = 8
PIPE_TYPE_BYTE = 0
PIPE_UNLIMITED_INSTANCES = 255
PIPE_WAIT = 0
SDDL_REVISION_1 = 1
WT_EXECUTEONLYONCE = 8

# winsvc.h, winnt.h
DELETE = 0x10000
SC_MANAGER_CONNECT = 1
SC_MANAGER_CREATE_SERVICE = 2
SERVICE_ACCEPT_SHUTDOWN = 4
SERVICE_ACCEPT_STOP = 1
SERVICE_AUTO_START = 2
SERVICE_CONTROL_INTERROGATE = 4
SERVICE_CONTROL_SHUTDOWN = 5
SERVICE_CONTROL_STOP = 1
SERVICE_ERROR_NORMAL = 1
SERVICE_QUERY_STATUS = 4
SERVICE_RUNNING = 4
SERVICE_START = 16
SERVICE_START_PENDING = 2
SERVICE_STOP = 32
SERVICE_STOPPED = 1
SERVICE_STOP_PENDING = 3
SERVICE_WIN32_OWN_PROCESS = 16

# winnt.h
SE_PRIVILEGE_ENABLED = 2
TOKEN_ADJUST_PRIVILEGES = 32
TOKEN_QUERY = 8

# netioapi.h, ifdef.h
IfOperStatusUp = 1

WSACMSGHDR = Layout(
    "WSACMSGHDR",
    16,
    {"cmsg_len": (0, "Q"), "cmsg_level": (8, "i"), "cmsg_type": (12, "i")},
)
WSABUF = Layout("WSABUF", 16, {"len": (0, "I"), "buf": (8, "Q")})
WSAMSG = Layout(
    "WSAMSG",
    56,
    {
        "name": (0, "Q"),
        "namelen": (8, "i"),
        "lpBuffers": (16, "Q"),
        "dwBufferCount": (24, "I"),
        "Control.len": (32, "I"),
        "Control.buf": (40, "Q"),
        "dwFlags": (48, "I"),
    },
)
IN_PKTINFO = Layout("IN_PKTINFO", 8, {"ipi_addr": (0, "4s"), "ipi_ifindex": (4, "I")})
IN6_PKTINFO = Layout("IN6_PKTINFO", 20, {"ipi6_addr": (0, "16s"), "ipi6_ifindex": (16, "I")})
SOCKADDR_IN = Layout("SOCKADDR_IN", 16, {"sin_family": (0, "H"), "sin_port": (2, "2s"), "sin_addr": (4, "4s")})
SOCKADDR_IN6 = Layout(
    "SOCKADDR_IN6",
    28,
    {"sin6_family": (0, "H"), "sin6_port": (2, "2s"), "sin6_addr": (8, "16s"), "sin6_scope_id": (24, "I")},
)
SECURITY_ATTRIBUTES = Layout(
    "SECURITY_ATTRIBUTES",
    24,
    {"nLength": (0, "I"), "lpSecurityDescriptor": (8, "Q"), "bInheritHandle": (16, "i")},
)
TOKEN_PRIVILEGES = Layout(
    "TOKEN_PRIVILEGES",
    16,
    {
        "PrivilegeCount": (0, "I"),
        "Privileges[0].Luid.LowPart": (4, "I"),
        "Privileges[0].Luid.HighPart": (8, "i"),
        "Privileges[0].Attributes": (12, "I"),
    },
)
SERVICE_STATUS = Layout(
    "SERVICE_STATUS",
    28,
    {
        "dwServiceType": (0, "I"),
        "dwCurrentState": (4, "I"),
        "dwControlsAccepted": (8, "I"),
        "dwWin32ExitCode": (12, "I"),
        "dwServiceSpecificExitCode": (16, "I"),
        "dwCheckPoint": (20, "I"),
        "dwWaitHint": (24, "I"),
    },
)
SERVICE_TABLE_ENTRYW = Layout("SERVICE_TABLE_ENTRYW", 16, {"lpServiceName": (0, "Q"), "lpServiceProc": (8, "Q")})
MIB_IPFORWARD_ROW2 = Layout(
    "MIB_IPFORWARD_ROW2",
    104,
    {
        "InterfaceLuid": (0, "Q"),
        "InterfaceIndex": (8, "I"),
        "DestinationPrefix.Prefix": (12, "28s"),
        "DestinationPrefix.PrefixLength": (40, "B"),
        "NextHop": (44, "28s"),
        "ValidLifetime": (76, "I"),
        "PreferredLifetime": (80, "I"),
        "Metric": (84, "I"),
        "Protocol": (88, "I"),
        "Loopback": (92, "B"),
        "AutoconfigureAddress": (93, "B"),
        "Immortal": (95, "B"),
    },
)
MIB_IPINTERFACE_ROW = Layout(
    "MIB_IPINTERFACE_ROW",
    168,
    {
        "Family": (0, "H"),
        "InterfaceLuid": (8, "Q"),
        "InterfaceIndex": (16, "I"),
        "UseAutomaticMetric": (44, "B"),
        "ManagedAddressConfigurationSupported": (46, "B"),
        "OtherStatefulConfigurationSupported": (47, "B"),
        "RouterDiscoveryBehavior": (52, "i"),
        "DadTransmits": (56, "I"),
        "SitePrefixLength": (144, "I"),
        "Metric": (148, "I"),
        "NlMtu": (152, "I"),
    },
)
MIB_IF_ROW2 = Layout(
    "MIB_IF_ROW2", 1352, {"InterfaceLuid": (0, "Q"), "InterfaceIndex": (8, "I"), "OperStatus": (1156, "I")}
)
GUID = Layout("GUID", 16, {"Data1": (0, "I"), "Data2": (4, "H"), "Data3": (6, "H"), "Data4": (8, "8s")})
