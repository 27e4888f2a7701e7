"""Encoders: ffmpeg that sends a clip, encoded beforehand, in real time, as OBS would."""

import json
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.kept_clips import copy_kept, ffmpeg_version
from tests.support.processes import Running, wait_until

FRAME_RATE = 30
GOP_S = 2
_FFMPEG = ["ffmpeg", "-hide_banner", "-nostdin", "-v", "error"]


@dataclass(frozen=True)
class Clip:
    """An FLV file to push."""

    path: Path
    duration_s: float
    frames: int


def make_clip(
    folder: Path,
    *,
    duration_s: float = 16.0,
    size: str = "1920x1080",
    video_kbps: int = 4000,
    b_frames: int = 2,
    name: str = "clip",
    opus: bool = False,
) -> Clip:
    """H.264 High with B-frames, 30 frames/s, closed GOPs of 2 s; AAC-LC stereo 48 kHz in FLV.

    `opus`: as WebRTC carries it, Opus in Matroska. 16 s are a whole number of video frames and of audio frames alike, so that the clip can be
    looped without a seam.
    """
    path = folder / f"{name}.{'mkv' if opus else 'flv'}"
    source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={FRAME_RATE}"]
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:beep_factor=4:sample_rate=48000"]
    gop = FRAME_RATE * GOP_S
    video = [
        *("-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-pix_fmt", "yuv420p"),
        *("-bf", str(b_frames), "-g", str(gop), "-keyint_min", str(gop), "-sc_threshold", "0"),
        *("-b:v", f"{video_kbps}k", "-maxrate", f"{video_kbps}k", "-bufsize", f"{video_kbps}k"),
    ]
    audio = ["-c:a", "libopus" if opus else "aac", "-b:a", "128k", "-ac", "2"]
    argv = [*_FFMPEG, "-y", *source, *sound, "-t", str(duration_s), *video, *audio]
    kind = "matroska" if opus else "flv"
    argv += ["-f", kind]

    def encode(to: Path) -> None:
        subprocess.run([*argv, str(to)], check=True, timeout=180)

    copy_kept(path, [ffmpeg_version(), *argv], encode)
    return Clip(path, duration_s, count_frames(str(path)))


def repeat_clip(clip: Clip, times: int, folder: Path) -> Clip:
    """The clip `times` over in one file, without encoding anything again."""
    path = folder / f"{clip.path.stem}-x{times}.flv"
    loop = ["-stream_loop", str(times - 1), "-i", str(clip.path)]
    argv = [*_FFMPEG, "-y", *loop, "-c", "copy", "-f", "flv", str(path)]
    subprocess.run(argv, check=True, timeout=120)
    return Clip(path, clip.duration_s * times, count_frames(str(path)))


class Pusher:
    """A running encoder.

    duration_s: how much it sends; None: the whole clip, or for ever when it loops.
    record: file that gets the very packets that are sent.
    """

    def __init__(
        self,
        clip: Clip,
        url: str,
        *,
        duration_s: float | None = None,
        loop: bool = False,
        record: Path | None = None,
    ) -> None:
        argv = [*_FFMPEG, "-progress", "pipe:1", "-stats_period", "0.1", "-re"]
        argv += ["-stream_loop", "-1"] if loop else []
        argv += ["-i", str(clip.path), "-map", "0", "-c", "copy"]
        argv += ["-t", str(duration_s)] if duration_s is not None else []
        if record is None:
            argv += ["-f", "flv", "-flvflags", "no_duration_filesize", url]
        else:
            argv += ["-f", "tee", f"[f=flv:onfail=abort]{url}|[f=flv:onfail=abort]{record}"]
        self._running = Running(argv, {"PATH": "/usr/bin:/bin"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.kill()

    @property
    def is_sending(self) -> bool:
        """Still connected, as far as the encoder knows."""
        return self._running.process.poll() is None

    @property
    def frames(self) -> int:
        """Video frames sent so far."""
        sent = [line for line in self._running.out if line.startswith("frame=")]
        return int(sent[-1].partition("=")[2]) if sent else 0

    @property
    def said(self) -> str:
        """What ffmpeg complained of."""
        return "".join(self._running.err)

    def wait_frames(self, count: int, timeout_s: float = 30.0) -> None:
        """Wait until so many frames are sent; AssertionError when it ends or takes too long."""

        def reached() -> bool:
            assert self.is_sending or self.frames >= count, f"ended early: {self.said}"
            return self.frames >= count

        wait_until(reached, timeout_s, f"{count} frames sent ({self.said})")

    def wait(self, timeout_s: float = 120.0) -> int:
        """ffmpeg's exit status: 0 when all was sent, else refused or disconnected."""
        return self._running.wait(timeout_s)

    def stop(self) -> int:
        """End as a host does who presses stop: the RTMP stream is closed in good order."""
        return self._running.stop(signal.SIGINT)

    def kill(self) -> None:
        """Vanish: the connection breaks off."""
        self._running.kill()


def push_refused(clip: Clip, url: str, timeout_s: float = 20.0) -> bool:
    """Whether the server turns this encoder away (it ends with an error, and soon)."""
    with Pusher(clip, url, loop=True) as pusher:
        return pusher.wait(timeout_s) != 0


def count_frames(source: str, *, stream: str = "v:0", timeout_s: float = 120.0) -> int:
    """Frames of a file, playlist or MPD: packets, not decoded."""
    return int(_probe(source, stream, "nb_read_packets", timeout_s)["nb_read_packets"])


def duration_s(source: str, *, timeout_s: float = 60.0) -> float:
    """What the container says."""
    argv = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "json", source]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=timeout_s)
    return float(json.loads(done.stdout)["format"]["duration"])


OWN_TIMES = ("-fps_mode", "passthrough", "-enc_time_base", "-1")
"""ffmpeg's options for output in which frames keep the times that they have, in place of those of a
rate that ffmpeg guesses: two frames of a camera may come closer together than that."""


def decode_complaints(
    source: str, *options: str, output: Sequence[str] = (), timeout_s: float = 300.0
) -> str:
    """What ffmpeg says at error level while it decodes everything; empty when it is content."""
    argv = [*_FFMPEG, *options, "-i", source, *output, "-f", "null", "-"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout_s)
    return done.stderr + (f"exit status {done.returncode}" if done.returncode else "")


def _probe(source: str, stream: str, entry: str, timeout_s: float) -> dict:
    argv = ["ffprobe", "-v", "error", "-count_packets", "-select_streams", stream]
    argv += ["-show_entries", f"stream={entry}", "-of", "json", source]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=timeout_s)
    return json.loads(done.stdout)["streams"][0]
