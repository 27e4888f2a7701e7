"""Packagers that are forked instead of started: who they are, and with whom they die."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.processes import assert_all_gone, wait_until


@pytest.fixture
def keeper():
    """The process that has the nursery; what it says is read line by line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.ingest.session.nursery_keeper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def ask(keeper) -> psutil.Process:
    """Take a place; answers the packager."""
    keeper.stdin.write("\n")
    keeper.stdin.flush()
    return psutil.Process(int(keeper.stdout.readline()))


def wait_forked(packager) -> None:
    """A fork takes its own name a moment after its birth."""
    wait_until(lambda: packager.name() == "golive-packager", 20, "a packager out of the nursery")


def nursery_of(keeper) -> psutil.Process:
    (nursery,) = [
        one for one in psutil.Process(keeper.pid).children() if one.name() == "golive-nursery"
    ]
    return nursery


def test_a_packager_that_dies_is_followed_by_another_fork(keeper):
    first = ask(keeper)
    wait_forked(first)
    assert first.ppid() == nursery_of(keeper).pid
    first.kill()
    assert keeper.stdout.readline() == "ended 1\n"
    second = ask(keeper)
    assert second.pid != first.pid
    wait_forked(second)


def test_a_packager_holds_nothing_of_the_daemon_open(keeper):
    """A listening socket that it held would keep players waiting whom nobody answers."""
    packager = ask(keeper)
    wait_forked(packager)
    theirs = sockets_of(keeper.pid) | sockets_of(nursery_of(keeper).pid)
    wait_until(lambda: not sockets_of(packager.pid) & theirs, 20, "sockets of its own alone")


def sockets_of(pid) -> set[str]:
    folder = Path(f"/proc/{pid}/fd")
    links = {os.readlink(one) for one in folder.iterdir() if int(one.name) > 2}
    return {link for link in links if link.startswith("socket:")}


def test_without_its_nursery_a_daemon_starts_packagers_itself(keeper):
    ask(keeper)
    nursery_of(keeper).kill()
    assert keeper.stdout.readline() == "ended 1\n", "they die with the nursery"
    assert ask(keeper).ppid() == keeper.pid


def test_all_die_with_the_daemon(keeper):
    ask(keeper)
    family = psutil.Process(keeper.pid).children(recursive=True)
    assert len(family) == 2
    keeper.kill()
    assert_all_gone(family)


def test_the_end_of_the_daemon_ends_the_nursery(keeper):
    packager = ask(keeper)
    family = psutil.Process(keeper.pid).children(recursive=True)
    packager.kill()
    assert keeper.stdout.readline() == "ended 1\n"
    keeper.stdin.close()
    wait_until(lambda: keeper.poll() is not None, 20, "the end")
    assert keeper.returncode == 0
    assert_all_gone(family)
