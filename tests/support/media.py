"""Real media, made with PyAV as an encoder would make it: small pictures, sines, FLV stamps."""

import math
import os
import subprocess
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from ingest.media import AudioFormat, MediaKind, Packet, TrackFormat, VideoFormat
from ingest.session.pipeline import Pipeline
from ingest.settings import PackagingSettings
from ingest.source.pull import RtmpPull
from ingest.vod.journal import JournalWriter
from ingest.vod.local_store import LocalObjectStore
from ingest.vod.publisher import Vod, publish_vod
from ingest.vod.recorder import Recorder
from ingest.vod.recovery import read_end, seal
from ingest.vod.upload_ledger import UploadLedger
from ingest.vod.uploader import Uploader
from tests.support.kept_clips import copy_kept
from tests.support.media_values import HeldClock
from tests.support.pushers import OWN_TIMES, decode_complaints

_MS = Fraction(1, 1000)
_AAC_FRAME = 1024
_X264 = {"preset": "ultrafast", "tune": "zerolatency"}


@dataclass(frozen=True)
class ClipSpec:
    """What to encode. Hashable, so that a session encodes each clip once."""

    seconds: float = 4.0
    fps: float = 30.0
    gop_s: float = 2.0
    b_frames: int = 0
    vfr: bool = False
    video_codec: str = "libx264"
    audio_codec: str = "aac"
    sample_rate: int = 48_000
    layout: str = "stereo"
    video: bool = True
    audio: bool = True
    width: int = 64
    height: int = 48


@dataclass(frozen=True)
class Clip:
    """An encoded clip as an FLV file, and as the packets that a pull yields."""

    path: Path
    tracks: tuple[TrackFormat, ...]
    packets: tuple[Packet, ...]

    def of_kind(self, kind: MediaKind) -> list[Packet]:
        """The packets of one track, in decode order."""
        return [packet for packet in self.packets if packet.kind is kind]


def encode_clip(spec: ClipSpec, path: Path) -> Clip:
    """Encode `spec` into an FLV file at `path` and read it back the way a worker does."""
    copy_kept(path, [*_encoders(), repr(spec)], lambda to: _encode(spec, to))
    with RtmpPull(str(path), 5.0) as pull:
        packets = tuple(pull.packets())
    return Clip(path, pull.tracks, packets)


@cache
def _encoders() -> tuple[str, ...]:
    """What a clip depends on besides its spec: PyAV with its codecs, and this module."""
    return av.__version__, repr(av.library_versions), Path(__file__).read_text("utf-8")


def _encode(spec: ClipSpec, path: Path) -> None:
    with _usual_scheduling(), av.open(str(path), "w", format="flv") as container:
        video: Any = _video_stream(container, spec) if spec.video else None
        audio: Any = _audio_stream(container, spec) if spec.audio else None
        frames = sorted(
            [
                *(_video_frames(spec) if spec.video else ()),
                *(_audio_frames(spec) if spec.audio else ()),
            ],
            key=lambda frame: frame.pts * frame.time_base,
        )
        for frame in frames:
            stream = video if isinstance(frame, VideoFrame) else audio
            container.mux(stream.encode(frame))
        for stream in (video, audio):
            if stream is not None:
                container.mux(stream.encode(None))


@contextmanager
def _usual_scheduling() -> Iterator[None]:
    """As root, SVT-AV1 puts whoever encodes, and so all that it starts, before everybody else on
    the machine (SCHED_FIFO, 99); that is taken back."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def frame_times_ms(spec: ClipSpec) -> list[int]:
    """When each picture is shown; with `vfr` a camera that drops frames in the dark."""
    count = round(spec.seconds * spec.fps)
    times = [round(i * 1000 / spec.fps) for i in range(count)]
    if spec.vfr:
        times = [t for i, t in enumerate(times) if i % 7 not in {3, 4} and i % 11 != 5]
    return times


def _video_stream(container: Any, spec: ClipSpec) -> Any:
    stream = container.add_stream(spec.video_codec, rate=Fraction(spec.fps).limit_denominator(1001))
    stream.width, stream.height, stream.pix_fmt = spec.width, spec.height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = _MS
    gop = max(1, round(spec.gop_s * spec.fps))
    if spec.video_codec == "libx264":
        options = dict(_X264)
        if spec.b_frames:
            del options["tune"]
            options["rc-lookahead"] = "10"
        options["x264-params"] = (
            f"keyint={gop}:min-keyint=1:scenecut=0:bframes={spec.b_frames}:b-adapt=0:threads=1"
        )
        stream.options = options
    elif spec.video_codec == "libx265":
        stream.options = {
            "preset": "ultrafast",
            "x265-params": f"keyint={gop}:bframes={spec.b_frames}:log-level=none:pools=1",
        }
    else:
        stream.options = {"preset": "12", "svtav1-params": "lp=1"}
        stream.codec_context.gop_size = gop
    return stream


def _audio_stream(container: Any, spec: ClipSpec) -> Any:
    stream = container.add_stream(spec.audio_codec, rate=spec.sample_rate, layout=spec.layout)
    stream.bit_rate = 64_000
    return stream


def _video_frames(spec: ClipSpec) -> Iterator[VideoFrame]:
    gop_ms = spec.gop_s * 1000
    next_key = 0.0
    for i, pts in enumerate(frame_times_ms(spec)):
        frame = VideoFrame(spec.width, spec.height, "yuv420p")
        for plane, level in zip(frame.planes, (16 + i * 5 % 200, 128, 128), strict=True):
            plane.update(bytes([level]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, _MS
        if spec.video_codec != "libsvtav1" and pts >= next_key:
            frame.pict_type = av.video.frame.PictureType.I
            next_key += gop_ms
        yield frame


def _audio_frames(spec: ClipSpec) -> Iterator[AudioFrame]:
    opus = spec.audio_codec == "libopus"
    samples = 960 if opus else _AAC_FRAME
    for i in range(int(spec.seconds * spec.sample_rate / samples)):
        frame = AudioFrame("flt" if opus else "fltp", spec.layout, samples)
        frame.sample_rate = spec.sample_rate
        wave = array(
            "f",
            [
                0.2 * math.sin(2 * math.pi * 440 * (i * samples + k) / spec.sample_rate)
                for k in range(samples)
            ],
        )
        if opus:
            channels = len(frame.layout.channels)
            wave = array("f", [value for value in wave for _ in range(channels)])
        for plane in frame.planes:
            plane.update(wave.tobytes().ljust(plane.buffer_size, b"\0"))
        frame.pts, frame.time_base = i * samples, Fraction(1, spec.sample_rate)
        yield frame


@dataclass(frozen=True)
class Recording:
    """A finished recording on a local store."""

    folder: Path
    store_root: Path
    vod: Vod
    dropped: int

    @property
    def hls(self) -> Path:
        """The multivariant playlist."""
        return self.store_root / self.vod.hls_key

    @property
    def dash(self) -> Path:
        """The static MPD."""
        return self.store_root / self.vod.dash_key


class StreamPackager:
    """Packages packets into `{root}/live/{stream_id}`, as a worker does."""

    def __init__(
        self, root: Path, stream_id: str = "show", settings: PackagingSettings | None = None
    ) -> None:
        self.stream_id = stream_id
        self.folder = root / "live" / stream_id
        self.store_root = root / "objects"
        self.dropped = 0
        self._settings = settings or PackagingSettings()

    def run(
        self,
        tracks: tuple[TrackFormat, ...],
        packets: Iterable[Packet],
        *,
        clock: HeldClock | None = None,
        finish: bool = True,
    ) -> None:
        """One worker's life. Without `finish` it dies with a segment open."""
        with JournalWriter(self.folder) as journal:
            end = seal(self.folder, journal)
            pipeline = Pipeline(
                self.folder,
                journal,
                end,
                self._settings,
                clock or HeldClock(),
                lambda: None,
                reason="publish",
            )
            pipeline.start(tracks)
            for packet in packets:
                pipeline.feed(packet)
            if finish:
                pipeline.finish()
            self.dropped += pipeline.report(0).dropped_before_start

    async def publish(self) -> Recording:
        """Seal, store and publish everything that the journal tells."""
        with JournalWriter(self.folder) as journal:
            seal(self.folder, journal)
        ledger = UploadLedger(self.store_root.parent / "uploads.db")
        uploader = Uploader(ledger, LocalObjectStore(self.store_root))
        recorder = Recorder(self.stream_id, self.folder, uploader)
        await recorder.catch_up()
        await recorder.stored(30)
        vod = await publish_vod(
            self.stream_id, recorder.presentation(), uploader, histories=recorder.histories
        )
        recorder.close()
        await uploader.close()
        assert vod is not None
        assert read_end(self.folder).renditions
        return Recording(self.folder, self.store_root, vod, self.dropped)


@dataclass(frozen=True)
class ProbedPacket:
    """A packet as ffprobe sees it; times in seconds."""

    kind: MediaKind
    pts_s: float
    dts_s: float
    is_key: bool
    size: int


def ffprobe_packets(path: Path) -> list[ProbedPacket]:
    """Every packet that ffprobe finds behind a playlist, a manifest or a file."""
    entries = "packet=codec_type,pts_time,dts_time,flags,size"
    arguments = ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "compact=p=0"]
    run = subprocess.run(
        [*arguments, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    packets = []
    for line in run.stdout.splitlines():
        fields = dict(field.split("=", 1) for field in line.strip("|").split("|") if "=" in field)
        if fields:
            packets.append(
                ProbedPacket(
                    kind=MediaKind(fields["codec_type"]),
                    pts_s=float(fields["pts_time"]),
                    dts_s=float(fields["dts_time"]),
                    is_key="K" in fields["flags"],
                    size=int(fields["size"]),
                )
            )
    return packets


def ffmpeg_complaints(path: Path) -> str:
    """What ffmpeg says while it decodes everything; empty when it is content."""
    return decode_complaints(str(path), output=OWN_TIMES, timeout_s=60)


def video_format(tracks: Iterable[TrackFormat]) -> VideoFormat:
    """The video track among `tracks`."""
    return next(track for track in tracks if isinstance(track, VideoFormat))


def audio_format(tracks: Iterable[TrackFormat]) -> AudioFormat:
    """The audio track among `tracks`."""
    return next(track for track in tracks if isinstance(track, AudioFormat))


class ClipLibrary:
    """Clips in a folder; each is encoded the first time that somebody asks for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._make = cache(self._encode)

    def clip(self, **changes: Any) -> Clip:
        """The clip that differs from the default one by `changes`."""
        return self._make(ClipSpec(**changes))

    def _encode(self, spec: ClipSpec) -> Clip:
        return encode_clip(spec, self._folder / f"clip-{hash(spec) & 0xFFFFFFFF:08x}.flv")
