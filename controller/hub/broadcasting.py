"""Puts events into rooms' logs; from there they come to every member on every daemon."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
import structlog

from controller.domain.ports import Clock
from controller.domain.room import PresenceChange
from controller.domain.room_ports import Realtime
from controller.hub import payloads
from controller.hub.errors import RealtimeUnavailable
from controller.hub.limits import HubLimits
from controller.hub.rooms import OpenRoom, Rooms
from controller.hub.statistics import HubStatistics


class Broadcaster:
    """Publishes, and tells of viewers: one by one in small rooms, as a count in big ones."""

    def __init__(
        self,
        rooms: Rooms,
        realtime: Realtime,
        limits: HubLimits,
        clock: Clock,
        statistics: HubStatistics,
    ) -> None:
        self._statistics = statistics
        self._rooms = rooms
        self._realtime = realtime
        self._limits = limits
        self._clock = clock
        self._log = structlog.get_logger(__name__)

    async def publish(self, stream_id: UUID, name: str, data: Mapping[str, Any]) -> None:
        """Append to the room's log; RealtimeUnavailable."""
        await self._realtime.publish(stream_id, name, msgspec.json.encode(data))

    async def presence_changed(
        self,
        stream_id: UUID,
        change: PresenceChange,
        told_anew: bool,  # noqa: FBT001
    ) -> None:
        """Pass on what a change of the shared count came to."""
        opened = self._rooms.find(stream_id)
        if opened is not None:
            opened.room.state.viewers_now = change.viewers
            if not opened.room.state.is_over:
                opened.ledger.saw(change.peak)
            if told_anew or change.viewers > self._limits.big_room_viewers:
                opened.count_due = True
                self._statistics.coalesced += len(change.joined) + len(change.left)
                return
        try:
            await self._tell_one_by_one(stream_id, change)
        except RealtimeUnavailable:
            self._log.warning("presence_untold", stream_id=str(stream_id))

    async def check_count(self, opened: OpenRoom) -> None:
        """Once the log has told a count, see whether it is the shared one, and tell if not."""
        state = opened.room.state
        if not state.is_count_doubtful:
            return
        state.is_count_doubtful = False
        told, viewers = state.viewers_now, await self._realtime.viewers(opened.room.stream_id)
        if viewers != told and told == state.viewers_now:
            state.viewers_now = viewers
            opened.count_due = True

    async def flush_counts(self, opened: OpenRoom) -> None:
        """Publish what big rooms tell once in a while."""
        stream_id = opened.room.stream_id
        if opened.count_due:
            opened.count_due = False
            count = payloads.viewer_count(stream_id, opened.room.state.viewers_now)
            await self.publish(stream_id, payloads.VIEWER_COUNT, count)
        reactions, opened.reactions_due = opened.reactions_due, {}
        now = self._clock.now()
        for emoji, (count_of_emoji, last) in reactions.items():
            data = payloads.reaction(stream_id, last, emoji, now, count_of_emoji)
            await self.publish(stream_id, payloads.REACTION_NEW, data)

    async def _tell_one_by_one(self, stream_id: UUID, change: PresenceChange) -> None:
        now = self._clock.now()
        viewers = change.viewers + len(change.left) - len(change.joined)
        for viewer in change.joined:
            viewers += 1
            data = payloads.viewer_joined(stream_id, viewer, viewers, now)
            await self.publish(stream_id, payloads.VIEWER_JOINED, data)
        for viewer in change.left:
            viewers -= 1
            left = payloads.viewer_left(stream_id, viewer, viewers)
            await self.publish(stream_id, payloads.VIEWER_LEFT, left)
