"""libavfilter between decoders and encoders. Media tasks only."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

from ingest.transcode.encoders import AAC_SAMPLE_RATE
from ingest.transcode.ladder import Rung

_AAC_FRAME = 1024


class Scaler:
    """Decoded frames in; upright pictures at a constant rate out, one for each rung.

    first: the frame that the graph is made for; later ones are brought into its size and format.
    """

    def __init__(
        self, first: VideoFrame, rungs: Sequence[Rung], fps: Fraction, origin_s: Fraction
    ) -> None:
        self._size = (first.width, first.height, first.format.name)
        self._time_base = Fraction(first.time_base or 1)
        self._origin_ticks = round(origin_s / self._time_base)
        graph = Graph()
        graph.threads = 1
        self._source = graph.add_buffer(
            width=first.width,
            height=first.height,
            format=first.format,
            time_base=self._time_base,
        )
        at = self._chain(graph, self._source, "fps", f"fps={fps}:start_time=0")
        for name, options in _upright(first.rotation):
            at = self._chain(graph, at, name, options)
        split = graph.add("split", str(len(rungs)))
        at.link_to(split)
        self._sinks = [self._sink(graph, split, i, rung) for i, rung in enumerate(rungs)]
        graph.configure()
        self._graph = graph

    @staticmethod
    def _chain(graph: Graph, at: FilterContext, name: str, options: str) -> FilterContext:
        added = graph.add(name, options)
        at.link_to(added)
        return added

    def _sink(self, graph: Graph, split: FilterContext, index: int, rung: Rung) -> FilterContext:
        scale = graph.add("scale", f"{rung.width}:{rung.height}:flags=bicubic")
        split.link_to(scale, index, 0)
        at = self._chain(graph, scale, "format", "yuv420p")
        at = self._chain(graph, at, "setsar", "1")
        return self._chain(graph, at, "buffersink", "")

    def push(self, frame: VideoFrame | None) -> Iterator[tuple[int, VideoFrame]]:
        """Take a frame, or None for the end; answers rungs' indices with their pictures."""
        if frame is not None:
            width, height, form = self._size
            if (frame.width, frame.height, frame.format.name) != self._size:
                pts, time_base = frame.pts, frame.time_base
                frame = frame.reformat(width, height, form)
                frame.pts, frame.time_base = pts, time_base
            if frame.pts is None:
                return
            frame.pts -= self._origin_ticks
        self._source.push(frame)
        for index, sink in enumerate(self._sinks):
            for picture in _pulled(sink):
                if isinstance(picture, VideoFrame):
                    yield index, picture


class Resampler:
    """Decoded sound in; 48 kHz mono or stereo in frames of 1024 samples out, without holes."""

    def __init__(self, stream: AudioStream, channels: int, origin_s: Fraction) -> None:
        self._time_base = Fraction(stream.time_base or 1)
        self._origin_ticks = round(origin_s / self._time_base)
        self._layout = "stereo" if channels > 1 else "mono"
        self._graph: Graph | None = None
        self._shape: tuple[str, str, int] | None = None

    def push(self, frame: AudioFrame | None) -> Iterator[AudioFrame]:
        """Take a frame, or None for the end."""
        if frame is not None:
            if frame.pts is None or not frame.samples:
                return
            shape = (frame.format.name, frame.layout.name, frame.sample_rate)
            if self._shape is None:
                self._start(frame)
                self._shape = shape
            elif shape != self._shape:
                return  # a broadcast's sound that changes its layout: the rest is left out
            frame.pts -= self._origin_ticks
        if self._graph is None:
            return
        self._source.push(frame)
        for sound in _pulled(self._sink):
            if isinstance(sound, AudioFrame):
                yield sound

    def _start(self, first: AudioFrame) -> None:
        graph = Graph()
        self._source = graph.add_abuffer(
            format=first.format.name,
            sample_rate=first.sample_rate,
            layout=first.layout.name,
            time_base=self._time_base,
        )
        at = self._source
        for name, options in (
            ("aresample", f"{AAC_SAMPLE_RATE}:async=1000:first_pts=0"),
            (
                "aformat",
                f"sample_fmts=fltp:sample_rates={AAC_SAMPLE_RATE}:channel_layouts={self._layout}",
            ),
            ("asetnsamples", f"n={_AAC_FRAME}:p=0"),
            ("abuffersink", ""),
        ):
            added = graph.add(name, options)
            at.link_to(added)
            at = added
        graph.configure()
        self._graph, self._sink = graph, at


def _upright(rotation: int) -> list[tuple[str, str]]:
    """Filters that undo a rotation (degrees, counter-clockwise) that the file asks for."""
    turn = rotation % 360
    if turn == 180:  # noqa: PLR2004
        return [("hflip", ""), ("vflip", "")]
    return {90: [("transpose", "cclock")], 270: [("transpose", "clock")]}.get(turn, [])


def _pulled(sink: FilterContext) -> Iterator[object]:
    while True:
        try:
            yield sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return
