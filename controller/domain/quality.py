"""How playback went, as players tell it (frozen values)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PlayerSession:
    """One player's session of a stream, as one daemon has seen it up to now.

    None: not told. `shown_ms` of media had `bits`.
    """

    stream_id: UUID
    session: str
    startup_ms: int | None
    rebuffers: int
    rebuffered_ms: int | None
    shown_ms: int
    bits: int


@dataclass(frozen=True, slots=True)
class PlaybackQuality:
    """What the sessions of a stream add up to; None where no player has told."""

    sessions: int = 0
    startup_s: float | None = None
    startup_p95_s: float | None = None
    rebuffers: int = 0
    rebuffered_sessions: int = 0
    rebuffered_s: float | None = None
    bitrate_kbps: float | None = None


class QualityStore(Protocol):
    """Keeps sessions."""

    async def keep(self, holder: str, sessions: Sequence[PlayerSession]) -> None:
        """In place of what the same daemon run has told of the same sessions before; those of
        streams that do not exist are left out.
        """
        ...
