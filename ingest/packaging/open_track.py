"""One track between two cuts: the Partial Segment that grows, and the Media Segment around it."""

from dataclasses import dataclass
from typing import Protocol

from ingest.checkpoint import TrackState
from ingest.media import AudioFormat, MediaKind, Sample, TrackFormat
from ingest.packaging.fragment import audio_chunk, audio_tfhd, video_chunk


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


class OpenTrack:
    """What is open on one track: the part that grows, and the segment around it."""

    def __init__(
        self, track: TrackFormat, number: int, msn: int, sink: SegmentSink, part_limit_s: float
    ) -> None:
        self.format = track
        self.timescale = track.timescale
        self.part_limit = part_limit_s * track.timescale  # ticks that a part may last
        self.number = number
        self.msn = msn
        self.started = False
        self.segment_start = 0
        self.end = 0  # decode time behind the last sample taken
        self.part_span = 0  # ticks in the open part
        self.too_long = False  # the open segment has a part that is longer than it may be
        self.shift = 0  # presentation time - decode time of the Period's first sample
        self._sink = sink
        self._index = 0
        self._samples: list[Sample] = []
        self._durations: list[int] = []
        self._usual = track.frame_samples if isinstance(track, AudioFormat) else 0
        self._tfhd = audio_tfhd(self._usual) if self._usual else b""

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
            shift=self.shift,
        )

    def restore(self, state: TrackState) -> None:
        """Go on from `state`."""
        self.started, self.number, self.msn = state.started, state.number, state.msn
        self._index, self.shift = state.index, state.shift
        self.segment_start, self.end = state.segment_start, state.end

    def start(self, sample: Sample) -> None:
        """The first sample opens the first segment."""
        self.started = True
        self.segment_start = self.end = sample.dts
        self.shift = sample.cts_offset

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
            uneven = self._durations.count(self._usual) != len(self._durations)
            durations = self._durations if uneven else None
            data = audio_chunk(self.number, self._samples, self._tfhd, durations)
        else:
            data = video_chunk(self.number, self._samples, self._durations)
        self._sink.part(
            PartReady(
                kind=self.format.kind,
                msn=self.msn,
                index=self._index,
                number=self.number,
                start=self._samples[0].dts + self.shift,
                duration=self.part_span,
                independent=any(sample.is_key for sample in self._samples),
                sync_start=self._samples[0].is_key,
                data=data,
            )
        )
        self.too_long = self.too_long or self.part_span > self.part_limit
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
                start=self.segment_start + self.shift,
                duration=next_start - self.segment_start,
                parts=self._index,
            )
        )
        self.msn += 1
        self._index = 0
        self.too_long = False
        self.segment_start = next_start
