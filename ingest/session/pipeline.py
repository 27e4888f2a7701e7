"""From packets to files and journal entries: timeline → segmenter → CMAF, one stream."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ingest.clock import Clock
from ingest.derive.chunks import load_chunks
from ingest.errors import MalformedMedia
from ingest.journal_entries import Checkpoint, InitWritten, JournalEntry, PeriodStarted
from ingest.media import AudioFormat, MediaKind, Packet, Sample, TrackFormat, VideoFormat
from ingest.packaging.codec_strings import codec_string
from ingest.packaging.init_section import init_section
from ingest.packaging.part_target import part_target_s
from ingest.packaging.segmenter import Segmenter
from ingest.session.file_sink import FileSink
from ingest.session.health import IntakeMeter
from ingest.session.messages import SessionHealth, SessionReport
from ingest.settings import PackagingSettings
from ingest.source.timeline import AudioClock, Fill, Timeline, TimelineCounters
from ingest.vod.journal import JournalWriter
from ingest.vod.recovery import JournalEnd
from ingest.window.segment_store import SegmentStore


class _Place(NamedTuple):
    """Where a packet starts in the spool, and the timeline's audio clock before it was taken."""

    offset: int
    audio: AudioClock


class _Mark(NamedTuple):
    """A packet to start again from, with the unwrapped stamp of the last audio packet."""

    place: _Place
    stamp_ms: int | None


class Pipeline:
    """Packages one stream's packets into its folder, going on where the journal ended.

    `notify` is called after each journal entry that players wait for. Each set of tracks is a
    Period of its own. Packets that come with their offset in `spool` leave checkpoints; nothing
    before `checkpoint_offset` is read again.
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
        spool: str = "",
    ) -> None:
        self._store = SegmentStore(folder)
        self._journal = journal
        self._settings = settings
        self._clock = clock
        self._sink = FileSink(self._store, journal, end, notify)
        self._next_period = end.next_period
        self._next_init = end.next_init
        self._next_msn = end.next_msn
        self._next_numbers = end.next_numbers
        self._part_targets = end.part_targets
        self._target_duration_s = end.target_duration_s or settings.target_duration_s
        self._reason = reason
        self._spool = spool
        self._tracks: tuple[TrackFormat, ...] = ()
        self._leader = MediaKind.VIDEO
        self._counters = TimelineCounters()
        self._timeline = Timeline((), self._counters)
        self._segmenter: Segmenter | None = None
        self._audio_mark: _Mark | None = None
        self.checkpoint_offset = 0
        self._frames = dict.fromkeys(MediaKind, 0)
        self._intake = IntakeMeter()
        self._read_at_s = clock.monotonic_s()

    def report(self, notifications_dropped: int) -> SessionReport:
        """What was counted."""
        counters = self._counters
        return SessionReport(
            video_frames=self._frames[MediaKind.VIDEO],
            audio_frames=self._frames[MediaKind.AUDIO],
            repaired_dts=counters.repaired_dts,
            audio_reanchored=counters.audio_reanchored,
            dropped_before_start=counters.dropped_before_start,
            notifications_dropped=notifications_dropped,
            silence_frames=counters.silence_frames,
            dropped_behind_silence=counters.dropped_behind_silence,
            still_frames=counters.still_frames,
            dropped_behind_still=counters.dropped_behind_still,
        )

    def health(self) -> SessionHealth:
        """How it fares since this was last asked."""
        intake, counters = self._intake, self._counters
        video, audio = intake.video.read(), intake.audio.read()
        read_at_s = self._clock.monotonic_s()
        took_s, self._read_at_s = read_at_s - self._read_at_s, read_at_s
        picture = next((t for t in self._tracks if isinstance(t, VideoFormat)), None)
        sound = next((t for t in self._tracks if isinstance(t, AudioFormat)), None)
        return SessionHealth(
            video_bits_per_s=video.bits_per_s,
            audio_bits_per_s=audio.bits_per_s,
            frames_per_s=video.units_per_s,
            gop_s=intake.video.gop_s,
            av_offset_s=intake.av_offset_s,
            audio_drift_s=self._timeline.audio_error / sound.sample_rate if sound else 0.0,
            dropped=counters.dropped_before_start
            + counters.dropped_behind_silence
            + counters.dropped_behind_still,
            repaired=counters.repaired_dts + counters.audio_reanchored + counters.drift_corrected,
            video_codec=picture.codec.value if picture else "",
            audio_codec=sound.codec.value if sound else "",
            has_b_frames=video.is_reordered,
            pace=max(video.span_s, audio.span_s) / took_s if took_s > 0 else 1.0,
        )

    @property
    def tracks(self) -> tuple[TrackFormat, ...]:
        """The tracks of the running Period, or of the one that the next packet starts."""
        return self._tracks

    def start(
        self,
        tracks: tuple[TrackFormat, ...],
        reason: str | None = None,
        *,
        frame_s: float | None = None,
    ) -> None:
        """Close the running Period, if any; the next packets belong to a new one of `tracks`.

        `frame_s`: how long a picture lasts, where that is known already.
        """
        self.finish()
        for track in tracks:
            lasts_s = frame_s
            if isinstance(track, AudioFormat):
                lasts_s = track.frame_samples / track.sample_rate
            target_s = part_target_s(
                self._settings.part_target_s, lasts_s, self._settings.segment_target_s
            )
            self._part_targets.setdefault(track.kind, target_s)
        self._set_tracks(tracks)
        if reason is not None:
            self._reason = reason

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on in the Period of `checkpoint`; the next packets are those from its offsets on."""
        tracks: list[TrackFormat] = [t for t in (checkpoint.video, checkpoint.audio) if t]
        self._set_tracks(tuple(tracks))
        self._timeline.restore(checkpoint.timeline, self._read_still(checkpoint))
        self._segmenter = self._make_segmenter()
        self._segmenter.restore(checkpoint.segmenter)
        for kind, init in checkpoint.inits.items():
            self._sink.inits[MediaKind(kind)] = init
        for name, track in checkpoint.segmenter.tracks.items():
            numbers = range(track.number - track.index, track.number)
            self._sink.reopen(MediaKind(name), numbers)

    def _read_still(self, checkpoint: Checkpoint) -> Sample | None:
        """The picture that stands still at `checkpoint`, out of the segment before; None when there
        is none, or no file any more."""
        if checkpoint.timeline.still is None or not checkpoint.timeline.still.stands:
            return None
        state = checkpoint.segmenter.tracks[MediaKind.VIDEO.value]
        path = self._store.segment_path(MediaKind.VIDEO.value, state.msn - 1)
        try:
            chunk = next(one for one in reversed(load_chunks(path)) if one.syncs)
            with path.open("rb") as file:
                file.seek(chunk.offset + sum(chunk.sizes[: chunk.syncs[-1]]))
                data = file.read(chunk.sizes[chunk.syncs[-1]])
        except (OSError, MalformedMedia, StopIteration):
            return None
        return Sample(state.segment_start, chunk.cts_offsets[chunk.syncs[-1]], True, data)

    def feed(self, packet: Packet, offset: int | None = None) -> None:
        """Take one access unit; `offset` is where it starts in the spool, if it comes from one."""
        self._intake.take(packet)
        if self._timeline.breaks(packet):
            self.start(self._tracks, "timestamp jump")
        place = None if offset is None else _Place(offset, self._timeline.audio_clock)
        sample = self._timeline.accept(packet)
        if self._timeline.has_fill and self._segmenter is not None:
            silence = self._feed_fill(self._segmenter, self._timeline.take_fill(), place)
            if silence and place is not None and sample and packet.kind is MediaKind.AUDIO:
                place = _Place(place.offset, AudioClock(sample.dts))
        if sample is None:
            return
        segmenter = self._segmenter or self._open_period(sample, offset)
        self._frames[packet.kind] += 1
        if packet.kind is MediaKind.VIDEO:
            segmenter.video(sample)
        else:
            segmenter.audio(sample)
        if place is not None:
            self._mark(segmenter, packet.kind, sample, place)

    def finish(self) -> None:
        """Close the running Period: its last part and segment are written."""
        segmenter = self._segmenter
        if segmenter is None:
            return
        self._timeline.fill_to_end()
        self._feed_fill(segmenter, self._timeline.take_fill(), None)
        segmenter.finish()
        self._next_msn = segmenter.next_msn
        self._next_numbers |= segmenter.next_numbers
        self._segmenter = None

    def _feed_fill(self, segmenter: Segmenter, fills: list[Fill], place: _Place | None) -> bool:
        """What the packet at `place` called for; parts and segments that begin with it are taken up
        there. Answers whether there was silence."""
        silence = False
        for kind, sample, end in fills:
            if kind is MediaKind.VIDEO:
                segmenter.video(sample)
                if place is not None and self._opens_segment(segmenter, kind):
                    still = self._checkpoint(segmenter, sample, place, standing=True)
                    self._journal.append(still)
                continue
            silence = True
            segmenter.audio(sample)
            if place is not None:
                if segmenter.open_samples(kind) == 1:
                    before = _Place(place.offset, AudioClock(sample.dts, filling=True))
                    self._audio_mark = _Mark(before, self._timeline.last_ms(kind))
                place = _Place(place.offset, AudioClock(end, filling=True))
        return silence

    def _set_tracks(self, tracks: tuple[TrackFormat, ...]) -> None:
        self._tracks = tracks
        video = any(track.kind is MediaKind.VIDEO for track in tracks)
        self._leader = MediaKind.VIDEO if video else MediaKind.AUDIO
        self._timeline = Timeline(
            tracks,
            self._counters,
            hole_limit_ms=int(self._settings.segment_limit_s * 1000),
            still_s=self._part_targets.get(MediaKind.VIDEO, self._settings.part_target_s),
        )
        self._audio_mark = None

    def _make_segmenter(self) -> Segmenter:
        return Segmenter(
            self._tracks,
            self._settings,
            self._sink,
            next_msn=self._next_msn,
            next_numbers=self._next_numbers,
            part_targets=self._part_targets,
        )

    def _open_period(self, first: Sample, offset: int | None) -> Segmenter:
        """Announce the Period, its tracks and where to take it up, in one write."""
        segmenter = self._segmenter = self._make_segmenter()
        entries: list[JournalEntry] = [
            PeriodStarted(
                period=self._next_period, wall_s=self._clock.wall_s(), reason=self._reason
            )
        ]
        self._next_period += 1
        entries += [self._write_init(track) for track in self._tracks]
        if offset is not None:
            place = _Place(offset, self._timeline.audio_clock)
            entries.append(self._checkpoint(segmenter, first, place))
        self._journal.append(*entries)
        return segmenter

    def _mark(self, segmenter: Segmenter, kind: MediaKind, sample: Sample, place: _Place) -> None:
        """Remember where open parts begin; leave a checkpoint where a segment opens."""
        if kind is MediaKind.AUDIO and segmenter.open_samples(kind) == 1:
            self._audio_mark = _Mark(place, self._timeline.last_ms(kind))
        if self._opens_segment(segmenter, kind):
            now = _Place(place.offset, self._timeline.audio_clock)
            self._journal.append(self._checkpoint(segmenter, sample, now))

    def _opens_segment(self, segmenter: Segmenter, kind: MediaKind) -> bool:
        return kind is self._leader and segmenter.segment_opens()

    def _checkpoint(
        self, segmenter: Segmenter, sample: Sample, place: _Place, *, standing: bool = False
    ) -> Checkpoint:
        """Taken at the leader's `sample`, which opens a segment; `standing`: a still picture."""
        timeline = self._timeline
        audio = self._audio_mark
        if audio is None or not segmenter.open_samples(MediaKind.AUDIO):
            # its open part is empty: whatever comes next begins it
            audio = _Mark(place, timeline.last_ms(MediaKind.AUDIO))
        self.checkpoint_offset = min(place.offset, audio.place.offset)
        return Checkpoint(
            spool=self._spool,
            video_offset=place.offset,
            audio_offset=audio.place.offset,
            video=next((t for t in self._tracks if isinstance(t, VideoFormat)), None),
            audio=next((t for t in self._tracks if isinstance(t, AudioFormat)), None),
            inits={kind.value: init for kind, init in self._sink.inits.items()},
            timeline=timeline.state(
                video_dts=sample.dts if self._leader is MediaKind.VIDEO else None,
                audio_ms=audio.stamp_ms,
                audio=audio.place.audio,
                standing=standing,
            ),
            segmenter=segmenter.state(),
        )

    def _write_init(self, track: TrackFormat) -> InitWritten:
        rendition, number = track.kind.value, self._next_init
        self._next_init += 1
        self._store.add_rendition(rendition)
        self._store.write_init(rendition, number, init_section(track))
        self._sink.inits[track.kind] = number
        video = track if isinstance(track, VideoFormat) else None
        audio = track if isinstance(track, AudioFormat) else None
        return InitWritten(
            rendition=rendition,
            kind=track.kind.value,
            init=number,
            codecs=codec_string(track),
            timescale=track.timescale,
            part_target_s=self._part_targets[track.kind],
            target_duration_s=self._target_duration_s,
            width=video.width if video else 0,
            height=video.height if video else 0,
            channels=audio.channels if audio else 0,
            sample_rate=audio.sample_rate if audio else 0,
        )
