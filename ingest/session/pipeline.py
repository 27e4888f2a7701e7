"""From packets to files and journal entries: timeline → segmenter → CMAF, one stream."""

from collections.abc import Callable
from pathlib import Path

from ingest.clock import Clock
from ingest.journal_entries import (
    InitWritten,
    PartWritten,
    PeriodStarted,
    SegmentWritten,
)
from ingest.media import AudioFormat, MediaKind, Packet, TrackFormat, VideoFormat
from ingest.packaging.codec_strings import codec_string
from ingest.packaging.init_section import init_section
from ingest.packaging.segmenter import PartReady, Segmenter, SegmentReady
from ingest.settings import PackagingSettings
from ingest.source.timeline import Timeline, TimelineCounters
from ingest.vod.journal import JournalWriter
from ingest.vod.recovery import JournalEnd
from ingest.window.segment_store import SegmentStore


class _FileSink:
    """Writes what the segmenter finishes, then says so in the journal."""

    def __init__(
        self, store: SegmentStore, journal: JournalWriter, notify: Callable[[], None]
    ) -> None:
        self._store = store
        self._journal = journal
        self._notify = notify
        self._open: dict[MediaKind, list[bytes]] = {}
        self.inits: dict[MediaKind, int] = {}

    def part(self, part: PartReady) -> None:
        rendition = part.kind.value
        self._store.write_part(rendition, part.number, part.data)
        self._open.setdefault(part.kind, []).append(part.data)
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
            )
        )
        self._notify()

    def segment(self, segment: SegmentReady) -> None:
        rendition = segment.kind.value
        parts = self._open.pop(segment.kind, [])
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


class Pipeline:
    """Packages one stream's packets into its folder, going on where the journal ended.

    `notify` is called after each journal entry that players wait for. `tracks` may change between
    packets: each set of tracks is a Period of its own.
    """

    def __init__(
        self,
        folder: Path,
        journal: JournalWriter,
        end: JournalEnd,
        settings: PackagingSettings,
        clock: Clock,
        notify: Callable[[], None],
        *,
        reason: str,
    ) -> None:
        self._store = SegmentStore(folder)
        self._journal = journal
        self._settings = settings
        self._clock = clock
        self._sink = _FileSink(self._store, journal, notify)
        self._next_period = end.next_period
        self._next_init = end.next_init
        self._next_msn = end.next_msn
        self._next_numbers = end.next_numbers
        self._target_duration_s = end.target_duration_s or settings.target_duration_s
        self._reason = reason
        self._tracks: tuple[TrackFormat, ...] = ()
        self._timeline = Timeline(())
        self._segmenter: Segmenter | None = None
        self._frames = dict.fromkeys(MediaKind, 0)

    @property
    def counters(self) -> TimelineCounters:
        """What the timeline of the Period had to repair."""
        return self._timeline.counters

    @property
    def frames(self) -> dict[MediaKind, int]:
        """Access units taken, by kind."""
        return self._frames

    def start(self, tracks: tuple[TrackFormat, ...], reason: str | None = None) -> None:
        """Close the running Period, if any; the next packets belong to a new one of `tracks`."""
        self.finish()
        self._tracks = tracks
        self._timeline = Timeline(tracks)
        if reason is not None:
            self._reason = reason

    def feed(self, packet: Packet) -> None:
        """Take one access unit."""
        if self._timeline.breaks(packet):
            self.start(self._tracks, "timestamp jump")
        sample = self._timeline.accept(packet)
        if sample is None:
            return
        segmenter = self._segmenter or self._open_period()
        self._frames[packet.kind] += 1
        if packet.kind is MediaKind.VIDEO:
            segmenter.video(sample)
        else:
            segmenter.audio(sample)

    def finish(self) -> None:
        """Close the running Period: its last part and segment are written."""
        segmenter = self._segmenter
        if segmenter is None:
            return
        segmenter.finish()
        self._next_msn = segmenter.next_msn
        self._next_numbers |= segmenter.next_numbers
        self._segmenter = None

    def _open_period(self) -> Segmenter:
        self._journal.append(
            PeriodStarted(
                period=self._next_period, wall_s=self._clock.wall_s(), reason=self._reason
            )
        )
        self._next_period += 1
        for track in self._tracks:
            self._write_init(track)
        self._segmenter = Segmenter(
            self._tracks,
            self._settings,
            self._sink,
            next_msn=self._next_msn,
            next_numbers=self._next_numbers,
        )
        return self._segmenter

    def _write_init(self, track: TrackFormat) -> None:
        rendition, number = track.kind.value, self._next_init
        self._next_init += 1
        self._store.add_rendition(rendition)
        self._store.write_init(rendition, number, init_section(track))
        self._sink.inits[track.kind] = number
        video = track if isinstance(track, VideoFormat) else None
        audio = track if isinstance(track, AudioFormat) else None
        self._journal.append(
            InitWritten(
                rendition=rendition,
                kind=track.kind.value,
                init=number,
                codecs=codec_string(track),
                timescale=track.timescale,
                part_target_s=self._settings.part_limit_s,
                target_duration_s=self._target_duration_s,
                width=video.width if video else 0,
                height=video.height if video else 0,
                channels=audio.channels if audio else 0,
                sample_rate=audio.sample_rate if audio else 0,
            )
        )
