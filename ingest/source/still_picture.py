"""The last keyframe of a track, to stand still where the picture pauses.

Pictures that come back in the middle of a GOP refer to others than the one that stood still, so
they are left out until the next keyframe. Where none is to be expected soon, nothing stands still.
"""

from ingest.checkpoint import StillState
from ingest.media import VIDEO_TIMESCALE, Sample

_LONGEST_GOP_MS = 10_000
"""How long the next keyframe may be away."""

_MOST_TICKS = 10 * VIDEO_TIMESCALE
"""How much longer pictures may stand still than the sound lasts that comes meanwhile: an encoder
whose stamps run away must not fill the disk with them."""

_LARGEST = 2 << 20
"""Bytes of a keyframe that is repeated."""


class StillPicture:
    """What stands still, if it may. Each picture of those lasts `ticks`; stamps in milliseconds."""

    def __init__(self, ticks: int) -> None:
        self.ticks = ticks
        self.stands = False
        self._data = b""
        self._cts = 0
        self._key_ms: int | None = None
        self._gop_ms = 0  # 0: not known
        self._left_out_ms: int | None = None  # since when there are pictures, but no keyframe
        self._left_ticks = _MOST_TICKS

    @property
    def may_stand(self) -> bool:
        """Whether there is a picture, and another keyframe to be expected before long."""
        return 0 < len(self._data) <= _LARGEST and 0 < self._gop_ms <= _LONGEST_GOP_MS

    def take(self, sample: Sample, stamp_ms: int) -> None:
        """A keyframe is shown."""
        self._data, self._cts = sample.data, sample.cts_offset
        if self._key_ms is not None and stamp_ms > self._key_ms:
            self._gop_ms = stamp_ms - self._key_ms
        self._key_ms = stamp_ms

    def hear(self, ticks: int) -> None:
        """Sound of that length has come."""
        self._left_ticks = min(_MOST_TICKS, self._left_ticks + ticks)

    def fill(self, dts: int, end: int) -> list[Sample]:
        """Pictures behind the one at `dts`, as many as begin until `end`."""
        samples = []
        while dts + self.ticks <= end and self._left_ticks >= self.ticks:
            dts += self.ticks
            self._left_ticks -= self.ticks
            samples.append(Sample(dts, self._cts, True, self._data))
        return samples

    def goes_on(self) -> None:
        """A keyframe ends the pause."""
        self.stands, self._left_out_ms, self._key_ms = False, None, None

    def leaves_out(self, stamp_ms: int) -> bool:
        """Whether a picture that is no keyframe has to wait for one; after a while none will come,
        and it is better to show it as it is."""
        if self._left_out_ms is None:
            self._left_out_ms = stamp_ms
        if stamp_ms - self._left_out_ms > _LONGEST_GOP_MS:
            self.goes_on()
            self._gop_ms = 0
        return self.stands

    def state(self, *, stands: bool) -> StillState:
        """See `restore`; `stands`: the next picture is one that stands still."""
        return StillState(
            stands=stands,
            key_ms=self._key_ms,
            gop_ms=self._gop_ms,
            left_out_ms=self._left_out_ms,
            left_ticks=self._left_ticks,
        )

    def restore(self, state: StillState, picture: Sample | None) -> None:
        """Go on from `state`; `picture` is what stood still."""
        self._key_ms, self._gop_ms = state.key_ms, state.gop_ms
        self._left_out_ms, self._left_ticks = state.left_out_ms, state.left_ticks
        self.stands = picture is not None
        if picture is not None:
            self._data, self._cts = picture.data, picture.cts_offset
