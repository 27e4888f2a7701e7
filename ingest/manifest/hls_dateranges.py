"""Cues in HLS: EXT-X-DATERANGE (rfc8216bis §4.4.5.1)."""

from collections.abc import Sequence

from ingest.cues import Cue, CueKind, PlacedCue, Span, pieces_of, start_of
from ingest.manifest.hls_tags import date_time

CLASSES = {CueKind.TAG: "golive.product.tag", CueKind.PIN: "golive.product.pin"}


def date_range(piece: PlacedCue) -> str:
    """The tag of a piece. It is the same every time but for END-DATE, which is added when it
    is known: what was said about an ID stays."""
    cue = piece.cue
    attributes = [
        f'ID="{piece.id}"',
        f'CLASS="{CLASSES[cue.kind]}"',
        f'START-DATE="{date_time(piece.start_wall_s)}"',
    ]
    if piece.end_wall_s is not None:
        attributes.append(f'END-DATE="{date_time(piece.end_wall_s)}"')
    attributes.append(f'X-GOLIVE-PRODUCT-ID="{cue.product_id}"')
    if piece.place is not None:
        attributes.append(f"X-GOLIVE-X={piece.place.x:.6f}")
        attributes.append(f"X-GOLIVE-Y={piece.place.y:.6f}")
    return "#EXT-X-DATERANGE:" + ",".join(attributes)


class DateRanges:
    """The tags of one stream's cues as its media go on; what will not change is kept.

    A tag is listed from the moment at which the media have come to it until the window has left
    it behind.
    """

    def __init__(self) -> None:
        self._known: tuple[Sequence[Cue], int, bool] = ((), 0, False)
        self._told: dict[str, list[tuple[PlacedCue, str]]] = {}
        self._unsettled: list[Cue] = []

    def lines(
        self, cues: Sequence[Cue], spans: Sequence[Span], first_wall_s: float, *, ended: bool
    ) -> list[str]:
        """The tags for a playlist whose first segment is at `first_wall_s`; `cues` is the same
        object as long as nothing about them changes."""
        known, span_count, was_ended = self._known
        if known is not cues or span_count != len(spans) or was_ended is not ended:
            self._known = (cues, len(spans), ended)
            self._told = {cue.id: [] for cue in cues}
            self._unsettled = [*cues]
        self._unsettled = [
            cue for cue in self._unsettled if not self._settle(cue, spans, ended=ended)
        ]
        return [
            line
            for told in self._told.values()
            for piece, line in told
            if piece.end_wall_s is None or piece.end_wall_s > first_wall_s
        ]

    def _settle(self, cue: Cue, spans: Sequence[Span], *, ended: bool) -> bool:
        """Tell what is known of the cue; False when more of it is yet to come by itself."""
        start = start_of(cue, spans, ended=ended)
        if start is None:
            return False
        pieces = pieces_of(cue, start, spans)
        self._told[cue.id] = [(piece, date_range(piece)) for piece in pieces]
        return cue.until_wall_s is None or pieces[-1].end_wall_s is not None
