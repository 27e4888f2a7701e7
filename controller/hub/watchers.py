"""Viewers without a socket: players that ask for playlists, counted while they go on asking.

Whoever sees such a request says so with `seen`, which costs a dictionary look-up. In a room that
is open a new one is in the books at once, so that they have it whatever happens next; once in a
while `tick` counts in who has come before their room was opened, and the vanished ones out. They
are presence like any other: a player of somebody who is in the room with a socket, too, is the
same viewer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog

from controller.domain.ports import Clock
from controller.domain.states import StreamStatus
from controller.errors import ControllerError
from controller.hub.limits import HubLimits
from controller.hub.room import Pacer
from controller.hub.rooms import OpenRoom, Rooms
from controller.hub.viewing_sessions import ViewingSessions, Watched

_TELL_S = 60.0


@dataclass(slots=True)
class _Player:
    session: str
    who: Watched
    since_s: float
    seen_s: float
    country: str | None
    is_counted: bool = False


@dataclass(slots=True)
class WatcherStatistics:
    """What was not counted: sessions that are none of ours, and players beyond the bound."""

    refused: int = 0
    dropped: int = 0


class Watchers:
    """The players of this daemon, by stream and session."""

    def __init__(
        self,
        rooms: Rooms,
        sessions: ViewingSessions,
        limits: HubLimits,
        pacer: Pacer,
        clock: Clock,
    ) -> None:
        self.statistics = WatcherStatistics()
        self._rooms = rooms
        self._sessions = sessions
        self._limits = limits
        self._pacer = pacer
        self._clock = clock
        self._players: dict[tuple[UUID, str], _Player] = {}
        self._told_s = 0.0
        self._told = (0, 0)
        self._log = structlog.get_logger(__name__)

    def __len__(self) -> int:
        return len(self._players)

    def seen(
        self, stream_id: UUID, session: str, country: Callable[[], str | None] = lambda: None
    ) -> bool:
        """The session's player is there now; False for a session that is none of ours.

        `country` is asked where a new one comes from.
        """
        known = self._players.get((stream_id, session))
        if known is not None:
            known.seen_s = self._pacer.monotonic_s()
            return True
        who = self._sessions.read(stream_id, session)
        if who is None:
            self.statistics.refused += 1
            return False
        if len(self._players) >= self._limits.players:
            self.statistics.dropped += 1
        else:
            now_s = self._pacer.monotonic_s()
            player = _Player(session, who, now_s, now_s, country())
            self._players[stream_id, session] = player
            opened = self._rooms.find(stream_id)
            if opened is not None:
                self._count(opened, [player])
        return True

    def left(self, stream_id: UUID, session: str) -> None:
        """The session's player has said that it goes."""
        player = self._players.pop((stream_id, session), None)
        if player is not None:
            player.seen_s = self._pacer.monotonic_s()
            self._release(player)

    async def tick(self) -> None:
        """Count in who is new, and out who has not been seen for a while."""
        now_s = self._pacer.monotonic_s()
        newcomers: dict[UUID, list[_Player]] = {}
        for key, player in [*self._players.items()]:
            if now_s - player.seen_s > self._limits.unseen_s or self._is_banned(player):
                del self._players[key]
                self._release(player)
            elif not player.is_counted:
                newcomers.setdefault(player.who.stream_id, []).append(player)
        for stream_id, players in newcomers.items():
            try:
                async with self._rooms.using(stream_id) as opened:
                    self._count(opened, players)
            except ControllerError as error:
                self._log.info("players_uncounted", stream_id=str(stream_id), code=error.code)
        self._tell(now_s)

    def close(self) -> None:
        """Stop counting all of them: the daemon stops."""
        for player in self._players.values():
            self._release(player)
        self._players.clear()

    def _count(self, opened: OpenRoom, players: list[_Player]) -> None:
        # What is watched before or after is a recording.
        if opened.room.state.stream.status is not StreamStatus.LIVE:
            return
        for player in players:
            is_here = self._players.get((player.who.stream_id, player.session)) is player
            if is_here and not self._is_banned(player):
                who = player.who
                self._rooms.arrive(opened, who.viewer, who.user_id, player.country, player.since_s)
                player.is_counted = True

    def _release(self, player: _Player) -> None:
        opened = self._rooms.find(player.who.stream_id)
        if player.is_counted and opened is not None:
            player.is_counted = False
            self._rooms.depart(opened, player.who.viewer, player.seen_s)

    def _is_banned(self, player: _Player) -> bool:
        opened = self._rooms.find(player.who.stream_id)
        if opened is None or player.who.viewer not in opened.room.state.sanctions:
            return False
        is_banned, _ = opened.room.state.sanction_of(player.who.viewer, self._clock.now())
        return is_banned

    def _tell(self, now_s: float) -> None:
        counts = (self.statistics.refused, self.statistics.dropped)
        if counts != self._told and now_s - self._told_s >= _TELL_S:
            self._told, self._told_s = counts, now_s
            self._log.warning("viewing_sessions_ignored", refused=counts[0], dropped=counts[1])
