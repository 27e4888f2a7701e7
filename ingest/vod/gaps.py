"""What is left of a recording when some of its segments are missing."""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from ingest.journal_entries import init_name, segment_name
from ingest.presentation import Presentation, Rendition, Segment


def without(presentation: Presentation, missing: AbstractSet[str]) -> Presentation:
    """The presentation without the files called `missing`, relative to the stream's folder.

    A Media Sequence Number that one rendition lacks is taken from all, so that they still count
    alike; what follows is a Period of its own, a Discontinuity. A rendition of which nothing is
    left is not listed.
    """
    if not missing:
        return presentation
    gone = {
        segment.msn
        for rendition in presentation.renditions
        for segment in rendition.segments
        if not segment.gap and _lacks(rendition, segment, missing)
    }
    if not gone:
        return presentation
    later = _periods_later(presentation, gone)
    left = (_kept(rendition, later) for rendition in presentation.renditions)
    renditions = tuple(r for r in left if any(not segment.gap for segment in r.segments))
    return replace(presentation, renditions=renditions)


def _lacks(rendition: Rendition, segment: Segment, missing: AbstractSet[str]) -> bool:
    folder = rendition.name
    needed = (segment_name(segment.msn), init_name(segment.init))
    return any(f"{folder}/{name}" in missing for name in needed)


def _periods_later(presentation: Presentation, gone: set[int]) -> dict[int, int]:
    """By how many Periods each remaining number comes later: the cuts before it."""
    numbers = {segment.msn for r in presentation.renditions for segment in r.segments}
    later: dict[int, int] = {}
    cuts, cut = 0, False
    for msn in sorted(numbers):
        if msn in gone:
            cut = bool(later)  # nothing is discontinued before the first that is left
            continue
        cuts += cut
        cut = False
        later[msn] = cuts
    return later


def _kept(rendition: Rendition, later: dict[int, int]) -> Rendition:
    segments = tuple(
        segment._replace(period=segment.period + later[segment.msn])
        for segment in rendition.segments
        if segment.msn in later
    )
    return replace(rendition, segments=segments, totals=None)
