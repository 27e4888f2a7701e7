"""Real databases for tests: PostgreSQL from the system's binaries, SQLite files.

One PostgreSQL server per test run, started when first asked for, on a port of its own; each test
gets a database cloned from a migrated template. Import the fixtures into a `conftest.py`.
"""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import psutil
import pytest

from controller.stores.migration import migrate

POSTGRES_FOLDERS = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
START_LIMIT_S = 30.0
SETTINGS = {
    # Durability is not what these tests are about; speed is.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "120",
    "listen_addresses": "127.0.0.1",
}


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest first; None when not installed."""
    on_path = shutil.which("postgres")
    candidates = (
        [Path(on_path).resolve().parent, *POSTGRES_FOLDERS] if on_path else POSTGRES_FOLDERS
    )
    needed = ("initdb", "postgres", "pg_isready")
    return next((at for at in candidates if all((at / name).exists() for name in needed)), None)


def unprivileged() -> dict[str, object]:
    """How to run a server that refuses to be root: as `postgres` when we are root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("postgres")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def die_with_parent() -> list[str]:
    """A prefix that stops the server when the test run is killed, where the system has one."""
    return ["setpriv", "--pdeathsig", "QUIT"] if shutil.which("setpriv") else []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class PostgresServer:
    """A throw-away server; `create` gives the URL of a fresh database."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self._folder = folder
        self._bin = bin_folder
        self._port = free_port()
        self._process = self._launch()
        self._template: str | None = None

    @classmethod
    def start(cls, bin_folder: Path) -> "PostgresServer":
        folder = Path(tempfile.mkdtemp(prefix="golive-pg-"))
        as_whom = unprivileged()
        if as_whom:
            os.chown(folder, as_whom["user"], as_whom["group"])
        data = folder / "data"
        subprocess.run(
            [bin_folder / "initdb", "-D", data, "-U", "golive", "-A", "trust", "-E", "UTF8", "-N"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            **as_whom,
        )
        return cls(folder, bin_folder)

    def _launch(self) -> subprocess.Popen:
        options = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        place = ("-D", self._folder / "data", "-k", self._folder, "-p", str(self._port))
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*die_with_parent(), self._bin / "postgres", *place, *options],
                stdout=log,
                stderr=log,
                cwd="/",
                **unprivileged(),
            )
        self._wait_until_ready()
        return self._process

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        question = [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        while subprocess.run(question, check=False).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = (self._folder / "log").read_text(errors="replace")
                self.stop()
                raise RuntimeError(f"PostgreSQL did not start:\n{log}")
            time.sleep(0.05)

    def stop(self) -> None:
        self.crash()
        shutil.rmtree(self._folder, ignore_errors=True)

    def crash(self) -> None:
        """End at once, without a checkpoint; `start_again` recovers what was committed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=START_LIMIT_S)

    def start_again(self) -> None:
        """On the same folder and port, after `crash`."""
        self._launch()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Within the block it takes connections and answers nothing."""
        frozen = [*psutil.Process(self._process.pid).children(recursive=True)]
        frozen.insert(0, psutil.Process(self._process.pid))
        for process in frozen:
            process.suspend()
        try:
            yield
        finally:
            for process in reversed(frozen):
                process.resume()

    def url(self, database: str) -> str:
        return f"postgresql://golive@127.0.0.1:{self._port}/{database}"

    async def create_empty(self) -> str:
        name = f"db_{uuid4().hex}"
        await self._execute(f"CREATE DATABASE {name}")
        return self.url(name)

    async def create(self) -> str:
        if self._template is None:
            template = await self.create_empty()
            await migrate(template)
            self._template = template.rpartition("/")[2]
        name = f"db_{uuid4().hex}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return self.url(name)

    async def drop(self, url: str) -> None:
        await self._execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    @asynccontextmanager
    async def unreachable(self, url: str):
        """Nobody gets into the database, and whoever is in it is thrown out."""
        name = url.rpartition("/")[2]
        await self._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await self._execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        try:
            yield
        finally:
            await self._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


SERVER = pytest.StashKey[PostgresServer]()


@dataclass(frozen=True)
class DatabaseFactory:
    """One kind of database; `fresh` and `empty` answer URLs."""

    kind: str
    folder: Path
    server: PostgresServer | None

    async def empty(self) -> str:
        if self.server is not None:
            return await self.server.create_empty()
        return f"sqlite:///{self.folder / uuid4().hex}.db"

    async def fresh(self) -> str:
        """The URL of a new database with the whole schema."""
        if self.server is not None:
            return await self.server.create()
        template = self.folder / "template.db"
        if not template.exists():
            await migrate(f"sqlite:///{template}")
        copy = self.folder / f"{uuid4().hex}.db"
        await asyncio.to_thread(shutil.copy, template, copy)
        return f"sqlite:///{copy}"

    async def dispose(self, url: str) -> None:
        if self.server is not None:
            await self.server.drop(url)


def postgres_server(config: pytest.Config) -> PostgresServer:
    """The run's server, started now if it is not there yet; skips where none is installed."""
    if SERVER not in config.stash:
        found = binaries()
        if found is None:
            pytest.skip("PostgreSQL's server binaries are not installed")
        config.stash[SERVER] = PostgresServer.start(found)
        config.add_cleanup(config.stash[SERVER].stop)
    return config.stash[SERVER]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_factory(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> DatabaseFactory:
    """Both kinds of database, one after the other: one suite, every implementation."""
    folder = tmp_path_factory.mktemp("databases")
    is_postgres = request.param == "postgresql"
    server = postgres_server(request.config) if is_postgres else None
    return DatabaseFactory(kind=request.param, folder=folder, server=server)


@pytest.fixture
async def database_url(database_factory: DatabaseFactory):
    """A migrated database of this test's own."""
    url = await database_factory.fresh()
    yield url
    await database_factory.dispose(url)
