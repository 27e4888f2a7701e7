"""The packager process: many spool sessions on one loop: `python -m ingest.session.packager FD`.

FD is its end of a socket pair to the daemon, with whom it dies. An exception ends one session.
"""

import asyncio
import gc
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

import uvloop

from ingest.clock import SystemClock
from ingest.errors import IngestError
from ingest.parent_death import die_with_parent
from ingest.session.messages import (
    FromStream,
    FromWorker,
    JournalGrew,
    SpaceMissing,
    StartSpool,
    StateChanged,
    StopSession,
    ToStream,
    decode_to_stream,
    encode,
)
from ingest.session.spool_session import SpoolSession
from ingest.session.state import SessionState
from ingest.settings import PackagingSettings
from ingest.source.spool_reserve import NO_SPACE, SpoolReserve

_POLLS_PER_PART = 5
"""A part is written at most a fifth of its duration after its last byte has come."""

_SPOOL_WAIT_S = 10.0
"""How long nginx may take from the accepted publish to the spool file."""

_HEALTH_EVERY_S = 2.0
_RESERVE_EVERY_S = 0.2
"""In which an encoder of 300 Mbit/s does not use up what a spool has ahead."""

_SPACE_AGAIN_S = 0.5
"""Between tries to go on with a session for which the disk was full."""

_LINE_LIMIT = 1 << 16


class _Hosted:
    """A session and what the daemon has been told about it."""

    def __init__(self, name: str, start: StartSpool) -> None:
        self.name = name
        self.start = start
        self.session: SpoolSession | None = None
        self.reserve: SpoolReserve | None = None
        self.reserve_due_s = 0.0
        self.not_before_s = 0.0
        self.stop_requested = False
        self.discard = False
        self.grew = False
        self.live = False
        self.born_s = time.monotonic()
        self.health_due_s = self.born_s + _HEALTH_EVERY_S

    def close(self) -> None:
        """Close what is open."""
        for opened in (self.session, self.reserve):
            if opened is not None:
                opened.close()
        self.session = self.reserve = None

    def note_growth(self) -> None:
        """The journal has something new; told once per poll."""
        self.grew = True


class Packager:
    """Polls its sessions; messages of one poll leave in one write."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._hosted: dict[str, _Hosted] = {}
        self._outbox: list[bytes] = []
        self._interval_s = 0.05
        self._now_s = 0.0

    def take(self, message: ToStream) -> None:
        """A line of the daemon's."""
        match message.message:
            case StartSpool() as start:
                self._hosted[message.session] = _Hosted(message.session, start)
                self._interval_s = min(self._interval_s, start.part_target_s / _POLLS_PER_PART)
            case StopSession() as stop:
                hosted = self._hosted.get(message.session)
                if hosted is not None:
                    hosted.stop_requested = True
                    hosted.discard = stop.discard

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            started_s = self._now_s = time.monotonic()
            busy = False
            for hosted in [*self._hosted.values()]:
                busy |= self._poll_guarded(hosted)
            if self._outbox:
                self._writer.write(b"".join(self._outbox))
                self._outbox.clear()
                await self._writer.drain()
            spent_s = time.monotonic() - started_s
            await asyncio.sleep(0 if busy else max(0.0, self._interval_s - spent_s))

    def _poll_guarded(self, hosted: _Hosted) -> bool:
        """Poll one session; whatever it raises ends it alone. True when it has more to read."""
        try:
            return self._poll(hosted)
        except IngestError as error:
            self._fail(hosted, str(error), error.code, retryable=error.retryable)
        except OSError as error:
            if error.errno in NO_SPACE:
                self._wait_for_space(hosted)
                return False
            self._fail(hosted, f"{error.strerror} ({error.errno})", "os_error", retryable=True)
        except Exception as error:  # noqa: BLE001  a stranger's bytes found a fault of ours
            traceback.print_exc()
            self._fail(hosted, type(error).__name__, "packager_fault", retryable=True)
        return False

    def _poll(self, hosted: _Hosted) -> bool:
        if hosted.reserve is not None and self._now_s >= hosted.reserve_due_s:
            hosted.reserve_due_s = self._now_s + _RESERVE_EVERY_S
            hosted.reserve.keep()
        if hosted.not_before_s > self._now_s:
            return False
        session = hosted.session or self._open(hosted)
        if session is None:
            return False
        came = session.poll()
        if hosted.grew:
            hosted.grew = False
            if not hosted.live:
                hosted.live = True
                self._tell(hosted, StateChanged(state=SessionState.LIVE))
            self._tell(hosted, JournalGrew(size=session.journal_size))
        if self._now_s >= hosted.health_due_s:
            hosted.health_due_s = self._now_s + _HEALTH_EVERY_S
            self._tell(hosted, session.health())
        if session.is_behind:
            return True
        if hosted.stop_requested or (not came and session.ended()):
            self._end(hosted, session)
        return False

    def _open(self, hosted: _Hosted) -> SpoolSession | None:
        """The session, once nginx has made its file."""
        spool = Path(hosted.start.spool)
        if not spool.exists():
            waited_s = time.monotonic() - hosted.born_s
            if hosted.stop_requested or waited_s > _SPOOL_WAIT_S:
                self._fail(hosted, "nginx wrote no spool file", "no_spool", retryable=False)
            return None
        start = hosted.start
        if hosted.reserve is None:
            hosted.reserve = SpoolReserve(spool)
            hosted.reserve.keep()
        hosted.session = SpoolSession(
            spool,
            Path(start.folder),
            PackagingSettings(start.part_target_s, start.segment_target_s),
            SystemClock(),
            hosted.note_growth,
            reason=start.reason,
        )
        self._tell(hosted, StateChanged(state=SessionState.CONNECTING))
        self._tell(hosted, StateChanged(state=SessionState.PROBING))
        return hosted.session

    def _wait_for_space(self, hosted: _Hosted) -> None:
        """The disk is full: go back to the journal's last checkpoint, and on from there later."""
        if hosted.session is not None:
            hosted.session.close()
            hosted.session = None
        hosted.live = False
        hosted.not_before_s = time.monotonic() + _SPACE_AGAIN_S
        self._tell(hosted, SpaceMissing())

    def _end(self, hosted: _Hosted, session: SpoolSession) -> None:
        self._tell(hosted, StateChanged(state=SessionState.DRAINING))
        if session.started or not hosted.discard:
            session.finish()
        self._tell(hosted, JournalGrew(size=session.journal_size))
        self._tell(hosted, session.health())
        self._tell(hosted, session.report())
        self._tell(hosted, StateChanged(state=SessionState.ENDED))
        self._drop(hosted)

    def _fail(self, hosted: _Hosted, error: str, code: str, *, retryable: bool) -> None:
        state = SessionState.FAILED
        self._tell(hosted, StateChanged(state=state, error=error, code=code, retryable=retryable))
        self._drop(hosted)

    def _drop(self, hosted: _Hosted) -> None:
        hosted.close()
        if self._hosted.get(hosted.name) is hosted:
            del self._hosted[hosted.name]

    def _tell(self, hosted: _Hosted, message: FromWorker) -> None:
        self._outbox.append(encode(FromStream(session=hosted.name, message=message)))


async def _serve(connection: socket.socket) -> None:
    connection.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=connection, limit=_LINE_LIMIT)
    packager = Packager(writer)
    polling = asyncio.create_task(packager.run())
    reading = asyncio.create_task(_read(reader, packager))
    await asyncio.wait({polling, reading}, return_when=asyncio.FIRST_COMPLETED)
    # The daemon has gone, or we cannot tell it anything: the journals have all there is.
    polling.cancel()
    reading.cancel()


async def _read(reader: asyncio.StreamReader, packager: Packager) -> None:
    while line := await reader.readline():
        packager.take(decode_to_stream(line))


def run_packager(connection: socket.socket) -> int:
    """Serve until the daemon goes."""
    gc.freeze()  # what was imported stays
    uvloop.run(_serve(connection))
    return 0


def main(arguments: list[str]) -> int:
    """Be a process of its own."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's to handle
    return run_packager(socket.socket(fileno=int(arguments[1])))


if __name__ == "__main__":
    sys.exit(main(sys.argv))
