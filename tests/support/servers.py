"""A whole `golive dev` for a test: started as a user would, asked over HTTP, and gone afterwards."""

import json
import os
import re
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from controller.auth.bearer import TokenRules
from controller.auth.issuing import TokenIssuer, standalone_user_id
from controller.domain.people import Identity, Role
from controller.secrets_file import load_secrets
from controller.system_clock import SystemClock
from tests.support.processes import (
    Running,
    assert_all_gone,
    free_ports,
    port_is_free,
    wait_until,
)

_READY_S = 90.0
_PACKAGER = "ingest.session.packager"
_STREAM_KEY = re.compile(r"sk_[A-Za-z0-9_-]{20,}")


@dataclass(frozen=True)
class LiveStream:
    """A live stream of a host of its own."""

    id: str
    key: str
    token: str


@dataclass(frozen=True)
class ApiAnswer:
    """Status, and the envelope's data or the problem."""

    status: int
    data: Any


class GoliveServer:
    """One data folder with two ports; the server on it can be started and stopped in turn."""

    def __init__(
        self,
        data_dir: Path,
        settings: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.http_port, self.rtmp_port = free_ports(2)
        self.settings = dict(settings or {})
        self.cwd = cwd
        self.secrets: set[str] = set()
        self._runs: list[Running] = []

    # Addresses

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def rtmp_url(self) -> str:
        return f"rtmp://127.0.0.1:{self.rtmp_port}/live"

    def push_url(self, key: str) -> str:
        return f"{self.rtmp_url}/{key}"

    def hls(self, stream_id: str) -> str:
        return f"{self.url}/live/{stream_id}/index.m3u8"

    def dash(self, stream_id: str) -> str:
        return f"{self.url}/live/{stream_id}/manifest.mpd"

    def low_latency_dash(self, stream_id: str) -> str:
        return f"{self.url}/live/{stream_id}/low-latency.mpd"

    def vod(self, stream_id: str, suffix: str = "m3u8") -> str:
        return f"{self.url}/vods/{stream_id}.{suffix}"

    def watch(self, stream_id: str) -> str:
        return f"{self.url}/watch/{stream_id}"

    # Its life

    @property
    def process(self) -> Running:
        """The current or last run."""
        return self._runs[-1]

    def start(self) -> None:
        """`golive dev` on the folder and ports; returns when it is ready."""
        argv = [sys.executable, "-m", "controller.cli", "dev", "--data", str(self.data_dir)]
        argv += ["--http-port", str(self.http_port), "--rtmp-port", str(self.rtmp_port)]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")
        }
        self._runs.append(Running(argv, {**environment, **self.settings}, self.cwd))
        self.process.wait_for("Ctrl-C stops everything", _READY_S)
        self.secrets.update(_STREAM_KEY.findall("".join(self.process.out)))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop it; AssertionError unless it ends with status 0 and leaves nothing behind."""
        family = self.process.descendants()
        status = self.process.stop(number)
        assert status == 0, f"status {status}:\n{self.process.text}"
        self.assert_nothing_left(family)

    def kill(self) -> None:
        """For the end of a test that has failed."""
        for run in self._runs:
            run.kill()

    def assert_nothing_left(self, family: list[psutil.Process]) -> None:
        """No process, no port, no socket file."""
        assert_all_gone(family)
        assert port_is_free(self.http_port)
        assert port_is_free(self.rtmp_port)
        assert [path for path in self.data_dir.rglob("*") if path.is_socket()] == []

    # What it consists of

    def find_process(self, *words: str) -> psutil.Process:
        """The descendant whose command line holds all the words; the oldest of several."""
        found = self.find_processes(*words)
        assert found, f"no process with {words}"
        return min(found, key=lambda one: one.create_time())

    def find_processes(self, *words: str) -> list[psutil.Process]:
        """All descendants whose command line holds all the words."""
        found = []
        for one in self.process.descendants():
            try:
                line = " ".join(one.cmdline())
            except psutil.Error:
                continue
            if all(word in line for word in words):
                found.append(one)
        return found

    @property
    def daemon(self) -> psutil.Process:
        """The process that serves; its launcher has the same command line."""
        found = self.find_processes("controller.cli", "serve")
        return next(process for process in found if process.name() == "golive-daemon")

    @property
    def packagers(self) -> list[psutil.Process]:
        """The processes that package; forked, or with an interpreter of their own."""
        found = []
        for one in self.process.descendants():
            try:
                if one.name() == "golive-packager" or _PACKAGER in one.cmdline():
                    found.append(one)
            except psutil.Error:
                continue
        return found

    # Talking to it

    def token(self, username: str = "host", role: Role = Role.SELLER) -> str:
        """A bearer token, as `golive token` prints it."""
        secrets = load_secrets(self.data_dir)
        issuer = TokenIssuer(secrets.auth, TokenRules("HS256"), SystemClock())
        token = issuer.issue(Identity(standalone_user_id(username), username, role))
        self.secrets.add(token)
        return token

    def api(
        self, method: str, path: str, body: object = None, token: str | None = None
    ) -> ApiAnswer:
        """One call below /api/v1, through nginx."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers=headers,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return _answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.read())

    def expect(
        self, status: int, method: str, path: str, body: object = None, *, token: str
    ) -> Any:
        """The data of a call that must answer `status`."""
        answer = self.api(method, path, body, token)
        assert answer.status == status, answer
        return answer.data

    def live_stream(self, username: str = "host", **fields: object) -> LiveStream:
        """A stream of that host, live and waiting for its encoder."""
        stream_id, token = self.scheduled_stream(username, **fields)
        checklist = {"camera_ready": True, "checklist_complete": True}
        live = self.expect(200, "POST", f"/streams/{stream_id}/go-live", checklist, token=token)
        self.secrets.add(live["streamKey"])
        return LiveStream(stream_id, live["streamKey"], token)

    def scheduled_stream(
        self, username: str = "host", *, role: Role = Role.SELLER, **fields: object
    ) -> tuple[str, str]:
        """Its id and the host's token."""
        token = self.token(username, role)
        product_id = str(standalone_user_id(f"product of {username}"))
        product = {"title": "Mug", "price": 9.5, "currency": "EUR"}
        answer = self.api("PUT", f"/products/{product_id}", product, token)
        assert answer.status in {200, 201}, answer
        body = {"title": "Test", "category": "home", "product_ids": [product_id], **fields}
        return self.expect(201, "POST", "/streams", body, token=token)["streamId"], token

    def end(self, stream: LiveStream) -> Any:
        """The host ends it."""
        return self.expect(200, "POST", f"/streams/{stream.id}/end", token=stream.token)

    def stream(self, stream: LiveStream) -> Any:
        """As its host sees it."""
        return self.expect(200, "GET", f"/streams/{stream.id}", token=stream.token)

    def wait_ingest(self, stream: LiveStream, state: str, timeout_s: float = 20.0) -> None:
        """Until `ingest_state` is that."""
        wait_until(
            lambda: self.stream(stream)["ingest_state"] == state,
            timeout_s,
            f"{stream.id} {state}",
        )

    # What it wrote

    @property
    def log(self) -> str:
        """Standard error of all runs: the daemon's, its workers' and both nginx's."""
        return "".join(line for run in self._runs for line in run.err)

    def events(self, name: str) -> list[dict]:
        """The log's events of that name."""
        entries = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [entry for entry in entries if entry.get("event") == name]

    def assert_no_secret_in_logs(self) -> None:
        """No stream key or token that this test has seen, and none of their shape, in any log."""
        texts = {"standard error": self.log}
        for path in (self.data_dir / "logs").rglob("*"):
            if path.is_file():
                texts[str(path)] = path.read_text("utf-8", "replace")
        for where, text in texts.items():
            found = [secret[:8] for secret in self.secrets if secret in text]
            found += _STREAM_KEY.findall(text)
            assert not found, f"{where} holds {found}"


@contextmanager
def golive_server(
    data_dir: Path, settings: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[GoliveServer]:
    """A ready server; when the block ends well it must stop cleanly and have told no secret."""
    server = GoliveServer(data_dir, settings, cwd)
    try:
        server.start()
        yield server
        if server.process.process.poll() is None:
            server.stop()
        server.assert_no_secret_in_logs()
    finally:
        server.kill()


def _answer(status: int, body: bytes) -> ApiAnswer:
    document = json.loads(body) if body else None
    if isinstance(document, dict) and "data" in document:
        return ApiAnswer(status, document["data"])
    return ApiAnswer(status, document)
