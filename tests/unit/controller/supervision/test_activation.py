"""Sockets that are handed over, with real descriptors in processes of their own."""

import pytest

from controller.supervision.activation import passed_sockets
from tests.support.service_manager import clean_environment, service_manager, unix_listeners

ASK = """
import os, socket, subprocess, sys
from controller.supervision.activation import passed_sockets
found = passed_sockets(os.environ, os.getpid())
for name, number in found.items():
    with socket.socket(fileno=number) as held:
        print(name, number, held.getsockname(), os.get_inheritable(number))
"""


def test_they_are_known_by_name_and_are_not_inherited_further(tmp_path):
    with (
        unix_listeners(tmp_path, "hooks", "http") as sockets,
        service_manager(tmp_path, sockets) as manager,
    ):
        process = manager.start(["-c", ASK], clean_environment())
        assert process.wait() == 0, process.text
    assert [line.split() for line in process.out] == [
        ["hooks", "3", str(tmp_path / "hooks.sock"), "False"],
        ["http", "4", str(tmp_path / "http.sock"), "False"],
    ]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_PID": "8", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"},
        {"LISTEN_PID": "7", "LISTEN_FDS": "x", "LISTEN_FDNAMES": "http"},
        {"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http"},
    ],
)
def test_what_is_meant_for_another_process_or_makes_no_sense_is_nothing(environment):
    assert passed_sockets(environment, 7) == {}
