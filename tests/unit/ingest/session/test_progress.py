"""A worker that makes nothing is killed; one that stays silent all the same is told of."""

import asyncio

import pytest

from ingest.session import session as session_module
from ingest.session import supervisor as supervisor_module
from ingest.session.admission import Admission, SessionBudget
from ingest.session.messages import StateChanged, StopSession
from ingest.session.session import SessionSpec
from ingest.session.state import SessionState
from ingest.session.supervisor import SessionSupervisor
from ingest.settings import PackagingSettings, RecordingPlan

STREAM = "11111111-2222-4333-8444-555555555555"


class SilentWorker:
    """Says that it is live, and then nothing; ends when it is killed, if it `can_die`."""

    pid = 1

    def __init__(self, *, can_die):
        self.killed = asyncio.Event()
        self.over = asyncio.Event()
        self._can_die = can_die

    def tell(self, message):
        if isinstance(message, StopSession):
            self.over.set()

    async def messages(self):
        for state in (SessionState.CONNECTING, SessionState.PROBING, SessionState.LIVE):
            yield StateChanged(state=state)
        await self.over.wait()

    def kill(self):
        self.killed.set()
        if self._can_die:
            self.over.set()

    async def end(self):
        return -9


class Packagers:
    def __init__(self, *, can_die):
        self._can_die = can_die
        self.taken = []

    async def take(self, _name):
        self.taken.append(SilentWorker(can_die=self._can_die))
        return self.taken[-1]

    async def close(self):
        for worker in self.taken:
            worker.over.set()


class Pullers:
    async def take(self):
        await asyncio.Event().wait()

    async def close(self):
        return


class Encoder:
    async def is_publishing(self, _publication):
        return True


@pytest.fixture
async def started(monkeypatch, tmp_path, request):
    packagers = Packagers(can_die=request.param)
    monkeypatch.setattr(session_module, "_STALL_S", 0.02)
    monkeypatch.setattr(session_module, "_HANG_S", 0.06)
    monkeypatch.setattr(supervisor_module, "_BEYOND_HELP_S", 60.0 if request.param else 0.3)
    monkeypatch.setattr(supervisor_module, "PackagerPool", lambda **_: packagers)
    monkeypatch.setattr(supervisor_module, "WorkerPool", Pullers)
    supervisor = SessionSupervisor(
        tmp_path / "live",
        None,
        Encoder(),
        PackagingSettings(),
        60.0,
        Admission(SessionBudget(10)),
    )
    spool = tmp_path / "one.flv"
    spool.touch()
    spec = SessionSpec(STREAM, "one", "rtmp://127.0.0.1/live/one", spool)
    supervisor.start(spec, RecordingPlan(), reason="published")
    yield supervisor, packagers
    await supervisor.close()


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("started", [True], indirect=True)
async def test_a_silent_worker_is_killed_and_another_takes_its_place(started):
    supervisor, packagers = started
    await until(lambda: len(packagers.taken) >= 2)
    assert packagers.taken[0].killed.is_set()
    assert supervisor.stuck() == []


@pytest.mark.parametrize("started", [False], indirect=True)
async def test_a_worker_that_stays_silent_though_it_was_killed_is_stuck(started):
    supervisor, packagers = started
    await until(lambda: packagers.taken and packagers.taken[0].killed.is_set())
    await until(lambda: supervisor.stuck() == [STREAM])
    packagers.taken[0].over.set()
    await until(lambda: len(packagers.taken) >= 2)
