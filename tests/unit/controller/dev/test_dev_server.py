"""`golive dev` as a process: ready, restarts, refusals, and nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.support.processes import (
    Running,
    assert_all_gone,
    free_ports,
    is_alive,
    port_is_free,
    running,
    wait_until,
)

RUNNER = Path(__file__).parents[3] / "support" / "stand_in_dev.py"
READY = "golive is running"


class Dev:
    """One data folder and two ports, on which servers can be started in turn."""

    def __init__(self, data: Path):
        self.data = data
        self.http_port, self.rtmp_port = free_ports(2)

    @property
    def argv(self) -> list[str]:
        return [
            sys.executable,
            str(RUNNER),
            str(self.data),
            str(self.http_port),
            str(self.rtmp_port),
        ]

    def get(self, path: str) -> dict:
        url = f"http://127.0.0.1:{self.http_port}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    def assert_nothing_left(self, family: list[psutil.Process]) -> None:
        assert_all_gone(family)
        assert port_is_free(self.http_port)
        assert port_is_free(self.rtmp_port)
        left = [path for path in self.data.rglob("*") if path.is_socket()]
        assert left == []
        assert not (self.data / "run" / "dev.json").exists()


@pytest.fixture
def dev(tmp_path: Path) -> Dev:
    return Dev(tmp_path / "data")


def family_of(server: Running) -> list[psutil.Process]:
    family = server.descendants()
    names = sorted(one.name() for one in family)
    assert names.count("nginx") >= 4, names
    return family


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_what_to_push_to_and_stops_without_a_trace(dev: Dev, number):
    with running(dev.argv) as server:
        server.wait_for("Ctrl-C stops everything")
        block = "".join(server.out)
        assert f"rtmp://127.0.0.1:{dev.rtmp_port}/live" in block
        assert "sk_standin" in block
        assert f"http://127.0.0.1:{dev.http_port}/watch/00000000-" in block
        family = family_of(server)

        assert server.stop(number) == 0, server.text

        dev.assert_nothing_left(family)
        assert "sk_standin" not in "".join(server.err)
        assert "Traceback" not in server.text


def test_the_stream_key_outlives_a_restart_and_a_stream_that_ended_is_followed_by_another(dev):
    def printed_key() -> str:
        with running(dev.argv) as server:
            line = server.wait_for("Stream key")
            assert server.stop() == 0
            return line.split()[-1]

    first = printed_key()
    assert printed_key() == first
    (stream_id,) = json.loads((dev.data / "streams.json").read_text())
    (dev.data / "streams.json").write_text(json.dumps({stream_id: "ended"}))
    assert printed_key() != first


def test_a_demo_stream_that_ends_while_running_is_followed_by_another(dev):
    with running(dev.argv) as server:
        server.wait_for(READY)
        (stream_id,) = json.loads((dev.data / "streams.json").read_text())

        (dev.data / "streams.json").write_text(json.dumps({stream_id: "ended"}))

        server.wait_for("The demo stream has ended", 20)
        assert len({line for line in server.out if "Stream key" in line}) == 2


def test_a_second_server_on_the_same_folder_is_refused_in_one_line(dev):
    with running(dev.argv) as first:
        first.wait_for(READY)
        second = subprocess.run(dev.argv, capture_output=True, text=True, timeout=30, check=False)

        assert second.returncode == 1
        assert second.stderr.splitlines() == [
            (
                f"golive dev: golive dev already runs on {dev.data} (pid {first.pid}): "
                "stop it or choose another folder with --data."
            )
        ]
        assert dev.get("/readyz")["pid"]


def test_ports_in_use_are_told_in_a_line_each(dev):
    with socket.socket() as http, socket.socket() as rtmp:
        for taken, port in ((http, dev.http_port), (rtmp, dev.rtmp_port)):
            taken.bind(("127.0.0.1", port))
            taken.listen()
        ended = subprocess.run(dev.argv, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 1
    first, second = ended.stderr.splitlines()
    assert first.startswith(f"golive dev: Port {dev.http_port} (HTTP) is in use by ")
    assert first.endswith(f"(pid {os.getpid()}): stop it, or choose another with --http-port.")
    assert second.endswith("stop it, or choose another with --rtmp-port.")


@pytest.mark.parametrize("child", ["daemon", "nginx-http", "nginx-rtmp"])
def test_a_child_that_crashes_is_started_again(dev, child):
    with running(dev.argv) as server:
        server.wait_for(READY)
        before = dev.get("/readyz")["pid"]
        pid = before if child == "daemon" else int((dev.data / "run" / f"{child}.pid").read_text())
        family = family_of(server)

        os.kill(pid, signal.SIGKILL)

        server.wait_for("starting again")
        wait_until(lambda: answers(dev), 15, "answers again")
        if child == "daemon":
            assert dev.get("/readyz")["pid"] != before
        else:
            # Orphaned workers would keep the port and answer with the old configuration.
            assert not any(one.ppid() == 1 for one in family if is_alive(one))
        after = family_of(server)
        assert server.stop() == 0, server.text
        dev.assert_nothing_left([*family, *after])


def answers(dev: Dev) -> bool:
    try:
        dev.get("/readyz")
        with socket.create_connection(("127.0.0.1", dev.rtmp_port), timeout=1):
            return True
    except OSError:
        return False


def test_a_killed_supervisor_takes_everything_with_it_and_the_next_one_starts(dev):
    with running(dev.argv) as server:
        server.wait_for(READY)
        family = family_of(server)

        os.kill(server.pid, signal.SIGKILL)
        server.wait()

        assert_all_gone(family)
    with running(dev.argv) as server:
        server.wait_for(READY)
        assert server.stop() == 0


def test_a_daemon_that_ignores_the_signal_is_killed_in_the_end(dev):
    dev.data.mkdir()
    (dev.data / "ignore-term").touch()
    with running(dev.argv) as server:
        server.wait_for(READY)
        family = family_of(server)
        server.process.send_signal(signal.SIGINT)
        server.wait_for("Stopping")

        # The second Ctrl-C does not wait.
        assert server.stop(signal.SIGINT, timeout_s=10) == 0

        dev.assert_nothing_left(family)


@pytest.mark.parametrize(
    ("refused", "line"),
    [
        ("serve", "golive serve ended with status 3 before it was ready: the lines above say why."),
        ("migrate", "The database could not be prepared: the lines above say why"),
    ],
)
def test_a_daemon_that_cannot_start_ends_everything_with_its_own_words(dev, refused, line):
    dev.data.mkdir()
    (dev.data / f"refuse-{refused}").touch()

    ended = subprocess.run(dev.argv, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    assert f"no {refused} today" in ended.stderr
    assert f"golive dev: {line}" in ended.stderr.splitlines()[-1]
    dev.assert_nothing_left([])


def test_a_data_folder_too_deep_for_sockets_works_all_the_same(tmp_path):
    deep = Dev(tmp_path / ("d" * 60) / ("e f" * 20) / "data")
    with running(deep.argv) as server:
        server.wait_for(READY)
        (socket_dir,) = {
            Path(connection.laddr).parent
            for one in server.descendants()
            for connection in one.net_connections("unix")
            if isinstance(connection.laddr, str) and connection.laddr.endswith("daemon.sock")
        }
        assert not socket_dir.is_relative_to(deep.data)
        assert server.stop() == 0, server.text
        assert not socket_dir.exists()
