"""The worker process of one pulled stream: `python -m ingest.session.worker FD`.

FD is its end of a socket pair to the daemon. It dies with the daemon: when the socket closes, and
by the kernel's parent-death signal. Exit status 0 when the publication ended, 1 when it failed.
"""

import ctypes
import os
import queue
import signal
import socket
import sys
import threading
from pathlib import Path

from ingest.clock import SystemClock
from ingest.errors import IngestError, SourceUnavailable
from ingest.media import MediaKind
from ingest.session.messages import (
    FromWorker,
    JournalGrew,
    SessionReport,
    StartSession,
    StateChanged,
    StopSession,
    decode_to_worker,
    encode,
)
from ingest.session.pipeline import Pipeline
from ingest.session.state import SessionState
from ingest.settings import PackagingSettings
from ingest.source.pull import RtmpPull
from ingest.vod.journal import JournalWriter
from ingest.vod.recovery import seal

_PR_SET_PDEATHSIG = 1
_OUTBOX_MESSAGES = 1024
_SEND_TIMEOUT_S = 10.0


class _Daemon:
    """The worker's end of the socket: a reader thread and a bounded outbox."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._outbox: queue.Queue[FromWorker | None] = queue.Queue(_OUTBOX_MESSAGES)
        self.dropped = 0
        self.stop_requested = threading.Event()
        self._lines = connection.makefile("rb")
        self._sender = threading.Thread(target=self._send_all, name="to-daemon", daemon=True)
        self._receiver = threading.Thread(target=self._receive_all, name="from-daemon", daemon=True)

    def wait_start(self) -> StartSession | None:
        """The first line; None when the daemon went away or wants nothing."""
        line = self._lines.readline()
        message = decode_to_worker(line) if line else None
        return message if isinstance(message, StartSession) else None

    def run(self) -> None:
        """Start both threads."""
        self._sender.start()
        self._receiver.start()

    def tell(self, message: FromWorker) -> None:
        """Queue a message; a full outbox drops it, for the journal has the facts."""
        try:
            self._outbox.put_nowait(message)
        except queue.Full:
            self.dropped += 1

    def flush(self) -> None:
        """Wait until everything queued is sent, within the send timeout."""
        self._outbox.put(None, timeout=_SEND_TIMEOUT_S)
        self._sender.join(_SEND_TIMEOUT_S)

    def _send_all(self) -> None:
        while (message := self._outbox.get()) is not None:
            try:
                self._connection.sendall(encode(message))
            except OSError:
                os._exit(1)  # nobody listens: the journal has all there is

    def _receive_all(self) -> None:
        for line in self._lines:
            if isinstance(decode_to_worker(line), StopSession):
                self.stop_requested.set()
        os._exit(1)  # the daemon has gone; the next one starts from the journal


def main(arguments: list[str]) -> int:
    """Serve one session; see the module's docstring."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's to handle
    daemon = _Daemon(socket.socket(fileno=int(arguments[1])))
    start = daemon.wait_start()
    if start is None:
        return 0
    daemon.run()
    try:
        _package(start, daemon)
    except IngestError as error:
        daemon.tell(_failure(str(error), error.code, retryable=error.retryable))
        daemon.flush()
        return 1
    except OSError as error:
        daemon.tell(_failure(f"{error.strerror} ({error.errno})", "os_error", retryable=True))
        daemon.flush()
        return 1
    daemon.tell(StateChanged(state=SessionState.ENDED))
    daemon.flush()
    return 0


def _failure(error: str, code: str, *, retryable: bool) -> StateChanged:
    return StateChanged(state=SessionState.FAILED, error=error, code=code, retryable=retryable)


def _package(start: StartSession, daemon: _Daemon) -> None:
    folder = Path(start.folder)
    settings = PackagingSettings(start.part_target_s, start.segment_target_s)
    with JournalWriter(folder) as journal:
        end = seal(folder, journal)
        daemon.tell(StateChanged(state=SessionState.CONNECTING))
        with RtmpPull(start.url, start.read_timeout_s) as pull:
            daemon.tell(StateChanged(state=SessionState.PROBING))
            pipeline = Pipeline(
                folder,
                journal,
                end,
                settings,
                SystemClock(),
                lambda: daemon.tell(JournalGrew(size=journal.size)),
                reason=start.reason,
            )
            pipeline.start(pull.tracks)
            _pump(pull, pipeline, daemon)


def _pump(pull: RtmpPull, pipeline: Pipeline, daemon: _Daemon) -> None:
    live = False
    try:
        for packet in pull.packets():
            pipeline.feed(packet)
            if not live:
                live = True
                daemon.tell(StateChanged(state=SessionState.LIVE))
            if daemon.stop_requested.is_set():
                break
    except SourceUnavailable as error:
        if not live:
            raise
        # What came before the break is whole; the supervisor asks nginx whether there is more.
        pipeline.finish()
        raise SourceUnavailable(str(error)) from error
    daemon.tell(StateChanged(state=SessionState.DRAINING))
    pipeline.finish()
    counters = pipeline.counters
    daemon.tell(
        SessionReport(
            video_frames=pipeline.frames[MediaKind.VIDEO],
            audio_frames=pipeline.frames[MediaKind.AUDIO],
            repaired_dts=counters.repaired_dts,
            audio_reanchored=counters.audio_reanchored,
            dropped_before_start=counters.dropped_before_start,
            notifications_dropped=daemon.dropped,
        )
    )


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies (prctl(2), Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
