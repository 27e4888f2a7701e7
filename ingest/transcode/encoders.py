"""Encoders of the ladder: x264 and AAC, with packets as the packager wants them. Media tasks
only."""

from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.video.frame import PictureType, VideoFrame

from ingest.media import VIDEO_TIMESCALE, AudioFormat, Codec, Sample, VideoFormat
from ingest.transcode.ladder import Rung

X264_PRESET = "veryfast"
X264_CRF = 23
KEYFRAME_EVERY_S = 2
AAC_SAMPLE_RATE = 48_000
_AAC_BITS_PER_CHANNEL = 64_000
_REORDERED_PICTURES = 2
"""By which x264's decoding runs ahead when B-pictures refer to B-pictures."""

_VIDEO_TIME_BASE = Fraction(1, VIDEO_TIMESCALE)


class VideoEncoder:
    """Encodes one rung at a constant frame rate; frames come in its size, numbered from 0.

    Keyframes are at the same frames in every rung, and nowhere else.
    """

    def __init__(self, rung: Rung, fps: Fraction, threads: int) -> None:
        self.rung = rung
        self._fps = fps
        self._keyframe_every = round(KEYFRAME_EVERY_S * fps)
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height = rung.width, rung.height
        context.pix_fmt = "yuv420p"
        context.time_base, context.framerate = _VIDEO_TIME_BASE, fps
        context.thread_count = threads
        context.options = {
            **x264_options(rung),
            "g": str(self._keyframe_every),
            "forced-idr": "1",
            "flags": "+global_header+cgop",
            # Length-prefixed NAL units, and an avcC for extradata.
            "x264-params": "annexb=0",
        }
        context.open()
        self._context = context
        self._origin = round(start_ticks(fps, VIDEO_TIMESCALE))

    @property
    def format(self) -> VideoFormat:
        """Its track."""
        config = bytes(self._context.extradata or b"")
        return VideoFormat(Codec.H264, config, self.rung.width, self.rung.height)

    def encode(self, frame: VideoFrame, number: int) -> Iterator[Sample]:
        """Take the frame of that number."""
        frame.pts = round(number * VIDEO_TIMESCALE / self._fps)
        frame.time_base = _VIDEO_TIME_BASE
        is_key = number % self._keyframe_every == 0
        frame.pict_type = PictureType.I if is_key else PictureType.NONE
        return self._samples(frame)

    def finish(self) -> Iterator[Sample]:
        """What is left."""
        return self._samples(None)

    def _samples(self, frame: VideoFrame | None) -> Iterator[Sample]:
        for packet in self._context.encode(frame):
            if packet.dts is None or packet.pts is None:
                continue
            dts, offset = packet.dts + self._origin, packet.pts - packet.dts
            yield Sample(dts, offset, packet.is_keyframe, bytes(packet))


class AudioEncoder:
    """Encodes AAC at 48 kHz; frames come as planar floats, 1024 samples each but the last.

    start: what the first sample is called, in samples.
    """

    def __init__(self, channels: int, start: int) -> None:
        context = av.CodecContext.create("aac", "w")
        context.sample_rate = AAC_SAMPLE_RATE
        context.layout = "stereo" if channels > 1 else "mono"
        context.format = "fltp"
        context.bit_rate = _AAC_BITS_PER_CHANNEL * (2 if channels > 1 else 1)
        context.time_base = Fraction(1, AAC_SAMPLE_RATE)
        context.options = {"flags": "+global_header"}
        context.open()
        self._context = context
        self._channels = 2 if channels > 1 else 1
        self._start = start

    @property
    def format(self) -> AudioFormat:
        """Its track."""
        config = bytes(self._context.extradata or b"")
        return AudioFormat(Codec.AAC, config, AAC_SAMPLE_RATE, self._channels, 1024)

    def encode(self, frame: AudioFrame | None) -> Iterator[Sample]:
        """Take a frame; None: what is left."""
        for packet in self._context.encode(frame):
            if packet.pts is not None and packet.pts >= 0:  # the encoder's own delay is before 0
                yield Sample(packet.pts + self._start, 0, is_key=True, data=bytes(packet))


def start_ticks(fps: Fraction, timescale: int) -> Fraction:
    """What the first picture's time is called: decoding starts at 0, so many pictures before it.

    Sound and every rung start there alike. The alternative, negative composition offsets, is
    taken by some players for a delay of the picture.
    """
    return _REORDERED_PICTURES * timescale / fps


def x264_options(rung: Rung) -> dict[str, str]:
    """What decides on the bits and the time that x264 takes; ffmpeg's command line calls them
    the same."""
    return {
        "preset": X264_PRESET,
        "crf": str(X264_CRF),
        "maxrate": str(rung.max_bits_per_s),
        "bufsize": str(2 * rung.max_bits_per_s),
        "profile": "high",
        "sc_threshold": "0",
    }
