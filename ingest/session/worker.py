"""The worker process of one pulled stream: `python -m ingest.session.worker FD`.

FD is its end of a socket pair to the daemon. It dies with the daemon: when the socket closes, and
by the kernel's parent-death signal. Exit status 0 when the publication ended, 1 when it failed.
"""

import os
import queue
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from ingest.clock import SystemClock
from ingest.errors import IngestError, SourceUnavailable
from ingest.parent_death import die_with_parent
from ingest.session.messages import (
    FromWorker,
    JournalGrew,
    Proceed,
    StartSession,
    StateChanged,
    StopSession,
    ToWorker,
    TracksFound,
    decode_to_worker,
    encode,
)
from ingest.session.pipeline import Pipeline
from ingest.session.state import SessionState
from ingest.settings import PackagingSettings
from ingest.source.pull import RtmpPull
from ingest.vod.journal import JournalWriter
from ingest.vod.recovery import seal

_OUTBOX_MESSAGES = 1024
_HEALTH_EVERY_S = 2.0
_SEND_TIMEOUT_S = 10.0
_VERDICT_TIMEOUT_S = 10.0


class _Daemon:
    """The worker's end of the socket: a reader thread and a bounded outbox."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._outbox: queue.Queue[FromWorker | None] = queue.Queue(_OUTBOX_MESSAGES)
        self.dropped = 0
        self.stop_requested = threading.Event()
        self.proceed = threading.Event()
        self._lines = connection.makefile("rb")
        self._sender = threading.Thread(target=self._send_all, name="to-daemon", daemon=True)
        self._receiver = threading.Thread(target=self._receive_all, name="from-daemon", daemon=True)

    def wait_start(self) -> ToWorker | None:
        """The first line; None when the daemon went away or wants nothing."""
        line = self._lines.readline()
        return decode_to_worker(line) if line else None

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
            match decode_to_worker(line):
                case StopSession():
                    self.stop_requested.set()
                    self.proceed.set()
                case Proceed():
                    self.proceed.set()
        os._exit(1)  # the daemon has gone; the next one starts from the journal


def main(arguments: list[str]) -> int:
    """Serve one session; see the module's docstring."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's to handle
    daemon = _Daemon(socket.socket(fileno=int(arguments[1])))
    start = daemon.wait_start()
    if not isinstance(start, StartSession):
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
    daemon.tell(StateChanged(state=SessionState.CONNECTING))
    with RtmpPull(start.url, start.read_timeout_s) as pull:
        daemon.tell(StateChanged(state=SessionState.PROBING))
        daemon.tell(TracksFound(codecs=[track.codec for track in pull.tracks]))
        if start.standby:
            daemon.proceed.wait(_VERDICT_TIMEOUT_S)  # nginx queues for us meanwhile
            if daemon.stop_requested.is_set():
                return
        folder = Path(start.folder)
        with JournalWriter(folder) as journal:
            pipeline = Pipeline(
                folder,
                journal,
                seal(folder, journal),
                PackagingSettings(start.part_target_s, start.segment_target_s),
                SystemClock(),
                lambda: daemon.tell(JournalGrew(size=journal.size)),
                reason=start.reason,
            )
            pipeline.start(pull.tracks)
            _pump(pull, pipeline, daemon)


def _pump(pull: RtmpPull, pipeline: Pipeline, daemon: _Daemon) -> None:
    live = False
    health_due_s = time.monotonic() + _HEALTH_EVERY_S
    try:
        for packet in pull.packets():
            pipeline.feed(packet)
            if time.monotonic() >= health_due_s:
                health_due_s += _HEALTH_EVERY_S
                daemon.tell(pipeline.health())
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
    daemon.tell(pipeline.report(daemon.dropped))


if __name__ == "__main__":
    sys.exit(main(sys.argv))
