"""Media values that cross module borders: track formats and samples (ISO/IEC 14496-12 words)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class MediaKind(StrEnum):
    """What a track carries."""

    VIDEO = "video"
    AUDIO = "audio"


class Codec(StrEnum):
    """Codecs that golive packages without transcoding."""

    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"
    AAC = "aac"
    OPUS = "opus"
    MP3 = "mp3"


VIDEO_TIMESCALE = 90_000
"""Ticks per second of every video track; FLV's milliseconds divide it."""


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """A video track's decoder configuration.

    `config` is the payload of avcC (ISO/IEC 14496-15 §5.3.3), hvcC (§8.3.3) or av1C
    (AV1-ISOBMFF §2.3); `width` and `height` are in luma samples.
    """

    codec: Codec
    config: bytes
    width: int
    height: int

    @property
    def kind(self) -> MediaKind:
        """Always VIDEO."""
        return MediaKind.VIDEO

    @property
    def timescale(self) -> int:
        """Ticks per second."""
        return VIDEO_TIMESCALE


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """An audio track's decoder configuration.

    `config` is the AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1) for AAC, the OpusHead without
    its magic (RFC 7845 §5.1) for Opus, empty for MP3. `frame_samples` is the number of samples
    per channel in one frame at `sample_rate` (Hz).
    """

    codec: Codec
    config: bytes
    sample_rate: int
    channels: int
    frame_samples: int

    @property
    def kind(self) -> MediaKind:
        """Always AUDIO."""
        return MediaKind.AUDIO

    @property
    def timescale(self) -> int:
        """Ticks per second: one tick is one sample."""
        return self.sample_rate


TrackFormat = VideoFormat | AudioFormat


class Packet(NamedTuple):
    """One access unit as the encoder stamped it: milliseconds on the encoder's clock.

    `pts_ms` ≥ `dts_ms` as a rule; `data` is length-prefixed NAL units (H.264, HEVC), OBUs (AV1)
    or one raw audio frame.
    """

    kind: MediaKind
    dts_ms: int
    pts_ms: int
    is_key: bool
    data: bytes


class Sample(NamedTuple):
    """One access unit on its track's own clock.

    `dts` is in ticks of the track's timescale since the start of the Period; `cts_offset` is the
    composition offset in the same ticks (ISO/IEC 14496-12 §8.6.1.3).
    """

    dts: int
    cts_offset: int
    is_key: bool
    data: bytes
