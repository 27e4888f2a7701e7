"""One publication's session: a worker is kept at work for as long as the encoder is there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ingest.ports import PublicationProbe
from ingest.session.messages import (
    JournalGrew,
    SessionReport,
    StartSession,
    StateChanged,
    StopSession,
)
from ingest.session.state import SessionState, check
from ingest.session.stream_media import StreamMedia
from ingest.session.worker_process import WorkerPool, WorkerProcess
from ingest.settings import PackagingSettings

_STALL_S = 3.0
_HANG_S = 20.0
_READ_TIMEOUT_S = 15.0
_BACK_OFF_S = (0.0, 0.2, 0.5, 1.0, 2.0)
_HEALTHY_S = 30.0
"""A worker that lived this long earns its successor a fresh back-off."""

_RESTART_BUDGET = 8


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What a session serves: `publication` is the internal name, `url` where to pull it."""

    stream_id: str
    publication: str
    url: str


@dataclass(slots=True)
class _Outcome:
    """How one worker's life ended."""

    ended: bool = False
    error: str = ""
    retryable: bool = True
    lived_s: float = 0.0


class Session:
    """Runs workers for one publication, one after the other; `run` returns when it is over."""

    def __init__(
        self,
        spec: SessionSpec,
        media: StreamMedia,
        pool: WorkerPool,
        probe: PublicationProbe,
        settings: PackagingSettings,
        on_state: Callable[["Session", SessionState], None],
        *,
        reason: str,
    ) -> None:
        self.spec = spec
        self.media = media
        self.state = SessionState.REQUESTED
        self.error = ""
        self.restarts = 0
        self._pool = pool
        self._probe = probe
        self._settings = settings
        self._on_state = on_state
        self._reason = reason
        self._worker: WorkerProcess | None = None
        self._stopping = False
        self._log = structlog.get_logger().bind(
            stream_id=spec.stream_id, publication=spec.publication
        )

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker at work."""
        return self._worker.pid if self._worker else None

    async def run(self) -> None:
        """Serve the publication to its end; never raises but CancelledError."""
        attempt = 0
        while True:
            outcome = await self._run_worker()
            if self._stopping or not await self._encoder_is_there(outcome):
                break
            if not outcome.retryable or self.restarts >= _RESTART_BUDGET:
                self._fail(outcome.error or "the worker keeps dying")
                return
            attempt = 0 if outcome.lived_s > _HEALTHY_S else attempt
            self.restarts = 0 if outcome.lived_s > _HEALTHY_S else self.restarts + 1
            self._reason = "worker restarted"
            self._log.warning("worker_restarts", error=outcome.error, attempt=attempt)
            await asyncio.sleep(_BACK_OFF_S[min(attempt, len(_BACK_OFF_S) - 1)])
            attempt += 1
        self._set_state(SessionState.DRAINING)
        self._set_state(SessionState.ENDED)

    def stop(self) -> None:
        """Ask the worker to close what is open and end; `run` then returns."""
        self._stopping = True
        if self._worker is not None:
            self._worker.tell(StopSession())

    def kill(self) -> None:
        """End the worker at once: the encoder has gone and nothing more will come."""
        self._stopping = True
        if self._worker is not None:
            self._worker.kill()

    async def _run_worker(self) -> _Outcome:
        """One worker from start to end; its open segment is sealed afterwards."""
        loop = asyncio.get_running_loop()
        outcome = _Outcome()
        worker = self._worker = await self._pool.take()
        born = loop.time()
        try:
            if not self._stopping:
                worker.tell(self._start_message())
                await self._follow(worker, outcome)
        except ConnectionError as error:
            outcome.error = str(error)
        finally:
            status = await asyncio.shield(worker.end())
            self._worker = None
        outcome.lived_s = loop.time() - born
        if not outcome.ended and not outcome.error:
            outcome.error = f"the worker ended with status {status}"
        self.media.seal()
        return outcome

    async def _follow(self, worker: WorkerProcess, outcome: _Outcome) -> None:
        loop = asyncio.get_running_loop()
        watch = loop.create_task(self._watch(worker), name="worker-watch")
        try:
            async for message in worker.messages():
                self._heard_at = loop.time()
                match message:
                    case JournalGrew():
                        self.media.refresh()
                        if self.state is SessionState.STALLED:
                            self._set_state(SessionState.LIVE)
                    case StateChanged(state=SessionState.ENDED):
                        outcome.ended = True
                    case StateChanged(state=SessionState.FAILED):
                        outcome.error, outcome.retryable = message.error, message.retryable
                    case StateChanged():
                        self._worker_state(message.state)
                    case SessionReport():
                        self._log.info("session_report", **_counts(message))
        finally:
            watch.cancel()

    async def _watch(self, worker: WorkerProcess) -> None:
        """Notice a live worker that makes nothing; kill one that does not come back."""
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        while True:
            await asyncio.sleep(_STALL_S / 3)
            silent_s = loop.time() - self._heard_at
            if self.state is SessionState.LIVE and silent_s > _STALL_S:
                self._set_state(SessionState.STALLED)
            elif silent_s > _HANG_S and self.state is not SessionState.CONNECTING:
                self._log.error("worker_hangs", silent_s=round(silent_s, 1))
                worker.kill()
                return

    async def _encoder_is_there(self, outcome: _Outcome) -> bool:
        try:
            return await self._probe.is_publishing(self.spec.publication)
        except OSError as error:
            self._log.warning("nginx_unreachable", error=type(error).__name__)
            return not outcome.ended

    def _worker_state(self, state: SessionState) -> None:
        """Follow the worker, but keep DRAINING for the session's own end."""
        if state in {SessionState.CONNECTING, SessionState.PROBING, SessionState.LIVE}:
            self._set_state(state)

    def _start_message(self) -> StartSession:
        return StartSession(
            url=self.spec.url,
            folder=str(self.media.folder),
            part_target_s=self._settings.part_target_s,
            segment_target_s=self._settings.segment_target_s,
            reason=self._reason,
            read_timeout_s=_READ_TIMEOUT_S,
        )

    def _fail(self, error: str) -> None:
        self.error = self.error or error
        self._set_state(SessionState.FAILED)

    def _set_state(self, state: SessionState) -> None:
        if state is self.state:
            return
        check(self.state, state)
        self._log.info("session_state", before=self.state.value, after=state.value)
        self.state = state
        self._on_state(self, state)


def _counts(report: SessionReport) -> dict[str, int]:
    return {name: getattr(report, name) for name in report.__struct_fields__}
