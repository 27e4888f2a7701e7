"""Cues in DASH: an EventStream in each Period that has any (ISO/IEC 23009-1, 5.10.2)."""

import json
import zlib
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from ingest.cues import Cue, PlacedCue, Span, placed

SCHEME = "urn:golive:product:2026"
"""Events of this scheme hold JSON: `id`, `kind` (tag, pin), `productId`; `x` and `y` of a tag."""

_TIMESCALE = 1_000


class PeriodPlace(NamedTuple):
    """A Period that was written, and where it lies: its span begins at media time `offset_s`. The
    first segment that it still lists is at `listed_wall_s`."""

    period: ET.Element
    span: Span
    offset_s: float
    listed_wall_s: float


def begun_at(wall_s: float, spans: Sequence[Span]) -> list[Span]:
    """The spans of an MPD that begins at `wall_s`: sound from before is not played."""
    return [span._replace(start_wall_s=max(span.start_wall_s, wall_s)) for span in spans]


def add_events(
    places: Sequence[PeriodPlace], cues: Sequence[Cue], spans: Sequence[Span], *, ended: bool
) -> None:
    """Put the cues into the Periods in which they are shown, ahead of their AdaptationSets.

    `spans`: everything that there ever were media in. Segments that the MPD does not list yet, but
    that come next in its last Period, count with it: events may be told ahead.
    """
    if not places or not cues:
        return
    within = [place.span for place in places]
    newest = spans[-1]
    if newest.start_wall_s <= within[-1].start_wall_s:
        end_s = max(newest.end_wall_s, within[-1].end_wall_s)
        within[-1] = within[-1]._replace(end_wall_s=end_s)
    pieces = placed(cues, spans, within, ended=ended)
    for place, span in zip(places, within, strict=True):
        inside = [
            piece
            for piece in pieces
            if span.start_wall_s <= piece.start_wall_s < span.end_wall_s
            and (piece.end_wall_s is None or piece.end_wall_s > place.listed_wall_s)
        ]
        if inside:
            place.period.insert(0, _event_stream(inside, place))


def _event_stream(pieces: Sequence[PlacedCue], place: PeriodPlace) -> ET.Element:
    offset = round(place.offset_s * _TIMESCALE)
    stream = ET.Element(
        "EventStream",
        schemeIdUri=SCHEME,
        value="1",
        timescale=str(_TIMESCALE),
        presentationTimeOffset=str(offset),
    )
    for piece in sorted(pieces, key=lambda one: one.start_wall_s):
        into_s = piece.start_wall_s - place.span.start_wall_s
        event = ET.SubElement(
            stream,
            "Event",
            presentationTime=str(offset + round(into_s * _TIMESCALE)),
            id=str(event_id(piece.id)),
        )
        if piece.end_wall_s is not None:
            shown_s = piece.end_wall_s - piece.start_wall_s
            event.set("duration", str(round(shown_s * _TIMESCALE)))
        event.text = json.dumps(_message(piece))
    return stream


def event_id(piece_id: str) -> int:
    """The number that stands for a piece: an Event's id is an unsigned integer."""
    return zlib.crc32(piece_id.encode())


def _message(piece: PlacedCue) -> dict[str, str | float]:
    message: dict[str, str | float] = {
        "id": piece.id,
        "kind": piece.cue.kind.value,
        "productId": piece.cue.product_id,
    }
    if piece.place is not None:
        message |= {"x": round(piece.place.x, 6), "y": round(piece.place.y, 6)}
    return message
