"""What a live window holds of one rendition."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ingest.journal_entries import InitWritten
from ingest.presentation import InitSection, Part, Rendition, Segment, Totals
from ingest.window.segment_log import SegmentLog, SegmentsView

RECENT_SEGMENTS = 64
"""Finished segments that stay in memory; older ones are in a file."""


class Due(NamedTuple):
    """Files that may go once the rendition's media have come to `at_s`."""

    at_s: float
    files: tuple[str, ...]


@dataclass(slots=True)
class RenditionState:
    """One rendition's finished segments, the one that grows, and the files that are yet to go."""

    first: InitWritten
    inits: dict[int, InitSection] = field(default_factory=dict)
    init: int = 0
    finished: deque[Segment] = field(default_factory=deque)  # the newest, behind the log's
    log: SegmentLog | None = None
    log_start: int = 0
    finished_s: float = 0.0
    finished_size: int = 0
    dependent: int = 0  # finished segments that do not start with a keyframe
    peak_bandwidth: int = 0
    open_parts: list[Part] = field(default_factory=list)
    listed_parts: int = 0  # of the open ones
    too_long: bool = False  # one of the open parts is longer than PART-TARGET
    open_msn: int = 0
    open_start: int = 0
    next_part: int = 0
    media_s: float = 0.0  # of all segments there ever were
    removed: deque[Due] = field(default_factory=deque)
    removed_parts: deque[Due] = field(default_factory=deque)
    since_msn: int = 0
    since_s: float = 0.0
    in_gap: bool | None = None  # None: the Period has no segment yet
    snapshot: Rendition | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def logged(self) -> int:
        """Listed segments in the log."""
        return len(self.log) - self.log_start if self.log is not None else 0

    @property
    def listed(self) -> int:
        """Finished segments in the window."""
        return self.logged + len(self.finished)

    @property
    def oldest(self) -> Segment:
        """The first finished segment."""
        if self.log is not None and self.logged:
            return next(self.log.read(self.log_start, self.log_start + 1))
        return self.finished[0]

    @property
    def oldest_msn(self) -> int:
        """Its number: a rendition leaves none out."""
        return self.finished[0].msn - self.logged

    def pop_oldest(self) -> Segment:
        """Take it out."""
        oldest = self.oldest
        if self.logged:
            self.log_start += 1
        else:
            self.finished.popleft()
        return oldest

    def put_away(self) -> None:
        """Move what is old, and lists no parts, from memory into the log."""
        while len(self.finished) > RECENT_SEGMENTS and not self.finished[0].parts:
            if self.log is None:
                self.log = SegmentLog()
            self.log.append(self.finished.popleft())

    def segments(self, growing: tuple[Segment, ...]) -> Sequence[Segment]:
        """All that are listed, as they are now."""
        recent = (*self.finished, *growing)
        if self.log is None:
            return recent
        return SegmentsView(self.log, self.log_start, len(self.log), recent)

    def totals(self, growing: tuple[Segment, ...]) -> Totals | None:
        """What they come to; None while they are few."""
        if self.log is None:
            return None
        return Totals(
            duration_s=self.finished_s + sum(segment.duration_s for segment in growing),
            size=self.finished_size + sum(segment.size for segment in growing),
            independent=not self.dependent and all(segment.independent for segment in growing),
            peak_bandwidth=self.peak_bandwidth,
        )
