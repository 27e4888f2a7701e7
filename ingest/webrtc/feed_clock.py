"""One timeline for what viewers are sent, whatever encoders come and go. Pure."""

_JUMP_MS = 5_000


class FeedClock:
    """Milliseconds of an encoder → milliseconds since the feed began.

    An encoder that comes anew, or whose stamps jump by more than five seconds, goes on where the
    wall clock says that it is.
    """

    def __init__(self) -> None:
        self._offset_ms: int | None = None
        self._last_ms = 0
        self._last_at_s = 0.0

    def restart(self) -> None:
        """The next stamp is another encoder's."""
        self._offset_ms = None

    def map(self, stamp_ms: int, now_s: float) -> int:
        """`now_s` is on a clock that never goes back."""
        offset = self._offset_ms
        if offset is None or abs(stamp_ms + offset - self._last_ms) > _JUMP_MS:
            passed_ms = int((now_s - self._last_at_s) * 1000) if self._last_at_s else 0
            offset = self._offset_ms = self._last_ms + passed_ms - stamp_ms
        mapped = stamp_ms + offset
        if mapped >= self._last_ms:
            self._last_ms, self._last_at_s = mapped, now_s
        return mapped
