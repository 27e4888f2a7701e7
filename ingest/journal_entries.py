"""What a session announces: the entries of its journal, in the order in which they happened.

The journal beside the media is the truth of a stream: the live window, the VOD playlists, the
upload queue and crash recovery are all read from these entries. One JSON object a line; the
`type` member tells which. Times are in ticks of the rendition's timescale since the start of the
Period unless the name says otherwise; sizes are in bytes. Files are named by their numbers:
`{rendition}/init-{init}.mp4`, `part-{number}.m4s`, `segment-{msn}.m4s`.
"""

from typing import TypeAlias

import msgspec

from ingest.checkpoint import SegmenterState, TimelineState
from ingest.media import AudioFormat, VideoFormat


class _Entry(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    pass


class PeriodStarted(_Entry, tag="period", frozen=True, kw_only=True):
    """A new Period: media time 0 is at `wall_s` (Unix seconds). All but the first are a
    Discontinuity (RFC 8216 §4.3.2.3), for `reason`."""

    period: int
    wall_s: float
    reason: str


class InitWritten(_Entry, tag="init", frozen=True, kw_only=True):
    """A Media Initialization Section was written for the rendition's segments that follow."""

    rendition: str
    kind: str
    init: int
    codecs: str
    timescale: int
    part_target_s: float
    target_duration_s: int
    width: int = 0
    height: int = 0
    channels: int = 0
    sample_rate: int = 0


class PartWritten(_Entry, tag="part", frozen=True, kw_only=True):
    """A Partial Segment was written: `independent` when it holds a keyframe, `sync_start` when
    it begins with one."""

    rendition: str
    msn: int
    index: int
    number: int
    start: int
    duration: int
    size: int
    independent: bool
    sync_start: bool


class SegmentWritten(_Entry, tag="segment", frozen=True, kw_only=True):
    """A Media Segment was written. `parts` = 0 is a gap: there is no file."""

    rendition: str
    msn: int
    init: int
    start: int
    duration: int
    size: int
    parts: int


class Checkpoint(_Entry, tag="checkpoint", frozen=True, kw_only=True):
    """Whoever reads `spool` from here on makes the same parts and segments again.

    Offsets are in bytes; packets of a track before its own offset are done with. `inits` are the
    numbers of the initialization sections in force, by kind.
    """

    spool: str
    video_offset: int
    audio_offset: int
    video: VideoFormat | None
    audio: AudioFormat | None
    inits: dict[str, int]
    timeline: TimelineState
    segmenter: SegmenterState


class StreamFinished(_Entry, tag="finished", frozen=True, kw_only=True):
    """No more media will come: the stream has ended."""

    reason: str


JournalEntry: TypeAlias = (
    PeriodStarted | InitWritten | PartWritten | SegmentWritten | Checkpoint | StreamFinished
)


def init_name(init: int) -> str:
    """File name of a rendition's Media Initialization Section."""
    return f"init-{init}.mp4"


def part_name(number: int) -> str:
    """File name of a Partial Segment."""
    return f"part-{number}.m4s"


def segment_name(msn: int) -> str:
    """File name of a Media Segment."""
    return f"segment-{msn}.m4s"
