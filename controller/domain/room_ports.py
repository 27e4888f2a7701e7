"""What the room asks of the outside: one log and one head count for all daemons, and a memory."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from controller.domain.room import (
    Allowance,
    Departures,
    KeptRoom,
    Moderation,
    Position,
    PresenceChange,
    Readiness,
    RoomEvent,
    RoomFigures,
)

RoomListener = Callable[[RoomEvent], None]


class Realtime(Protocol):
    """Rooms as all daemons share them. Every call is bounded; `RealtimeUnavailable` when the
    shared side does not answer.

    A room's log gives each event the next offset of its epoch and keeps the last `LOG_EVENTS`.
    A viewer is present while at least one daemon that renews its lease says so.
    """

    def watch(self, presence_lost: Callable[[], None]) -> None:
        """Have `presence_lost` called whenever presence has to be told anew, as a whole."""
        ...

    async def open_room(self, stream_id: UUID, listener: RoomListener) -> Position:
        """Feed the listener: first the kept log, then whatever follows, in order, each once.

        Answers the log's end as the listener has seen it.
        """
        ...

    async def close_room(self, stream_id: UUID) -> None:
        """Stop feeding."""
        ...

    async def publish(self, stream_id: UUID, name: str, data: bytes) -> None:
        """Append an event; every open room of this id hears of it, on every daemon."""
        ...

    async def change_presence(
        self,
        stream_id: UUID,
        joined: Sequence[str],
        left: Sequence[str],
        *,
        whole: bool = False,
    ) -> PresenceChange:
        """Tell who came to and went from this daemon; with `whole`, `joined` is everyone here."""
        ...

    async def renew_lease(self) -> None:
        """Say that this daemon is alive, so that its viewers stay counted."""
        ...

    async def release_expired(self) -> Sequence[Departures]:
        """Drop the viewers of daemons whose lease ran out; each is answered to one caller."""
        ...

    async def viewers(self, stream_id: UUID) -> int:
        """How many are present now."""
        ...

    async def take(self, key: str, allowance: Allowance) -> bool:
        """Take one token of the bucket `key`; False when it is empty."""
        ...

    async def ready(self) -> None:
        """Wait, while `run` runs, until the shared side is there, or for a few seconds."""
        ...

    async def run(self) -> None:
        """Keep the shared side connected; runs until cancelled."""
        ...

    async def close(self) -> None:
        """Take this daemon's viewers out and let go of connections; bounded, never raises."""
        ...


class RoomStore(Protocol):
    """What of a room outlives it."""

    async def load(self, stream_id: UUID) -> KeptRoom:
        """Everything that a room starts from."""
        ...

    async def record(self, stream_id: UUID, figures: RoomFigures) -> None:
        """Add to the stream's figures in one transaction, each addition once."""
        ...

    async def beat(self, holder: str, at: datetime) -> None:
        """The daemon run lives at `at`, and so do the stays that it has not ended."""
        ...

    async def sum_up(self, stream_id: UUID) -> None:
        """Compute the stream's peak and average watch time anew; StreamNotFound."""
        ...

    async def moderate(self, moderation: Moderation) -> None:
        """Carry out and audit, in one transaction."""
        ...

    async def moderation_log(self, stream_id: UUID) -> Sequence[Moderation]:
        """Every act, oldest first."""
        ...

    async def streams_with_viewers(self) -> Sequence[UUID]:
        """Streams whose row says that somebody is watching."""
        ...

    async def set_viewers_now(
        self, stream_id: UUID, viewers: int, gone: Sequence[str] = ()
    ) -> None:
        """Correct the number of present viewers, and say who has gone without a word."""
        ...


class Preparation(Protocol):
    """Whether this installation could take a stream on now."""

    async def readiness(self, stream_id: UUID) -> Readiness:
        """Measured at the call, within a bounded time; never raises."""
        ...
