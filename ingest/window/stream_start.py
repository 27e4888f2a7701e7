"""Where the media of a stream begin, as its journal tells."""

from ingest.journal_entries import (
    InitWritten,
    JournalEntry,
    PartWritten,
    PeriodStarted,
    SegmentWritten,
    StreamFinished,
)
from ingest.media import MediaKind

_LEAD_S = 0.25
"""Sound begins before pictures that are reordered; with it alone a player had a hole there."""


class StreamStart:
    """Settled for good as soon as every track of the first Period has begun, with media or with a
    gap, or else when that Period is over. Only the journal decides, so that a daemon that reads it
    again finds the same."""

    def __init__(self) -> None:
        self._settled = False
        self._in_period = False
        self._tracks: dict[str, InitWritten] = {}
        self._starts_s: dict[str, float | None] = {}
        self._first_s = 0.0

    @property
    def first_s(self) -> float:
        """Media time of the first picture; of the first sample, where the picture begins much later
        or there is none. 0 until it is settled.

        Never behind the first picture: browsers drop a keyframe from before the start of a
        presentation, and all pictures up to the next one."""
        return self._first_s

    def take(self, entry: JournalEntry) -> None:
        """Read one more entry."""
        if self._settled:
            return
        match entry:
            case PeriodStarted():
                if self._in_period:
                    self._settle()
                self._in_period = True
            case InitWritten():
                self._tracks[entry.rendition] = entry
            case PartWritten():
                self._begin(entry, is_gap=False)
            case SegmentWritten():
                self._begin(entry, is_gap=entry.parts == 0)
            case StreamFinished():
                self._settle()

    def _begin(self, entry: PartWritten | SegmentWritten, *, is_gap: bool) -> None:
        start_s = entry.start / self._tracks[entry.rendition].timescale
        self._starts_s.setdefault(entry.rendition, None if is_gap else start_s)
        if self._starts_s.keys() == self._tracks.keys():
            self._settle()

    def _settle(self) -> None:
        self._settled = True
        known = {name: at_s for name, at_s in self._starts_s.items() if at_s is not None}
        first_s = min(known.values(), default=0.0)
        pictures_s = [
            at_s for name, at_s in known.items() if self._tracks[name].kind == MediaKind.VIDEO.value
        ]
        picture_s = min(pictures_s, default=first_s)
        self._first_s = picture_s if picture_s - first_s <= _LEAD_S else first_s
