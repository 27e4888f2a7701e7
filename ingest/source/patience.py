"""How long a track may stay behind the other one before it counts as paused, and is filled.

Players that are a second behind live run dry soon after a track pauses, so it must not be long;
but what an encoder sends late anyhow, because it interleaves its tracks badly or because its camera
is slow, must not be cut off. So it is learnt how far behind the track comes when nothing is wrong.
"""

from ingest.media import MediaKind

_UNKNOWN_MS = 1_500
"""At first: some encoders send one of their tracks a second late."""

_LEARNING_MS = 2_000
"""How much media tells."""

LEAST_MARGIN_MS = 100
"""How far the filling stays behind what is usual: a track that comes back finds its place."""

TOLERANCE_MS = {MediaKind.AUDIO: 250, MediaKind.VIDEO: 600}
"""How much later than that margin a track may be before it counts as paused. It costs more to be
wrong about the picture: it does not go on before its next keyframe. Phones that change cameras are
without one for half a second."""

_MOST_MS = 3_000
"""Players that are close to live do not wait longer than this in any case."""


class Patience:
    """What was learnt of one track in one Period; times in milliseconds of media."""

    def __init__(self, kind: MediaKind, lag_ms: int = 0, interval_ms: int = 0) -> None:
        self._tolerance_ms = TOLERANCE_MS[kind]
        self.lag_ms = lag_ms
        """How far behind the other track a packet came at most."""

        self.interval_ms = interval_ms
        """How far apart two packets of the track were at most, without a pause between them."""

    def learn_lag(self, lag_ms: int) -> None:
        """A packet came so far behind the other track."""
        self.lag_ms = max(self.lag_ms, min(lag_ms, _MOST_MS))

    def learn_interval(self, interval_ms: int) -> None:
        """A packet came so long after the one before it."""
        self.interval_ms = max(self.interval_ms, min(interval_ms, _MOST_MS))

    @property
    def margin_ms(self) -> int:
        """How far behind the other track the filling ends."""
        return self.lag_ms + LEAST_MARGIN_MS

    def limit_ms(self, run_ms: int) -> int:
        """How far behind the other track, `run_ms` into the Period, the track has paused."""
        known = self.margin_ms + max(self.interval_ms, self._tolerance_ms)
        return known if run_ms > _LEARNING_MS else max(known, _UNKNOWN_MS)
