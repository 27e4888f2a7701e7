"""Hand-made media: formats, samples, packets and journal entries for tests that need no codec."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingest.journal_entries import (
    InitWritten,
    JournalEntry,
    PartWritten,
    PeriodStarted,
    SegmentWritten,
)
from ingest.media import (
    VIDEO_TIMESCALE,
    AudioFormat,
    Codec,
    MediaKind,
    Packet,
    Sample,
    VideoFormat,
)
from ingest.packaging.open_track import PartReady, SegmentReady

# What libx264 writes for 64x48, Main, level 1.0, with B-frames.
AVCC = bytes.fromhex("014d400affe10015674d400aeca23d08000003000800003e8078912cb001000468ce0fc8")
VIDEO = VideoFormat(Codec.H264, AVCC, 64, 48)
STEREO_48K = AudioFormat(Codec.AAC, bytes.fromhex("1190"), 48_000, 2, 1024)
MONO_44K = AudioFormat(Codec.AAC, bytes.fromhex("1208"), 44_100, 1, 1024)
AAC_24K = AudioFormat(Codec.AAC, bytes.fromhex("1310"), 24_000, 2, 1024)

WALL_S = 1_700_000_000.0
"""When hand-made streams start: 2023-11-14T22:13:20Z."""


@dataclass
class HeldClock:
    """A clock that stands still until it is moved."""

    wall: float = WALL_S
    monotonic: float = 1000.0

    def wall_s(self) -> float:
        """As it was set."""
        return self.wall

    def monotonic_s(self) -> float:
        """As it was set."""
        return self.monotonic

    def forward(self, seconds: float) -> None:
        """Move both clocks."""
        self.wall += seconds
        self.monotonic += seconds


@dataclass
class Collected:
    """A SegmentSink that keeps everything, in order."""

    everything: list[PartReady | SegmentReady] = field(default_factory=list)

    def part(self, part: PartReady) -> None:
        """Take a Partial Segment."""
        self.everything.append(part)

    def segment(self, segment: SegmentReady) -> None:
        """Take a Media Segment."""
        self.everything.append(segment)

    def parts(self, kind: MediaKind) -> list[PartReady]:
        """Parts of one track."""
        return [e for e in self.everything if isinstance(e, PartReady) and e.kind is kind]

    def segments(self, kind: MediaKind) -> list[SegmentReady]:
        """Segments of one track."""
        return [e for e in self.everything if isinstance(e, SegmentReady) and e.kind is kind]

    def parts_of(self, segment: SegmentReady) -> list[PartReady]:
        """The parts that make up a segment."""
        return [part for part in self.parts(segment.kind) if part.msn == segment.msn]


def stamps_ms(fps: float, seconds: float, start_ms: int = 0) -> list[int]:
    """Frame times as FLV has them: rounded to milliseconds."""
    return [start_ms + round(i * 1000 / fps) for i in range(round(seconds * fps))]


def video_samples(
    fps: float, seconds: float, gop_s: float, *, reorder_ms: int = 0, size: int = 100
) -> Iterator[Sample]:
    """Samples on the 90 kHz clock with a keyframe every `gop_s`.

    With `reorder_ms` the composition offsets alternate as those of a stream with B-frames do.
    """
    gop = max(1, round(gop_s * fps))
    for i, dts_ms in enumerate(stamps_ms(fps, seconds)):
        is_key = i % gop == 0
        offset = reorder_ms if is_key or i % 2 else 0
        yield Sample(dts_ms * 90, offset * 90, is_key, bytes([i & 0xFF]) * size)


def audio_samples(
    track: AudioFormat, seconds: float, start_s: float = 0.0, first: int = 0
) -> Iterator[Sample]:
    """Frames back to back from `start_s` on."""
    start = int(start_s * track.sample_rate)
    for i in range(int(seconds * track.sample_rate / track.frame_samples)):
        yield Sample(start + i * track.frame_samples, 0, True, bytes([(first + i) & 0xFF]) * 20)


def interleaved(
    video: Sequence[Sample], audio: Sequence[Sample], audio_format: AudioFormat
) -> list[tuple[MediaKind, Sample]]:
    """Both tracks in decode order, as a multiplexer sends them."""
    rows = [(s.dts / VIDEO_TIMESCALE, 0, MediaKind.VIDEO, s) for s in video]
    rows += [(s.dts / audio_format.sample_rate, 1, MediaKind.AUDIO, s) for s in audio]
    rows.sort(key=lambda row: row[:2])
    return [(kind, sample) for _, _, kind, sample in rows]


def video_packet(dts_ms: int, *, key: bool = False, cts_ms: int = 0) -> Packet:
    """A video packet on the encoder's clock."""
    return Packet(MediaKind.VIDEO, dts_ms, dts_ms + cts_ms, key, b"v")


def audio_packet(dts_ms: int) -> Packet:
    """An audio packet on the encoder's clock."""
    return Packet(MediaKind.AUDIO, dts_ms, dts_ms, True, b"a")


@dataclass
class JournalScript:
    """Writes the journal of a regular stream: `parts` of `part_s` to a segment, both tracks alike.

    Every method answers the entries that a worker would append.
    """

    part_s: float = 0.5
    parts: int = 4
    target_duration_s: int = 2
    part_target_s: float = 0.525
    kinds: tuple[str, ...] = ("video",)
    period: int = -1
    init: int = -1
    msn: int = 0
    number: int = 0
    position: dict[str, int] = field(default_factory=dict)

    def start(self, reason: str = "publish", wall_s: float = WALL_S) -> list[JournalEntry]:
        """A new Period with an init section per track."""
        self.period += 1
        entries: list[JournalEntry] = [
            PeriodStarted(period=self.period, wall_s=wall_s, reason=reason)
        ]
        for kind in self.kinds:
            self.init += 1
            self.position[kind] = 0
            video = kind == "video"
            entries.append(
                InitWritten(
                    rendition=kind,
                    kind=kind,
                    init=self.init,
                    codecs="avc1.64001f" if video else "mp4a.40.2",
                    timescale=self.timescale(kind),
                    part_target_s=self.part_target_s,
                    target_duration_s=self.target_duration_s,
                    width=1280 if video else 0,
                    height=720 if video else 0,
                    channels=0 if video else 2,
                    sample_rate=0 if video else 48_000,
                )
            )
        return entries

    @staticmethod
    def timescale(kind: str) -> int:
        """Ticks per second of a track."""
        return 90_000 if kind == "video" else 48_000

    def part(self, index: int, *, independent: bool | None = None) -> list[JournalEntry]:
        """The next Partial Segment of each track, `index` within its segment."""
        entries: list[JournalEntry] = []
        for kind in self.kinds:
            duration = round(self.part_s * self.timescale(kind))
            entries.append(
                PartWritten(
                    rendition=kind,
                    msn=self.msn,
                    index=index,
                    number=self.number,
                    start=self.position[kind],
                    duration=duration,
                    size=1000,
                    independent=index == 0 if independent is None else independent,
                    sync_start=index == 0 if independent is None else independent,
                )
            )
            self.position[kind] += duration
        self.number += 1
        return entries

    def close(self, parts: int | None = None) -> list[JournalEntry]:
        """The end of the open segment."""
        count = self.parts if parts is None else parts
        entries: list[JournalEntry] = []
        for kind in self.kinds:
            duration = round(count * self.part_s * self.timescale(kind))
            entries.append(
                SegmentWritten(
                    rendition=kind,
                    msn=self.msn,
                    init=self.init - len(self.kinds) + 1 + self.kinds.index(kind),
                    start=self.position[kind] - duration,
                    duration=duration,
                    size=1000 * count,
                    parts=count,
                )
            )
        self.msn += 1
        return entries

    def segment(self, parts: int | None = None) -> list[JournalEntry]:
        """A whole segment of each track."""
        count = self.parts if parts is None else parts
        return [e for i in range(count) for e in self.part(i)] + self.close(count)

    def segments(self, count: int) -> list[JournalEntry]:
        """Several whole segments."""
        return [entry for _ in range(count) for entry in self.segment()]

    def gap(self, seconds: float) -> list[JournalEntry]:
        """A stretch of time without media."""
        entries: list[JournalEntry] = []
        for kind in self.kinds:
            duration = round(seconds * self.timescale(kind))
            entries.append(
                SegmentWritten(
                    rendition=kind,
                    msn=self.msn,
                    init=self.init - len(self.kinds) + 1 + self.kinds.index(kind),
                    start=self.position[kind],
                    duration=duration,
                    size=0,
                    parts=0,
                )
            )
            self.position[kind] += duration
        self.msn += 1
        return entries
