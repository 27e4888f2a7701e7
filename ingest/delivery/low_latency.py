"""Low-latency MPDs, and how late what they promise comes."""

from weakref import WeakKeyDictionary

from ingest.clock import Clock
from ingest.delivery.lateness import PartLateness
from ingest.delivery.rendered_mpds import RenderedMpds
from ingest.manifest.low_latency_mpd import low_latency_mpd
from ingest.window.live_window import LiveWindow

_SEGMENTS = 300
"""The newest of a longer window, ten minutes. Who goes back further takes the other MPD."""


class LowLatencyMpds:
    """Those of all windows; what is known of a window that is gone goes with it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lateness: WeakKeyDictionary[LiveWindow, PartLateness] = WeakKeyDictionary()
        self._rendered = RenderedMpds("low-latency.mpd")

    def expect(self, window: LiveWindow) -> None:
        """Somebody asks: from now on it is measured how late parts come."""
        if window not in self._lateness:
            self._lateness[window] = PartLateness(window, self._clock)

    def text(self, window: LiveWindow, session_query: str) -> str:
        """The MPD as the window is now; updates are asked for with `session_query`, if any."""
        self.expect(window)
        late = self._lateness[window].ask()

        def render(location: str) -> str:
            return low_latency_mpd(
                window.presentation().newest(_SEGMENTS),
                window.numbered_runs,
                least_late_s=late.least_s,
                most_late_s=late.most_s,
                now_wall_s=self._clock.wall_s(),
                time_url="../time",
                location=location,
                cues=window.cues,
                spans=window.spans.all,
            )

        return self._rendered.text(window, (window.version, late), session_query, render)
