"""How playback goes for players that say so, added up by their own sessions.

A session's numbers are told to the store as they are, not as differences: told again they change
nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import structlog

from controller.domain.quality import PlayerSession, QualityStore
from controller.domain.rehearsals import is_rehearsal
from controller.errors import ControllerError
from controller.hub.cmcd import ClientData
from controller.hub.limits import HubLimits
from controller.hub.room import Pacer

_FORGOTTEN_S = 600.0
_SESSION_CHARACTERS = 32
_LONGEST_START_S = 120.0
"""Who takes longer has been put to sleep."""

_MOST_OBJECT_MS = 60_000


@dataclass(slots=True)
class QualityStatistics:
    """What was told of, and players beyond the bound."""

    told: int = 0
    dropped: int = 0


@dataclass(slots=True)
class _Playback:
    seen_s: float
    waiting_since_s: float | None
    startup_ms: int | None = None
    rebuffers: int = 0
    rebuffered_ms: int | None = None
    shown_ms: int = 0
    bits: int = 0
    is_written: bool = False


class QualityBook:
    """The players of this daemon, by stream and session; bounded by `HubLimits.players`."""

    def __init__(self, store: QualityStore, holder: str, limits: HubLimits, pacer: Pacer) -> None:
        self.statistics = QualityStatistics()
        self._store = store
        self._holder = holder
        self._limits = limits
        self._pacer = pacer
        self._players: dict[tuple[UUID, str], _Playback] = {}
        self._written_s = pacer.monotonic_s()
        self._log = structlog.get_logger(__name__)

    def __len__(self) -> int:
        return len(self._players)

    def told(self, stream_id: UUID, data: ClientData) -> None:
        """A player has said so with a request; of a rehearsal there are no figures."""
        if is_rehearsal(stream_id):
            return
        now_s = self._pacer.monotonic_s()
        self.statistics.told += 1
        key = (stream_id, data.session)
        playback = self._players.get(key)
        if playback is None:
            if len(self._players) >= self._limits.players:
                self.statistics.dropped += 1
                return
            # One that plays already was here before this daemon: its start is not known.
            since_s = now_s if data.is_startup else None
            playback = self._players[key] = _Playback(now_s, since_s)
        self._add(playback, data, now_s)

    async def write(self, *, all_of_it: bool = False) -> None:
        """Tell the store every few seconds; what it does not take is told the next time."""
        now_s = self._pacer.monotonic_s()
        if now_s - self._written_s < self._limits.sum_up_s and not all_of_it:
            return
        self._written_s = now_s
        fresh = {key: one for key, one in self._players.items() if not one.is_written}
        if fresh:
            for playback in fresh.values():
                playback.is_written = True
            try:
                await self._store.keep(self._holder, [*_sessions(fresh.items())])
            except ControllerError as error:
                self._log.warning("playback_quality_unwritten", code=error.code)
                for playback in fresh.values():
                    playback.is_written = False
        for key, playback in [*self._players.items()]:
            if playback.is_written and now_s - playback.seen_s > _FORGOTTEN_S:
                del self._players[key]

    def _add(self, playback: _Playback, data: ClientData, now_s: float) -> None:
        playback.seen_s, playback.is_written = now_s, False
        if data.start_delay_ms is not None:
            playback.startup_ms, playback.waiting_since_s = data.start_delay_ms, None
        elif playback.waiting_since_s is not None and not data.is_startup:
            waited_s = now_s - playback.waiting_since_s
            playback.waiting_since_s = None
            if waited_s <= _LONGEST_START_S:
                playback.startup_ms = round(waited_s * 1000)
        if data.is_starved:
            playback.rebuffers += 1
        if data.starved_ms is not None:
            playback.rebuffered_ms = (playback.rebuffered_ms or 0) + data.starved_ms
        if data.bitrate_kbps is not None and data.duration_ms is not None:
            shown_ms = min(data.duration_ms, _MOST_OBJECT_MS)
            playback.shown_ms += shown_ms
            playback.bits += data.bitrate_kbps * shown_ms


def _sessions(players: Iterable[tuple[tuple[UUID, str], _Playback]]) -> Iterable[PlayerSession]:
    for (stream_id, session), playback in players:
        # What players call themselves by is nobody's business.
        name = sha256(f"{stream_id}:{session}".encode()).hexdigest()[:_SESSION_CHARACTERS]
        yield PlayerSession(
            stream_id=stream_id,
            session=name,
            startup_ms=playback.startup_ms,
            rebuffers=playback.rebuffers,
            rebuffered_ms=playback.rebuffered_ms,
            shown_ms=playback.shown_ms,
            bits=playback.bits,
        )
