"""What the API costs above a bare aiohttp handler that answers the same bytes.

One server process answers both golive's routes, over SQLite, and the bare ones; the load comes
from another. The servers' CPU per request is compared, so neither the load generator's speed nor
the machine's counts.
"""

import asyncio
import http.client
import logging
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import structlog
import uvloop
from aiohttp import web

from controller.auth.failure_limit import FailureAllowance, FailureLimiter
from controller.auth.stream_keys import StreamKeys, StreamKeyVault
from controller.hooks.nginx_rtmp import create_hooks
from controller.publishing.lifecycle import StreamLifecycle
from controller.publishing.publish_service import PublishService, SpaceForEncoders, Stage
from controller.publishing.visits import Visits
from controller.stores.migration import migrate
from tests.bench.measure import cpu_between, cpu_ns
from tests.bench.registry import BenchFailed, Options, Result, Row
from tests.http.running_api import KEY_SECRET, run_api
from tests.support.tokens import person

_CONNECTIONS = 16
_START_S = 60.0
_UNKNOWN_KEY = "sk_" + "x" * 43
_HOOK_FORM = (
    "app=live&flashver=FMLE/3.0&swfurl=&tcurl=rtmp://127.0.0.1/live&pageurl=&addr=127.0.0.1"
    f"&clientid=7&call=publish&name={_UNKNOWN_KEY}&type=live"
)


class ApiBench:
    """GET stream and the publish hook, each beside its bare twin."""

    name = "api"
    about = "CPU per request of GET stream and validate-key against bare aiohttp handlers"

    def run(self, options: Options) -> Result:
        """See `Bench.run`."""
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        server = context.Process(target=_serve_process, args=(theirs,), daemon=True)
        server.start()
        try:
            if not pipe.poll(_START_S):
                raise BenchFailed("the server did not start")
            ports, paths = pipe.recv()
            rows = _measure(context, server.pid or 0, ports, paths, options)
        finally:
            server.kill()
            server.join()
        return Result(
            bench=self.name,
            columns=("cpu_us", "ratio", "requests_per_cpu_s"),
            rows=tuple(rows),
            bars=(),
            notes=(
                f"{_CONNECTIONS} connections, one request after the other on each",
                "the hook is asked with a well-formed key that nobody has: a look-up and a refusal",
            ),
        )


def _measure(
    context: Any, pid: int, ports: dict[str, int], paths: dict[str, str], options: Options
) -> list[Row]:
    """Golive and bare in turn, in several windows; the CPU of each is summed."""
    names = ("bare GET", "GET stream", "bare POST", "validate-key")
    spent = dict.fromkeys(names, 0.0)
    done = dict.fromkeys(names, 0)
    window_s = options.seconds / options.windows / len(names)
    for _ in range(options.windows):
        for name in names:
            pipe, theirs = context.Pipe()
            body = _HOOK_FORM if name in {"bare POST", "validate-key"} else ""
            load = context.Process(
                target=_load_process, args=(theirs, ports[name], paths[name], body, window_s)
            )
            load.start()
            pipe.recv()  # it has connected
            before = cpu_ns([pid])
            pipe.send("go")
            done[name] += pipe.recv()
            spent[name] += cpu_between(before, cpu_ns([pid]))
            load.join()
    us = {name: spent[name] / max(1, done[name]) * 1e6 for name in names}
    twins = {"GET stream": "bare GET", "validate-key": "bare POST"}
    return [
        Row(
            name,
            {
                "cpu_us": us[name],
                "ratio": us[name] / us[twins.get(name, name)],
                "requests_per_cpu_s": 1e6 / us[name],
            },
        )
        for name in names
    ]


def _load_process(pipe: Pipe, port: int, path: str, body: str, seconds: float) -> None:
    """Ask until the time is up; answers how often."""
    connections = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(_CONNECTIONS)]
    for connection in connections:
        connection.connect()
    pipe.send("ready")
    pipe.recv()
    method = "POST" if body else "GET"
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    count, end_s = 0, time.monotonic() + seconds
    while time.monotonic() < end_s:
        for connection in connections:
            connection.request(method, path, body or None, headers)
        for connection in connections:
            connection.getresponse().read()
            count += 1
    pipe.send(count)


def _serve_process(pipe: Pipe) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="golive-bench-") as folder:
        uvloop.run(_serve(pipe, Path(folder)))


async def _serve(pipe: Pipe, folder: Path) -> None:
    url = f"sqlite:///{folder / 'bench.db'}"
    await migrate(url)
    async with run_api(url) as api:
        host = person("seller")
        product = await api.product(host)
        new = {"title": "Bench", "category": "home", "product_ids": [product]}
        created = await api.call("POST", "/streams", host, new)
        path = f"/api/v1/streams/{created.data['streamId']}"
        stream = await api.call("GET", path.removeprefix("/api/v1"))
        keys = StreamKeys(StreamKeyVault(KEY_SECRET), api.stores.keys)
        # Nobody is let in, so nothing of the media side is asked.
        nobody = cast("StreamLifecycle", None)
        guesses = FailureLimiter(FailureAllowance(burst=1_000_000_000), time.monotonic)
        on_air = Stage(api.stores.publications, nobody, Visits())
        rehearsing = Stage(api.stores.rehearsals, nobody, Visits())
        publishing = PublishService(
            keys, on_air, rehearsing, guesses, cast("SpaceForEncoders", None)
        )
        hooks = create_hooks(publishing)
        hook_port = await _listen(hooks)
        bare_port = await _listen(_bare(stream.text.encode()))
        api_port = int(api.base.rpartition(":")[2])
        pipe.send(
            (
                {
                    "bare GET": bare_port,
                    "GET stream": api_port,
                    "bare POST": bare_port,
                    "validate-key": hook_port,
                },
                {
                    "bare GET": "/",
                    "GET stream": path,
                    "bare POST": "/",
                    "validate-key": "/api/v1/streams/validate-key",
                },
            )
        )
        await asyncio.Event().wait()


def _bare(stream: bytes) -> web.Application:
    refusal = b'{"code": "unknown_key", "request": "%s"}' % uuid4().hex.encode()

    async def get(_: web.Request) -> web.Response:
        return web.Response(body=stream, content_type="application/json")

    async def post(request: web.Request) -> web.Response:
        await request.post()
        return web.Response(body=refusal, status=403, content_type="application/problem+json")

    app = web.Application()
    app.add_routes([web.get("/", get), web.post("/", post)])
    return app


async def _listen(app: web.Application) -> int:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return int(runner.addresses[0][1])
