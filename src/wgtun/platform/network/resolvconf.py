"""DNS servers through resolvconf(8): openresolv, or what has its options."""

from __future__ import annotations

from wgtun.platform.network.steps import Change, command
from wgtun.platform.network.wish import Wish


def resolvconf(wish: Wish, prefix: str, *options: str) -> Change:
    """`prefix` comes before the interface's name, for systems that order by names."""
    text = "".join(f"nameserver {server}\n" for server in wish.dns)
    if wish.search:
        text += f"search {' '.join(wish.search)}\n"
    entry = prefix + wish.name
    return Change(
        command("resolvconf", "-a", entry, *options, stdin=text),
        command("resolvconf", "-d", entry, "-f"),
    )
