"""How a stream's session fares, for its owner."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class IntakeHealth:
    """What the encoder sends: rates over the last seconds, counts since the worker began.

    av_offset_s: how far the audio's stamps are ahead of the video's beside them.
    audio_drift_s: how far the audio's stamps are ahead of its samples.
    queued_bytes: what was received and is not packaged.
    video_codec, audio_codec: `h264`, `aac` and so on; empty where there is no such track.
    pace: seconds of media that came in a second.
    width, height: of the picture; 0 without one.
    """

    video_bits_per_s: float
    audio_bits_per_s: float
    frames_per_s: float
    gop_s: float
    av_offset_s: float
    audio_drift_s: float
    packets_dropped: int
    timestamps_repaired: int
    queued_bytes: int
    video_codec: str = ""
    audio_codec: str = ""
    has_b_frames: bool = False
    pace: float = 1.0
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class PartHealth:
    """Partial Segments since the daemon took the stream up; `late`: by more than half of
    PART-TARGET. `lateness_s`: of the latest one over the last half minute or so."""

    listed: int
    late: int
    lateness_s: float


@dataclass(frozen=True, slots=True)
class SessionHealth:
    """A session; `intake` is None until it has been at work for a few seconds."""

    state: str
    restarts: int
    intake: IntakeHealth | None
    parts: PartHealth


class SessionMonitor(Protocol):
    """Who knows the sessions of this daemon."""

    def health_of(self, stream_id: UUID) -> SessionHealth | None:
        """The stream's session; None when no encoder is there."""
        ...
