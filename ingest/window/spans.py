"""Where on the timeline of PROGRAM-DATE-TIME a stream has media, as its journal tells."""

from dataclasses import dataclass, field

from ingest.cues import Span
from ingest.journal_entries import (
    InitWritten,
    JournalEntry,
    PartWritten,
    PeriodStarted,
    SegmentWritten,
)


@dataclass(slots=True)
class MediaSpans:
    """A span for each Period that has media, oldest first, those that left the window included."""

    _closed: list[Span] = field(default_factory=list)
    _open: Span | None = None
    _period: PeriodStarted | None = None
    _scales: dict[str, int] = field(default_factory=dict)
    _size: tuple[int, int] = (0, 0)

    def take(self, entry: JournalEntry) -> None:
        """Read one more entry."""
        match entry:
            case PeriodStarted():
                if self._open is not None:
                    self._closed.append(self._open)
                self._period, self._open, self._size = entry, None, (0, 0)
            case InitWritten():
                self._scales[entry.rendition] = entry.timescale
                if entry.width and entry.height:
                    self._size = (entry.width, entry.height)
            case PartWritten() | SegmentWritten():
                if entry.duration > 0:
                    self._extend(entry)

    @property
    def all(self) -> tuple[Span, ...]:
        """All spans; the last one grows."""
        return (*self._closed, *([] if self._open is None else [self._open]))

    @property
    def newest(self) -> Span | None:
        """The last span; None before the first part."""
        if self._open is not None:
            return self._open
        return self._closed[-1] if self._closed else None

    def position_s(self, wall_s: float) -> float:
        """Where a moment of the timeline lies in seconds of all media; one from a time without any
        lies at the end of those before."""
        position = 0.0
        for span in self.all:
            length = span.end_wall_s - span.start_wall_s
            is_newest = span is self._open
            into = wall_s - span.start_wall_s
            position += max(0.0, into if is_newest else min(into, length))
        return position

    def _extend(self, entry: PartWritten | SegmentWritten) -> None:
        if self._period is None:
            return
        scale, wall_s = self._scales[entry.rendition], self._period.wall_s
        start = wall_s + entry.start / scale
        end = start + entry.duration / scale
        known = self._open
        if known is not None:
            start, end = min(known.start_wall_s, start), max(known.end_wall_s, end)
        self._open = Span(str(self._period.period), start, end, *self._size)
