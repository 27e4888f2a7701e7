"""What a stream's journal says about where the next session goes on, and the sealing of segments
that the last one left open."""

from dataclasses import dataclass, field
from pathlib import Path

from ingest.journal_entries import (
    Checkpoint,
    InitWritten,
    JournalEntry,
    PartWritten,
    PeriodStarted,
    SegmentWritten,
    StreamFinished,
)
from ingest.media import MediaKind
from ingest.vod.journal import JournalReader, JournalWriter
from ingest.window.segment_store import SegmentStore


@dataclass(slots=True)
class _RenditionEnd:
    init: InitWritten
    open_parts: list[PartWritten] = field(default_factory=list)
    next_number: int = 0
    next_msn: int = 0
    last_end: int = 0  # ticks behind the last finished segment


@dataclass(slots=True)
class JournalEnd:
    """Where a journal ends: the numbers that come next, and what is still open."""

    next_period: int = 0
    next_init: int = 0
    target_duration_s: int = 0
    finished: bool = False
    checkpoint: Checkpoint | None = None
    renditions: dict[str, _RenditionEnd] = field(default_factory=dict)

    @property
    def next_msn(self) -> int:
        """Media Sequence Number of the next session's first segment."""
        return max((end.next_msn for end in self.renditions.values()), default=0)

    @property
    def next_numbers(self) -> dict[MediaKind, int]:
        """Number of the next part of each kind."""
        return {MediaKind(e.init.kind): e.next_number for e in self.renditions.values()}

    @property
    def part_targets(self) -> dict[MediaKind, float]:
        """PART-TARGET of each rendition, in seconds."""
        return {MediaKind(e.init.kind): e.init.part_target_s for e in self.renditions.values()}

    def take(self, entry: JournalEntry) -> None:
        """Read one more entry."""
        match entry:
            case PeriodStarted():
                self.next_period = entry.period + 1
                self.checkpoint = None  # the one of this Period comes behind its init sections
            case InitWritten():
                self.next_init = max(self.next_init, entry.init + 1)
                self.target_duration_s = entry.target_duration_s
                end = self.renditions.setdefault(entry.rendition, _RenditionEnd(entry))
                end.init, end.last_end = entry, 0
            case PartWritten():
                end = self.renditions[entry.rendition]
                end.open_parts.append(entry)
                end.next_number = entry.number + 1
            case SegmentWritten():
                end = self.renditions[entry.rendition]
                end.open_parts.clear()
                end.next_msn = entry.msn + 1
                end.last_end = entry.start + entry.duration
            case Checkpoint():
                self.checkpoint = entry
            case StreamFinished():
                self.finished = True


def read_end(folder: Path) -> JournalEnd:
    """The end of the journal in `folder`; all zero when there is none."""
    end = JournalEnd()
    with JournalReader(folder) as reader:
        for entry in reader.read_new():
            end.take(entry)
    return end


def seal(folder: Path, journal: JournalWriter, known: JournalEnd | None = None) -> JournalEnd:
    """Finish the segments that a crashed session left open, from the parts that it announced.

    `known` spares reading the journal again: it has taken every entry that the file holds.

    Afterwards all renditions of the last Period count the same Media Sequence Numbers; where one
    has nothing, it gets a gap. Answers the journal's end.
    """
    end = known or read_end(folder)
    store = SegmentStore(folder)
    for name, rendition in end.renditions.items():
        if rendition.open_parts:
            entry = _joined(store, name, rendition)
            journal.append(entry)
            end.take(entry)
    for name, rendition in end.renditions.items():
        for msn in range(rendition.next_msn, end.next_msn):
            gap = SegmentWritten(
                rendition=name,
                msn=msn,
                init=rendition.init.init,
                start=rendition.last_end,
                duration=0,
                size=0,
                parts=0,
            )
            journal.append(gap)
            end.take(gap)
    return end


def _joined(store: SegmentStore, name: str, rendition: _RenditionEnd) -> SegmentWritten:
    parts = rendition.open_parts
    size = store.join_parts(name, parts[0].msn, [part.number for part in parts])
    return SegmentWritten(
        rendition=name,
        msn=parts[0].msn,
        init=rendition.init.init,
        start=parts[0].start,
        duration=sum(part.duration for part in parts),
        size=size,
        parts=len(parts),
    )
