"""Runs the daemon as a child that is imported already, and again at once when it is killed.

An interpreter needs a second to import what the daemon consists of, on a busy machine several;
a fork needs none. The launcher does nothing but wait, so there is little that it could die of.

For the same reason an upgrade is no restart: the launcher becomes that of the new release, in the
same process, while the old daemon goes on serving, and ends it only when it can fork the next.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

import structlog

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGABRT)
"""SIGABRT is the service manager's when the daemon hangs: it then tells where."""

HAND_OVER = signal.SIGUSR2
"""To the launcher: become the release that is installed now. To the daemon: end, one follows."""

_PASSED_ON = (*_STOP_SIGNALS, signal.SIGHUP)
_HANDLED = (*_PASSED_ON, HAND_OVER)
_REQUESTS = (signal.SIGHUP, HAND_OVER)
_PREDECESSOR = "LAUNCHED_DAEMON_PID"
"""In the environment of a launcher that was one before: its daemon, which still serves."""

_TRIAL_S = 60.0
_LEAVE_S = 25.0
_HEALTHY_S = 2.0
"""A daemon that was killed sooner may be what kills itself: then whoever supervises decides."""

_SIGNALLED = 128
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # prctl(2)
_NAME = b"golive-daemon"


@dataclass(frozen=True, slots=True)
class Successor:
    """The launcher of the release that is installed now.

    command: starts it. trial: ends with status 0 when it could serve. sockets: descriptors that
    it finds open under the same numbers.
    """

    command: Sequence[str]
    trial: Sequence[str]
    sockets: Collection[int] = field(default=())


class Launcher:
    """Forks `serve`, which answers the exit status; one daemon at a time.

    on_reload: called here at SIGHUP before the daemon hears of it, so that the next daemon begins
    with what this one is about to take over. successor: what to become at SIGUSR2, if anything.

    To be made and run in a process with one thread, before it has an event loop. `serve` begins
    with SIGHUP and SIGUSR2 blocked: it lets them through (`unblock_requests`) as soon as it can
    answer them.
    """

    def __init__(
        self,
        serve: Callable[[], int],
        on_reload: Callable[[], None] = lambda: None,
        successor: Successor | None = None,
    ) -> None:
        self._serve = serve
        self._on_reload = on_reload
        self._successor = successor
        self._trial: subprocess.Popen[bytes] | None = None
        self._daemon = 0
        self._stopping = False
        self._log = structlog.get_logger()

    def run(self) -> int:
        """Until SIGINT, SIGTERM or SIGABRT, which are passed on as SIGHUP is, or until the daemon
        ends by itself. A daemon that another launcher left in this process is ended first.

        Answers its exit status; 128 and the signal's number when it was killed at its start.
        """
        self._daemon = int(os.environ.pop(_PREDECESSOR, "0"))
        for number in _PASSED_ON:
            signal.signal(number, self._pass_on)
        signal.signal(HAND_OVER, self._hand_over)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        if self._daemon:
            self._relieve()
        while True:
            born_s = time.monotonic()
            if not self._fork():
                return 0
            _, status = os.waitpid(self._daemon, 0)
            code = os.waitstatus_to_exitcode(status)
            if code >= 0 or self._stopping:
                return code if code >= 0 else _SIGNALLED - code
            lived_s = time.monotonic() - born_s
            self._log.warning("daemon_killed", signal=-code, lived_s=round(lived_s, 1))
            if lived_s < _HEALTHY_S:
                return _SIGNALLED - code

    def _fork(self) -> bool:
        """Not when it is to stop. A signal that comes meanwhile waits until there is somebody to
        pass it on to."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            if self._stopping:
                return False
            launcher = os.getpid()
            self._daemon = os.fork()
            if not self._daemon:
                self._become_daemon(launcher)
            return True
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)

    def _become_daemon(self, launcher: int) -> NoReturn:
        status = 1
        try:
            libc = ctypes.CDLL(None)
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            libc.prctl(_PR_SET_NAME, _NAME)
            for number in _HANDLED:
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
            if self._trial is not None:
                self._trial.kill()
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(self._daemon, number)

    def _hand_over(self, _number: int, _frame: FrameType | None) -> None:
        """Become the successor, or log why not and go on."""
        successor = self._successor
        if successor is None or self._trial is not None or self._stopping:
            return
        try:
            refused = self._try(successor)
            if refused and not self._stopping:
                self._log.error("handover_refused", reason=refused)
            if refused or self._stopping:
                return
            self._log.info("handing_over")
            self._become(successor)
        except OSError as error:
            self._log.error("handover_refused", reason=error.strerror)

    def _try(self, successor: Successor) -> str:
        """Why it could not serve; empty if it can. What it writes goes where the log goes."""
        self._trial = subprocess.Popen(successor.trial, stdin=subprocess.DEVNULL)
        try:
            status = self._trial.wait(_TRIAL_S)
        except subprocess.TimeoutExpired:
            self._trial.kill()
            self._trial.wait()
            return f"no answer within {_TRIAL_S:g} s"
        finally:
            self._trial = None
        return "" if status == 0 else f"its trial ended with status {status}"

    def _become(self, successor: Successor) -> None:
        """Signals that come meanwhile wait until the successor has handlers for them."""
        sys.stdout.flush()
        sys.stderr.flush()
        environment = {**os.environ, _PREDECESSOR: str(self._daemon)}
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            for descriptor in successor.sockets:
                os.set_inheritable(descriptor, True)
            command = list(successor.command)
            os.execve(command[0], command, environment)  # noqa: S606
        finally:  # it was not to be executed
            for descriptor in successor.sockets:
                os.set_inheritable(descriptor, False)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)

    def _relieve(self) -> None:
        """End the daemon that a launcher before this one forked."""
        with contextlib.suppress(ProcessLookupError), _watched(self._daemon) as process:
            os.kill(self._daemon, HAND_OVER)
            ended, _, _ = select.select([process], [], [], _LEAVE_S)
            if not ended:
                self._log.warning("daemon_overdue", waited_s=_LEAVE_S)
                os.kill(self._daemon, signal.SIGKILL)
            os.waitpid(self._daemon, 0)


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[int]:
    """A descriptor that can be read once the process has ended. Raises ProcessLookupError."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def unblock_requests() -> None:
    """Called by the daemon once it has handlers for SIGHUP and SIGUSR2."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _REQUESTS)
