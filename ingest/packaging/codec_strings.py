"""RFC 6381 codec strings from decoder configurations."""

from ingest.errors import MalformedMedia
from ingest.media import AudioFormat, Codec, TrackFormat, VideoFormat

_MPEG_1_RATE = 32_000


def codec_string(track: TrackFormat) -> str:
    """The `codecs` parameter of `track`; MalformedMedia when its configuration is too short."""
    if isinstance(track, VideoFormat):
        return _video(track)
    return _audio(track)


def _video(track: VideoFormat) -> str:
    config = track.config
    if track.codec is Codec.H264:
        _require(config, 4, "avcC")
        return f"avc1.{config[1]:02x}{config[2]:02x}{config[3]:02x}"
    if track.codec is Codec.HEVC:
        return _hevc(config)
    return _av1(config)


def _hevc(config: bytes) -> str:
    """ISO/IEC 14496-15 §E.3: profile space and idc, compatibility, tier and level, constraints."""
    _require(config, 13, "hvcC")
    space = ("", "A", "B", "C")[config[1] >> 6]
    tier = "H" if config[1] & 0x20 else "L"
    compatibility = int(f"{int.from_bytes(config[2:6], 'big'):032b}"[::-1], 2)
    constraints = "".join(f".{byte:X}" for byte in config[6:12].rstrip(b"\0"))
    return f"hvc1.{space}{config[1] & 0x1F}.{compatibility:X}.{tier}{config[12]}{constraints}"


def _av1(config: bytes) -> str:
    """AV1-ISOBMFF §5: profile, level and tier, bit depth."""
    _require(config, 4, "av1C")
    profile, level = config[1] >> 5, config[1] & 0x1F
    tier = "H" if config[2] & 0x80 else "M"
    high, twelve = config[2] & 0x40, config[2] & 0x20
    depth = (12 if twelve else 10) if high else 8
    return f"av01.{profile}.{level:02d}{tier}.{depth:02d}"


def _audio(track: AudioFormat) -> str:
    if track.codec is Codec.OPUS:
        return "opus"
    if track.codec is Codec.MP3:
        return f"mp4a.{mp3_object_type(track):X}"
    _require(track.config, 2, "AudioSpecificConfig")
    object_type = track.config[0] >> 3
    if object_type == 31:  # noqa: PLR2004  the escape value: six more bits follow
        object_type = 32 + ((track.config[0] & 7) << 3 | track.config[1] >> 5)
    return f"mp4a.40.{object_type}"


def mp3_object_type(track: AudioFormat) -> int:
    """The objectTypeIndication (ISO/IEC 14496-1 §7.2.6.6) of layer III: MPEG-1, or MPEG-2 with its
    halved sample rates."""
    return 0x6B if track.sample_rate >= _MPEG_1_RATE else 0x69


def _require(config: bytes, length: int, name: str) -> None:
    if len(config) < length:
        raise MalformedMedia(f"{name} has {len(config)} bytes, at least {length} are needed")
