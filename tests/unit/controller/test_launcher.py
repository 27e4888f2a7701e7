"""The launcher with real processes: what it passes on, and what it starts again."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest

from tests.support.processes import running, wait_until

DAEMON = """
import os, signal, sys, time
from controller import launcher
from controller.launcher import Launcher

launcher._HEALTHY_S = float(sys.argv[1])

def serve():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    print("up", os.getpid(), flush=True)
    if len(sys.argv) > 2:
        exec(sys.argv[2])
    time.sleep(60)
    return 0

sys.exit(Launcher(serve).run())
"""


HANDING_OVER = """
import os, signal, sys, time
from controller import launcher
from controller.launcher import Launcher, Successor, unblock_requests

launcher._LEAVE_S = launcher._TRIAL_S = 3.0
trial, leave, listening = sys.argv[1:4]

def serve():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    signal.signal(signal.SIGUSR2, lambda *_: leave == "leave" and os._exit(0))
    unblock_requests()
    os.fstat(int(listening))
    print("up", os.getpid(), flush=True)
    time.sleep(60)
    return 0

successor = Successor(
    [sys.executable, *sys.orig_argv[1:]], [sys.executable, "-c", trial], [int(listening)]
)
sys.exit(Launcher(serve, successor=successor).run())
"""


def launched(healthy_s, *, then=()):
    return running([sys.executable, "-c", DAEMON, str(healthy_s), *then])


@contextmanager
def handing_over(*, trial="pass", leave="leave"):
    with socket.socket() as listening:
        command = [sys.executable, "-c", HANDING_OVER, trial, leave, str(listening.fileno())]
        with running(command, inherits=[listening.fileno()]) as process:
            wait_daemons(process, 1)
            yield process


def daemons(process):
    return [int(line.split()[1]) for line in process.out if line.startswith("up ")]


def wait_daemons(process, count):
    wait_until(lambda: len(daemons(process)) >= count, 20, f"{count} daemons: {process.text}")
    return daemons(process)[-1]


def test_a_daemon_that_is_killed_is_replaced_without_a_new_interpreter():
    with launched(0) as process:
        for count in (1, 2, 3):
            pid = wait_daemons(process, count)
            assert psutil.Process(pid).name() == "golive-daemon"
            os.kill(pid, signal.SIGKILL)
        wait_daemons(process, 4)
        assert process.stop() == 7
        assert not psutil.pid_exists(daemons(process)[-1])


def test_a_daemon_that_is_killed_at_its_start_is_left_to_the_supervisor():
    with launched(60) as process:
        os.kill(wait_daemons(process, 1), signal.SIGSEGV)
        assert process.wait() == 128 + signal.SIGSEGV


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_is_passed_on_and_the_status_comes_back(number):
    with launched(0) as process:
        wait_daemons(process, 1)
        status = process.stop(number)
        assert status == (7 if number is signal.SIGTERM else 128 + number)


@pytest.mark.parametrize(("code", "status"), [("return_ = os._exit(3)", 3), ("1 / 0", 1)])
def test_a_daemon_that_ends_by_itself_ends_the_launcher(code, status):
    with launched(0, then=[code]) as process:
        assert process.wait() == status
        assert len(daemons(process)) == 1


def test_a_killed_launcher_takes_its_daemon_with_it():
    with launched(0) as process:
        pid = wait_daemons(process, 1)
        process.process.kill()
        wait_until(lambda: not psutil.pid_exists(pid), 10, "the daemon has gone")


@pytest.mark.parametrize("leave", ["leave", "stay"])
def test_it_becomes_its_successor_whose_daemon_takes_the_place_of_the_old_one(leave):
    """Also when the old one does not leave: then it is killed. Once, and once more."""
    with handing_over(leave=leave) as process:
        for count in (2, 3):
            before = daemons(process)[-1]
            process.process.send_signal(signal.SIGUSR2)
            pid = wait_daemons(process, count)
            assert not psutil.pid_exists(before)
            assert psutil.Process(pid).ppid() == process.pid
        assert process.stop() == 7


@pytest.mark.parametrize("trial", ["raise SystemExit(3)", "import time; time.sleep(60)"])
def test_it_stays_what_it_is_when_its_successor_could_not_serve(trial):
    with handing_over(trial=trial) as process:
        process.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: "handover_refused" in process.text, 20, "it says so")
        assert psutil.pid_exists(daemons(process)[-1])
        assert len(daemons(process)) == 1
        assert process.stop() == 7


def test_it_can_be_stopped_while_its_successor_is_tried():
    trial = "print('trying', flush=True); import time; time.sleep(60)"
    with handing_over(trial=trial) as process:
        process.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: "trying" in process.text, 20, "it is tried")
        assert process.stop() == 7
        assert "handover_refused" not in process.text


def test_it_starts_nothing_before_its_turn():
    """What is imported and not run has no thread, or a fork would not be safe."""
    script = "import controller.commands.serve, threading; print(threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"
