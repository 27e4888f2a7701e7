"""Files as people upload them: from phones and editors, cut off, misnamed, and hostile."""

import shutil
import struct
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_FFMPEG = ("ffmpeg", "-nostdin", "-v", "error", "-y")
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
_X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:pools=1")
SECONDS = 1.5


@dataclass(frozen=True)
class Made:
    """What must come of a good upload."""

    size: tuple[int, int]
    ladder: tuple[tuple[int, int], ...]
    codec: str = "h264"
    sound: bool = True
    duration_s: float = SECONDS
    damaged: bool = False


@dataclass(frozen=True)
class Refused:
    """What must be said of a bad one."""

    code: str
    field: str


@dataclass(frozen=True)
class Sample:
    """One upload: how it is made, what it is announced as, what must come of it."""

    make: Callable[[Path], None]
    expected: Made | Refused
    content_type: str = "video/mp4"
    name: str = "clip.mp4"


def _run(*arguments: str | Path) -> None:
    subprocess.run([*_FFMPEG, *map(str, arguments)], check=True, timeout=120)


def _picture(size: str, rate: float = 30, seconds: float = SECONDS) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")


_TONE = ("-f", "lavfi", "-i", f"sine=d={SECONDS}")


def _phone(path: Path) -> None:
    plain = path.with_suffix(".plain.mp4")
    _run(*_picture("1920x1080"), *_TONE, *_X264, "-c:a", "aac", plain)
    _run("-i", plain, "-c", "copy", "-metadata:s:v:0", "rotate=90", path)
    plain.unlink()


def _hevc(path: Path) -> None:
    _run(*_picture("1280x720"), *_TONE, *_X265, "-tag:v", "hvc1", "-c:a", "aac", "-f", "mov", path)


def _variable_rate(path: Path) -> None:
    dark = "select='not(mod(n,7))+not(mod(n,3))'"
    arguments = (*_picture("640x360", 60, 3.0), "-vf", dark, "-vsync", "vfr")
    _run(*arguments, *_X264, path)


def _silent(path: Path) -> None:
    _run(*_picture("1280x720"), *_X264, path)


def _surround(path: Path) -> None:
    pan = "pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0"
    _run(*_picture("640x360"), *_TONE, "-af", pan, *_X264, "-c:a", "ac3", "-f", "matroska", path)


def _ten_bits(path: Path) -> None:
    _run(*_picture("640x360"), *_TONE, *_X265, "-pix_fmt", "yuv420p10le", "-c:a", "aac", path)


def _broken_tail(path: Path) -> None:
    _run(*_picture("640x360", seconds=3.0), *_X264, "-movflags", "+faststart", path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])


def _misnamed(path: Path) -> None:
    vp8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8")
    _run(*_picture("640x360"), *_TONE, *vp8, "-c:a", "libopus", "-f", "webm", path)


def _text(path: Path) -> None:
    """A playlist, which libavformat would follow to other files."""
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n/etc/passwd\n#EXT-X-ENDLIST\n")


def _nothing(path: Path) -> None:
    path.touch()


def _very_large(path: Path) -> None:
    _run(*_picture("7680x4320", 5, 1.0), *_X264, path)


def _pixel_bomb(path: Path) -> None:
    """Some kilobytes that say 225 million pixels a picture, in the container and in each JPEG."""
    _run(*_picture("64x48", 25, 0.2), "-c:v", "mjpeg", "-f", "mov", path)
    data, at = bytearray(path.read_bytes()), 0
    while (at := data.find(b"\xff\xc0\x00\x11\x08", at)) >= 0:
        data[at + 5 : at + 9] = struct.pack(">HH", 15_000, 15_000)
        at += 9
    entry = data.find(b"jpeg", data.find(b"stsd"))
    data[entry + 28 : entry + 32] = struct.pack(">HH", 15_000, 15_000)
    path.write_bytes(data)


SAMPLES: Mapping[str, Sample] = {
    "portrait phone": Sample(_phone, Made((1080, 1920), ((1080, 1920), (720, 1280)))),
    "hevc mov": Sample(
        _hevc, Made((1280, 720), ((1280, 720),), "hevc"), "video/quicktime", "IMG 0001.MOV"
    ),
    "variable rate": Sample(
        _variable_rate, Made((640, 360), ((640, 360),), sound=False, duration_s=3.0)
    ),
    "no sound": Sample(_silent, Made((1280, 720), ((1280, 720),), sound=False)),
    "5.1 sound": Sample(_surround, Made((640, 360), ((640, 360),)), "video/x-matroska", "film.mkv"),
    "10 bits": Sample(_ten_bits, Made((640, 360), ((640, 360),), "hevc")),
    "broken tail": Sample(
        _broken_tail,
        Made((640, 360), ((640, 360),), sound=False, duration_s=2.0, damaged=True),
    ),
    "wrong extension": Sample(_misnamed, Made((640, 360), ((640, 360),), "vp8")),
    "text": Sample(_text, Refused("not_media", "key")),
    "nothing": Sample(_nothing, Refused("empty", "key")),
    "8k": Sample(
        _very_large, Made((7680, 4320), ((1920, 1080), (1280, 720)), sound=False, duration_s=1.0)
    ),
    "pixel bomb": Sample(_pixel_bomb, Refused("too_many_pixels", "width"), "video/quicktime"),
}


def ffmpeg_is_there() -> bool:
    return shutil.which("ffmpeg") is not None
