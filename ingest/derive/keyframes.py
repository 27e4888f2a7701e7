"""Decodes keyframes. libav on a stranger's bytes: in a media task's process only."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import av
from av.video.frame import VideoFrame

from ingest.derive.chunks import Chunk, load_chunks
from ingest.derive.cut import Cutter, Files, Keyframe
from ingest.derive.recording import RecordedTrack
from ingest.media import Sample
from ingest.packaging.fragment import video_chunk

MOST_PIXELS = 8192 * 4320
"""Larger pictures are not decoded: a few bytes can claim any size."""


class Picture(NamedTuple):
    """A decoded frame, and its size with square pixels."""

    frame: VideoFrame
    width: int
    height: int


class Shot(NamedTuple):
    """A decoded keyframe and its position in seconds."""

    at_s: float
    picture: Picture


def decode_keyframe(init: bytes, sample: bytes) -> Picture | None:
    """The picture of a single coded sample; None when it cannot be decoded, or is huge."""
    movie = init + video_chunk(1, [Sample(0, 0, is_key=True, data=sample)], [1])
    return _first(io.BytesIO(movie))


def first_picture(movie: Path) -> Picture | None:
    """The first picture of a file; None when it has none, or a huge one."""
    return _first(str(movie))


def first_keyframe(media: Path) -> bytes | None:
    """The first keyframe's bytes in a file of chunks. Raises MalformedMedia, OSError."""
    for chunk in load_chunks(media):
        for index in chunk.syncs:
            return _read(media, chunk.part(index, index + 1))
    return None


def _first(movie: BinaryIO | str) -> Picture | None:
    try:
        with av.open(movie, "r", format="mp4") as container:
            video = container.streams.video[0]
            if video.codec_context.width * video.codec_context.height > MOST_PIXELS:
                return None
            video.codec_context.thread_count = 1
            for frame in container.decode(video):
                if frame.width * frame.height > MOST_PIXELS:
                    return None
                aspect = float(video.codec_context.sample_aspect_ratio or 1)
                return Picture(frame, max(2, round(frame.width * aspect)), frame.height)
    except (av.FFmpegError, IndexError):
        return None
    return None


def shots(
    track: RecordedTrack, cutter: Cutter, files: Files, positions_s: list[float]
) -> Iterator[Shot]:
    """The keyframe at or before each position, in order; one that serves several comes once, one
    that cannot be decoded is left out."""
    last: Keyframe | None = None
    for at_s in positions_s:
        key = cutter.keyframe_before(track, at_s)
        if last is not None and (key.piece.name, key.pts) == (last.piece.name, last.pts):
            continue
        last = key
        picture = decode_keyframe(files(key.piece.init).read_bytes(), _sample(key, files))
        if picture is not None:
            yield Shot(key.at_s, picture)


def _sample(key: Keyframe, files: Files) -> bytes:
    path = files(key.piece.name)
    for chunk in load_chunks(path):
        for index in chunk.syncs:
            sample = chunk.part(index, index + 1)
            if sample.first_pts == key.pts:
                return _read(path, sample)
    return b""


def _read(path: Path, sample: Chunk) -> bytes:
    with path.open("rb") as file:
        file.seek(sample.offset)
        return file.read(sample.sizes[0])
