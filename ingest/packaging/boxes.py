"""ISO base media file format primitives (ISO/IEC 14496-12 §4.2): write boxes, walk boxes."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ingest.errors import MalformedMedia

_HEADER = struct.Struct(">I4s")
_FULL = struct.Struct(">I4sI")
_CONTAINERS = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"moof", b"traf"}
)


def box(kind: bytes, *payload: bytes) -> bytes:
    """A box of `kind` (four bytes) around `payload`, with its 32-bit size."""
    body = b"".join(payload)
    return _HEADER.pack(8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    """A FullBox: `version` (8 bits) and `flags` (24 bits) before `payload`."""
    body = b"".join(payload)
    return _FULL.pack(12 + len(body), kind, version << 24 | flags) + body


class BoxView(NamedTuple):
    """A box found in a buffer: `start` is its first byte, `payload` the first behind its header."""

    kind: bytes
    start: int
    payload: int
    end: int


def walk(data: bytes | memoryview, start: int = 0, end: int | None = None) -> Iterator[BoxView]:
    """Boxes between `start` and `end` in file order, without descending.

    Raises MalformedMedia when a box is shorter than its header or reaches past `end`.
    """
    limit = len(data) if end is None else end
    position = start
    while position < limit:
        if position + 8 > limit:
            raise MalformedMedia(f"box header cut off at byte {position}")
        size, kind = _HEADER.unpack_from(data, position)
        header = 8
        if size == 1 and position + 16 <= limit:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
            header = 16
        if size < header or position + size > limit:
            raise MalformedMedia(f"box {kind!r} at byte {position} has an impossible size {size}")
        yield BoxView(kind, position, position + header, position + size)
        position += size


def find(data: bytes | memoryview, *path: bytes) -> list[BoxView]:
    """All boxes at `path` (outermost first), descending through plain containers only."""
    level = list(walk(data))
    for depth, kind in enumerate(path):
        matches = [view for view in level if view.kind == kind]
        if depth == len(path) - 1:
            return matches
        if kind not in _CONTAINERS:
            raise MalformedMedia(f"{kind!r} is not a container")
        level = [child for view in matches for child in walk(data, view.payload, view.end)]
    return []
