"""What the firewall of Linux adds to a default route into a tunnel, with nft(8) or iptables(8).

Packets for the tunnel's addresses that do not come by the tunnel are dropped: nobody on the network outside is to learn
of connections within (CVE-2019-14899). And answers to the tunnel's own datagrams get its mark, so that the check of
source addresses looks at the route that those took.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from wgtun.platform.network.steps import Change, command
from wgtun.platform.network.wish import Wish, packed

Kind = Literal["nft", "iptables", ""]


def rules(kind: Kind, wish: Wish, mark: int, size: int) -> Change:
    """For the family whose addresses have `size` bytes."""
    own = [address.address for address in dict.fromkeys(wish.addresses) if len(packed(address.address)) == size]
    return _nft(wish.name, own, mark, size) if kind == "nft" else _iptables(wish.name, own, mark, size)


def _nft(name: str, own: Iterable[str], mark: int, size: int) -> Change:
    family = "ip" if size == 4 else "ip6"
    # Of what a name may have, nft takes no + and = in those of tables.
    table = f"{family} wgtun-{name.replace('+', '/2b').replace('=', '/3d')}"
    lines = [
        f"add table {table}",
        f"add chain {table} preraw {{ type filter hook prerouting priority -300; }}",
        f"add chain {table} premangle {{ type filter hook prerouting priority -150; }}",
        f"add chain {table} postmangle {{ type filter hook postrouting priority -150; }}",
    ]
    lines += [
        f'add rule {table} preraw iifname != "{name}" {family} daddr {address} fib saddr type != local drop'
        for address in own
    ]
    lines += [
        f"add rule {table} postmangle meta l4proto udp mark {mark} ct mark set mark",
        f"add rule {table} premangle meta l4proto udp meta mark set ct mark",
    ]
    text = "".join(f"{line}\n" for line in lines)
    return Change(command("nft", "-f", "-", stdin=text), command("nft", "-f", "-", stdin=f"delete table {table}\n"))


def _iptables(name: str, own: Iterable[str], mark: int, size: int) -> Change:
    program = "iptables-restore" if size == 4 else "ip6tables-restore"
    comment = f'-m comment --comment "wgtun rule for {name}"'
    raw = [f"PREROUTING ! -i {name} -d {each} -m addrtype ! --src-type LOCAL -j DROP {comment}" for each in own]
    mangle = [
        f"POSTROUTING -m mark --mark {mark} -p udp -j CONNMARK --save-mark {comment}",
        f"PREROUTING -p udp -j CONNMARK --restore-mark {comment}",
    ]

    def text(action: str) -> str:
        tables = (("raw", raw), ("mangle", mangle))
        return "".join(
            f"*{table}\n" + "".join(f"{action} {rule}\n" for rule in rules) + "COMMIT\n" for table, rules in tables
        )

    return Change(command(program, "-n", stdin=text("-I")), command(program, "-n", stdin=text("-D")))
