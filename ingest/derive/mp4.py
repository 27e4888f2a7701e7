"""A progressive MP4, `moov` in front, from the chunks of a recording: copied, never decoded."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ingest.derive.movie_plan import Everything, MoviePlan, Selection
from ingest.derive.recording import Recording
from ingest.derive.requests import Mp4
from ingest.derive.sample_table import MOVIE_TIMESCALE
from ingest.media import MediaKind
from ingest.packaging.boxes import box, full_box

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_BUFFER_BYTES = 1 << 20


def write_mp4(
    recording: Recording,
    files: Callable[[str], Path],
    out: Path,
    *,
    selection: Selection | None = None,
    end_s: float | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Mp4:
    """Write the recording to `out`; `files` tells where its files are.

    The movie starts with its first picture; sound before that is cut by the edit list, as is
    what lies behind `end_s` of the movie's time. `progress` hears of shares from 0 to 1. Raises
    MalformedMedia, also when nothing is selected, MediaRefused when a track changes its codec, and
    OSError.
    """
    plan = MoviePlan(recording, files, selection or Everything())
    plan.read(lambda share: progress(share / 2))
    ends = [table.movie_end(plan.starts[k], end_s) for k, table in plan.tables.items()]
    with out.open("wb", _BUFFER_BYTES) as target:
        target.write(_header(plan, end_s, max(ends)))
        _copy(plan, files, target, lambda share: progress(0.5 + share / 2))
    video = plan.tables.get(MediaKind.VIDEO)
    return Mp4(
        size=out.stat().st_size,
        duration_s=max(ends) / MOVIE_TIMESCALE,
        width=video.width if video else 0,
        height=video.height if video else 0,
    )


def _header(plan: MoviePlan, end_s: float | None, duration: int) -> bytes:
    """Everything before the first sample: ftyp, moov, the header of mdat."""
    ftyp = box(b"ftyp", b"isom", _u32(512), b"isom", b"iso2", b"mp41")
    size = plan.media_bytes + 16
    mdat = struct.pack(">I4sQ", 1, b"mdat", size)

    def moov(base: int) -> bytes:
        traks = [
            table.trak(number, plan.starts[kind], end_s, base)
            for number, (kind, table) in enumerate(plan.tables.items(), 1)
        ]
        return box(b"moov", _mvhd(duration, len(traks) + 1), *traks)

    base = len(ftyp) + len(moov(0)) + len(mdat)
    return ftyp + moov(base) + mdat


def _mvhd(duration: int, next_track: int) -> bytes:
    times = struct.pack(">IIII", 0, 0, MOVIE_TIMESCALE, duration)
    rate_and_volume = struct.pack(">IHHII", 0x10000, 0x0100, 0, 0, 0)
    return full_box(b"mvhd", 0, 0, times, rate_and_volume, _MATRIX, bytes(24), _u32(next_track))


def _copy(
    plan: MoviePlan,
    files: Callable[[str], Path],
    target: IO[bytes],
    progress: Callable[[float], None],
) -> None:
    """The samples, from one open file at a time."""
    name, source = "", -1
    try:
        for done, extent in enumerate(plan.extents):
            if extent.name != name:
                if source >= 0:
                    os.close(source)
                name, source = extent.name, os.open(files(extent.name), os.O_RDONLY)
                progress(done / len(plan.extents))
            target.write(extent.prefix)
            _copy_range(source, extent.offset, extent.size, target)
    finally:
        if source >= 0:
            os.close(source)
    progress(1.0)


def _copy_range(source: int, offset: int, size: int, target: IO[bytes]) -> None:
    while size:
        data = os.pread(source, min(size, _BUFFER_BYTES), offset)
        if not data:
            raise OSError("a file of the recording became shorter while it was copied")
        target.write(data)
        offset += len(data)
        size -= len(data)


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")
