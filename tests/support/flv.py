"""FLV tags as values: read from a file, looked into, written again (Adobe FLV 10.1 §E)."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

AUDIO, VIDEO, SCRIPT = 8, 9, 18
FILE_HEADER = b"FLV\x01\x05\0\0\0\x09\0\0\0\0"
_TAG_HEADER, _TRAILER = 11, 4
_WRAP = 1 << 32


@dataclass(frozen=True)
class FlvTag:
    """One message: `kind` as RTMP and FLV number it, `time_ms` as the encoder stamps it.

    `true_ms`: when it was captured, where that is not what the stamp says.
    """

    kind: int
    time_ms: int
    data: bytes
    true_ms: float | None = None

    @property
    def at_ms(self) -> float:
        """When it was captured."""
        return self.time_ms if self.true_ms is None else self.true_ms

    @property
    def is_header(self) -> bool:
        """Whether it is a decoder configuration."""
        if not self.data:
            return False
        if self.kind == VIDEO and self.data[0] & 0x80:
            return self.data[0] & 0x0F == 0
        if self.kind == AUDIO and self.data[0] >> 4 == 9:
            return self.data[0] & 0x0F == 0
        with_type = self.kind == VIDEO or self.data[0] >> 4 == 10
        return with_type and len(self.data) > 1 and self.data[1] == 0

    @property
    def is_key(self) -> bool:
        """Whether it is a video keyframe."""
        return self.kind == VIDEO and bool(self.data) and self.data[0] >> 4 & 7 == 1

    @property
    def unit(self) -> "AccessUnit | None":
        """The access unit in it; None for a header, an end of sequence or nothing at all."""
        if self.is_header or self.kind not in {AUDIO, VIDEO}:
            return None
        unit = _video_unit(self.data) if self.kind == VIDEO else _audio_unit(self.data)
        return unit if unit is not None and unit.data else None


class AccessUnit(NamedTuple):
    """What a decoder gets, and its composition offset in milliseconds."""

    cts_ms: int
    data: bytes


def _video_unit(data: bytes) -> AccessUnit | None:
    if len(data) < 5:
        return None
    if not data[0] & 0x80:
        return AccessUnit(_signed(data[2:5]), data[5:]) if data[1] == 1 else None
    packet_type, codec = data[0] & 0x0F, data[1:5]
    if packet_type == 3 or (packet_type == 1 and codec == b"av01"):
        return AccessUnit(0, data[5:])
    return AccessUnit(_signed(data[5:8]), data[8:]) if packet_type == 1 else None


def _audio_unit(data: bytes) -> AccessUnit | None:
    if not data:
        return None
    if data[0] >> 4 == 9:
        return AccessUnit(0, data[5:]) if data[0] & 0x0F == 1 else None
    return AccessUnit(0, data[2:] if data[0] >> 4 == 10 else data[1:])


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def read_tags(path: Path) -> list[FlvTag]:
    """Every tag of a file, script tags included."""
    data = path.read_bytes()
    tags = []
    position = len(FILE_HEADER)
    while position + _TAG_HEADER <= len(data):
        kind = data[position] & 0x1F
        length = int.from_bytes(data[position + 1 : position + 4], "big")
        low = int.from_bytes(data[position + 4 : position + 7], "big")
        start = position + _TAG_HEADER
        stamp = data[position + 7] << 24 | low
        tags.append(FlvTag(kind, stamp, data[start : start + length]))
        position = start + length + _TRAILER
    return tags


def flv_tag(tag: FlvTag) -> bytes:
    """The tag with its header and trailer."""
    stamp = tag.time_ms % _WRAP
    length = len(tag.data)
    return b"".join(
        (
            bytes([tag.kind]),
            length.to_bytes(3, "big"),
            (stamp & 0xFFFFFF).to_bytes(3, "big"),
            bytes([stamp >> 24]),
            bytes(3),
            tag.data,
            (length + _TAG_HEADER).to_bytes(4, "big"),
        )
    )


def flv_file(tags: Iterable[FlvTag]) -> bytes:
    """A whole file."""
    return FILE_HEADER + b"".join(map(flv_tag, tags))
