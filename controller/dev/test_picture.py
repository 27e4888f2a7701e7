"""A moving picture with a clock and a counter in it, and a tone that beeps every second."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from controller.dev.errors import DemoError

_CONNECT_TIMEOUT_S = 10.0
_SAMPLE_RATE_HZ = 48_000
_AAC_SAMPLES = 1024


@dataclass(frozen=True, slots=True)
class TestPicture:
    """Shape of what is sent; the defaults are what a phone would send.

    key_frame_interval_s: every so often a viewer can join.
    """

    __test__ = False

    width: int = 1280
    height: int = 720
    frame_rate: int = 30
    video_bit_rate: int = 2_500_000
    audio_bit_rate: int = 128_000
    key_frame_interval_s: int = 2


class TestPicturePusher:
    """Sends a TestPicture to an RTMP server in real time.

    url: with the stream key in it, so it appears in no message.
    """

    __test__ = False

    def __init__(self, url: str, picture: TestPicture) -> None:
        self._url = url
        self._picture = picture

    def push(self, stop: threading.Event) -> int:
        """Send until `stop` is set; returns the number of frames sent.

        DemoError when the server cannot be reached, refuses, or goes away.
        """
        container = av.open(self._url, "w", format="flv", timeout=_CONNECT_TIMEOUT_S)
        try:
            with container:
                return self._send(container, stop)
        except (av.FFmpegError, OSError) as error:
            raise DemoError(f"The server refused or ended the push: {_why(error)}.") from None

    def _send(self, container: OutputContainer, stop: threading.Event) -> int:
        picture = self._picture
        video = _video_stream(container, picture)
        audio = _audio_stream(container, picture)
        frames, sounds = _video_frames(picture), _audio_frames()
        # Connects and publishes, so that a refusal comes before the clock starts.
        container.start_encoding()
        start_s = time.monotonic()
        sent = sounded = 0
        for frame in frames:
            due_s = sent / picture.frame_rate
            if stop.wait(max(0.0, start_s + due_s - time.monotonic())):
                break
            container.mux(video.encode(frame))
            while sounded / _SAMPLE_RATE_HZ <= due_s:
                sound = next(sounds)
                container.mux(audio.encode(sound))
                sounded += sound.samples
            sent += 1
        container.mux([*video.encode(None), *audio.encode(None)])
        return sent


def _video_stream(container: OutputContainer, picture: TestPicture) -> VideoStream:
    stream = container.add_stream(
        "libx264",
        rate=picture.frame_rate,
        options={"preset": "veryfast", "profile": "high", "bf": "2", "sc_threshold": "0"},
    )
    stream.width = picture.width
    stream.height = picture.height
    stream.pix_fmt = "yuv420p"
    stream.bit_rate = picture.video_bit_rate
    stream.gop_size = picture.key_frame_interval_s * picture.frame_rate
    stream.time_base = Fraction(1, picture.frame_rate)
    # As many threads as cores would only add delay: x264 encodes frames ahead in them.
    stream.thread_count = 1
    return stream


def _audio_stream(container: OutputContainer, picture: TestPicture) -> AudioStream:
    stream = container.add_stream("aac", rate=_SAMPLE_RATE_HZ, layout="stereo")
    stream.bit_rate = picture.audio_bit_rate
    return stream


def _video_frames(picture: TestPicture) -> Iterator[VideoFrame]:
    graph = Graph()
    source = graph.add(
        "testsrc2", f"size={picture.width}x{picture.height}:rate={picture.frame_rate}"
    )
    pixels = graph.add("format", "pix_fmts=yuv420p")
    sink = graph.add("buffersink")
    source.link_to(pixels)
    pixels.link_to(sink)
    graph.configure()
    number = 0
    while True:
        frame = cast("VideoFrame", sink.pull())
        # The source calls each frame a key frame, and x264 would obey.
        frame.pict_type = PictureType.NONE
        frame.pts = number
        frame.time_base = Fraction(1, picture.frame_rate)
        number += 1
        yield frame


def _audio_frames() -> Iterator[AudioFrame]:
    graph = Graph()
    source = graph.add(
        "sine",
        f"frequency=220:beep_factor=4:sample_rate={_SAMPLE_RATE_HZ}"
        f":samples_per_frame={_AAC_SAMPLES}",
    )
    samples = graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo")
    sink = graph.add("abuffersink")
    source.link_to(samples)
    samples.link_to(sink)
    graph.configure()
    position = 0
    while True:
        frame = cast("AudioFrame", sink.pull())
        frame.pts = position
        frame.time_base = Fraction(1, _SAMPLE_RATE_HZ)
        position += frame.samples
        yield frame


def _why(error: Exception) -> str:
    """libav's own text of the error number: the exception's would hold the URL."""
    return getattr(error, "strerror", None) or type(error).__name__
