"""Cuts tracks into Media Segments and Partial Segments; no I/O, no clock.

One segmenter serves one Period: its tracks are fixed. One track leads (the video track, or the
audio track when there is no other) and decides where Media Segments end; the other follows at its
first sample at or behind the leader's cut, so both count the same Media Sequence Numbers.

Where the leader cuts:
  - at a keyframe, when waiting for the next one (one more GOP of the last length) would make the
    segment longer than the Target Duration allows;
  - without a keyframe, when the segment would otherwise outgrow the Target Duration: an encoder
    whose GOP is longer breaks into segments that do not start with a keyframe, rather than into
    ones that are longer than the playlist promised (RFC 8216 §4.3.3.1).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ingest.checkpoint import SegmenterState, TrackState
from ingest.media import AudioFormat, MediaKind, Sample, TrackFormat
from ingest.packaging.fragment import audio_chunk, audio_tfhd, video_chunk
from ingest.settings import PackagingSettings

_MAX_PENDING_CUTS = 2
"""Segments that the follower may be behind before it goes on without its missing samples."""


_DRIFT_PARTS = 50
"""Audio that moves by less than 1/50 s stays in its chunk; the next chunk's tfdt takes it up."""


@dataclass(frozen=True, slots=True)
class PartReady:
    """A finished Partial Segment: one CMAF chunk.

    `start` and `duration` are in track ticks, on the presentation timeline of the Period; `index`
    counts within its Media Segment, `number` within the rendition. `independent`: it holds a
    keyframe; `sync_start`: it begins with one.
    """

    kind: MediaKind
    msn: int
    index: int
    number: int
    start: int
    duration: int
    independent: bool
    sync_start: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class SegmentReady:
    """A finished Media Segment, the concatenation of `parts` Partial Segments.

    No parts: the track had nothing in this stretch of time (a gap).
    """

    kind: MediaKind
    msn: int
    start: int
    duration: int
    parts: int


class SegmentSink(Protocol):
    """Takes what the segmenter finishes, in order."""

    def part(self, part: PartReady) -> None:
        """Take a Partial Segment."""
        ...

    def segment(self, segment: SegmentReady) -> None:
        """Take a Media Segment whose parts came before."""
        ...


class _Track:
    """What is open on one track: the part that grows, and the segment around it."""

    def __init__(self, track: TrackFormat, number: int, msn: int, sink: SegmentSink) -> None:
        self.format = track
        self.timescale = track.timescale
        self.number = number
        self.msn = msn
        self.started = False
        self.segment_start = 0
        self.end = 0  # decode time behind the last sample taken
        self.part_span = 0  # ticks in the open part
        self._shift = 0  # presentation time - decode time of the Period's first sample
        self._sink = sink
        self._index = 0
        self._samples: list[Sample] = []
        self._durations: list[int] = []
        self._tfhd = audio_tfhd(track.frame_samples) if isinstance(track, AudioFormat) else b""

    @property
    def open_samples(self) -> int:
        """Samples in the open part."""
        return len(self._samples)

    @property
    def holds_media(self) -> bool:
        """Whether the open segment has anything in it."""
        return bool(self._samples or self._index)

    def opens_segment(self, held: int) -> bool:
        """Whether the open segment holds no more than `held` samples."""
        return self.started and self._index == 0 and len(self._samples) == held

    def state(self) -> TrackState:
        """Where the track stands at the start of its open part."""
        return TrackState(
            started=self.started,
            number=self.number,
            msn=self.msn,
            index=self._index,
            segment_start=self.segment_start,
            end=self._samples[0].dts if self._samples else self.end,
            shift=self._shift,
        )

    def restore(self, state: TrackState) -> None:
        """Go on from `state`."""
        self.started, self.number, self.msn = state.started, state.number, state.msn
        self._index, self._shift = state.index, state.shift
        self.segment_start, self.end = state.segment_start, state.end

    def start(self, sample: Sample) -> None:
        """The first sample opens the first segment."""
        self.started = True
        self.segment_start = self.end = sample.dts
        self._shift = sample.cts_offset

    def take(self, sample: Sample, duration: int) -> None:
        """Add a sample to the open part; `duration` in ticks."""
        self._samples.append(sample)
        self._durations.append(duration)
        self.part_span += duration
        self.end = sample.dts + duration

    def end_part(self) -> None:
        """Close the open part, if it holds anything."""
        if not self._samples:
            return
        if self._tfhd:
            data = audio_chunk(self.number, self._samples, self._tfhd)
        else:
            data = video_chunk(self.number, self._samples, self._durations)
        self._sink.part(
            PartReady(
                kind=self.format.kind,
                msn=self.msn,
                index=self._index,
                number=self.number,
                start=self._samples[0].dts + self._shift,
                duration=self.part_span,
                independent=any(sample.is_key for sample in self._samples),
                sync_start=self._samples[0].is_key,
                data=data,
            )
        )
        self.number += 1
        self._index += 1
        self._samples, self._durations, self.part_span = [], [], 0

    def end_segment(self, next_start: int) -> None:
        """Close the open segment; the next one starts at decode time `next_start`."""
        self.end_part()
        self._sink.segment(
            SegmentReady(
                kind=self.format.kind,
                msn=self.msn,
                start=self.segment_start + self._shift,
                duration=next_start - self.segment_start,
                parts=self._index,
            )
        )
        self.msn += 1
        self._index = 0
        self.segment_start = next_start


class Segmenter:
    """Samples of one Period in, parts and segments out to `sink`.

    `tracks` holds at most one format of each kind; `next_msn` and `next_numbers` (parts, by kind)
    carry on from the Period before. Samples of a track come in decode order.
    """

    def __init__(
        self,
        tracks: Sequence[TrackFormat],
        settings: PackagingSettings,
        sink: SegmentSink,
        *,
        next_msn: int = 0,
        next_numbers: dict[MediaKind, int] | None = None,
    ) -> None:
        numbers = next_numbers or {}
        self._tracks = {
            track.kind: _Track(track, numbers.get(track.kind, 0), next_msn, sink)
            for track in tracks
        }
        self._video = self._tracks.get(MediaKind.VIDEO)
        self._audio = self._tracks.get(MediaKind.AUDIO)
        self._part_limit_s = settings.part_limit_s
        self._segment_limit_s = settings.segment_limit_s
        self._segment_target_s = settings.segment_target_s
        self._follow_limit_s = settings.segment_limit_s
        self._pending: Sample | None = None  # the frame whose duration the next one tells
        self._last_duration = 0
        self._last_key_dts = 0
        self._cuts: deque[float] = deque()  # presentation times (s) that audio has yet to reach

    @property
    def next_msn(self) -> int:
        """Media Sequence Number behind the last finished segment of the leading track."""
        return max((track.msn for track in self._tracks.values()), default=0)

    @property
    def next_numbers(self) -> dict[MediaKind, int]:
        """Number of each rendition's next part."""
        return {kind: track.number for kind, track in self._tracks.items()}

    def open_samples(self, kind: MediaKind) -> int:
        """Samples in the open part of the track of `kind`."""
        return self._tracks[kind].open_samples

    def segment_opens(self) -> bool:
        """Whether the leading track stands at the start of a segment, with nothing in it yet."""
        track = self._video or self._audio
        return track is not None and track.opens_segment(held=0 if self._video else 1)

    def state(self) -> SegmenterState:
        """What is needed to go on from the first samples of the open parts.

        The frame that waits for its duration counts as not taken.
        """
        return SegmenterState(
            tracks={kind.value: track.state() for kind, track in self._tracks.items()},
            cuts=list(self._cuts),
            last_duration=self._last_duration,
            last_key_dts=self._last_key_dts,
        )

    def restore(self, state: SegmenterState) -> None:
        """Go on from `state`, taken by a segmenter of the same tracks and settings."""
        for kind, track in self._tracks.items():
            track.restore(state.tracks[kind.value])
        self._cuts.extend(state.cuts)
        self._last_duration, self._last_key_dts = state.last_duration, state.last_key_dts

    def video(self, sample: Sample) -> None:
        """Take a video access unit; the first of the Period is a keyframe."""
        track = self._video
        if track is None:
            raise ValueError("this Period has no video track")
        pending = self._pending
        self._pending = sample
        if pending is None:
            if not track.started:
                track.start(sample)
                self._last_key_dts = sample.dts
            return
        duration = sample.dts - pending.dts
        self._last_duration = duration
        self._make_room(track, pending, duration)
        track.take(pending, duration)
        if self._video_segment_ends(track, sample, duration):
            self._cut_video(track, sample)
        elif track.part_span + duration > self._part_limit_s * track.timescale:
            track.end_part()
        if sample.is_key:
            self._last_key_dts = sample.dts

    def audio(self, sample: Sample) -> None:
        """Take an audio frame."""
        track = self._audio
        if track is None or not isinstance(track.format, AudioFormat):
            raise ValueError("this Period has no audio track")
        duration = track.format.frame_samples
        if not track.started:
            while self._cuts and sample.dts >= self._cuts[0] * track.timescale:
                self._end_audio_at(track, self._cuts.popleft())  # it was silent until here
            track.start(sample)
        elif abs(sample.dts - track.end) * _DRIFT_PARTS > track.timescale:
            track.end_part()  # a hole: durations are constant within a chunk
        self._cut_audio(track, sample, duration)
        if track.part_span + duration > self._part_limit_s * track.timescale:
            track.end_part()
        track.take(sample, duration)

    def _cut_audio(self, track: _Track, sample: Sample, duration: int) -> None:
        """End the segments that `sample` does not belong to."""
        if self._video is None:
            if sample.dts - track.segment_start >= self._segment_target_s * track.timescale:
                track.end_segment(sample.dts)
            return
        hole = (sample.dts - track.end) * _DRIFT_PARTS > track.timescale
        while self._cuts and sample.dts >= self._cuts[0] * track.timescale:
            cut_s = self._cuts.popleft()
            if hole:  # it belongs to no segment, or one would be as long as it is
                self._end_audio_at(track, cut_s)
            else:
                track.end_segment(sample.dts)
        if sample.dts + duration - track.segment_start > self._follow_limit_s * track.timescale:
            track.end_segment(sample.dts)  # the video has stopped: go on without it

    def finish(self) -> None:
        """Close what is open; the last frame lasts as long as the one before it."""
        video, audio = self._video, self._audio
        if video is not None and self._pending is not None:
            video.take(self._pending, self._last_duration or video.timescale // 30)
            self._pending = None
            video.end_segment(video.end)
        if audio is not None and (audio.started or video is not None):
            while self._cuts:
                self._end_audio_at(audio, self._cuts.popleft())
            if video is None or audio.msn < video.msn or audio.holds_media:
                audio.end_segment(max(audio.end, audio.segment_start))
            while video is not None and video.started and video.msn < audio.msn:
                video.end_segment(video.end)  # a gap where audio went on alone

    def _make_room(self, track: _Track, pending: Sample, duration: int) -> None:
        """Close what `pending` does not fit, when it lasts longer than was expected."""
        if pending.dts + duration - track.segment_start > self._segment_limit_s * track.timescale:
            if pending.dts > track.segment_start:
                self._cut_video(track, pending)
        elif track.part_span + duration > self._part_limit_s * track.timescale:
            track.end_part()

    def _cut_video(self, track: _Track, first: Sample) -> None:
        """End the segment before `first`; audio follows, unless it went ahead already."""
        if self._audio is None or self._audio.msn <= track.msn:
            self._cuts.append((first.dts + first.cts_offset) / track.timescale)
        track.end_segment(first.dts)
        self._drop_overdue_cuts()

    def _video_segment_ends(self, track: _Track, sample: Sample, duration: int) -> bool:
        elapsed = sample.dts - track.segment_start
        limit = self._segment_limit_s * track.timescale
        if sample.is_key:
            return elapsed + (sample.dts - self._last_key_dts) > limit
        return elapsed + duration > limit

    def _drop_overdue_cuts(self) -> None:
        """Audio that stays away does not hold up its playlist: its segments close without it."""
        while self._audio is not None and len(self._cuts) > _MAX_PENDING_CUTS:
            self._end_audio_at(self._audio, self._cuts.popleft())

    @staticmethod
    def _end_audio_at(track: _Track, cut_s: float) -> None:
        cut = max(track.end, track.segment_start, int(cut_s * track.timescale))
        track.end_segment(cut)
