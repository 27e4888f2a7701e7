"""H.264 as RTP and encoders give it (ISO/IEC 14496-10 Annex B) to what a spool holds. Pure."""

from dataclasses import dataclass

_SPS, _PPS, _IDR, _AUD, _FILLER = 7, 8, 5, 9, 12
_TYPE = 0x1F
_START = b"\x00\x00\x01"


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """Length-prefixed NAL units, without parameter sets and delimiters; `config` is the payload of
    avcC where the unit carried parameter sets, else empty."""

    data: bytes
    is_key: bool
    config: bytes


def access_unit(annex_b: bytes) -> AccessUnit:
    """One access unit; `data` is empty when it held no picture."""
    sps: list[bytes] = []
    pps: list[bytes] = []
    kept: list[bytes] = []
    is_key = False
    for unit in _split(annex_b):
        kind = unit[0] & _TYPE
        if kind == _SPS:
            sps.append(unit)
        elif kind == _PPS:
            pps.append(unit)
        elif kind not in {_AUD, _FILLER}:
            is_key = is_key or kind == _IDR
            kept += [len(unit).to_bytes(4), unit]
    config = _avcc(sps, pps) if sps and pps and len(sps[0]) >= 4 else b""  # noqa: PLR2004
    return AccessUnit(b"".join(kept), is_key, config)


def _split(data: bytes) -> list[bytes]:
    found = []
    start = data.find(_START)
    while start >= 0:
        start += len(_START)
        end = data.find(_START, start)
        unit = data[start : end if end >= 0 else len(data)]
        if end >= 0 or unit.endswith(b"\0"):
            unit = unit.rstrip(b"\0")  # trailing_zero_8bits; a NAL unit ends with a set bit
        if unit:
            found.append(unit)
        start = end
    return found


def _avcc(sps: list[bytes], pps: list[bytes]) -> bytes:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1)."""
    parts = [b"\x01", sps[0][1:4], b"\xff", bytes([0xE0 | len(sps[:31])])]
    for unit in sps[:31]:
        parts += [len(unit).to_bytes(2), unit]
    parts.append(bytes([len(pps[:255])]))
    for unit in pps[:255]:
        parts += [len(unit).to_bytes(2), unit]
    return b"".join(parts)
