"""What waits to be sent to one viewer. Bounded, and never blocks whoever fills it."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

_MOST_UNITS = 90
"""A viewer who is three seconds behind goes on at the next keyframe instead."""

_HURRY_TICKS = 180
"""Between two pictures of the past, in ticks of 1/90000 s: they are decoded and passed over."""

_REPLAY_AGAIN_S = 0.4
"""A viewer who asks for a keyframe more often gets one answer."""


@dataclass(frozen=True, slots=True)
class Unit:
    """RTP payloads that share a timestamp: an access unit, or an Opus frame.

    `timestamp` is in ticks of the payload's clock on the feed's own timeline, and unwrapped.
    """

    timestamp: int
    payloads: tuple[bytes, ...]
    is_key: bool
    hurried: bool = False
    """Of the past: sent as fast as the pacing allows."""


class ViewerQueue:
    """Units of one track for one viewer, with timestamps that only rise.

    `catch_up` starts it with the units since the last keyframe, squeezed into the time before
    the next unit: the viewer sees a picture at once, and the newest one a moment later, and its
    jitter buffer does not take the past for delay.
    """

    def __init__(self, most_units: int = _MOST_UNITS) -> None:
        self._most = most_units
        self._units: deque[Unit] = deque()
        self._filled = asyncio.Event()
        self._needs_key = True
        self._last_timestamp: int | None = None
        self._replayed_at = -1.0
        self.dropped = 0
        self.closed = False

    def __len__(self) -> int:
        """How many units wait."""
        return len(self._units)

    def put(self, unit: Unit) -> None:
        """Take the newest unit; one that cannot be decoded, or finds no room, is dropped."""
        if self._needs_key and not unit.is_key:
            self.dropped += 1
            return
        if sum(not waiting.hurried for waiting in self._units) >= self._most:
            self.dropped += len(self._units)
            self._units.clear()
            if not unit.is_key:
                self.dropped += 1
                self._needs_key = True
                return
        self._needs_key = False
        self._append(unit)

    def catch_up(self, group: Sequence[Unit], next_ticks: int) -> None:
        """Start anew with the group of pictures `group`, whose last unit is the newest there is.

        `next_ticks` is how long after that one the next is expected.
        """
        if not group:
            self._needs_key = True
            return
        self._units.clear()
        newest = group[-1].timestamp
        last = self._last_timestamp
        first = newest - _HURRY_TICKS * (len(group) - 1)
        step = _HURRY_TICKS
        if last is not None and first <= last:  # what was sent already lies in the way
            first = max(last, newest) + 1
            step = max(1, (next_ticks - 2) // len(group))
        for index, unit in enumerate(group):
            self._append(
                Unit(first + index * step, unit.payloads, unit.is_key, index < len(group) - 1)
            )
        self._needs_key = False

    def may_replay(self, now_s: float) -> bool:
        """Whether a request for a keyframe is answered now."""
        if now_s - self._replayed_at < _REPLAY_AGAIN_S:
            return False
        self._replayed_at = now_s
        return True

    async def get(self) -> Unit:
        """The next unit; waits for one."""
        while not self._units:
            self._filled.clear()
            await self._filled.wait()
        return self._units.popleft()

    def close(self) -> None:
        """Nothing is taken any more; a `get` that waits goes on waiting, for its task's end."""
        self.closed = True
        self._units.clear()

    def _append(self, unit: Unit) -> None:
        if self.closed:
            return
        last = self._last_timestamp
        if last is not None and unit.timestamp <= last:
            unit = Unit(last + 1, unit.payloads, unit.is_key, unit.hurried)
        self._last_timestamp = unit.timestamp
        self._units.append(unit)
        self._filled.set()
