"""The daemon's sockets in its supervisor's hands."""

import os
import socket
import stat

import pytest

from controller.dev.errors import PrerequisiteError
from controller.dev.listening import held_sockets
from controller.dev.process import ChildSpec


def daemon(http, hooks):
    env = {"GOLIVE_HTTP_LISTEN": http, "GOLIVE_HOOK_LISTEN": hooks, "PATH": "/bin"}
    return ChildSpec(name="golive serve", argv=("true",), env=env, stop_timeout_s=1.0)


def test_the_daemon_gets_open_sockets_instead_of_addresses(tmp_path, unused_tcp_port):
    path = tmp_path / "http.sock"
    spec = daemon(f"unix:{path}", f"127.0.0.1:{unused_tcp_port}")

    with held_sockets(spec) as handed:
        numbers = [int(handed.env[name].removeprefix("fd:")) for name in list(spec.env)[:2]]
        assert handed.inherits == tuple(numbers)
        assert handed.env["PATH"] == "/bin"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))  # nobody accepts, and it is not refused
        with socket.create_connection(("127.0.0.1", unused_tcp_port), timeout=5):
            pass
    for number in numbers:
        with pytest.raises(OSError):
            os.fstat(number)


@pytest.mark.parametrize("hooks", ["127.0.0.1:notaport", "127.0.0.1:99999", "nowhere"])
def test_what_is_no_address_is_told_and_nothing_stays_open(tmp_path, hooks):
    path = tmp_path / "http.sock"
    with (
        pytest.raises(PrerequisiteError, match="golive cannot listen on"),
        held_sockets(daemon(f"unix:{path}", hooks)),
    ):
        pass
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(str(path))


def test_a_taken_address_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(PrerequisiteError, match=f"cannot listen on {address}"),
            held_sockets(daemon(address, f"unix:{tmp_path}/hooks.sock")),
        ):
            pass
