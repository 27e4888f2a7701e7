"""A publisher's RTP timestamps on one clock in milliseconds (RFC 3550 §6.4.1). Pure."""

from dataclasses import dataclass

from ingest.media import MediaKind

_WRAP = 1 << 32
_TOLERANCE_MS = 10.0
_START_MS = 1_000
"""Of the first unit: a track that begins later may turn out to have been earlier."""


@dataclass(slots=True)
class _Track:
    rate: int
    last: int = 0
    anchor: int | None = None
    anchor_ms: float = 0.0
    report: tuple[float, int] | None = None  # NTP in seconds, unwrapped timestamp

    def unwrap(self, stamp: int) -> int:
        """The nearest to the last one of all that are the same in 32 bits."""
        difference = (stamp - self.last + _WRAP // 2) % _WRAP - _WRAP // 2
        return self.last + difference

    def ms(self, stamp: int) -> float:
        return self.anchor_ms + (stamp - (self.anchor or 0)) * 1000 / self.rate


class PublisherClock:
    """Both tracks by when they came, until sender reports tell how they belong together."""

    def __init__(self, rates: dict[MediaKind, int]) -> None:
        self._tracks = {kind: _Track(rate) for kind, rate in rates.items()}
        self._began_s: float | None = None

    def stamp_ms(self, kind: MediaKind, timestamp: int, now_s: float) -> int:
        """When the unit with this RTP timestamp belongs; `now_s` is when it came."""
        track = self._tracks[kind]
        if self._began_s is None:
            self._began_s = now_s
        if track.anchor is None:
            track.last = track.anchor = timestamp
            track.anchor_ms = _START_MS + (now_s - self._began_s) * 1000
        track.last = track.unwrap(timestamp)
        return max(0, round(track.ms(track.last)))

    def report(self, kind: MediaKind, ntp_s: float, timestamp: int) -> None:
        """A sender report: at `ntp_s` on the publisher's clock the track stood at `timestamp`."""
        track = self._tracks[kind]
        if track.anchor is None:
            return
        track.report = (ntp_s, track.unwrap(timestamp))
        self._align()

    def _align(self) -> None:
        """Move the sound to where the picture is; small differences are left alone."""
        video, audio = self._tracks[MediaKind.VIDEO], self._tracks[MediaKind.AUDIO]
        if video.report is None or audio.report is None:
            return
        (video_ntp, video_stamp), (audio_ntp, audio_stamp) = video.report, audio.report
        belongs_ms = video.ms(video_stamp) + (audio_ntp - video_ntp) * 1000
        error_ms = belongs_ms - audio.ms(audio_stamp)
        if abs(error_ms) > _TOLERANCE_MS:
            audio.anchor_ms += error_ms
