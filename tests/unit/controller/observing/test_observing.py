"""What is measured across the daemon, part by part."""

import asyncio
import contextlib
import sys
from types import SimpleNamespace
from uuid import uuid4

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from controller.errors import ConfigurationError
from controller.metrics import create_registry
from controller.observing.daemon import DaemonMetrics
from controller.observing.dependencies import DependencyWatch
from controller.observing.hooks import OUTCOME, observe_hooks
from controller.observing.loop_lag import LoopLag
from controller.observing.requests import RequestMetrics
from controller.observing.tracing import NoTracing, open_tracing
from controller.publishing.publication_log import PublicationLog
from controller.publishing.visits import Visits
from ingest import SessionSpec, SessionState
from ingest.session.session_totals import SessionCounts
from tests.support.processes import free_ports


@pytest.fixture
def registry():
    return create_registry()


# --- requests and hooks


def test_requests_are_counted_by_pattern_and_strange_methods_are_one(registry):
    metrics = RequestMetrics(registry)
    metrics.answered("GET", "/a/{b}", 200, 0.02)
    metrics.answered("PROPFIND-7", "/a/{b}", 405, 0.02)
    metrics.answered("GET", "/api/v1/ws", 101, 3600)

    def count(**labels):
        return registry.get_sample_value("golive_http_requests_total", labels)

    assert count(method="GET", route="/a/{b}", status="200") == 1
    assert count(method="other", route="/a/{b}", status="405") == 1
    assert count(method="GET", route="/api/v1/ws", status="101") == 1
    durations = "golive_http_request_duration_seconds_count"
    assert registry.get_sample_value(durations, {"route": "/a/{b}"}) == 2
    assert registry.get_sample_value(durations, {"route": "/api/v1/ws"}) is None


async def test_hooks_are_counted_by_what_they_came_to(aiohttp_client, registry):
    async def publish(request: web.Request) -> web.Response:
        name = (await request.post())["name"]
        if name == "crash":
            raise RuntimeError
        response = web.Response(status=302 if name == "good" else 403)
        response[OUTCOME] = "accepted" if name == "good" else "unknown_key"
        return response

    async def nothing(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application(middlewares=[observe_hooks(registry, NoTracing())])
    app.router.add_post("/hooks/publish", publish)
    app.router.add_post("/api/v1/streams/validate-key", publish)
    app.router.add_get("/metrics", nothing)
    client = await aiohttp_client(app)

    for path, name in (
        ("/hooks/publish", "good"),
        ("/api/v1/streams/validate-key", "bad"),
        ("/hooks/publish", "crash"),
    ):
        async with client.post(path, data={"name": name}, allow_redirects=False):
            pass
    await client.get("/metrics")
    await client.post("/none")

    def count(outcome):
        return registry.get_sample_value(
            "golive_hooks_total", {"hook": "publish", "outcome": outcome}
        )

    assert [count(outcome) for outcome in ("accepted", "unknown_key", "crashed")] == [1, 1, 1]
    assert registry.get_sample_value("golive_hook_duration_seconds_count", {"hook": "publish"}) == 2


# --- the daemon


def test_the_build_and_the_database_are_told(registry):
    DaemonMetrics("1.2.3", lambda: (3, 10, 7), registry)

    python = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    told = registry.get_sample_value("golive_build_info", {"version": "1.2.3", "python": python})
    assert told == 1
    assert registry.get_sample_value("golive_database_connections") == 3
    assert registry.get_sample_value("golive_database_connections_limit") == 10
    assert registry.get_sample_value("golive_database_failures_total") == 7


async def test_a_blocked_loop_is_late(registry):
    lag = asyncio.create_task(LoopLag(registry, every_s=0.001).run())

    def seen():
        return registry.get_sample_value("golive_event_loop_lag_seconds_count")

    while seen() < 2:
        await asyncio.sleep(0)
    assert registry.get_sample_value("golive_event_loop_tasks") == len(asyncio.all_tasks())
    lag.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await lag

    assert registry.get_sample_value("golive_event_loop_lag_seconds_sum") >= 0


async def test_dependencies_and_jobs_are_as_they_were_seen_last(registry):
    state = {"up": True}

    async def ask() -> None:
        if not state["up"]:
            raise OSError

    async def backlog() -> tuple[int, int, int, float]:
        await ask()
        return 4, 1, 2, 33.0

    watch = DependencyWatch({"database": ask}, backlog, registry)
    await watch.look()

    def up():
        return registry.get_sample_value("golive_dependency_up", {"dependency": "database"})

    assert up() == 1
    state["up"] = False
    await watch.look()

    assert up() == 0
    jobs = [
        registry.get_sample_value("golive_jobs", {"state": state})
        for state in ("queued", "running", "failed")
    ]
    assert jobs == [4, 1, 2]
    assert registry.get_sample_value("golive_job_wait_seconds") == 33


# --- publications


class Sessions:
    """The supervisor, as far as the log listens to it."""

    def __init__(self) -> None:
        self.running: dict[str, object] = {}

    def subscribe(self, listener) -> None:
        self.tell = listener

    def session(self, stream_id):
        return self.running.get(stream_id)


@pytest.mark.parametrize("fails", [False, True])
def test_a_publication_ends_in_one_line(registry, fails):
    sessions, now = Sessions(), [100.0]
    PublicationLog(sessions, Visits(), registry, NoTracing(), lambda: now[0])
    stream_id = str(uuid4())
    spec = SessionSpec(stream_id, "p_1", "rtmp://127.0.0.1/live/p_1", None)
    sessions.running[stream_id] = SimpleNamespace(counted=SessionCounts(1, 2, 3))

    with capture_logs() as logs:
        sessions.tell(spec, SessionState.CONNECTING, "")
        now[0] += 0.4
        if not fails:
            sessions.tell(spec, SessionState.LIVE, "")
        now[0] += 60
        if not fails:
            sessions.tell(spec, SessionState.STALLED, "")
            sessions.tell(spec, SessionState.LIVE, "")
        del sessions.running[stream_id]
        sessions.tell(
            spec, *((SessionState.FAILED, "no key") if fails else (SessionState.ENDED, ""))
        )

    (line,) = logs
    assert (line["event"], line["stream_id"]) == ("publication_ended", stream_id)
    assert line["outcome"] == ("failed" if fails else "ended")
    assert line["error"] == ("no key" if fails else None)
    assert line["duration_s"] == 60.4
    assert line["first_part_after_s"] == (None if fails else 0.4)
    assert [line[n] for n in ("restarts", "packets_dropped", "timestamps_repaired")] == [1, 2, 3]
    ended = {"outcome": line["outcome"]}
    assert registry.get_sample_value("golive_publications_total", ended) == 1
    starts = registry.get_sample_value("golive_session_start_seconds_count")
    assert starts == (0 if fails else 1)


# --- traces


def test_no_endpoint_imports_nothing():
    assert isinstance(open_tracing("", "1"), NoTracing)


def test_missing_packages_are_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "controller.observing.otlp", raising=False)

    with pytest.raises(ConfigurationError, match=r"golive\[tracing\]"):
        open_tracing("http://127.0.0.1:4318", "1")


def test_a_collector_that_is_away_holds_nobody_up(monkeypatch):
    (port,) = free_ports(1)
    monkeypatch.setattr("controller.observing.otlp._EXPORT_TIMEOUT_S", 0.2)
    tracing = open_tracing(f"http://127.0.0.1:{port}", "1")

    with tracing.within("hook publish", {}) as span:
        span.event("accepted")
        tracing.begin("first part", {"stream_id": "x"}).end(error="none came")
    tracing.close()
