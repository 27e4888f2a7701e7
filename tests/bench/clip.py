"""The clip that benchmarks push: 1080p30 H.264 at 6 Mbit/s, 2 s GOP, two B-frames, AAC."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.flv import AUDIO, VIDEO, FlvTag, read_tags

_SECONDS = 10


@dataclass(frozen=True)
class PushClip:
    """A clip to push in a loop of `length_ms`."""

    headers: tuple[FlvTag, ...]
    media: tuple[FlvTag, ...]
    length_ms: int


def clip_file(folder: Path) -> Path:
    """The clip's FLV file in `folder`, encoded unless it is there."""
    path = folder / "push-1080p30-6m.flv"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    # Noise on the test picture: without it there is nothing to spend 6 Mbit/s on.
    picture = "testsrc2=size=1920x1080:rate=30,noise=alls=12:allf=t,format=yuv420p"
    arguments = [
        "ffmpeg", "-nostdin", "-v", "error", "-y",
        "-f", "lavfi", "-i", picture,
        "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
        "-t", str(_SECONDS), "-ac", "2",
        "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high",
        "-b:v", "6M", "-maxrate", "6M", "-bufsize", "6M",
        "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-bf", "2",
        "-c:a", "aac", "-b:a", "128k", "-f", "flv", str(temporary),
    ]  # fmt: skip
    subprocess.run(arguments, check=True, timeout=300)
    temporary.rename(path)
    return path


def read_clip(path: Path) -> PushClip:
    """The clip's messages; the loop is as long as its video."""
    tags = [t for t in read_tags(path) if t.kind in {AUDIO, VIDEO} and len(t.data) > 2]
    media = tuple(t for t in tags if not t.is_header and len(t.data) > 5)
    video = [t.time_ms for t in media if t.kind == VIDEO]
    frame_ms = (video[-1] - video[0]) / (len(video) - 1)
    return PushClip(
        headers=tuple(t for t in tags if t.is_header),
        media=media,
        length_ms=round(video[-1] + frame_ms),
    )
