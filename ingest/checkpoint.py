"""Where packaging can be taken up again, so that the same bytes give the same files.

A checkpoint is taken where the leading track opens a Media Segment. It holds numbers only: the
samples of the parts that were open then are read again from the spool.
"""

import msgspec


class TrackState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a track stands between two parts; times in ticks. `index` counts the parts of the
    open segment that are finished."""

    started: bool
    number: int
    msn: int
    index: int
    segment_start: int
    end: int
    shift: int


class SegmenterState(msgspec.Struct, frozen=True, kw_only=True):
    """What a segmenter needs to go on at the first sample of an open part as if nothing had been.

    `cuts` are in seconds, the rest in ticks of the video track.
    """

    tracks: dict[str, TrackState]
    cuts: list[float]
    last_duration: int
    last_key_dts: int


class StillState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the last keyframe `stands` still, which is then the last one in the segments before.

    `key_ms` and `gop_ms` are its stamp and its distance from the one before (0: not known),
    `left_out_ms` that of the first picture left out since; `left_ticks` how much longer it may.
    """

    stands: bool
    key_ms: int | None
    gop_ms: int
    left_out_ms: int | None
    left_ticks: int


class TimelineState(msgspec.Struct, frozen=True, kw_only=True):
    """What a timeline needs to accept packets again from a known one of each track on.

    Stamps in milliseconds on the encoder's clock, unwrapped; dts in track ticks; None where the
    track has not begun. `filling`: silence takes the place of the sound.
    """

    origin_ms: int
    video_ms: int | None
    video_dts: int
    audio_ms: int | None
    audio_dts: int | None
    audio_error: float
    filling: bool = False
    still: StillState | None = None
    video_lag_ms: int = 0
    video_interval_ms: int = 0
    audio_lag_ms: int = 0
