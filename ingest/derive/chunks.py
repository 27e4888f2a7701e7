"""Reads back the chunks that the packager wrote: sample tables, without touching the samples.

Only our own files come here: one track, one trun a moof, its data behind it (see
`ingest.packaging.fragment`). Tables are arrays, for a recording has millions of samples.
"""

import mmap
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from sys import byteorder

from ingest.errors import MalformedMedia
from ingest.packaging.boxes import BoxView, find, walk
from ingest.packaging.fragment import SYNC

_TFHD_DURATION = 0x000008
_TFHD_SIZE = 0x000010
_TFHD_FLAGS = 0x000020
_TRUN_FIRST_FLAGS = 0x000004
_TRUN_DURATION = 0x000100
_TRUN_SIZE = 0x000200
_TRUN_FLAGS = 0x000400
_TRUN_CTS = 0x000800
_NOT_SYNC_BIT = 0x00010000


@dataclass(frozen=True, slots=True)
class Chunk:
    """One moof: its samples' numbers, and where their bytes lie in the file.

    `dts` is the first sample's; durations, composition offsets (signed) and dts are in ticks.
    `syncs` are the indices of keyframes.
    """

    dts: int
    durations: "array[int]"
    sizes: "array[int]"
    cts_offsets: "array[int]"
    syncs: tuple[int, ...]
    offset: int

    @property
    def first_pts(self) -> int:
        """When the first sample in decode order is shown."""
        return self.dts + self.cts_offsets[0]

    @property
    def duration(self) -> int:
        """Ticks of all samples together."""
        return sum(self.durations)

    def part(self, start: int, end: int) -> "Chunk":
        """The samples from index `start` to before `end`."""
        return Chunk(
            dts=self.dts + sum(self.durations[:start]),
            durations=self.durations[start:end],
            sizes=self.sizes[start:end],
            cts_offsets=self.cts_offsets[start:end],
            syncs=tuple(i - start for i in self.syncs if start <= i < end),
            offset=self.offset + sum(self.sizes[:start]),
        )


def read_chunks(data: bytes | memoryview) -> Iterator[Chunk]:
    """The chunks of a Media Segment or a Partial Segment, in order. Raises MalformedMedia."""
    for view in walk(data):
        if view.kind == b"moof":
            yield _chunk(data, view)


def load_chunks(path: Path) -> list[Chunk]:
    """The chunks of a file, without its samples. Raises MalformedMedia, OSError."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        return [*read_chunks(data)]


def _chunk(data: bytes | memoryview, view: BoxView) -> Chunk:
    moof = bytes(data[view.start : view.end])
    try:
        (tfhd,) = find(moof, b"moof", b"traf", b"tfhd")
        (tfdt,) = find(moof, b"moof", b"traf", b"tfdt")
        (trun,) = find(moof, b"moof", b"traf", b"trun")
        duration, flags = _defaults(moof[tfhd.payload : tfhd.end])
        (dts,) = struct.unpack_from(">Q", moof, tfdt.payload + 4)
        chunk = _samples(moof[trun.payload : trun.end], dts, view.start, duration, flags)
    except (struct.error, ValueError) as error:
        raise MalformedMedia(f"the chunk at byte {view.start} cannot be read: {error}") from error
    if chunk.offset + sum(chunk.sizes) > len(data):
        raise MalformedMedia(f"the chunk at byte {view.start} is cut off")
    return chunk


def _defaults(tfhd: bytes) -> tuple[int, int]:
    """Default sample duration and flags."""
    (head,) = struct.unpack_from(">I", tfhd)
    position, duration, flags = 8, 0, SYNC
    if head & _TFHD_DURATION:
        (duration,) = struct.unpack_from(">I", tfhd, position)
        position += 4
    if head & _TFHD_SIZE:
        position += 4
    if head & _TFHD_FLAGS:
        (flags,) = struct.unpack_from(">I", tfhd, position)
    return duration, flags


def _samples(trun: bytes, dts: int, moof_start: int, duration: int, flags: int) -> Chunk:
    head, count, data_offset = struct.unpack_from(">IIi", trun)
    position, first_flags = 12, flags
    if head & _TRUN_FIRST_FLAGS:
        (first_flags,) = struct.unpack_from(">I", trun, position)
        position += 4
    fields = [f for f in (_TRUN_DURATION, _TRUN_SIZE, _TRUN_FLAGS, _TRUN_CTS) if head & f]
    if not count or _TRUN_SIZE not in fields:
        raise ValueError("no samples, or none with a size")
    table = array("I", trun[position : position + 4 * count * len(fields)])
    if len(table) != count * len(fields):
        raise ValueError("the sample table is cut off")
    if byteorder == "little":
        table.byteswap()
    columns = {field: table[i :: len(fields)] for i, field in enumerate(fields)}
    all_flags = columns.get(_TRUN_FLAGS) or array("I", [first_flags]) + array("I", [flags]) * (
        count - 1
    )
    offsets = columns.get(_TRUN_CTS)
    return Chunk(
        dts=dts,
        durations=columns.get(_TRUN_DURATION) or array("I", [duration]) * count,
        sizes=columns[_TRUN_SIZE],
        cts_offsets=array("i", offsets.tobytes()) if offsets else array("i", bytes(4 * count)),
        syncs=tuple(i for i, value in enumerate(all_flags) if not value & _NOT_SYNC_BIT),
        offset=moof_start + data_offset,
    )
