"""Runs the daemon as a child that is imported already, and again at once when it is killed.

An interpreter needs a second to import what the daemon consists of, on a busy machine several;
a fork needs none. The launcher does nothing but wait, so there is little that it could die of.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import structlog

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGABRT)
"""SIGABRT is the service manager's when the daemon hangs: it then tells where."""

_PASSED_ON = (*_STOP_SIGNALS, signal.SIGHUP)
_HEALTHY_S = 2.0
"""A daemon that was killed sooner may be what kills itself: then whoever supervises decides."""

_SIGNALLED = 128
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # prctl(2)
_NAME = b"golive-daemon"


class Launcher:
    """Forks `serve`, which answers the exit status; one daemon at a time.

    on_reload: called here at SIGHUP before the daemon hears of it, so that the next daemon begins
    with what this one is about to take over.

    To be made and run in a process with one thread, before it has an event loop. `serve` begins
    with SIGHUP blocked: it lets it through (`unblock_reload`) as soon as it can answer it.
    """

    def __init__(
        self, serve: Callable[[], int], on_reload: Callable[[], None] = lambda: None
    ) -> None:
        self._serve = serve
        self._on_reload = on_reload
        self._daemon = 0
        self._stopping = False
        self._log = structlog.get_logger()

    def run(self) -> int:
        """Until SIGINT, SIGTERM or SIGABRT, which are passed on as SIGHUP is, or until the daemon
        ends by itself.

        Answers its exit status; 128 and the signal's number when it was killed at its start.
        """
        for number in _PASSED_ON:
            signal.signal(number, self._pass_on)
        while True:
            born_s = time.monotonic()
            self._fork()
            _, status = os.waitpid(self._daemon, 0)
            code = os.waitstatus_to_exitcode(status)
            if code >= 0 or self._stopping:
                return code if code >= 0 else _SIGNALLED - code
            lived_s = time.monotonic() - born_s
            self._log.warning("daemon_killed", signal=-code, lived_s=round(lived_s, 1))
            if lived_s < _HEALTHY_S:
                return _SIGNALLED - code

    def _fork(self) -> None:
        """A signal that comes meanwhile waits until there is somebody to pass it on to."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
        try:
            launcher = os.getpid()
            self._daemon = os.fork()
            if not self._daemon:
                self._become_daemon(launcher)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)

    def _become_daemon(self, launcher: int) -> NoReturn:
        status = 1
        try:
            libc = ctypes.CDLL(None)
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            libc.prctl(_PR_SET_NAME, _NAME)
            for number in _PASSED_ON:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
            if os.getppid() == launcher:  # else it went before we were tied to it
                status = self._serve()
        except BaseException:
            self._log.exception("daemon_failed", code="launch")
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)  # what the launcher has to do at its exit is the launcher's

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._on_reload()
        else:
            self._stopping = True
        os.kill(self._daemon, number)


def unblock_reload() -> None:
    """Called by the daemon once it has a handler for SIGHUP."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP,))
