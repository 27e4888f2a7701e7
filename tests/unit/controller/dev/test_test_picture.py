"""What `golive demo` sends, and what it says when it cannot."""

import subprocess
import threading
import time

import pytest

from controller.dev.errors import DemoError
from controller.dev.test_picture import TestPicture, TestPicturePusher
from tests.support.processes import free_ports

SMALL = TestPicture(width=320, height=180, video_bit_rate=300_000)
KEY = "sk_0123456789abcdefghijklmnop"


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """4 s of it in a file, and how long that took."""
    path = tmp_path_factory.mktemp("sent") / "sent.flv"
    stop = threading.Event()
    timer = threading.Timer(4.0, stop.set)
    timer.start()
    begun_s = time.monotonic()
    frames = TestPicturePusher(str(path), SMALL).push(stop)
    return str(path), frames, time.monotonic() - begun_s


def probe(path: str, stream: str, entries: str) -> list[str]:
    argv = ["ffprobe", "-v", "error", "-select_streams", stream, "-show_entries", entries]
    done = subprocess.run(
        [*argv, "-of", "csv=p=0", path], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.split()


def test_it_is_sent_in_real_time_and_whole(sent):
    path, frames, took_s = sent

    assert abs(frames / 30 - took_s) < 0.5
    assert len(probe(path, "v", "packet=pts")) == frames
    sound = probe(path, "a", "packet=pts")
    assert abs(len(sound) * 1024 / 48_000 - frames / 30) < 0.1


def test_it_is_what_an_encoder_would_send(sent):
    path, _, _ = sent

    assert probe(path, "v", "stream=codec_name,profile,width,has_b_frames") == ["h264,High,320,2"]
    assert probe(path, "a", "stream=codec_name,sample_rate,channels") == ["aac,48000,2"]
    keys = [n for n, flags in enumerate(probe(path, "v", "packet=flags")) if "K" in flags]
    assert keys[:2] == [0, 60]


def test_a_server_that_is_not_there_is_told_without_the_key():
    (port,) = free_ports(1)
    pusher = TestPicturePusher(f"rtmp://127.0.0.1:{port}/live/{KEY}", SMALL)

    with pytest.raises(DemoError) as error:
        pusher.push(threading.Event())

    assert str(error.value) == "The server refused or ended the push: Connection refused."
    assert error.value.__cause__ is None
