"""H.264 access units as RTP payloads (RFC 6184), made once for all who watch. Pure."""

from collections.abc import Iterator

from ingest.errors import MalformedMedia

_MOST_BYTES = 1_180
"""Of a payload: with RTP, SRTP, UDP and a tunnel or two it stays below 1280 bytes."""

_LENGTH_BYTES = 4
_SPS, _PPS, _AUD, _FILLER = 7, 8, 9, 12
_STAP_A, _FU_A = 24, 28
_FU_START, _FU_END = 0x80, 0x40
_NRI = 0x60
_TYPE = 0x1F


def nal_units(data: bytes, length_bytes: int = _LENGTH_BYTES) -> Iterator[bytes]:
    """The NAL units of a length-prefixed access unit (ISO/IEC 14496-15 §5.3.4.2.1)."""
    position, size = 0, len(data)
    while position + length_bytes <= size:
        end = position + length_bytes + int.from_bytes(data[position : position + length_bytes])
        if end > size:
            raise MalformedMedia("a NAL unit ends behind its access unit")
        if end > position + length_bytes:
            yield data[position + length_bytes : end]
        position = end


def parameter_sets(config: bytes) -> tuple[list[bytes], int]:
    """SPS and PPS of an avcC payload, and the bytes of a NAL unit's length (§5.3.3.1.2)."""
    if len(config) < 7:  # noqa: PLR2004  up to the first SPS's length
        raise MalformedMedia("an avcC without parameter sets")
    length_bytes = (config[4] & 3) + 1
    found = []
    position = 5
    for mask in (_TYPE, 0xFF):  # numOfSequenceParameterSets has five bits
        count = config[position] & mask if position < len(config) else 0
        position += 1
        for _ in range(count):
            size = int.from_bytes(config[position : position + 2])
            position += 2
            if not size or position + size > len(config):
                raise MalformedMedia("an avcC that ends within a parameter set")
            found.append(config[position : position + size])
            position += size
    return found, length_bytes


def payloads(units: Iterator[bytes], sets: list[bytes], *, is_key: bool) -> list[bytes]:
    """RTP payloads of one access unit, the last of which gets the marker bit.

    Before a keyframe come the parameter sets `sets` that it does not carry itself (§8.4: a
    decoder that joins has no others). Delimiters and filler data are left out.
    """
    kept = [unit for unit in units if unit[0] & _TYPE not in {_AUD, _FILLER}]
    if is_key:
        carried = {unit[0] & _TYPE for unit in kept}
        if not {_SPS, _PPS} <= carried:
            kept = [*sets, *(unit for unit in kept if unit[0] & _TYPE not in {_SPS, _PPS})]
    made: list[bytes] = []
    small: list[bytes] = []
    room = _MOST_BYTES - 1
    for unit in kept:
        if len(unit) + 2 <= room:
            small.append(unit)
            room -= len(unit) + 2
            continue
        _flush(small, made)
        room = _MOST_BYTES - 1
        if len(unit) + 2 <= room:
            small.append(unit)
            room -= len(unit) + 2
        else:
            made.extend(_fragments(unit))
    _flush(small, made)
    return made


def _flush(small: list[bytes], made: list[bytes]) -> None:
    """One NAL unit as it is, several in an aggregation packet (§5.7.1)."""
    if len(small) == 1:
        made.append(small[0])
    elif small:
        importance = max(unit[0] & _NRI for unit in small)
        parts = [bytes([importance | _STAP_A])]
        for unit in small:
            parts += [len(unit).to_bytes(2), unit]
        made.append(b"".join(parts))
    small.clear()


def _fragments(unit: bytes) -> Iterator[bytes]:
    """A NAL unit in fragments of about the same size (§5.8)."""
    if len(unit) <= _MOST_BYTES:
        yield unit
        return
    body = len(unit) - 1
    count = -(-body // (_MOST_BYTES - 2))
    indicator = unit[0] & ~_TYPE | _FU_A
    kind = unit[0] & _TYPE
    for index in range(count):
        flags = (_FU_START if index == 0 else 0) | (_FU_END if index == count - 1 else 0)
        piece = unit[1 + body * index // count : 1 + body * (index + 1) // count]
        yield bytes([indicator, flags | kind]) + piece
