"""What an upload may be, checked before anything of it is decoded: pure."""

from dataclasses import dataclass
from fractions import Fraction

from ingest.errors import MediaRefused

_CODECS = frozenset(
    {"h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mjpeg", "prores", "h263",
     "dvvideo", "wmv3", "vc1", "theora", "libdav1d"}
)  # fmt: skip
_LONGEST_SIDE = 16_384


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """The most that an upload may have. `max_pixels` is of one picture."""

    max_bytes: int = 4_000_000_000
    max_duration_s: float = 7200.0
    max_pixels: int = 36_000_000


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What the container says of the video: coded size, codec, and length if it knows it."""

    codec: str
    width: int
    height: int
    fps: Fraction | None
    duration_s: float | None


def check_video(facts: VideoFacts, limits: MediaLimits) -> None:
    """Raise MediaRefused, naming what is too much."""
    if facts.codec not in _CODECS:
        raise MediaRefused(
            "unsupported_codec", "videoCodec", f"Video in {facts.codec} cannot be processed"
        )
    width, height = facts.width, facts.height
    if width <= 0 or height <= 0:
        raise MediaRefused("damaged", "key", "The file does not say how large its pictures are")
    if width * height > limits.max_pixels or max(width, height) > _LONGEST_SIDE:
        raise MediaRefused(
            "too_many_pixels",
            "width" if width >= height else "height",
            f"Pictures of {width}x{height} pixels; at most {limits.max_pixels} pixels",
        )
    check_duration(facts.duration_s, limits)


def check_duration(duration_s: float | None, limits: MediaLimits) -> None:
    """Raise MediaRefused when it is known and too long."""
    if duration_s is not None and duration_s > limits.max_duration_s:
        raise MediaRefused(
            "too_long", "duration", f"{duration_s:.0f} s; at most {limits.max_duration_s:.0f} s"
        )
