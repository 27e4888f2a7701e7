"""How late a stream's parts come, measured for as long as somebody asks."""

from collections.abc import Iterable
from typing import NamedTuple

from ingest.clock import Clock
from ingest.window.live_window import LiveWindow

_ASKED_S = 30.0
_PERIOD_S = 10.0


class Late(NamedTuple):
    """How late parts came: the soonest and the latest of them, in seconds."""

    least_s: float
    most_s: float

    def with_part(self, late_s: float) -> "Late":
        """One more."""
        return Late(min(self.least_s, late_s), max(self.most_s, late_s))


class PartLateness:
    """The lateness of one window's parts over the last ten to twenty seconds.

    A part is late by the time from its last frame's (as PROGRAM-DATE-TIME has it) to when the
    daemon heard of it; less than 0 when the clock of the stream began late. Who has not been asked
    for half a minute looks at nothing.
    """

    def __init__(self, window: LiveWindow, clock: Clock) -> None:
        self._clock = clock
        self._asked_s = clock.monotonic_s()
        self._since_s = self._asked_s
        self._now: Late | None = None
        self._before: Late | None = None
        window.watch(self._changed)  # and no reference back: the window may be forgotten

    def ask(self) -> Late:
        """As it is known; 0 before the first part."""
        self._asked_s = self._clock.monotonic_s()
        known = self._now or self._before or Late(0.0, 0.0)
        if self._before is not None:
            known = known.with_part(self._before.least_s).with_part(self._before.most_s)
        return known

    def _changed(self, window: LiveWindow, names: Iterable[str]) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._asked_s > _ASKED_S:
            self._now = self._before = None
            return
        if now_s - self._since_s > _PERIOD_S:
            self._since_s, self._before, self._now = now_s, self._now, None
        for name in names:
            rendition = window.rendition(name)
            if rendition is not None and rendition.segments and not rendition.segments[-1].finished:
                newest = rendition.segments[-1]
                late_s = self._clock.wall_s() - newest.wall_s - newest.duration_s
                self._now = (self._now or Late(late_s, late_s)).with_part(late_s)
