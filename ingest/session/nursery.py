"""Forks packagers that are imported already.

An interpreter needs 0.15 s of CPU to import what a packager consists of, on a busy machine a second
and more, and viewers wait for that long when a packager or its daemon was killed. A fork of a
process that has it all, and one thread, takes milliseconds.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import struct
import sys
from typing import NoReturn

from ingest.parent_death import die_with_parent
from ingest.session.packager import run_packager

_ORDER = b"+"
_PID = struct.Struct("=q")
_FORK_WAIT_S = 2.0
_LINE_LIMIT = 1 << 16
_PR_SET_NAME = 15  # prctl(2)
_NURSERY, _PACKAGER = b"golive-nursery", b"golive-packager"
_STREAMS = 3  # stdin, stdout, stderr


class ForkedProcess:
    """A process that another one forked: what there is of asyncio's Process without being its
    parent. Its exit status is not known: `returncode` is 0 once it has ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(pid)
        self._loop.add_reader(self._pidfd, self._has_ended)

    async def wait(self) -> int:
        """Until it has ended."""
        await self._ended.wait()
        return 0

    def kill(self) -> None:
        """SIGKILL. Raises ProcessLookupError when it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _has_ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.returncode = 0
        self._ended.set()


class PackagerNursery:
    """The daemon's end of the process that forks packagers; it and they die with the daemon."""

    def __init__(self, control: socket.socket) -> None:
        control.setblocking(False)
        self._control = control
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    def fork(cls) -> "PackagerNursery":
        """Start it, in a process with one thread that has no event loop yet."""
        ours, theirs = socket.socketpair()
        daemon = os.getpid()
        if not os.fork():
            _tend(theirs, daemon)
        theirs.close()
        return cls(ours)

    async def spawn(self) -> tuple[ForkedProcess, asyncio.StreamReader, asyncio.StreamWriter]:
        """A packager, and our end of its socket pair. Raises ConnectionError when the nursery has
        gone."""
        ours, theirs = socket.socketpair()
        try:
            process = await self._order(theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_LINE_LIMIT)
        return process, reader, writer

    async def _order(self, theirs: socket.socket) -> ForkedProcess:
        loop = asyncio.get_running_loop()
        try:
            async with self._one_at_a_time, asyncio.timeout(_FORK_WAIT_S):
                socket.send_fds(self._control, [_ORDER], [theirs.fileno()])
                answer = await loop.sock_recv(self._control, _PID.size)
            return ForkedProcess(_PID.unpack(answer)[0])
        except (OSError, struct.error, TimeoutError) as error:
            self.close()  # an answer that comes late must not be taken for another's
            raise ConnectionError("the nursery has gone") from error

    def close(self) -> None:
        """Let it end; packagers that it forked end with it."""
        self._control.close()


def _tend(control: socket.socket, daemon: int) -> NoReturn:
    """Fork a packager for each order, until the daemon goes."""
    status = 1
    try:
        _become(_NURSERY, daemon, control)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
        while _fork_one(control):
            pass
        status = 0
    finally:
        os._exit(status)  # what its parent has to do at its exit is its parent's


def _fork_one(control: socket.socket) -> bool:
    order, descriptors, _, _ = socket.recv_fds(control, len(_ORDER), 1)
    if not order:
        return False
    nursery = os.getpid()
    pid = os.fork()
    if not pid:
        _package(socket.socket(fileno=descriptors[0]), nursery)
    os.close(descriptors[0])
    control.sendall(_PID.pack(pid))
    return True


def _package(connection: socket.socket, nursery: int) -> NoReturn:
    status = 1
    try:
        _become(_PACKAGER, nursery, connection)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        status = run_packager(connection)
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


def _become(name: bytes, parent: int, kept: socket.socket) -> None:
    """Be called `name`, die with `parent`, and hold nothing that it has open but `kept`."""
    die_with_parent()
    if os.getppid() != parent:  # it went before we were tied to it
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's to handle
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name)
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) >= _STREAMS and int(entry) != kept.fileno():
            with contextlib.suppress(OSError):  # the listing's own has gone
                os.close(int(entry))
