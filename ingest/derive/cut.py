"""Where a recording can be cut: keyframes, chunks, and the samples between two positions."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ingest.derive.chunks import Chunk, load_chunks
from ingest.derive.recording import Piece, RecordedTrack, Recording
from ingest.derive.track_init import TrackInit, read_track_init
from ingest.errors import MalformedMedia
from ingest.media import MediaKind

Files = Callable[[str], Path]

_TOLERANCE_S = 0.0005
"""Positions come from playlists, which tell milliseconds."""


class Keyframe(NamedTuple):
    """A keyframe: its position, the piece and the time within its Period at which it is shown.

    `delay`: how much later than decoded, in ticks.
    """

    at_s: float
    piece: Piece
    pts: int
    delay: int


class Positions:
    """Turns times within a Period into positions on the recording's timeline."""

    def __init__(self) -> None:
        self._first_pts: dict[str, int] = {}

    def of(self, piece: Piece, init: TrackInit, chunk: Chunk) -> float:
        """Position of the chunk's first sample; a piece's first chunk is asked for first."""
        first = self._first_pts.setdefault(piece.name, chunk.first_pts)
        return piece.start_s + (chunk.first_pts - first) / init.timescale


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the recording's timeline, in seconds."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Its length."""
        return self.end_s - self.start_s


class SpanSelection:
    """Whole chunks of video that begin within the span; of sound every frame that overlaps it."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._positions = Positions()

    def of(self, kind: MediaKind, piece: Piece, init: TrackInit, chunk: Chunk) -> Chunk | None:
        """See `Selection.of`."""
        at_s = self._positions.of(piece, init, chunk)
        if kind is MediaKind.VIDEO:
            return self._video(chunk, at_s, init)
        count = len(chunk.sizes)
        frame_s = chunk.durations[0] / init.timescale or 1.0
        start = max(0, int((self._span.start_s - at_s + _TOLERANCE_S) // frame_s))
        end = min(count, -int(-(self._span.end_s - at_s - _TOLERANCE_S) // frame_s))
        return chunk.part(start, end) if start < end else None

    def _video(self, chunk: Chunk, at_s: float, init: TrackInit) -> Chunk | None:
        if at_s >= self._span.end_s - _TOLERANCE_S:
            return None
        if at_s >= self._span.start_s - _TOLERANCE_S:
            return chunk
        for index in chunk.syncs:  # a keyframe within a chunk: rare, and a place to start, too
            late = chunk.part(index, len(chunk.sizes))
            late_s = at_s + (late.first_pts - chunk.first_pts) / init.timescale
            if abs(late_s - self._span.start_s) <= _TOLERANCE_S:
                return late
        return None


class Cutter:
    """Looks up where a recording can be cut; `files` tells where its files are."""

    def __init__(self, recording: Recording, files: Files) -> None:
        self._recording = recording
        self._files = files
        self._inits: dict[str, TrackInit] = {}

    def init(self, piece: Piece) -> TrackInit:
        """The piece's initialization section."""
        if piece.init not in self._inits:
            self._inits[piece.init] = read_track_init(self._files(piece.init).read_bytes())
        return self._inits[piece.init]

    def keyframe_before(self, track: RecordedTrack, at_s: float) -> Keyframe:
        """The last keyframe at or before the position, or the recording's first one."""
        starts = [piece.start_s for piece in track.pieces]
        last = max(0, bisect_right(starts, at_s + _TOLERANCE_S) - 1)
        for index in range(last, -1, -1):
            found = [
                key
                for key in self.keyframes(track.pieces[index])
                if key.at_s <= at_s + _TOLERANCE_S
            ]
            if found:
                return found[-1]
        first = self.keyframe_behind(track, at_s)
        if first is None:
            raise MalformedMedia("there is no keyframe in this part of the recording")
        return first

    def keyframe_behind(self, track: RecordedTrack, at_s: float) -> Keyframe | None:
        """The first keyframe behind the position."""
        for piece in track.pieces:
            if piece.end_s > at_s:
                for key in self.keyframes(piece):
                    if key.at_s > at_s + _TOLERANCE_S:
                        return key
        return None

    def keyframes(self, piece: Piece) -> Iterator[Keyframe]:
        """The keyframes of a piece, in order."""
        init, positions = self.init(piece), Positions()
        for chunk in load_chunks(self._files(piece.name)):
            at_s = positions.of(piece, init, chunk)
            for index in chunk.syncs:
                sample = chunk.part(index, index + 1)
                later_s = (sample.first_pts - chunk.first_pts) / init.timescale
                yield Keyframe(at_s + later_s, piece, sample.first_pts, sample.cts_offsets[0])

    def chunk_span(self, start_s: float, end_s: float) -> Span:
        """What a cut at chunk precision takes: from the keyframe at or before `start_s` to the
        end of the chunk that holds `end_s`. Without video both are as they were asked for."""
        track = self._recording.of_kind(MediaKind.VIDEO)
        if track is None:
            return Span(start_s, end_s)
        key = self.keyframe_before(track, start_s)
        last_s = key.at_s
        for piece in track.pieces:
            if piece.end_s <= key.at_s or piece.start_s >= end_s:
                continue
            init, positions = self.init(piece), Positions()
            for chunk in load_chunks(self._files(piece.name)):
                at_s = positions.of(piece, init, chunk)
                if at_s < end_s - _TOLERANCE_S:
                    last_s = max(last_s, at_s + chunk.duration / init.timescale)
        return Span(key.at_s, last_s)
