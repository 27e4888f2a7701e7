"""One client as the room sees it: who it is, and a bounded way out to it."""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from controller.domain.people import Identity
from controller.hub import payloads
from controller.hub.closing import CloseCode
from controller.hub.codecs import Batch, Codec, Message
from controller.hub.errors import TokenExpired


class Wire(Protocol):
    """The way to one client; none of its calls waits."""

    @property
    def codec(self) -> Codec:
        """How messages are encoded for it."""
        ...

    def write(self, data: bytes) -> None:
        """Queue bytes behind what is queued already."""
        ...

    def backlog_bytes(self) -> int:
        """What the peer has not taken yet."""
        ...

    def close(self, code: CloseCode) -> None:
        """Begin to close, with the code and its reason."""
        ...


class Connection:
    """A client; `viewer` names the user or the anonymous session behind it, in any room, and
    `network` the network class that it comes from, as `GuestNetworks` calls it; `country` is None
    when it is not known.

    The wire's backlog is the outgoing queue. A peer that lets it grow past `backlog_limit_bytes`
    is closed: what it missed is in the room's log, and it may come back for it. One that has taken
    everything is given the next write whatever its size: what it missed may be more than the
    limit, and it must be able to get past it. A closed connection takes nothing more.
    """

    __slots__ = (
        "_backlog_limit_bytes",
        "_warned_of",
        "_wire",
        "closed_with",
        "codec",
        "country",
        "dropped",
        "guest_token",
        "identity",
        "is_open",
        "network",
        "rooms",
        "stalled_since_s",
        "viewer",
    )

    def __init__(
        self,
        wire: Wire,
        backlog_limit_bytes: int,
        identity: Identity | None,
        viewer: str,
        guest_token: str | None = None,
        network: str | None = None,
        country: str | None = None,
    ) -> None:
        self._wire = wire
        self._backlog_limit_bytes = backlog_limit_bytes
        self.codec = wire.codec
        self.identity = identity
        self.viewer = viewer
        self.guest_token = guest_token
        self.network = network
        self.country = country
        self.rooms: set[UUID] = set()
        self.is_open = True
        self.dropped = 0
        self.closed_with: CloseCode | None = None
        self.stalled_since_s: float | None = None
        self._warned_of: datetime | None = None

    @property
    def user_id(self) -> UUID | None:
        """The user; None for a guest."""
        return None if self.identity is None else self.identity.user_id

    def send(self, message: Message) -> None:
        """Send one message to this client alone."""
        self.write(self.codec.encode(message))

    def send_batch(self, batch: Batch) -> None:
        """Send what others are sent too."""
        self.write(batch.encoded(self.codec))

    def write(self, data: bytes) -> None:
        """Queue encoded messages, or give the client up when it does not read."""
        if not self.is_open:
            self.dropped += 1
            return
        waiting = self._wire.backlog_bytes()
        if waiting and waiting + len(data) > self._backlog_limit_bytes:
            self.dropped += 1
            self.close(CloseCode.TOO_SLOW)
        else:
            self._wire.write(data)

    def look_at_token(self, now: datetime, warning_s: float) -> None:
        """Warn once before the token runs out (`auth:expiring`), and close when it has."""
        expires_at = None if self.identity is None else self.identity.expires_at
        if expires_at is None or not self.is_open:
            return
        if expires_at <= now:
            refusal = TokenExpired()
            self.send(Message.of(payloads.ERROR, payloads.error(refusal.detail, refusal.code)))
            self.close(CloseCode.TOKEN_EXPIRED)
        elif self._warned_of != expires_at and expires_at - now <= timedelta(seconds=warning_s):
            self._warned_of = expires_at
            self.send(Message.of(payloads.AUTH_EXPIRING, payloads.auth_expiring(expires_at)))

    def close(self, code: CloseCode) -> None:
        """Begin to close; the transport tells the hub when it is done."""
        if self.is_open:
            self.is_open = False
            self.closed_with = code
            self._wire.close(code)

    def look(self, now_s: float, stalled_limit_s: float) -> None:
        """Give the client up when its backlog has not been empty for too long."""
        if self._wire.backlog_bytes() == 0:
            self.stalled_since_s = None
        elif self.stalled_since_s is None:
            self.stalled_since_s = now_s
        elif now_s - self.stalled_since_s > stalled_limit_s:
            self.close(CloseCode.TOO_SLOW)
