"""Reads back what the packager wrote: moof and mdat as values, from their bytes alone."""

import struct
from dataclasses import dataclass

from ingest.packaging.boxes import BoxView, find, walk

_DEFAULT_BASE_IS_MOOF = 0x020000
_DEFAULT_DURATION = 0x000008
_DEFAULT_SIZE = 0x000010
_DEFAULT_FLAGS = 0x000020


@dataclass(frozen=True)
class ReadSample:
    """One row of a trun, with defaults filled in, and the bytes that it points to."""

    duration: int
    size: int
    flags: int
    cts_offset: int
    data: bytes

    @property
    def is_sync(self) -> bool:
        """sample_is_non_sync_sample is not set (ISO/IEC 14496-12 §8.8.3.1)."""
        return not self.flags & 0x00010000


@dataclass(frozen=True)
class ReadChunk:
    """One moof and its mdat."""

    sequence: int
    track: int
    decode_time: int
    trun_version: int
    trun_flags: int
    tfhd_flags: int
    samples: tuple[ReadSample, ...]

    @property
    def duration(self) -> int:
        """Ticks of all samples together."""
        return sum(sample.duration for sample in self.samples)


def read_chunks(data: bytes) -> list[ReadChunk]:
    """All chunks of a part or a segment; AssertionError unless it is moof, mdat, moof, mdat…"""
    boxes = list(walk(data))
    assert [box.kind for box in boxes] == [b"moof", b"mdat"] * (len(boxes) // 2)
    return [_chunk(data, moof, mdat) for moof, mdat in zip(boxes[::2], boxes[1::2], strict=True)]


def _chunk(data: bytes, moof: BoxView, mdat: BoxView) -> ReadChunk:
    inside = data[moof.start : moof.end]
    mfhd = _payload(inside, b"moof", b"mfhd")
    trafs = find(inside, b"moof", b"traf")
    assert len(trafs) == 1  # CMAF: one track a chunk (ISO/IEC 23000-19 §7.3.2.3)
    tfhd = _payload(inside, b"moof", b"traf", b"tfhd")
    tfdt = _payload(inside, b"moof", b"traf", b"tfdt")
    trun = _payload(inside, b"moof", b"traf", b"trun")
    tfhd_flags, track = struct.unpack_from(">II", tfhd)
    assert tfhd_flags & _DEFAULT_BASE_IS_MOOF
    assert tfdt[0] == 1
    default_duration, default_flags = _tfhd_defaults(tfhd, tfhd_flags)
    head, count, data_offset = struct.unpack_from(">IIi", trun)
    flags = head & 0xFFFFFF
    cursor = moof.start + data_offset
    assert cursor == mdat.payload
    position = 12
    first_flags = None
    if flags & 0x4:
        first_flags = int.from_bytes(trun[position : position + 4], "big")
        position += 4
    samples = []
    for index in range(count):
        duration, sample_flags, offset = default_duration, default_flags, 0
        if flags & 0x100:
            duration = int.from_bytes(trun[position : position + 4], "big")
            position += 4
        assert flags & 0x200
        size = int.from_bytes(trun[position : position + 4], "big")
        position += 4
        if flags & 0x400:
            sample_flags = int.from_bytes(trun[position : position + 4], "big")
            position += 4
        elif index == 0 and first_flags is not None:
            sample_flags = first_flags
        if flags & 0x800:
            offset = int.from_bytes(trun[position : position + 4], "big", signed=True)
            position += 4
        samples.append(
            ReadSample(duration, size, sample_flags, offset, data[cursor : cursor + size])
        )
        cursor += size
    assert position == len(trun)
    assert cursor == mdat.end
    return ReadChunk(
        sequence=int.from_bytes(mfhd[4:8], "big"),
        track=track,
        decode_time=int.from_bytes(tfdt[4:12], "big"),
        trun_version=head >> 24,
        trun_flags=flags,
        tfhd_flags=tfhd_flags,
        samples=tuple(samples),
    )


def _tfhd_defaults(tfhd: bytes, flags: int) -> tuple[int, int]:
    position, duration, sample_flags = 8, 0, 0
    if flags & _DEFAULT_DURATION:
        duration = int.from_bytes(tfhd[position : position + 4], "big")
        position += 4
    if flags & _DEFAULT_SIZE:
        position += 4
    if flags & _DEFAULT_FLAGS:
        sample_flags = int.from_bytes(tfhd[position : position + 4], "big")
    return duration, sample_flags


def _payload(data: bytes, *path: bytes) -> bytes:
    (view,) = find(data, *path)
    return data[view.payload : view.end]
