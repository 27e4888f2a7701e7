"""Encodes a short stretch of video anew, so that a clip can begin and end at any frame.

libav on a stranger's bytes: in a media task's process only.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from ingest.derive.keyframes import MOST_PIXELS
from ingest.errors import MediaRefused
from ingest.media import VIDEO_TIMESCALE, Codec, Sample, VideoFormat
from ingest.packaging.fragment import video_chunk
from ingest.packaging.init_section import init_section

_START_CODE = re.compile(rb"\x00*\x00\x00\x01")
_PARAMETER_SETS = (7, 8)
_DELIMITER = 9
_TICK = Fraction(1, VIDEO_TIMESCALE)
_QUALITY = "18"


@dataclass(frozen=True, slots=True)
class Coded:
    """A file of whole chunks to decode from, beside its initialization section."""

    init: Path
    pieces: Sequence[Path]


@dataclass(frozen=True, slots=True)
class Frames:
    """Which frames are wanted: those shown from `first_pts` to before `end_pts`, in ticks.

    `delay`: how much later than decoded they shall be shown, as those that follow are.
    """

    first_pts: int
    end_pts: int
    delay: int = 0


def encode_anew(coded: Coded, wanted: Frames, init_out: Path, media_out: Path) -> None:
    """Decode, pick, encode as H.264; `media_out` gets one chunk that begins with a keyframe, on
    the same timeline, `init_out` its initialization section.

    Raises MediaRefused when there is nothing to encode or it cannot be decoded.
    """
    encoder: VideoCodecContext | None = None
    packets: list[tuple[int, bool, bytes]] = []
    try:
        for frame in _decoded(coded, wanted, media_out.with_suffix(".source")):
            if encoder is None:
                encoder = _encoder(frame)
            packets += _coded(encoder, frame.reformat(format="yuv420p"))
        if encoder is None:
            raise MediaRefused("no_frames", "start", "There is no frame between start and end")
        packets += _coded(encoder, None)
        extradata = bytes(encoder.extradata or b"")
    except av.FFmpegError as error:
        raise MediaRefused(
            "not_decodable", "", "The video between start and end cannot be decoded"
        ) from error
    track = VideoFormat(Codec.H264, _avcc(extradata), encoder.width, encoder.height)
    init_out.write_bytes(init_section(track))
    media_out.write_bytes(_fragment(packets, wanted))


def _decoded(coded: Coded, wanted: Frames, scratch: Path) -> Iterator[VideoFrame]:
    """The wanted frames, each once, in the order in which they are shown."""
    with scratch.open("wb") as file:
        file.write(coded.init.read_bytes())
        for piece in coded.pieces:
            _append(piece, file)
    last = wanted.first_pts - 1
    try:
        with av.open(str(scratch), format="mp4") as container:
            video = container.streams.video[0]
            size = video.codec_context.width * video.codec_context.height
            if size > MOST_PIXELS:
                raise MediaRefused("picture_too_large", "", "The picture is too large")
            to_ticks = (video.time_base or _TICK) * VIDEO_TIMESCALE
            for frame in container.decode(video):
                if frame.pts is None:
                    continue
                pts = round(frame.pts * to_ticks)
                if last < pts < wanted.end_pts:
                    last = pts
                    frame.pts, frame.time_base = pts, _TICK
                    yield frame
                elif pts >= wanted.end_pts:
                    return
    finally:
        scratch.unlink(missing_ok=True)


def _append(piece: Path, file: BinaryIO) -> None:
    with piece.open("rb") as source:
        while data := source.read(1 << 20):
            file.write(data)


def _encoder(frame: VideoFrame) -> VideoCodecContext:
    """x264 for a few seconds among others: no reordering, keyframes only where it starts."""
    context = VideoCodecContext.create("libx264", "w")
    context.width, context.height = frame.width // 2 * 2, frame.height // 2 * 2
    context.pix_fmt = "yuv420p"
    context.time_base = _TICK
    context.framerate = Fraction(30, 1)
    context.color_range = frame.color_range
    context.colorspace = frame.colorspace
    context.options = {
        "preset": "veryfast",
        "crf": _QUALITY,
        "bf": "0",
        "x264-params": "keyint=infinite:scenecut=0:threads=2:annexb=1:repeat-headers=0",
    }
    context.flags |= av.codec.context.Flags.global_header
    return context


def _coded(
    encoder: VideoCodecContext, frame: VideoFrame | None
) -> Iterator[tuple[int, bool, bytes]]:
    """Encoded pictures: time, whether a keyframe, length-prefixed NAL units."""
    if frame is not None:
        frame.pict_type = av.video.frame.PictureType.NONE
    for packet in encoder.encode(frame):
        units = [
            u for u in _units(bytes(packet)) if u[0] & 0x1F not in (*_PARAMETER_SETS, _DELIMITER)
        ]
        data = b"".join(struct.pack(">I", len(unit)) + unit for unit in units)
        yield packet.pts or 0, packet.is_keyframe, data


def _units(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B byte stream."""
    return [unit for unit in _START_CODE.split(data) if unit]


def _avcc(extradata: bytes) -> bytes:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3) from Annex B parameter sets."""
    units = _units(extradata)
    sequence = [u for u in units if u[0] & 0x1F == _PARAMETER_SETS[0]]
    picture = [u for u in units if u[0] & 0x1F == _PARAMETER_SETS[1]]
    record = bytes([1]) + sequence[0][1:4] + bytes([0xFF, 0xE0 | len(sequence)])
    record += b"".join(struct.pack(">H", len(u)) + u for u in sequence)
    record += bytes([len(picture)])
    return record + b"".join(struct.pack(">H", len(u)) + u for u in picture)


def _fragment(packets: Sequence[tuple[int, bool, bytes]], wanted: Frames) -> bytes:
    """One chunk; the last frame lasts until the wanted end."""
    times = [pts for pts, _, _ in packets]
    ends = [*times[1:], max(wanted.end_pts, times[-1] + 1)]
    samples = [
        Sample(pts - wanted.delay, wanted.delay, is_key, data) for pts, is_key, data in packets
    ]
    durations = [end - start for start, end in zip(times, ends, strict=True)]
    return video_chunk(1, samples, durations)
