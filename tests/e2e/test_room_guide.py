"""docs/room-clients.md is true: the page's code in Chromium, the app's events over Socket.IO."""

import asyncio
import json
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from controller.auth.bearer import TokenRules
from controller.auth.issuing import TokenIssuer, standalone_user_id
from controller.domain.people import Identity, Role
from controller.secrets_file import load_secrets
from controller.system_clock import SystemClock
from tests.support.cuttable_proxy import CuttableProxy
from tests.support.guides import code_block
from tests.support.processes import wait_until
from tests.support.room_clients import socket_io_client
from tests.support.servers import golive_server

pytestmark = pytest.mark.e2e

GUIDE = Path(__file__).parents[2] / "docs" / "room-clients.md"
TOKEN_S = 8
WAIT_MS = 20_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {"GOLIVE_AUTH_LEEWAY_S": "0"}
    with golive_server(tmp_path_factory.mktemp("golive"), settings) as started:
        yield started


def test_the_apps_events_over_socket_io(server):
    """Before the browser: its loop would be in the way of ours."""
    stream = server.live_stream("flutter")
    asyncio.run(speak_as_the_app(server, stream))


async def speak_as_the_app(server, stream) -> None:
    dart = code_block(GUIDE, "dart")
    sent, read = emitted(dart), handled(dart)
    assert {*sent} == {
        "auth", "stream_join", "stream_prepare", "stream_chat", "stream_reaction", "stream_leave",
    }  # fmt: skip
    said = {"token": stream.token, "streamId": stream.id, "message": "Hello", "emoji": "🔥"}
    async with socket_io_client(server.url, stream.token) as client:

        async def emit(event: str, **more) -> tuple[str, str] | None:
            known = {"offset": None, "epoch": None, **said, **more}
            payload = {key: known[name] for key, name in sent[event].items()}
            return await client.call(event, payload)

        async def hear(event: str) -> dict:
            data = await client.wait(event)
            assert read[event] <= data.keys(), (event, read[event] - data.keys())
            return data

        assert await emit("stream_join") is None
        joined = await hear("stream:joined")
        assert not joined["recovered"]
        assert await emit("auth") is None
        assert await emit("stream_prepare") is None
        ready = await hear("stream:ready")
        assert (ready["status"], ready["problems"]) == ("ready", [])
        assert await emit("stream_chat") is None
        assert (await hear("chat:message"))["message"] == "Hello"
        assert await emit("stream_reaction") is None
        assert (await hear("reaction:new"))["emoji"] == "🔥"
        assert await emit("stream_leave") is None
        assert await emit("stream_join", offset=joined["offset"], epoch=joined["epoch"]) is None
        again = await hear("stream:joined")
        assert (again["recovered"], again["history"]) == (True, [])
        assert (await hear("chat:message"))["message"] == "Hello"
        assert await emit("stream_chat", message="x" * 201) is not None
        assert (await hear("error"))["code"] == "message_too_long"
        await asyncio.to_thread(server.end, stream)
        assert (await hear("stream:ended"))["commentsEnabled"]


def emitted(dart: str) -> dict[str, dict[str, str]]:
    """The payload of each command: its keys, and the variables behind them."""
    found = re.findall(r"emitWithAck\(\s*'(\w+)',\s*\{(.*?)\}", dart, re.DOTALL)
    return {event: dict(re.findall(r"'(\w+)': (\w+)", payload)) for event, payload in found}


def handled(dart: str) -> dict[str, set[str]]:
    """The fields that each event's handler reads."""
    found = re.findall(
        r"socket\.on\('([\w:]+)', \(data\) (?:async )?\{(.*?)\n    \}\);", dart, re.DOTALL
    )
    return {event: {*re.findall(r"data\['(\w+)'\]", body)} for event, body in found}


def test_the_pages_code_in_a_browser(server, browser):
    """It talks, renews its token in time, is cut off and misses nothing, and comments."""
    stream = server.live_stream("page")
    tokens = issued(server)
    with (
        CuttableProxy(server.http_port) as proxy,
        browser.page(f"http://127.0.0.1:{proxy.port}/healthz") as page,
        browser.page(f"{server.url}/healthz") as other,
    ):
        page.expose_function("issue", lambda: next(tokens))
        buyer = server.token("other", Role.BUYER)
        other.expose_function("issue", lambda: buyer)
        enter(page, stream.id)
        begun = time.monotonic()
        enter(other, stream.id)

        say(page, "Hello")
        wait_heard(other, "Hello")
        page.wait_for_function("room.renewed === 1", timeout=WAIT_MS)
        wait_until(lambda: time.monotonic() - begun > TOKEN_S + 2, 20, "the first token ends")
        say(page, "still here")
        assert count(page, "stream:joined") == 1

        page.evaluate("() => { gate = new Promise((open) => { release = open }) }")
        proxy.reset()
        page.wait_for_function("room.waiting === 1", timeout=WAIT_MS)
        say(other, "while you were away")
        page.evaluate("release()")
        wait_heard(page, "while you were away")
        joined = page.evaluate("heard.filter(([event]) => event === 'stream:joined').at(-1)[1]")
        assert (joined["recovered"], joined["history"]) == (True, [])
        say(page, "back again")
        wait_heard(other, "back again")

        server.end(stream)
        page.wait_for_function("heard.some(([event]) => event === 'stream:ended')", timeout=WAIT_MS)
        say(page, "a comment")
        wait_heard(other, "a comment")
        texts = ["Hello", "still here", "while you were away", "back again", "a comment"]
        assert messages(page) == messages(other) == texts
        for one in (page, other):
            one.evaluate("room.close()")


def enter(page, stream_id: str) -> None:
    """Run the guide's code, and note what it hears."""
    page.evaluate(
        f"""() => {{
            {code_block(GUIDE, "js")}
            window.heard = [];
            window.gate = null;
            const note = (event, data) => heard.push([event, data]);
            const token = async () => {{
              if (heard.some(([event]) => event === "auth:expiring")) room.renewed = 1;
              if (gate) {{ room.waiting = 1; await gate; }}
              return issue();
            }};
            const base = location.origin.replace("http", "ws");
            window.room = new Room(base, {json.dumps(stream_id)}, token, note);
        }}"""
    )
    page.wait_for_function("heard.some(([event]) => event === 'stream:joined')", timeout=WAIT_MS)


def say(page, text: str) -> None:
    page.evaluate("text => room.say(text)", text)
    wait_heard(page, text)


def wait_heard(page, text: str) -> None:
    heard = (
        "text => heard.some(([event, { message }]) => event === 'chat:message' && message === text)"
    )
    page.wait_for_function(heard, arg=text, timeout=WAIT_MS)


def messages(page) -> list[str]:
    return page.evaluate(
        "heard.filter(([event]) => event === 'chat:message').map(([, data]) => data.message)"
    )


def count(page, event: str) -> int:
    return page.evaluate("name => heard.filter(([event]) => event === name).length", event)


def issued(server):
    """A buyer's tokens: the first ends soon."""
    issuer = TokenIssuer(load_secrets(server.data_dir).auth, TokenRules("HS256"), SystemClock())
    buyer = Identity(standalone_user_id("buyer"), "buyer", Role.BUYER)
    yield issuer.issue(buyer, timedelta(seconds=TOKEN_S))
    while True:
        yield issuer.issue(buyer)
