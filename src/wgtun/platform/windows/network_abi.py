"""Constants and structs of 64-bit Windows for addresses and DNS, under the names of its headers. Others: `abi.py`."""

from __future__ import annotations

from wgtun.platform.layout import Layout

# winerror.h
ERROR_OBJECT_ALREADY_EXISTS = 5010

# nldef.h, ipifcons.h
IpDadStatePreferred = 4
IpPrefixOriginManual = 1
IpSuffixOriginManual = 1
MIB_IPPROTO_NETMGMT = 3
RouterDiscoveryDisabled = 0

# netioapi.h of Windows 10, version 2004
DNS_INTERFACE_SETTINGS_VERSION1 = 1
DNS_SETTING_IPV6 = 1
DNS_SETTING_NAMESERVER = 2
DNS_SETTING_SEARCHLIST = 4

MIB_UNICASTIPADDRESS_ROW = Layout(
    "MIB_UNICASTIPADDRESS_ROW",
    80,
    {
        "Address": (0, "28s"),
        "InterfaceLuid": (32, "Q"),
        "PrefixOrigin": (44, "i"),
        "SuffixOrigin": (48, "i"),
        "ValidLifetime": (52, "I"),
        "PreferredLifetime": (56, "I"),
        "OnLinkPrefixLength": (60, "B"),
        "DadState": (64, "i"),
    },
)
DNS_INTERFACE_SETTINGS = Layout(
    "DNS_INTERFACE_SETTINGS",
    64,
    {"Version": (0, "I"), "Flags": (8, "Q"), "NameServer": (24, "Q"), "SearchList": (32, "Q")},
)
