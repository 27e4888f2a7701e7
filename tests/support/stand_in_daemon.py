"""What tests of the supervisor and of nginx run in place of the daemon.

`serve` answers on GOLIVE_HTTP_LISTEN and notes hooks from GOLIVE_HOOK_LISTEN. What a request
asks for in its query decides the answer, so that a test can see each path through nginx:
`?accel=/_live/…`, `?sleep=seconds`, `?status=n`, `?cc=cache-control`, `?exit=n`.

Files in the data folder make it misbehave: `refuse-serve`, `refuse-migrate`, `ignore-term`.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from controller.listeners import Listener

DATA_DIR = Path(os.environ["GOLIVE_DATA_DIR"])
STREAMS = DATA_DIR / "streams.json"
KEY = "sk_standinstandinstandinstandinstandinstand"


def note(what: dict) -> None:
    with (DATA_DIR / "stand-in.jsonl").open("a") as file:
        file.write(json.dumps(what) + "\n")


def streams() -> dict[str, str]:
    return json.loads(STREAMS.read_text()) if STREAMS.exists() else {}


def set_stream(stream_id: str, status: str) -> None:
    STREAMS.write_text(json.dumps({**streams(), stream_id: status}))


async def answer(request: web.Request) -> web.StreamResponse:
    query = request.query
    if "exit" in query:
        os._exit(int(query["exit"]))
    if "sleep" in query:
        note({"holds": request.path_qs})
        await asyncio.sleep(float(query["sleep"]))
    headers = {"Access-Control-Allow-Origin": "https://upstream.example"}
    if "cc" in query:
        headers["Cache-Control"] = query["cc"]
    if "accel" in query:
        return web.Response(headers={**headers, "X-Accel-Redirect": query["accel"]})
    return web.json_response(
        {
            "path": request.path_qs,
            "pid": os.getpid(),
            "headers": dict(request.headers),
            "padding": "x" * 1000,
        },
        status=int(query.get("status", 200)),
        headers=headers,
        content_type="application/vnd.apple.mpegurl"
        if request.path.endswith(".m3u8")
        else "application/json",
    )


async def playback_access(_: web.Request) -> web.Response:
    return web.Response(status=204, headers={"Cache-Control": "max-age=1"})


async def put_product(request: web.Request) -> web.Response:
    return web.json_response({"success": True, "data": {"id": request.match_info["id"]}})


async def create_stream(_: web.Request) -> web.Response:
    stream_id = f"00000000-0000-0000-0000-{len(streams()):012}"
    set_stream(stream_id, "scheduled")
    return web.json_response({"success": True, "data": {"streamId": stream_id}}, status=201)


async def go_live(request: web.Request) -> web.Response:
    stream_id = request.match_info["id"]
    set_stream(stream_id, "live")
    data = {"streamId": stream_id, "status": "live", "streamKey": KEY + stream_id[-2:]}
    return web.json_response({"success": True, "data": data})


async def get_stream(request: web.Request) -> web.Response:
    stream_id = request.match_info["id"]
    if stream_id not in streams():
        return web.json_response({"status": 404, "code": "stream_not_found"}, status=404)
    data = {
        "id": stream_id,
        "status": streams()[stream_id],
        "stream_key": KEY + stream_id[-2:],
    }
    return web.json_response({"success": True, "data": data})


async def hook(request: web.Request) -> web.Response:
    form = dict(await request.post())
    note({"hook": request.path, **form})
    if request.path == "/hooks/publish":
        if str(form.get("name", "")).startswith("good"):
            return web.Response(status=302, headers={"Location": "internal_1"})
        return web.Response(status=403)
    return web.Response(status=200)


async def serve() -> None:
    app = web.Application()
    app.router.add_put("/api/v1/products/{id}", put_product)
    app.router.add_post("/api/v1/streams", create_stream)
    app.router.add_post("/api/v1/streams/{id}/go-live", go_live)
    app.router.add_get("/api/v1/streams/{id}", get_stream)
    app.router.add_get("/internal/playback-access", playback_access)
    app.router.add_route("*", "/{path:.*}", answer)
    hooks = web.Application()
    hooks.router.add_post("/{path:.*}", hook)
    await Listener(app, os.environ["GOLIVE_HTTP_LISTEN"]).open()
    await Listener(hooks, os.environ["GOLIVE_HOOK_LISTEN"]).open()
    await asyncio.Event().wait()


def main(command: str) -> int:
    note({"command": command, "pid": os.getpid()})
    if (DATA_DIR / f"refuse-{command}").exists():
        print(f"no {command} today", file=sys.stderr)
        return 3
    if command == "serve":
        if (DATA_DIR / "ignore-term").exists():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
