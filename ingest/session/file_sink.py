"""Writes what the segmenter finishes, then says so in the journal."""

from collections.abc import Callable

from ingest.journal_entries import PartWritten, SegmentWritten
from ingest.media import MediaKind
from ingest.packaging.open_track import PartReady, SegmentReady
from ingest.vod.journal import JournalWriter
from ingest.vod.recovery import JournalEnd
from ingest.window.segment_store import SegmentStore


class FileSink:
    """Parts and segments to files; what the journal has already is not announced again.

    `notify` is called after each entry. `inits` are the initialization sections in force.
    """

    def __init__(
        self,
        store: SegmentStore,
        journal: JournalWriter,
        end: JournalEnd,
        notify: Callable[[], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._notify = notify
        self._open: dict[MediaKind, list[bytes]] = {}
        self._announced_parts = end.next_numbers
        self._announced_msn = {
            MediaKind(rendition.init.kind): rendition.next_msn
            for rendition in end.renditions.values()
        }
        self.inits: dict[MediaKind, int] = {}

    def reopen(self, kind: MediaKind, numbers: range) -> None:
        """Take up a segment whose parts `numbers` are written."""
        self._open[kind] = [self._store.read_part(kind.value, number) for number in numbers]

    def part(self, part: PartReady) -> None:
        """Write a part."""
        self._open.setdefault(part.kind, []).append(part.data)
        if part.number < self._announced_parts.get(part.kind, 0):
            return
        rendition = part.kind.value
        self._store.write_part(rendition, part.number, part.data)
        self._journal.append(
            PartWritten(
                rendition=rendition,
                msn=part.msn,
                index=part.index,
                number=part.number,
                start=part.start,
                duration=part.duration,
                size=len(part.data),
                independent=part.independent,
                sync_start=part.sync_start,
            )
        )
        self._notify()

    def segment(self, segment: SegmentReady) -> None:
        """Write a segment from its parts."""
        parts = self._open.pop(segment.kind, [])
        if segment.msn < self._announced_msn.get(segment.kind, 0):
            return
        rendition = segment.kind.value
        size = self._store.write_segment(rendition, segment.msn, parts) if parts else 0
        self._journal.append(
            SegmentWritten(
                rendition=rendition,
                msn=segment.msn,
                init=self.inits[segment.kind],
                start=segment.start,
                duration=segment.duration,
                size=size,
                parts=segment.parts,
            )
        )
        self._notify()
