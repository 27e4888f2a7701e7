"""The RTMP nginx: hooks decide, players from outside do not exist, no key in a log."""

import json
import socket
import subprocess
from pathlib import Path

import pytest

from controller.dev.layout import DataLayout
from controller.dev.nginx_config import render_rtmp
from tests.support.nginx_plans import nginx_plan
from tests.support.processes import free_ports, running, wait_until
from tests.unit.controller.nginx.conftest import Edge

GOOD_KEY = "good_sk_0123456789abcdefghijklmnop"
RTMP_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
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


@pytest.mark.parametrize("addresses", [("{}", "[::]:{}"), ("127.0.0.1:{}",), ("[::1]:{}",)])
def test_it_listens_over_ipv4_and_ipv6_on_one_port(tmp_path, addresses):
    (port,) = free_ports(1)
    layout = DataLayout(tmp_path, tmp_path / "run")
    for folder in (layout.run_dir, layout.logs_dir, layout.temp_dir, layout.spool_dir):
        folder.mkdir(parents=True)
    listen = tuple(address.format(port) for address in addresses)
    plan = nginx_plan(layout, rtmp_listen=listen, rtmp_module=RTMP_MODULE, open_files=1024)
    config = tmp_path / "rtmp.conf"
    config.write_text(render_rtmp(plan))
    families = {"[" if "[" in address else "." for address in addresses}

    def answers(host: str) -> bool:
        try:
            socket.create_connection((host, port), timeout=5).close()
        except ConnectionRefusedError:
            return False
        return True

    with running(["nginx", "-e", "stderr", "-p", f"{tmp_path}/", "-c", str(config)]) as nginx:
        wait_until(layout.control_socket.exists, 10, "nginx listens")
        assert answers("127.0.0.1") == ("." in families)
        assert answers("::1") == ("[" in families)
        assert nginx.stop() == 0
