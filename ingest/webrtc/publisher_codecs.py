"""What browsers send to what is packaged: H.264 as it is, VP8 to H.264, Opus to AAC."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

VIDEO_RATE = 90_000
AUDIO_RATE = 48_000
_AAC_SAMPLES = 1_024
_AAC_BIT_RATE = 128_000
_HOLE_SAMPLES = 2_880
_KEYFRAME_TICKS = 2 * VIDEO_RATE
_WRAP = 1 << 32


class Coded(NamedTuple):
    """One coded unit with its RTP timestamp, as the publisher's track counts."""

    timestamp: int
    data: bytes


class Vp8ToH264:
    """Pictures in, Annex B access units out, with a keyframe every two seconds.

    The first picture's size stays: a browser that shrinks its picture for a while makes no new
    format. Raises av.FFmpegError for what cannot be decoded.
    """

    def __init__(self) -> None:
        self._decoder = av.CodecContext.create("vp8", "r")
        self._encoder: VideoCodecContext | None = None
        self._last_key: int | None = None

    def convert(self, data: bytes, timestamp: int) -> Iterator[Coded]:
        """The access unit of a VP8 frame."""
        for frame in self._decoder.decode(av.Packet(data)):
            if isinstance(frame, VideoFrame):
                yield from self._encode(frame, timestamp)

    def _encode(self, picture: VideoFrame, timestamp: int) -> Iterator[Coded]:
        if self._encoder is None:
            self._encoder = _h264_encoder(picture.width & ~1, picture.height & ~1)
        encoder = self._encoder
        frame = picture.reformat(encoder.width, encoder.height, "yuv420p")
        since = None if self._last_key is None else (timestamp - self._last_key) % _WRAP
        is_key = since is None or since >= _KEYFRAME_TICKS
        if is_key:
            self._last_key = timestamp
        frame.pict_type = PictureType.I if is_key else PictureType.NONE
        frame.pts = None
        for packet in encoder.encode(frame):
            yield Coded(timestamp, bytes(packet))


class OpusToAac:
    """Opus frames in, AAC frames out."""

    def __init__(self) -> None:
        self._decoder = _audio("libopus", "r")
        self._resampler = AudioResampler(
            format="fltp", layout="stereo", rate=AUDIO_RATE, frame_size=_AAC_SAMPLES
        )
        self._encoder = _audio("aac", "w")
        self._encoder.format = "fltp"
        self._encoder.bit_rate = _AAC_BIT_RATE
        self._encoder.time_base = Fraction(1, AUDIO_RATE)
        self._encoder.open()
        self._fed = 0
        self._anchor = 0
        self._expected: int | None = None

    @property
    def config(self) -> bytes:
        """The AudioSpecificConfig."""
        return bytes(self._encoder.extradata or b"")

    def convert(self, data: bytes, timestamp: int) -> Iterator[Coded]:
        """The AAC frames that a packet completes. Raises av.FFmpegError."""
        for decoded in self._decoder.decode(av.Packet(data)):
            self._place(decoded, timestamp)
            decoded.pts = None
            for frame in self._resampler.resample(decoded):
                frame.pts = self._fed
                frame.time_base = Fraction(1, AUDIO_RATE)
                self._fed += frame.samples
                for packet in self._encoder.encode(frame):
                    at = self._anchor + (packet.pts or 0)
                    yield Coded(at % _WRAP, bytes(packet))

    def _place(self, decoded: AudioFrame, timestamp: int) -> None:
        """Remember where sample 0 of what was fed belongs; a hole moves what comes behind it."""
        expected = self._expected
        ahead = None if expected is None else (timestamp - expected + _WRAP // 2) % _WRAP
        if ahead is None:
            self._anchor = timestamp
        elif abs(ahead - _WRAP // 2) > _HOLE_SAMPLES:
            self._anchor += ahead - _WRAP // 2
            self._expected = timestamp
        self._expected = ((self._expected or timestamp) + decoded.samples) % _WRAP


def _audio(name: str, mode: str) -> AudioCodecContext:
    context = av.CodecContext.create(name, "r" if mode == "r" else "w")
    assert isinstance(context, AudioCodecContext)  # noqa: S101  both are
    context.layout = "stereo"
    context.sample_rate = AUDIO_RATE
    if mode == "r":
        context.format = "s16"
    return context


def _h264_encoder(width: int, height: int) -> VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, VideoCodecContext)  # noqa: S101  it is
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, VIDEO_RATE)
    encoder.framerate = Fraction(30, 1)
    encoder.thread_count = 1
    encoder.options = {
        "preset": "veryfast",
        "tune": "zerolatency",
        "crf": "23",
        "forced-idr": "1",
        "g": "600",
        "x264-params": "repeat-headers=1:annexb=1",
    }
    return encoder
