"""One publication's session: a worker is kept at work for as long as the encoder is there.

Where nginx records a spool, a shared packager tails it. The recorder leaves out what it does not
know (HEVC, AV1, Opus), so a pull worker joins beside it, looks, and takes over when the encoder
sends one of those.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from ingest.errors import OverBudget
from ingest.media import Codec
from ingest.ports import PublicationProbe
from ingest.session.admission import Admission, SessionKind
from ingest.session.messages import (
    JournalGrew,
    Proceed,
    SessionHealth,
    SessionReport,
    SpaceMissing,
    StartSession,
    StartSpool,
    StateChanged,
    StopSession,
    ToWorker,
    TracksFound,
)
from ingest.session.packager_process import PackagerPool
from ingest.session.session_totals import SessionCounts
from ingest.session.session_worker import Outcome, SessionWorker
from ingest.session.state import SessionState, check
from ingest.session.stream_media import StreamMedia
from ingest.session.worker_process import WorkerPool, WorkerProcess
from ingest.settings import PackagingSettings

_STALL_S = 3.0
_HANG_S = 20.0
_READ_TIMEOUT_S = 15.0
_BACK_OFF_S = (0.0, 0.2, 0.5, 1.0, 2.0)
_HEALTHY_S = 5.0
"""A worker that lived this long earns its successor a fresh back-off."""

_RESTART_BUDGET = 8
_SPOOLED = frozenset({Codec.H264, Codec.AAC, Codec.MP3})
"""Codecs that nginx-rtmp's recorder writes."""


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What a session serves: `publication` is the internal name, `url` where to pull it (empty:
    it cannot be pulled), `spool` the file into which it is recorded (None: it is not)."""

    stream_id: str
    publication: str
    url: str
    spool: Path | None = None


class Session:
    """Runs workers for one publication, one after the other; `run` returns when it is over."""

    def __init__(
        self,
        spec: SessionSpec,
        media: StreamMedia,
        workers: WorkerPool,
        packagers: PackagerPool,
        probe: PublicationProbe,
        settings: PackagingSettings,
        admission: Admission,
        on_state: Callable[["Session", SessionState], None],
        *,
        reason: str,
    ) -> None:
        self.spec = spec
        self.media = media
        self.state = SessionState.REQUESTED
        self.error = ""
        self.restarts = 0
        self.health: SessionHealth | None = None
        self._counted = SessionCounts()  # by the workers that are over
        self._workers = workers
        self._packagers = packagers
        self._probe = probe
        self._settings = settings
        self._admission = admission
        self._on_state = on_state
        self._reason = reason
        self._worker: SessionWorker | None = None
        self._pulls = spec.spool is None
        self._puller: WorkerProcess | None = None  # joined, and found to be needed
        self._looking: asyncio.Task[None] | None = None
        self._heard_at = 0.0
        self._stopping = False
        self._unaffordable = ""
        self._log = structlog.get_logger().bind(
            stream_id=spec.stream_id, publication=spec.publication
        )

    @property
    def counted(self) -> SessionCounts:
        """What all its workers have counted."""
        before, now = self._counted, self.health
        if now is None:
            return before
        return SessionCounts(
            before.restarts, before.dropped + now.dropped, before.repaired + now.repaired
        )

    @property
    def pulls(self) -> bool:
        """Whether the media come by a pull, and not through the spool."""
        return self._pulls

    @property
    def silent_s(self) -> float:
        """How long the worker at work has made nothing; 0 without one, or before its first data.

        Beyond the time after which it is killed, that did not help.
        """
        if self._worker is None or not self._heard_at or self.state is SessionState.CONNECTING:
            return 0.0
        return asyncio.get_running_loop().time() - self._heard_at

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker at work."""
        return self._worker.pid if self._worker else None

    async def run(self) -> None:
        """Serve the publication to its end; never raises but CancelledError.

        A session that is cancelled leaves journal and spool as they are: the next daemon goes on.
        """
        attempt = 0
        spool = self.spec.spool
        if spool is not None and self.spec.url and not self.media.resumes(spool.name):
            self._looking = asyncio.create_task(self._look(), name=f"look-{self.spec.publication}")
        try:
            while True:
                outcome = await self._run_worker()
                if not self._left_unread(outcome) and (
                    self._stopping or not await self._encoder_is_there(outcome)
                ):
                    break
                if not outcome.retryable or self.restarts >= _RESTART_BUDGET:
                    self._fail(outcome.error or "the worker keeps dying")
                    return
                if self._puller is not None:
                    continue  # no fault: the pull takes over
                attempt = 0 if outcome.lived_s > _HEALTHY_S else attempt
                self.restarts = 0 if outcome.lived_s > _HEALTHY_S else self.restarts + 1
                self._reason = "worker restarted"
                self._counted = replace(self.counted, restarts=self._counted.restarts + 1)
                self.health = None
                self._log.warning("worker_restarts", error=outcome.error, attempt=attempt)
                await asyncio.sleep(_BACK_OFF_S[min(attempt, len(_BACK_OFF_S) - 1)])
                attempt += 1
        finally:
            await self._stop_looking()
        if self._unaffordable:
            self._fail(self._unaffordable)
            return
        self._close()
        self._set_state(SessionState.DRAINING)
        self._set_state(SessionState.ENDED)

    def stop(self) -> None:
        """Ask the worker to take what has come, close what is open and end; `run` then returns."""
        self._stopping = True
        if self._worker is not None:
            self._worker.tell(StopSession())

    def kill(self) -> None:
        """End the worker at once: the encoder has gone and nothing more will come."""
        self._stopping = True
        if self._worker is not None:
            self._worker.kill()

    # --- which worker

    async def _run_worker(self) -> Outcome:
        """One worker from start to end."""
        outcome = Outcome()
        puller, self._puller = self._puller, None
        if puller is not None:
            await self._work(puller, Proceed(), outcome)
        elif self.spec.spool is not None and not self._pulls:
            lease = await self._packagers.take(self.spec.publication)
            await self._work(lease, self._spool_message(self.spec.spool), outcome)
        else:
            await self._work(await self._workers.take(), self._pull_message(), outcome)
        if self._pulls:
            self.media.seal()  # a pull cannot be read again: what it left open ends here
        return outcome

    async def _look(self) -> None:
        """Join beside the recorder; stay only for what it cannot write."""
        puller = await self._workers.take()
        try:
            puller.tell(self._pull_message(standby=True))
            async for message in puller.messages():
                if isinstance(message, TracksFound) and not _SPOOLED.issuperset(message.codecs):
                    if not self._may_pull():
                        return
                    self._log.info("pull_takes_over", codecs=[str(c) for c in message.codecs])
                    self._pulls, self._puller = True, puller
                    if self._worker is not None:
                        self._worker.tell(StopSession(discard=True))
                    return
                if isinstance(message, TracksFound):
                    return
        finally:
            if self._puller is not puller:
                puller.kill()
                await asyncio.shield(puller.end())

    def _may_pull(self) -> bool:
        """Whether the budget has room for the pull that this encoder needs; else it ends here."""
        try:
            self._admission.enter(self.spec.stream_id, SessionKind.PULL)
        except OverBudget as error:
            self._unaffordable = str(error)
            self.stop()
            return False
        return True

    async def _stop_looking(self) -> None:
        if self._looking is not None and not self._looking.done():
            self._looking.cancel()
            await asyncio.wait({self._looking})
        if self._puller is not None:
            self._puller.kill()
            await self._puller.end()

    # --- one worker

    async def _work(self, worker: SessionWorker, first: ToWorker, outcome: Outcome) -> None:
        loop = asyncio.get_running_loop()
        self._worker = worker
        born = loop.time()
        try:
            if not self._stopping or isinstance(first, StartSpool):
                worker.tell(first)
                if self._stopping:  # a spool is read to its end all the same
                    worker.tell(StopSession())
                await self._follow(worker, outcome)
        except ConnectionError as error:
            outcome.error = str(error)
        finally:
            status = await asyncio.shield(worker.end())
            self._worker = None
        outcome.lived_s = loop.time() - born
        self.media.refresh()
        if not outcome.ended and not outcome.error:
            outcome.error = f"the worker ended with status {status}"

    async def _follow(self, worker: SessionWorker, outcome: Outcome) -> None:
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        watch = loop.create_task(self._watch(worker), name="worker-watch")
        try:
            async for message in worker.messages():
                if isinstance(message, SessionHealth):  # comes from an idle worker, too
                    self.health = message
                    continue
                self._heard_at = loop.time()
                match message:
                    case JournalGrew():
                        self.media.refresh()
                        if self.state is SessionState.STALLED:
                            self._set_state(SessionState.LIVE)
                    case StateChanged(state=SessionState.ENDED):
                        outcome.ended = True
                        return
                    case StateChanged(state=SessionState.FAILED):
                        outcome.error, outcome.retryable = message.error, message.retryable
                        return
                    case StateChanged():
                        self._worker_state(message.state)
                    case SpaceMissing():
                        self._wait_for_space()
                    case SessionReport():
                        self._log.info("session_report", **_counts(message))
        finally:
            watch.cancel()

    async def _watch(self, worker: SessionWorker) -> None:
        """Notice a live worker that makes nothing; kill one that does not come back."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_STALL_S / 3)
            silent_s = loop.time() - self._heard_at
            if self.state is SessionState.LIVE and silent_s > _STALL_S:
                self._set_state(SessionState.STALLED)
            elif silent_s > _HANG_S and self.state is not SessionState.CONNECTING:
                self._log.error("worker_hangs", silent_s=round(silent_s, 1))
                worker.kill()
                return

    def _wait_for_space(self) -> None:
        """Nothing is lost meanwhile: the spool has space of its own set aside."""
        if self.state is SessionState.LIVE:
            self._log.error("disk_full")
            self._set_state(SessionState.STALLED)

    def _left_unread(self, outcome: Outcome) -> bool:
        """Whether a worker died over a spool: its successor reads on, the encoder there or not."""
        spooled = self.spec.spool is not None and not self._pulls
        return spooled and not outcome.ended and outcome.retryable

    async def _encoder_is_there(self, outcome: Outcome) -> bool:
        try:
            return await self._probe.is_publishing(self.spec.publication)
        except OSError as error:
            self._log.warning("nginx_unreachable", error=type(error).__name__)
            return not outcome.ended

    def _worker_state(self, state: SessionState) -> None:
        """Follow the worker, but keep DRAINING for the session's own end."""
        if state is SessionState.LIVE and self._looking is not None and not self._pulls:
            self._looking.cancel()  # the recorder writes what we need
        if state in {SessionState.CONNECTING, SessionState.PROBING, SessionState.LIVE}:
            self._set_state(state)

    # --- messages and states

    def _pull_message(self, *, standby: bool = False) -> StartSession:
        return StartSession(
            url=self.spec.url,
            folder=str(self.media.folder),
            part_target_s=self._settings.part_target_s,
            segment_target_s=self._settings.segment_target_s,
            reason=self._reason,
            read_timeout_s=_READ_TIMEOUT_S,
            standby=standby,
        )

    def _spool_message(self, spool: Path) -> StartSpool:
        return StartSpool(
            spool=str(spool),
            folder=str(self.media.folder),
            part_target_s=self._settings.part_target_s,
            segment_target_s=self._settings.segment_target_s,
            reason=self._reason,
        )

    def _close(self) -> None:
        """The visit is over: nothing stays open, the spool has been read."""
        self.media.seal()
        if self.spec.spool is not None:
            self.spec.spool.unlink(missing_ok=True)

    def _fail(self, error: str) -> None:
        self._close()
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
