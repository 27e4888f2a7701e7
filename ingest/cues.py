"""Cues: what happens at a moment of the media, as the manifests tell it, and where it lies.

Moments are Unix seconds on the timeline of PROGRAM-DATE-TIME, so that a cue meets the same frame
for every viewer, however far behind, and again in the recording.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

TAG_SHOWN_S = 10.0
"""How long a tag stays on the picture."""

_LAST_MOMENT_S = 0.1
"""A cue behind the end of the media comes so long before it: else no player would get there."""


_SHORTEST_S = 0.1
"""A pin that was taken away at once is still a pin."""


class CueKind(StrEnum):
    """A tag is a place in the picture for a few seconds, a pin goes on until it is taken away."""

    TAG = "tag"
    PIN = "pin"


class Point(NamedTuple):
    """A place in a picture, in shares of its width and height from its upper left corner."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown from `at_wall_s` to `until_wall_s` (None: nobody has ended it yet). `place` is
    in the picture as it is at `at_wall_s`."""

    id: str
    kind: CueKind
    product_id: str
    at_wall_s: float
    until_wall_s: float | None = None
    place: Point | None = None


class Span(NamedTuple):
    """A stretch of media without a break on the timeline; its picture's size, 0 by 0 for sound."""

    key: str
    start_wall_s: float
    end_wall_s: float
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class PlacedCue:
    """The piece of a cue that lies in one span; `id` is the cue's own for its first one.

    `end_wall_s` is None as long as it is not known. Where pieces or tags of one product overlap,
    the one that began last holds.
    """

    id: str
    cue: Cue
    start_wall_s: float
    end_wall_s: float | None
    place: Point | None


def turned(place: Point, before: tuple[int, int], after: tuple[int, int]) -> Point:
    """Where a place is after the picture has changed its shape, as when a phone is turned.

    The camera keeps its centre and the length of its long side, so a thing keeps its distance from
    the centre, measured in diagonals; what would be outside comes to the edge.
    """
    if not all((*before, *after)):
        return place
    scale = math.hypot(*after) / math.hypot(*before)
    return Point(
        _within(0.5 + (place.x - 0.5) * before[0] * scale / after[0]),
        _within(0.5 + (place.y - 0.5) * before[1] * scale / after[1]),
    )


def start_of(cue: Cue, spans: Sequence[Span], *, ended: bool = False) -> float | None:
    """When the cue begins on the media's timeline; None while the media have not come there.

    A cue from a time without media begins with what comes next; when nothing more will come
    (`ended`), a moment before the end.
    """
    following: float | None = None
    for span in reversed(spans):
        if span.start_wall_s <= cue.at_wall_s:
            if cue.at_wall_s < span.end_wall_s:
                return cue.at_wall_s
            break
        following = span.start_wall_s
    if following is None and ended and spans:
        return max(spans[-1].start_wall_s, spans[-1].end_wall_s - _LAST_MOMENT_S)
    return following


def pieces_of(
    cue: Cue, start_wall_s: float, spans: Sequence[Span], within: Sequence[Span] | None = None
) -> list[PlacedCue]:
    """The cue's pieces, one for each of the spans `within` which it is shown (all, unless others
    are given). A piece that was told keeps its start, its place and, once it has one, its end."""
    until = cue.until_wall_s
    if cue.kind is CueKind.TAG:
        until = start_wall_s + TAG_SHOWN_S
    elif until is not None:
        until = max(until, start_wall_s + _SHORTEST_S)
    drawn_on = _drawn_on(cue, spans)
    places = spans if within is None else within
    pieces: list[PlacedCue] = []
    for position, span in enumerate(places):
        start = max(start_wall_s, span.start_wall_s)
        if start >= span.end_wall_s or (until is not None and start >= until):
            continue
        end = until
        if cue.kind is CueKind.PIN and (until is None or until > span.end_wall_s):
            goes_on = position == len(places) - 1
            end = None if goes_on else span.end_wall_s
        place = cue.place and turned(cue.place, drawn_on, (span.width, span.height))
        name = cue.id if start == start_wall_s else f"{cue.id}.{span.key}"
        pieces.append(PlacedCue(name, cue, start, end, place))
    return pieces


def placed(
    cues: Sequence[Cue],
    spans: Sequence[Span],
    within: Sequence[Span] | None = None,
    *,
    ended: bool = False,
) -> list[PlacedCue]:
    """The pieces of all cues that the media have come to; see `pieces_of`."""
    pieces: list[PlacedCue] = []
    for cue in cues:
        start = start_of(cue, spans, ended=ended)
        if start is not None:
            pieces += pieces_of(cue, start, spans, within)
    return pieces


def _drawn_on(cue: Cue, spans: Sequence[Span]) -> tuple[int, int]:
    """The size of the picture that was last seen at the cue's moment."""
    seen = [span for span in spans if span.start_wall_s <= cue.at_wall_s] or [*spans[:1]]
    return (seen[-1].width, seen[-1].height) if seen else (0, 0)


def _within(share: float) -> float:
    return min(1.0, max(0.0, share))
