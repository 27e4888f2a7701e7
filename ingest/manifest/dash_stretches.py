"""A presentation in stretches: where its renditions go on together without a break, as DASH Periods
have it."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter
from typing import NamedTuple

from ingest.presentation import InitSection, Presentation, Rendition, Segment

_LEAD_S = 0.25
"""Sound begins before pictures that are reordered; a Period that began with it had a hole there."""

_SAME_S = 0.0001
"""Unix seconds that are computed in two ways differ by less."""


@dataclass(frozen=True, slots=True)
class Track:
    """What one rendition has within one Period; no segments where none is finished yet."""

    rendition: Rendition
    init: InitSection
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """A DASH Period: a stretch of time in which the same renditions go on without a gap.

    `offset_s` is the media time at its start, which is at `start_s` on the presentation's clock: 0
    is where the stream's media begin.
    `since_msn` is the segment that it began with; 0 where it began with its Discontinuity.
    """

    id: str
    since_msn: int
    offset_s: float
    start_s: float
    tracks: tuple[Track, ...]

    @property
    def first_s(self) -> float:
        """Media time of the first moment for which all tracks have media; of the first sample
        listed, when one of them begins much later than the others."""
        starts_s = [track.segments[0].start_s for track in self.tracks]
        first_s, all_s = min(starts_s), max(starts_s)
        return all_s if all_s - first_s <= _LEAD_S else first_s

    @property
    def end_s(self) -> float:
        """Media time behind the last sample listed."""
        return max(t.segments[-1].start_s + t.segments[-1].duration_s for t in self.tracks)


def stretches_of(presentation: Presentation) -> list[Stretch]:
    """The presentation in Periods: a new one wherever a rendition begins, ends or has a gap.

    Renditions count the same Media Sequence Numbers, so a number that one of them has not come
    to yet is left for the next MPD.
    """
    runs = {rendition.name: _runs(rendition) for rendition in presentation.renditions}
    if not runs or not all(runs.values()):
        return []
    stop = min(own[-1].stop for own in runs.values())
    edges = {edge for own in runs.values() for run in own for edge in (run.first, run.stop)}
    stretches = []
    for first, end in pairwise(sorted(edge for edge in edges if edge <= stop)):
        found = {name: _run_at(own, first) for name, own in runs.items()}
        here = {name: run for name, run in found.items() if run is not None}
        tracks = tuple(
            _track(rendition, here[rendition.name].cut(first, end))
            for rendition in presentation.renditions
            if rendition.name in here and not here[rendition.name].gap
        )
        if tracks:  # otherwise nobody has media here
            of_all = [run.cut(first, first + 1)[0] for run in here.values()]
            stretches.append(_stretch(presentation, tracks, of_all))
    return stretches


class _Run(NamedTuple):
    """Finished segments of one rendition between which nothing breaks."""

    segments: list[Segment]

    @property
    def first(self) -> int:
        return self.segments[0].msn

    @property
    def stop(self) -> int:
        return self.segments[-1].msn + 1

    @property
    def gap(self) -> bool:
        return self.segments[0].gap

    def cut(self, first: int, stop: int) -> tuple[Segment, ...]:
        return tuple(self.segments[first - self.first : stop - self.first])


def _runs(rendition: Rendition) -> list[_Run]:
    finished = (segment for segment in rendition.segments if segment.finished)
    by_break = groupby(finished, attrgetter("period", "since_msn", "gap"))
    return [_Run([*same]) for _, same in by_break]


def _run_at(runs: list[_Run], msn: int) -> _Run | None:
    at = bisect_right(runs, msn, key=attrgetter("first")) - 1
    return runs[at] if at >= 0 and msn < runs[at].stop else None


def _track(rendition: Rendition, segments: tuple[Segment, ...]) -> Track:
    return Track(rendition, rendition.init_of(segments[0]), segments)


def _stretch(
    presentation: Presentation, tracks: tuple[Track, ...], of_all: list[Segment]
) -> Stretch:
    """`of_all`: the first segments of all renditions, those in a gap included."""
    first = tracks[0].segments[0]
    behind_first_s = first.wall_s - first.start_s - presentation.started_wall_s
    newest = max(of_all, key=lambda segment: segment.since_msn)
    names = "".join(track.rendition.name[0] for track in tracks)
    suffix = f".{newest.since_msn}{names}" if newest.since_msn else ""
    offset_s = newest.since_s
    start_s = behind_first_s + offset_s - presentation.first_s
    if abs(behind_first_s) < _SAME_S and offset_s <= presentation.first_s:
        offset_s, start_s = presentation.first_s, 0.0
    return Stretch(
        id=f"p{first.period}{suffix}",
        since_msn=newest.since_msn,
        offset_s=offset_s,
        start_s=start_s,
        tracks=tracks,
    )
