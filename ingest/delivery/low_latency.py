"""Low-latency MPDs: rendered once per change of the window, however many ask each second."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

from ingest.clock import Clock
from ingest.delivery.lateness import Late, PartLateness
from ingest.manifest.low_latency_mpd import low_latency_mpd
from ingest.window.live_window import LiveWindow

_SEGMENTS = 300
"""The newest of a longer window, ten minutes. Who goes back further takes the other MPD."""

_ADDRESS = "low-latency.mpd"
_QUERY = "{query}"


class _Rendered(NamedTuple):
    version: int
    late: Late
    counted: bool
    text: str


class LowLatencyMpds:
    """Those of all windows; what is known of a window that is gone goes with it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lateness: WeakKeyDictionary[LiveWindow, PartLateness] = WeakKeyDictionary()
        self._rendered: WeakKeyDictionary[LiveWindow, _Rendered] = WeakKeyDictionary()

    def expect(self, window: LiveWindow) -> None:
        """Somebody asks: from now on it is measured how late parts come."""
        if window not in self._lateness:
            self._lateness[window] = PartLateness(window, self._clock)

    def text(self, window: LiveWindow, session_query: str) -> str:
        """The MPD as the window is now; updates are asked for with `session_query`, if any."""
        self.expect(window)
        late, counted = self._lateness[window].ask(), bool(session_query)
        kept = self._rendered.get(window)
        if kept is None or kept[:3] != (window.version, late, counted):
            text = low_latency_mpd(
                window.presentation().newest(_SEGMENTS),
                window.numbered_runs,
                least_late_s=late.least_s,
                most_late_s=late.most_s,
                now_wall_s=self._clock.wall_s(),
                time_url="../time",
                location=f"{_ADDRESS}{_QUERY}" if counted else "",
                cues=window.cues,
                spans=window.spans.all,
            )
            kept = self._rendered[window] = _Rendered(window.version, late, counted, text)
        return kept.text.replace(_QUERY, session_query, 1) if counted else kept.text
