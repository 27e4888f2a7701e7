"""A media task's process: `python -m ingest.tasks.child FD`.

libavformat and libavcodec on a stranger's bytes: it may crash, hang or grow, and then it alone
ends. It is told once what to do, and tells its progress and one answer.
"""

import ctypes
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Protocol

import msgspec

from ingest.errors import MediaRefused
from ingest.parent_death import die_with_parent
from ingest.tasks.messages import (
    FromTask,
    TaskDone,
    TaskOrder,
    TaskOutOfMemory,
    TaskProgress,
    TaskRefused,
)

_NICENESS = 10
_OPEN_FILES = 256
_REPORT_EVERY_S = 0.25
_PR_SET_NO_NEW_PRIVS = 38


class Lines(Protocol):
    """The channel, to write on."""

    def write(self, data: bytes, /) -> int:
        """Write."""
        ...

    def flush(self) -> None:
        """Send what was written."""
        ...


def main(descriptor: int) -> None:
    """Carry out the one order that comes on `descriptor`."""
    die_with_parent()
    with socket.socket(fileno=descriptor) as channel, channel.makefile("rwb") as lines:
        order = msgspec.json.decode(lines.readline(), type=TaskOrder)
        _confine(order)
        _say(lines, _carry_out(order, _Reporter(lines).report))


def _carry_out(order: TaskOrder, report: Callable[[float], None]) -> FromTask:
    module, _, name = order.target.partition(":")
    function = getattr(import_module(module), name)
    try:
        return TaskDone(answer=function(order.request, report))
    except MediaRefused as refused:
        return TaskRefused(reason=refused.reason, field=refused.field, message=str(refused))
    except MemoryError:  # PyAV's own is one of these, too
        return TaskOutOfMemory()


def _confine(order: TaskOrder) -> None:
    """Bounds that the kernel keeps; a machine that serves live streams goes first."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, most in (
        (resource.RLIMIT_AS, order.memory_bytes),
        (resource.RLIMIT_CPU, order.cpu_s),
        (resource.RLIMIT_FSIZE, order.file_bytes),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        _, hard = resource.getrlimit(kind)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))
    os.nice(_NICENESS)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the starter's business


class _Reporter:
    """Tells progress, not more often than anybody looks."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._next_s = 0.0

    def report(self, percent: float) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + _REPORT_EVERY_S
            _say(self._lines, TaskProgress(percent=percent))


def _say(lines: Lines, message: FromTask) -> None:
    lines.write(msgspec.json.encode(message) + b"\n")
    lines.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
