"""Cuts a clip at the very frame: what lies between the cut and the next keyframe is encoded anew,
the whole groups of pictures in between are copied.

Where that cannot be joined (no H.264, a keyframe that is none, a Discontinuity within) all of the
clip's video is encoded anew.
"""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from ingest.derive.chunks import Chunk, load_chunks
from ingest.derive.cut import Cutter, Files, Keyframe, Span, SpanSelection
from ingest.derive.mp4 import write_mp4
from ingest.derive.recording import Piece, RecordedTrack, Recording
from ingest.derive.reencode import Coded, Frames, encode_anew
from ingest.derive.requests import Clip
from ingest.derive.track_init import TrackInit
from ingest.errors import MediaRefused
from ingest.media import VIDEO_TIMESCALE, MediaKind

_TOLERANCE_S = 0.001
_TOLERANCE_TICKS = round(_TOLERANCE_S * VIDEO_TIMESCALE)
_LONG_AGO_S, _FAR_S = -1.0, 1e9
_REORDERED_S = 0.5
"""Frames that are shown before a time may come so much behind it in the file."""

_ANEW = "anew-"
_LENGTH_BYTES = 4
_IDR = 5
_H264 = b"avc1"


def cut_at_frames(
    recording: Recording,
    files: Files,
    wanted: Span,
    scratch: Path,
    out: Path,
    progress: Callable[[float], None] = lambda _: None,
) -> Clip:
    """Cut `wanted` to `out`, from the first frame at or behind its start to the last before its
    end; sound to the sample. `scratch` is an empty folder.

    Raises MediaRefused, MalformedMedia, OSError.
    """
    track = recording.of_kind(MediaKind.VIDEO)
    if track is None:
        raise MediaRefused("no_video", "exact", "There is no video to cut at a frame")
    cut = _ExactCut(recording, track, files, wanted, scratch)
    video = RecordedTrack(MediaKind.VIDEO, tuple(cut.joined() or cut.encoded_whole()))
    progress(0.8)
    span = Span(cut.start_s, min(wanted.end_s, recording.end_s))
    audio = recording.between(span.start_s, span.end_s).of_kind(MediaKind.AUDIO)
    mp4 = write_mp4(
        Recording((video, audio) if audio else (video,)),
        cut.file,
        out,
        selection=_ExactSelection(cut.copied, span),
        end_s=span.duration_s,
        progress=lambda share: progress(0.8 + 0.2 * share),
    )
    return Clip(span, mp4)


class _ExactSelection:
    """Of copied video what lies in its own span, of encoded video everything."""

    def __init__(self, copied: Span, span: Span) -> None:
        self._video = SpanSelection(copied)
        self._audio = SpanSelection(span)

    def of(self, kind: MediaKind, piece: Piece, init: TrackInit, chunk: Chunk) -> Chunk | None:
        """See `Selection.of`."""
        if kind is MediaKind.AUDIO:
            return self._audio.of(kind, piece, init, chunk)
        if piece.name.startswith(_ANEW):
            return chunk
        return self._video.of(kind, piece, init, chunk)


class _ExactCut:
    """Finds out what is copied and makes what is encoded anew.

    `start_s`: the position of the first frame; `copied`: the span of what is copied.
    """

    def __init__(
        self, recording: Recording, track: RecordedTrack, files: Files, wanted: Span, scratch: Path
    ) -> None:
        self._track = track
        self._files = files
        self._wanted = wanted
        self._scratch = scratch
        self._cutter = Cutter(recording, files)
        self._made = 0
        self.start_s = wanted.start_s
        self.copied = Span(_FAR_S, _FAR_S)

    def file(self, name: str) -> Path:
        """Where a file is, of the recording or made here."""
        return self._scratch / name if name.startswith(_ANEW) else self._files(name)

    def joined(self) -> list[Piece]:
        """Encoded head, copied groups of pictures, encoded tail; empty where that is not to be."""
        start_s, end_s = self._wanted.start_s, self._wanted.end_s
        before = self._cutter.keyframe_before(self._track, start_s)
        first = self._copied_from(before)
        last = self._cutter.keyframe_before(self._track, end_s)
        if first is None or not self._may_join(before, first, last):
            return []
        to_end = end_s >= self._track.pieces[-1].end_s - _TOLERANCE_S
        until_s = _FAR_S if to_end else last.at_s
        if until_s <= first.at_s:
            return []
        self.copied = Span(first.at_s, until_s)
        pieces = self._pieces(first.at_s, min(until_s, end_s))
        if first.at_s > start_s + _TOLERANCE_S:
            pieces.insert(0, self._anew(before, start_s, first.at_s, _LONG_AGO_S, first.delay))
        else:
            self.start_s = first.at_s
        if not to_end and last.at_s < end_s - _TOLERANCE_S:
            pieces.append(self._anew(last, last.at_s, end_s, _FAR_S, last.delay))
        return pieces

    def encoded_whole(self) -> list[Piece]:
        """All of it encoded anew, each stretch with one initialization section by itself."""
        self.copied = Span(_FAR_S, _FAR_S)
        start_s, end_s = self._wanted.start_s, self._wanted.end_s
        first = self._cutter.keyframe_before(self._track, start_s)
        pieces = []
        for _, group in groupby(
            self._pieces(first.at_s, end_s), key=lambda piece: (piece.period, piece.init)
        ):
            stretch = [*group]
            from_s = max(start_s, stretch[0].start_s)
            until_s = min(end_s, stretch[-1].end_s)
            key = next(self._cutter.keyframes(stretch[0]), None)
            if key is not None and until_s > from_s + _TOLERANCE_S:
                key = key if key.at_s > first.at_s else first
                pieces.append(self._anew(key, from_s, until_s, from_s, 0))
        if not pieces:
            raise MediaRefused("no_frames", "start", "There is no frame between start and end")
        return pieces

    def _copied_from(self, before: Keyframe) -> Keyframe | None:
        if before.at_s >= self._wanted.start_s - _TOLERANCE_S:
            return before
        return self._cutter.keyframe_behind(self._track, self._wanted.start_s)

    def _may_join(self, before: Keyframe, first: Keyframe, last: Keyframe) -> bool:
        """Whether encoded and copied pictures can follow one another."""
        pieces = self._pieces(before.at_s, self._wanted.end_s)
        init = self._cutter.init(before.piece)
        return (
            init.coding == _H264
            and len({(piece.period, piece.init) for piece in pieces}) == 1
            and all(self._stands_alone(key) for key in {first, last})
        )

    def _stands_alone(self, key: Keyframe) -> bool:
        """Whether nothing behind the keyframe refers to, or is shown, before it."""
        path, decoded = self._files(key.piece.name), False
        for chunk in load_chunks(path):
            for index in range(len(chunk.sizes)):
                sample = chunk.part(index, index + 1)
                if decoded and sample.first_pts < key.pts:
                    return False
                if sample.first_pts == key.pts and not decoded:
                    decoded = True
                    if not _is_idr(path, sample):
                        return False
        return decoded

    def _pieces(self, start_s: float, end_s: float) -> list[Piece]:
        return [
            piece
            for piece in self._track.pieces
            if piece.end_s > start_s + _TOLERANCE_S and piece.start_s < end_s - _TOLERANCE_S
        ]

    def _anew(
        self, key: Keyframe, start_s: float, end_s: float, place_s: float, delay: int
    ) -> Piece:
        """Encode what is shown from `start_s` to `end_s`, decoded from `key` on."""
        name = f"{_ANEW}{self._made}"
        self._made += 1
        pieces = [
            piece
            for piece in self._pieces(key.piece.start_s, end_s + _REORDERED_S)
            if (piece.period, piece.init) == (key.piece.period, key.piece.init)
        ]
        frames = Frames(_ticks(key, start_s), _ticks(key, end_s), delay)
        init, media = self._scratch / f"{name}.mp4", self._scratch / f"{name}.m4s"
        coded = Coded(self._files(key.piece.init), [self._files(piece.name) for piece in pieces])
        encode_anew(coded, frames, init, media)
        if start_s <= self._wanted.start_s + _TOLERANCE_S:
            shown = load_chunks(media)[0].first_pts
            self.start_s = key.at_s + (shown - key.pts) / VIDEO_TIMESCALE
        duration_s = end_s - start_s
        return Piece(media.name, init.name, key.piece.period, place_s, duration_s)


def _ticks(key: Keyframe, at_s: float) -> int:
    """A position on the timeline of the keyframe's Period; frames a little before it count."""
    return key.pts + round((at_s - key.at_s) * VIDEO_TIMESCALE) - _TOLERANCE_TICKS


def _is_idr(path: Path, sample: Chunk) -> bool:
    """Whether an H.264 picture begins a coded video sequence (ISO/IEC 14496-10 §7.4.1.2.4)."""
    with path.open("rb") as file:
        file.seek(sample.offset)
        data = file.read(sample.sizes[0])
    position = 0
    while position + _LENGTH_BYTES < len(data):
        if data[position + _LENGTH_BYTES] & 0x1F == _IDR:
            return True
        size = int.from_bytes(data[position : position + _LENGTH_BYTES], "big")
        position += _LENGTH_BYTES + size
    return False
