"""The RTMP nginx: hooks decide, players from outside do not exist, no key in a log."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import wait_until
from tests.unit.controller.nginx.conftest import Edge

GOOD_KEY = "good_sk_0123456789abcdefghijklmnop"
BAD_KEY = "bad_sk_0123456789abcdefghijklmnop"


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.flv"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-t", "10"]
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "30"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, *codec, str(path)], check=True, timeout=60)
    return path


def push(edge: Edge, clip: Path, key: str, seconds: float) -> subprocess.CompletedProcess:
    url = f"rtmp://127.0.0.1:{edge.rtmp_port}/live/{key}"
    argv = ["ffmpeg", "-v", "error", "-re", "-t", str(seconds), "-i", str(clip), "-c", "copy"]
    return subprocess.run(
        [*argv, "-f", "flv", url], capture_output=True, text=True, timeout=30, check=False
    )


def hooks(edge: Edge) -> list[dict]:
    lines = (edge.data / "stand-in.jsonl").read_text().splitlines()
    return [entry for line in lines if "hook" in (entry := json.loads(line))]


def test_a_publish_that_the_daemon_accepts_is_renamed_and_told_of_at_its_end(edge, clip):
    assert push(edge, clip, GOOD_KEY, 1).returncode == 0

    wait_until(lambda: len(hooks(edge)) >= 2, 5, "both hooks")
    first, last = hooks(edge)[:2]
    assert (first["hook"], first["name"], first["app"]) == ("/hooks/publish", GOOD_KEY, "live")
    assert last["hook"] == "/hooks/publish_done"
    assert first["clientid"] == last["clientid"]
    assert first["addr"] == "127.0.0.1"


def test_a_publish_that_the_daemon_refuses_fails_at_the_encoder(edge, clip):
    refused = push(edge, clip, BAD_KEY, 5)

    assert refused.returncode != 0


def test_no_key_is_in_any_log(edge, clip):
    push(edge, clip, GOOD_KEY, 0.5)
    push(edge, clip, BAD_KEY, 0.5)

    assert "0123456789abcdefghijklmnop" not in edge.process.text
    for path in (edge.data / "logs").iterdir():
        assert "0123456789abcdefghijklmnop" not in path.read_text()
