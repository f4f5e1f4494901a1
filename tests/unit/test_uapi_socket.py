"""The socket's file: modes, leftovers of other daemons, and whether it is still ours."""

from __future__ import annotations

import errno
import multiprocessing
import os
import select
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wgtun.errors import PlatformError
from wgtun.uapi.client import interfaces
from wgtun.uapi.unix_socket import ListeningSocket, adopt, listen, socket_path


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[ListeningSocket]:
    with listen("wg0", str(tmp_path)) as made:
        yield made


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def stale_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))


def test_the_usual_place() -> None:
    assert socket_path("wg0") == "/var/run/wireguard/wg0.sock"


@pytest.mark.parametrize("name", ["", "a/b", "../wg0", "a\0b"])
def test_impossible_interface_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="not an interface name"):
        listen(name, str(tmp_path))


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    directory = tmp_path / "run" / "wireguard"
    before = os.umask(umask)
    try:
        with listen("wg0", str(directory)) as listener:
            assert mode(listener.path) == 0o700
            assert mode(directory) == mode(directory.parent) == 0o755
            assert os.umask(umask) == umask
    finally:
        os.umask(before)


def test_it_accepts_connections(listener: ListeningSocket) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(listener.path)
    assert interfaces(os.path.dirname(listener.path)) == ["wg0"]


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    stale_socket(tmp_path / "wg0.sock")
    with listen("wg0", str(tmp_path)) as listener:
        assert listener.still_there()
        assert interfaces(str(tmp_path)) == ["wg0"]


def test_a_socket_in_use_is_left_alone(listener: ListeningSocket, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="unix socket in use"):
        listen("wg0", str(tmp_path))
    assert listener.still_there()


def test_a_socket_whose_queue_is_full_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "wg0.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))
        with pytest.raises(PlatformError, match="unix socket in use"):
            listen("wg0", str(tmp_path))


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("elsewhere")])
def test_nothing_but_a_socket_is_ever_removed(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "wg0.sock"
    make(path)
    with pytest.raises(PlatformError, match=f"{path} is in the way"):
        listen("wg0", str(tmp_path))
    assert path.is_symlink() or path.exists()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlatformError, match=r"File exists: .*file"):
        listen("wg0", str(tmp_path / "file"))


def test_wg_never_finds_it_unfinished(tmp_path: Path) -> None:
    """`wg` removes a socket that refuses connections, as one does between bind and listen."""
    path = str(tmp_path / "wg0.sock")
    context = multiprocessing.get_context("fork")
    gone = context.Event()

    def be_wg() -> None:
        while True:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.setblocking(False)
                try:
                    client.connect(path)
                except BlockingIOError:  # its queue is full
                    pass
                except FileNotFoundError:
                    gone.set()
                except ConnectionRefusedError:
                    os.unlink(path)

    wg = context.Process(target=be_wg)
    wg.start()
    try:
        for _ in range(500):
            with listen("wg0", str(tmp_path)) as made:
                assert made.still_there()
                made.remove_file()
                # Whoever still connects to this socket is refused when it closes, and would take the next one's file.
                gone.clear()
                assert gone.wait(60)
    finally:
        wg.kill()
        wg.join()


def test_an_adopted_socket_knows_its_file(tmp_path: Path) -> None:
    path = tmp_path / "wg0.sock"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
        made.listen()
        adopted = adopt(made.detach())
    with adopted:
        assert adopted.path == str(path)
        assert adopted.still_there()
        assert not adopted.get_inheritable()
        adopted.remove_file()
        assert not path.exists()
        assert not adopted.still_there()


def test_only_a_listening_unix_socket_is_adopted(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unconnected, socket.create_server(("127.0.0.1", 0)) as tcp:
        for descriptor in (unconnected.fileno(), tcp.fileno(), 1_000_000):
            with pytest.raises(PlatformError, match="descriptor"):
                adopt(descriptor)
        unconnected.getsockname()  # still open: it was not ours to close
    with (tmp_path / "file").open("w") as file, pytest.raises(PlatformError, match="descriptor"):
        adopt(file.fileno())


def test_a_system_that_does_not_tell_who_listens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """macOS has no SO_ACCEPTCONN; the socket is believed to be what it should be."""

    def getsockopt(self: ListeningSocket, level: int, option: int) -> int:
        raise OSError(errno.ENOPROTOOPT, "Protocol not available")

    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "wg0.sock"))
        made.listen()
        descriptor = made.detach()
    monkeypatch.setattr(ListeningSocket, "getsockopt", getsockopt, raising=False)
    with adopt(descriptor) as adopted:
        assert adopted.still_there()


def test_a_socket_without_a_file_is_always_there() -> None:
    with socket.socket(socket.AF_UNIX) as unnamed:
        unnamed.bind("\0wgtun-test-abstract")
        unnamed.listen()
        with adopt(os.dup(unnamed.fileno())) as adopted:
            assert adopted.still_there()
            adopted.remove_file()


def delete(path: Path) -> None:
    path.unlink()


def rename(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))


def replace_by_a_file(path: Path) -> None:
    path.unlink()
    path.touch()


def replace_by_rename(path: Path) -> None:
    other = path.with_suffix(".other")
    stale_socket(other)
    other.rename(path)


def remove_directory(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()


def move_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


GONE = [delete, rename, replace_by_a_file, replace_by_rename, remove_directory, move_directory]
HARMLESS: list[Callable[[Path], None]] = [
    lambda path: path.chmod(0o777),
    lambda path: os.utime(path),
    lambda path: os.chown(path, os.getuid(), os.getgid()),
    lambda path: path.with_suffix(".link").hardlink_to(path),
    lambda path: path.with_suffix(".neighbour").touch(),
]


@pytest.mark.parametrize("change", GONE)
def test_removed_renamed_or_replaced_means_gone(tmp_path: Path, change: Callable[[Path], None]) -> None:
    with listen("wg0", str(tmp_path / "run")) as listener:
        change(Path(listener.path))
        assert not listener.still_there()


@pytest.mark.parametrize("change", HARMLESS)
def test_other_changes_do_not_matter(listener: ListeningSocket, change: Callable[[Path], None]) -> None:
    change(Path(listener.path))
    assert listener.still_there()


def test_only_our_own_file_is_removed(listener: ListeningSocket) -> None:
    path = Path(listener.path)
    replace_by_rename(path)
    listener.remove_file()
    assert path.is_socket()


def test_our_file_is_removed_once(listener: ListeningSocket) -> None:
    listener.remove_file()
    assert not Path(listener.path).exists()
    listener.remove_file()


if sys.platform == "linux":
    from wgtun.platform.linux.directory_watch import DirectoryWatch

    def woken(watch: DirectoryWatch) -> bool:
        return bool(select.select([watch], [], [], 0)[0])

    @pytest.mark.parametrize("change", GONE)
    def test_the_watch_wakes_when_the_file_is_gone(tmp_path: Path, change: Callable[[Path], None]) -> None:
        with listen("wg0", str(tmp_path / "run")) as listener:
            watch = DirectoryWatch(str(tmp_path / "run"))
            assert not woken(watch)
            change(Path(listener.path))
            assert woken(watch)
            watch.drain()
            assert not woken(watch)
            watch.close()

    def test_the_watch_sleeps_through_changes_of_mode_and_time(listener: ListeningSocket) -> None:
        watch = DirectoryWatch(os.path.dirname(listener.path))
        for change in HARMLESS[:3]:
            change(Path(listener.path))
        assert not woken(watch)
        watch.close()

    def test_a_directory_that_cannot_be_watched_is_named(tmp_path: Path) -> None:
        with pytest.raises(PlatformError, match="missing: No such file"):
            DirectoryWatch(str(tmp_path / "missing"))
