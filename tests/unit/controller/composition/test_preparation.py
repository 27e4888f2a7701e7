"""What the daemon asks before a stream: real admission, real disk steps, real stores."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from controller.composition.preparation import build_preparation
from controller.domain.room import Need
from controller.publishing.nginx_rtmp import NginxUnreachable
from controller.publishing.space import SpaceGuard
from controller.settings import Settings
from ingest import Admission, LocalObjectStore, SessionBudget, SessionKind
from ingest.s3 import S3ObjectStore, S3Settings, s3_client

ROOMY = (4e-9, 3e-9, 2e-9, 1e-9)
STREAM = uuid4()


@dataclass
class Window:
    measured_s: float | None

    def latency_s(self, _now_s: float) -> float | None:
        return self.measured_s


@dataclass
class Supervisor:
    """Streams that are open, with their windows."""

    admission: Admission
    windows: dict[str, Window] = field(default_factory=dict)

    def is_open(self, stream_id: str) -> bool:
        return stream_id in self.windows

    def window(self, stream_id: str) -> Window | None:
        return self.windows.get(stream_id)

    def sessions(self):
        return [SimpleNamespace(spec=SimpleNamespace(stream_id=one)) for one in self.windows]


class Daemon:
    def __init__(self, tmp_path) -> None:
        self.settings = Settings(data_dir=tmp_path)
        self.space = SpaceGuard({"data": tmp_path}, ROOMY, economize=lambda _: None)
        self.supervisor = Supervisor(Admission(SessionBudget(total=2.0)))
        self.objects = LocalObjectStore(tmp_path / "objects")
        self.nginx_down = self.database_down = False

    async def names(self) -> set[str]:
        if self.nginx_down:
            raise NginxUnreachable
        return set()

    async def check(self) -> None:
        if self.database_down:
            raise ConnectionError

    async def readiness(self, stream_id: UUID = STREAM):
        await self.space.look()
        preparation = build_preparation(
            self.settings,
            SimpleNamespace(database=self),
            SimpleNamespace(supervisor=self.supervisor, nginx=self, space=self.space),
            self.objects,
        )
        return await preparation.readiness(stream_id)


@pytest.fixture
def daemon(tmp_path) -> Daemon:
    return Daemon(tmp_path)


async def test_all_is_there(daemon):
    readiness = await daemon.readiness()
    assert (readiness.problems, readiness.latency_s) == ((), None)


async def test_nginx_and_the_database_are_away(daemon):
    daemon.nginx_down = daemon.database_down = True
    assert (await daemon.readiness()).problems == (Need.RTMP, Need.DATABASE)


async def test_no_slot_is_free_but_for_the_stream_that_has_one(daemon):
    admission = daemon.supervisor.admission
    mine = uuid4()
    admission.enter(str(mine), SessionKind.PASSTHROUGH)
    assert (await daemon.readiness()).problems == ()
    admission.enter("another", SessionKind.PASSTHROUGH)
    assert (await daemon.readiness()).problems == (Need.SLOT,)
    assert (await daemon.readiness(mine)).problems == ()
    assert admission.refused == 0, "asking is not being refused"


@pytest.mark.parametrize(
    ("steps", "problems"),
    [
        ((100.0, 3e-9, 2e-9, 1e-9), ()),
        ((100.0, 100.0, 2e-9, 1e-9), (Need.RECORDING_SPACE,)),
        ((100.0, 100.0, 100.0, 1e-9), (Need.SPACE, Need.RECORDING_SPACE)),
    ],
)
async def test_the_disk_at_each_step(daemon, tmp_path, monkeypatch, steps, problems):
    monkeypatch.setattr("controller.publishing.space._MOST_BYTES", (1 << 60,) * 4)
    daemon.space = SpaceGuard({"data": tmp_path}, steps, economize=lambda _: None)
    assert (await daemon.readiness()).problems == problems
    daemon.supervisor.windows[str(STREAM)] = Window(1.0)
    assert (await daemon.readiness()).problems == (), "what is on air goes on"


async def test_a_folder_that_takes_no_files(daemon, tmp_path):
    (tmp_path / "objects").write_text("not a folder")
    assert (await daemon.readiness()).problems == (Need.STORE,)


async def test_a_bucket_that_does_not_answer(daemon, unused_tcp_port):
    nowhere = S3Settings(
        bucket="b",
        prefix="",
        endpoint=f"http://127.0.0.1:{unused_tcp_port}",
        region="",
        access_key_id="a",
        secret_access_key="s",
    )
    daemon.objects = S3ObjectStore(nowhere, s3_client(nowhere))
    assert (await daemon.readiness()).problems == (Need.STORE,)
    await daemon.objects.close()


async def test_the_latency_is_the_streams_own_else_that_of_those_on_air(daemon):
    daemon.supervisor.windows = {
        str(STREAM): Window(0.7),
        "b": Window(1.5),
        "c": Window(1.1),
        "not yet": Window(None),
    }
    assert (await daemon.readiness()).latency_s == 0.7
    assert (await daemon.readiness(uuid4())).latency_s == 1.1
