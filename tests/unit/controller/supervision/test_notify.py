"""Messages to the service manager, over real notify sockets."""

import socket
import time

import pytest

from controller.supervision.notify import ManagerAddress, ServiceManager


@pytest.fixture
def listening(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(10)
        yield sock


@pytest.fixture
def manager(listening):
    made = ServiceManager(ManagerAddress(listening.getsockname()))
    yield made
    made.close()


def heard(listening):
    return dict(line.split("=", 1) for line in listening.recv(4096).decode().splitlines())


def test_each_word_is_one_datagram(manager, listening):
    manager.ready("serving 2 encoders")
    manager.alive()
    manager.stopping("until soon")
    assert heard(listening) == {"READY": "1", "STATUS": "serving 2 encoders"}
    assert heard(listening) == {"WATCHDOG": "1"}
    assert heard(listening) == {"STOPPING": "1", "STATUS": "until soon"}


def test_a_reload_says_when_it_began(manager, listening):
    before = time.monotonic_ns() // 1000
    manager.reloading()
    said = heard(listening)
    assert said["RELOADING"] == "1"
    assert before <= int(said["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000


def test_a_status_is_one_line_however_it_was_written(manager, listening):
    manager.status("one\nREADY=1\n two" + "x" * 5000)
    said = heard(listening)
    assert set(said) == {"STATUS"}
    assert said["STATUS"].startswith("one READY=1 two")
    assert len(said["STATUS"]) == 1000


def test_an_abstract_socket(tmp_path):
    name = f"golive-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        sock.settimeout(10)
        manager = ServiceManager(ManagerAddress("@" + name))
        manager.alive()
        assert sock.recv(100) == b"WATCHDOG=1"
        manager.close()


def test_a_service_manager_that_is_gone_or_does_not_read_holds_nobody_up(manager, listening):
    for _ in range(20_000):
        manager.alive()
        if manager.lost:
            break
    assert manager.lost, "its buffer is full"
    listening.close()
    manager.alive()
    assert manager.lost == 2


def test_without_a_service_manager_nothing_is_said():
    manager = ServiceManager(ManagerAddress())
    manager.ready("fine")
    assert (manager.listens, manager.lost) == (False, 0)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ManagerAddress()),
        ({"NOTIFY_SOCKET": "/run/notify"}, ManagerAddress("/run/notify")),
        ({"NOTIFY_SOCKET": "relative"}, ManagerAddress()),
        (
            {"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"},
            ManagerAddress("@a", 30.0),
        ),
        (
            {"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"},
            ManagerAddress("@a"),
        ),
        ({"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "-1"}, ManagerAddress("@a")),
    ],
)
def test_what_the_environment_says(environment, expected):
    assert ManagerAddress.of(environment, 7) == expected
