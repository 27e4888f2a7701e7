"""The launcher with real processes: what it passes on, and what it starts again."""

import os
import signal
import subprocess
import sys

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


def launched(healthy_s, *, then=()):
    return running([sys.executable, "-c", DAEMON, str(healthy_s), *then])


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


def test_it_starts_nothing_before_its_turn():
    """What is imported and not run has no thread, or a fork would not be safe."""
    script = "import controller.commands.serve, threading; print(threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"
