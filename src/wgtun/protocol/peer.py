"""One peer's life: handshakes, retries, and the five timers. Sans-IO.

Theory of operation
    Three things happen to a peer: a handshake message arrives, the engine reports an event, or a
    deadline passes. Each may start a handshake, install a keypair, or send a keepalive.

    The timers of the paper (6.2 to 6.5; reference 3.11) are five deadlines. Those that data moves
    are not re-armed per packet: the engine keeps timestamps and reports the first edge; when the
    deadline comes it is compared with what happened meanwhile, and moved on if that was recent.

        retransmit            an initiation was sent and nothing completed it
        keepalive             data came in, nothing went back for 10 s
        new_handshake         data went out, nothing came back for 15 s
        zero_keys             no new session for 540 s
        persistent_keepalive  nothing went either way for the configured interval

    An initiation may leave at most every 5 s, counted from the last handshake message sent. One
    that is wanted earlier is not lost but leaves when the gate opens, if it is still wanted then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from wgtun.constants import SECOND
from wgtun.dataplane import Keypair
from wgtun.errors import HandshakeError
from wgtun.noise import tai64n
from wgtun.noise.handshake import InitiatorHandshake, ReceivedInitiation
from wgtun.noise.macs import MacGenerator

if TYPE_CHECKING:
    from collections.abc import Callable

    from wgtun.endpoint import Endpoint
    from wgtun.noise.provider import Secret
    from wgtun.path import Path
    from wgtun.protocol.context import Context
    from wgtun.protocol.moment import Moment


_NO_ANSWER = "no answer to our initiation"


class Peer:
    """The control plane's side of one peer; the engine holds its packets and sessions."""

    def __init__(self, context: Context, peer_id: int, public_key: bytes) -> None:
        self.id = peer_id
        self.public_key = public_key
        self.preshared_key = bytes(32)
        self.endpoint: Endpoint | None = None  # as configured; the engine knows where the peer is by now
        self.persistent_keepalive = 0  # seconds, 0 for off
        self.last_handshake = 0  # Unix time in nanoseconds, 0 for never
        self._context = context
        self._running = False
        self._macs = MacGenerator(public_key)
        self._static_static: Secret | None = None
        self._handshake: InitiatorHandshake | None = None
        self._last_timestamp = bytes(12)  # of the peer's initiations
        self._last_stamp = bytes(12)  # of ours: the peer refuses an earlier one, even if our clock went back
        self._last_initiation_consumed: int | None = None
        self._last_handshake_sent: int | None = None
        self._attempts = 0
        self._unconfirmed = 0  # initiations answered since a session was last used
        self._trouble = ""  # what went wrong since the last handshake
        self._session_wanted = False
        self._deadlines: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Peer {self.id}>"

    # --- life ------------------------------------------------------------------------------------

    def start(self, at: Moment) -> None:
        """The interface is up: talk."""
        if not self._running:
            self._running = True
            self._last_handshake_sent = None
            self._attempts = 0
            if self.persistent_keepalive:
                self._context.engine.send_keepalive(at.now, self.id)

    def stop(self) -> None:
        """The interface is down, or the peer is going away: forget everything but the last timestamp."""
        self._running = False
        self._deadlines.clear()
        self._context.schedule.set(self, None)
        self._forget_sessions()

    def _forget_sessions(self) -> None:
        self._abandon_handshake()
        self._session_wanted = False
        self._disarm("retransmit")
        self._disarm("gate")
        self._context.engine.drop_staged(self.id)
        self._context.engine.erase_keypairs(self.id)

    def static_key_changed(self) -> None:
        """The device has another private key: nothing made with the old one may be used to send."""
        self._static_static = None
        self._abandon_handshake()
        self._last_handshake_sent = None
        self._context.engine.exhaust_keypairs(self.id)

    def set_persistent_keepalive(self, at: Moment, seconds: int) -> None:
        """Change the interval; switching it on sends a keepalive at once."""
        switched_on = seconds and not self.persistent_keepalive
        self.persistent_keepalive = seconds
        if not seconds:
            self._disarm("persistent_keepalive")
        elif self._running:
            if switched_on:
                self._context.engine.send_keepalive(at.now, self.id)
            self._look_at_persistent_keepalive(at, send=False)

    def reconsider(self, at: Moment) -> None:
        """An endpoint or a private key may have become known: do what had to wait for it."""
        if self._running and self._session_wanted:
            self.request_session(at)

    def handshake_problem(self, now: int) -> str:
        """Why there is no session, or no new one, in words; empty when nothing is wrong."""
        engine = self._context.engine
        if not self._running:
            return "the interface is down"
        if self._context.static is None:
            return "the device has no private key"
        if self._trouble or engine.has_session(now, self.id):
            return self._trouble
        if engine.peer_status(self.id).path is None:
            return "no endpoint, and the peer has not been heard of"
        return "" if self.last_handshake else "no reason for a handshake yet: nothing was sent"

    # --- handshakes that we start ----------------------------------------------------------------

    def request_session(self, at: Moment) -> None:
        """Start a handshake, now or when the gate opens."""
        if self._running:
            self._session_wanted = True
            self._attempts = 0
            self._initiate(at)

    def _initiate(self, at: Moment) -> None:
        context = self._context
        static = context.static
        if static is None or context.engine.peer_status(self.id).path is None:
            return  # `reconsider` comes back to it
        if self._last_handshake_sent is not None:
            opens = self._last_handshake_sent + context.timing.rekey_timeout
            if at.now < opens:
                self._arm("gate", opens)
                return
        static_static = self._shared_secret()
        if static_static is None:
            return
        self._session_wanted = False
        self._disarm("gate")
        self._abandon_handshake()
        self._last_stamp = tai64n.stamp(at.wall, self._last_stamp)
        self._handshake, message = InitiatorHandshake.start(
            context.provider,
            static,
            self.public_key,
            static_static,
            ephemeral=context.new_ephemeral(self),
            sender_index=context.indices.allocate(self),
            timestamp=self._last_stamp,
        )
        self._send_handshake(at, message)
        self._arm("retransmit", at.now + context.timing.rekey_timeout + context.jitter())
        context.log(self, "Sending handshake initiation")

    def _shared_secret(self) -> Secret | None:
        """The static-static secret, computed when first needed. None: the peer's key is a low-order point."""
        if self._static_static is None and self._context.static is not None:
            try:
                self._static_static = self._context.static.exchange(self.public_key)
            except HandshakeError:
                self._trouble = "the peer's public key is invalid"
                self._context.log(self, "Can't make a handshake: the public key of the peer is invalid")
        return self._static_static

    def _send_handshake(self, at: Moment, message: bytes) -> None:
        timing = self._context.timing
        self._last_handshake_sent = at.now
        self._context.engine.send_handshake(
            at.now, self.id, self._macs.append_macs(at.now, message, timing.cookie_lifetime)
        )
        self._look_at_persistent_keepalive(at, send=False)

    def _abandon_handshake(self) -> None:
        if self._handshake is not None:
            self._context.indices.release(self._handshake.local_index)
            self._handshake = None

    def handle_response(self, at: Moment, message: bytes, path: Path) -> None:
        """A response to our initiation. Raises HandshakeError; then nothing has changed."""
        handshake = self._handshake
        if handshake is None or message[8:12] != handshake.local_index.to_bytes(4, "little"):
            raise HandshakeError("a response that nobody waits for")
        try:
            keys = handshake.consume_response(message, self.preshared_key)
        except HandshakeError:
            self._trouble = "an answer came that does not fit: the preshared keys may differ"
            raise
        engine = self._context.engine
        engine.handshake_authenticated(at.now, self.id, path, len(message))
        self._handshake = None  # its index now names the keypair
        remote_index = int.from_bytes(message[4:8], "little")
        self._context.log(self, "Received handshake response")
        engine.install_keypair(
            at.now, self.id, Keypair(keys.send, keys.receive, handshake.local_index, remote_index, initiator=True)
        )
        self._session_made(at)
        self._handshake_complete(at)
        # Confirms the session to the responder, who may not send before.
        engine.send_keepalive(at.now, self.id)

    # --- handshakes that the peer starts ---------------------------------------------------------

    def handle_initiation(self, at: Moment, initiation: ReceivedInitiation, size: int, path: Path) -> None:
        """An initiation by this peer. Raises HandshakeError; then nothing has changed."""
        context = self._context
        if not self._running:
            raise HandshakeError("the interface is down")
        static_static = self._shared_secret()
        if static_static is None:
            raise HandshakeError("the peer's public key is invalid")
        timestamp = initiation.open_timestamp(static_static)
        if timestamp <= self._last_timestamp:
            self._trouble = "the peer's timestamp is not newer than its last one: its clock may have gone back"
            raise HandshakeError("a replayed initiation")
        last = self._last_initiation_consumed
        if last is not None and at.now - last <= context.timing.initiation_interval:
            raise HandshakeError("initiations come too quickly")
        local_index = context.indices.allocate(self)
        try:
            message, keys = initiation.respond(
                ephemeral=context.new_ephemeral(self),
                sender_index=local_index,
                preshared_key=self.preshared_key,
            )
        except HandshakeError:
            context.indices.release(local_index)
            raise
        self._last_timestamp = timestamp
        self._last_initiation_consumed = at.now
        self._unconfirmed += 1
        if self._unconfirmed > 1:
            self._trouble = (
                f"{self._unconfirmed} initiations of the peer were answered in vain: "
                "our answers get lost, or the preshared keys differ"
            )
        self._abandon_handshake()
        context.log(self, "Received handshake initiation")
        context.engine.handshake_authenticated(at.now, self.id, path, size)
        self._send_handshake(at, message)
        context.log(self, "Sending handshake response")
        context.engine.install_keypair(
            at.now, self.id, Keypair(keys.send, keys.receive, local_index, initiation.remote_index, initiator=False)
        )
        self._session_made(at)

    def handle_cookie_reply(self, at: Moment, message: bytes) -> None:
        """Keep the cookie for the next handshake message. Raises HandshakeError."""
        self._macs.consume_cookie_reply(at.now, message)

    def _session_made(self, at: Moment) -> None:
        self._arm("zero_keys", at.now + self._context.timing.zero_keys)

    def _handshake_complete(self, at: Moment) -> None:
        """Both sides have the session."""
        self._attempts = 0
        self._unconfirmed = 0
        self._trouble = ""
        self._session_wanted = False
        self._disarm("retransmit")
        self._disarm("gate")
        self.last_handshake = at.wall
        self._look_at_persistent_keepalive(at, send=False)

    # --- what the engine reports -----------------------------------------------------------------

    def handle_session_confirmed(self, at: Moment) -> None:
        self._handshake_complete(at)

    def handle_data_unanswered(self, since: int) -> None:
        if self._running:
            self._arm("new_handshake", since + self._context.timing.new_handshake + self._context.jitter())

    def handle_data_unacknowledged(self, since: int) -> None:
        if self._running:
            self._arm("keepalive", since + self._context.timing.keepalive_timeout)

    # --- timers ----------------------------------------------------------------------------------

    def _arm(self, timer: str, deadline: int) -> None:
        self._deadlines[timer] = deadline
        self._context.schedule.set(self, min(self._deadlines.values()))

    def _disarm(self, timer: str) -> None:
        if self._deadlines.pop(timer, None) is not None:
            self._context.schedule.set(self, min(self._deadlines.values(), default=None))

    def handle_timeout(self, at: Moment) -> None:
        """Work on every deadline that has passed."""
        for timer in sorted(self._deadlines, key=self._deadlines.__getitem__):
            if self._deadlines.get(timer, at.now + 1) <= at.now:  # an earlier one may have moved it
                self._disarm(timer)
                self._ON_TIMEOUT[timer](self, at)
        self._context.schedule.set(self, min(self._deadlines.values(), default=None))

    def _on_retransmit(self, at: Moment) -> None:
        context = self._context
        if not self._trouble or self._trouble.startswith(_NO_ANSWER):  # an answer that did not fit says more
            self._trouble = (
                f"{_NO_ANSWER} (sent {self._attempts + 1} of them): wrong key or endpoint, or a filter between"
            )
        if self._attempts > context.timing.max_retries:
            context.log(self, f"Handshake did not complete after {self._attempts + 1} attempts, giving up")
            self._abandon_handshake()
            self._session_wanted = False
            context.engine.drop_staged(self.id)
            if "zero_keys" not in self._deadlines:
                self._arm("zero_keys", at.now + context.timing.zero_keys)
            return
        self._attempts += 1
        context.log(
            self,
            f"Handshake did not complete after {context.timing.rekey_timeout // SECOND} seconds, "
            f"retrying (try {self._attempts + 1})",
        )
        context.engine.forget_source(self.id)
        self._session_wanted = True
        self._initiate(at)

    def _on_gate(self, at: Moment) -> None:
        if self._session_wanted:
            self._initiate(at)

    def _on_zero_keys(self, _at: Moment) -> None:
        seconds = self._context.timing.zero_keys // SECOND
        self._context.log(self, f"Removing all keys, since we haven't received a new one in {seconds} seconds")
        if "retransmit" in self._deadlines:  # after a long sleep, a handshake may have started just before
            self._context.engine.erase_keypairs(self.id)
        else:
            self._forget_sessions()

    def _on_new_handshake(self, at: Moment) -> None:
        context = self._context
        since = context.engine.activity(self.id).unanswered_since
        if since > at.now - context.timing.new_handshake:
            self.handle_data_unanswered(since)
            return
        context.engine.rearm_unanswered(self.id)
        if since:
            seconds = context.timing.new_handshake // SECOND
            context.log(self, f"Retrying handshake because we stopped hearing back after {seconds} seconds")
            context.engine.forget_source(self.id)
            self.request_session(at)

    def _on_keepalive(self, at: Moment) -> None:
        context = self._context
        since = context.engine.activity(self.id).unacknowledged_since
        if since > at.now - context.timing.keepalive_timeout:
            self.handle_data_unacknowledged(since)
            return
        context.engine.rearm_unacknowledged(self.id)
        # Without a session, as after a long sleep, there is nothing left to acknowledge.
        if since and context.engine.has_session(at.now, self.id):
            context.log(self, "Sending keepalive packet")
            context.engine.send_keepalive(at.now, self.id)

    def _on_persistent_keepalive(self, at: Moment) -> None:
        self._look_at_persistent_keepalive(at, send=True)

    def _look_at_persistent_keepalive(self, at: Moment, *, send: bool) -> None:
        """Schedule the next persistent keepalive, and send one if it is due and `send`."""
        interval = self.persistent_keepalive * SECOND
        if not interval or not self._running:
            return
        activity = self._context.engine.activity(self.id)
        due = max(activity.last_sent, activity.last_received) + interval
        if due <= at.now:
            if send:
                self._context.engine.send_keepalive(at.now, self.id)
            due = at.now + interval
        self._arm("persistent_keepalive", due)

    _ON_TIMEOUT: ClassVar[dict[str, Callable[[Peer, Moment], None]]] = {
        "retransmit": _on_retransmit,
        "keepalive": _on_keepalive,
        "new_handshake": _on_new_handshake,
        "zero_keys": _on_zero_keys,
        "persistent_keepalive": _on_persistent_keepalive,
        "gate": _on_gate,
    }
