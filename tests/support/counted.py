"""A picture that counts its own frames in black and white, for tests of which frame is shown."""

import subprocess
from pathlib import Path

from tests.support.pushers import FRAME_RATE, Clip

WIDTH, HEIGHT = 320, 180
_BITS = 16
_BAR = WIDTH // _BITS
_STRIP = 40


def make_counted_clip(folder: Path, duration_s: int, *, gop_s: float = 1.0) -> Clip:
    """An FLV whose frame n shows n in binary along its upper edge, highest bit first: sixteen bars
    of 20 pixels. `tests/players/page/cues.js` reads it."""
    path, frames = folder / "counted.flv", duration_s * FRAME_RATE
    gop = round(FRAME_RATE * gop_s)
    picture = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}"]
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-y"]
    argv += [*picture, "-r", str(FRAME_RATE), "-i", "pipe:0"]
    argv += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-shortest"]
    argv += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]
    argv += ["-pix_fmt", "yuv420p", "-g", str(gop), "-keyint_min", str(gop), "-sc_threshold", "0"]
    argv += ["-c:a", "aac", "-b:a", "64k", "-f", "flv", str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        for number in range(frames):
            encoder.stdin.write(_frame(number))
        encoder.stdin.close()
        assert encoder.wait(120) == 0
    return Clip(path, duration_s, frames)


def _frame(number: int) -> bytes:
    bits = f"{number:0{_BITS}b}"
    row = b"".join((b"\xeb" if bit == "1" else b"\x10") * _BAR for bit in bits)
    return row * _STRIP + bytes([96]) * (WIDTH * (HEIGHT - _STRIP))
