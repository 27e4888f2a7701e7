"""What players can be told: frozen snapshots of a stream's renditions, for the manifests to render.

Times are seconds here; `start_s` counts on the Period's media timeline.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ingest.media import MediaKind

_PART_HOLD_BACK_PARTS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A Partial Segment: `index` within its Media Segment, `number` within the rendition."""

    number: int
    index: int
    duration_s: float
    size: int
    independent: bool
    sync_start: bool


class Segment(NamedTuple):
    """A Media Segment; `independent` when it starts with a keyframe.

    `since_msn` and `since_s` tell where the stretch without a gap began that it belongs to: its
    first segment, and when that starts on the Period's timeline; 0 for the Period's first.

    While it grows, `finished` is False and duration and size are those of
    its parts. A gap is finished and has no parts and no size."""

    msn: int
    period: int
    init: int
    start_ticks: int
    duration_ticks: int
    start_s: float
    duration_s: float
    wall_s: float
    size: int
    independent: bool
    parts: tuple[Part, ...]
    finished: bool
    gap: bool
    since_msn: int
    since_s: float


@dataclass(frozen=True, slots=True)
class InitSection:
    """What a rendition's segments need to be decoded; `codecs` by RFC 6381."""

    init: int
    codecs: str
    timescale: int
    width: int
    height: int
    channels: int
    sample_rate: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What a long window's segments come to, kept along so that nobody has to look through them."""

    duration_s: float
    size: int
    independent: bool
    peak_bandwidth: int


@dataclass(frozen=True, slots=True)
class Rendition:
    """One CMAF track's window. `segments` ends with the one that grows, if any does.

    `parts_from_msn`: Media Segments before it no longer list their parts. `next_part` is the
    number of the part that will come next. `totals` are set where there are many segments.
    """

    name: str
    kind: MediaKind
    target_duration_s: int
    part_target_s: float
    inits: tuple[InitSection, ...]
    segments: Sequence[Segment]
    next_part: int
    parts_from_msn: int
    ended: bool
    totals: "Totals | None" = None

    def init_of(self, segment: Segment) -> InitSection:
        """The initialization section that `segment` needs."""
        return next(init for init in self.inits if init.init == segment.init)

    @property
    def part_hold_back_s(self) -> float:
        """PART-HOLD-BACK: should be at least three parts (rfc8216bis §4.4.3.8)."""
        return _PART_HOLD_BACK_PARTS * self.part_target_s

    @property
    def last_msn(self) -> int:
        """Media Sequence Number of the last segment that has media; -1 when there is none."""
        return self.segments[-1].msn if self.segments else -1

    @property
    def duration_s(self) -> float:
        """Seconds of media in the window."""
        if self.totals is not None:
            return self.totals.duration_s
        return sum(segment.duration_s for segment in self.segments)

    @property
    def independent(self) -> bool:
        """Whether every segment starts with a keyframe."""
        if self.totals is not None:
            return self.totals.independent
        return all(segment.independent for segment in self.segments)

    @property
    def peak_bandwidth(self) -> int:
        """Largest bit rate of a finished segment (RFC 8216 §4.3.4.2), in bits per second."""
        if self.totals is not None:
            return self.totals.peak_bandwidth
        rates = [
            segment.size * 8 / segment.duration_s
            for segment in self.segments
            if segment.duration_s > 0 and (segment.finished or len(self.segments) == 1)
        ]
        return int(max(rates, default=0))

    @property
    def average_bandwidth(self) -> int:
        """Mean bit rate of the window, in bits per second."""
        duration = self.duration_s
        return int(self.size * 8 / duration) if duration > 0 else 0

    @property
    def size(self) -> int:
        """Bytes of media in the window."""
        return self.totals.size if self.totals else sum(s.size for s in self.segments)


class NumberedRun(NamedTuple):
    """Media Segments whose number tells when they start: `first_msn` starts at `start_s` on the
    Period's media timeline (Unix time `wall_s`), each one behind it `duration_s` later.

    `late_s`: how much later than that the newest one started; negative when it came before.
    `renditions`: the names of all that the Period `period` has.
    """

    period: int
    renditions: tuple[str, ...]
    first_msn: int
    start_s: float
    wall_s: float
    duration_s: float
    late_s: float = 0.0

    def starts_at_s(self, msn: int) -> float:
        """When the segment starts by its number (ISO/IEC 23009-1, 5.3.9.5.3), in seconds of the
        Period's media timeline."""
        return self.start_s + (msn - self.first_msn) * self.duration_s


@dataclass(frozen=True, slots=True)
class Presentation:
    """A stream's renditions at one moment. `version` changes whenever anything here does.

    `started_wall_s` is the wall time (Unix seconds) of the first Period's media time 0, `first_s`
    where on its timeline the media begin. Both stay once every rendition has media.
    """

    version: int
    started_wall_s: float
    first_s: float
    renditions: tuple[Rendition, ...]
    ended: bool

    @property
    def begins_wall_s(self) -> float:
        """Wall time (Unix seconds) at which the media begin."""
        return self.started_wall_s + self.first_s

    def rendition(self, name: str) -> Rendition | None:
        """The rendition called `name`."""
        return next((r for r in self.renditions if r.name == name), None)

    def newest(self, count: int) -> "Presentation":
        """The same with the last `count` segments only; all renditions begin with the same one."""
        last = max((r.last_msn for r in self.renditions), default=0)
        if all(len(r.segments) <= count for r in self.renditions):
            return self
        cut = (
            replace(r, segments=r.segments[max(0, last - count + 1 - r.segments[0].msn) :])
            for r in self.renditions
        )
        return replace(self, renditions=tuple(replace(r, totals=None) for r in cut if r.segments))

    def of_kind(self, kind: MediaKind) -> tuple[Rendition, ...]:
        """Renditions that carry `kind`."""
        return tuple(r for r in self.renditions if r.kind is kind)
