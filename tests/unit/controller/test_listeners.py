"""Where the daemon listens, with real sockets."""

import asyncio
import socket

import aiohttp
import pytest
import uvloop
from aiohttp import web

from controller.errors import ConfigurationError
from controller.listeners import Listener


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "http.sock")


@pytest.fixture
def held(path):
    """A listening socket, as a supervisor keeps it."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(16)
        yield listening


def application():
    async def hello(_request):
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    return app


async def ask(path):
    connector = aiohttp.UnixConnector(path=path)
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.get("http://daemon/") as answer,
    ):
        return await answer.text()


async def test_a_socket_of_its_own(path):
    listener = Listener(application(), f"unix:{path}")
    await listener.open()
    assert await ask(path) == "hello"
    await listener.close()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_who_comes_while_nobody_listens_waits_in_the_inherited_socket(path, held, new_loop):
    """Twice: the supervisor's socket outlives each daemon."""

    async def serve_once():
        asking = asyncio.create_task(ask(path))
        await asyncio.sleep(0.05)  # nothing can show that it waits
        assert not asking.done()
        listener = Listener(application(), f"fd:{held.dup().detach()}")
        await listener.open()
        assert await asking == "hello"
        await listener.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve_once())
        runner.run(serve_once())


async def test_an_inherited_tcp_socket(unused_tcp_port):
    with socket.create_server(("127.0.0.1", unused_tcp_port)) as held:
        listener = Listener(application(), f"fd:{held.dup().detach()}")
        await listener.open()
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{unused_tcp_port}/") as answer,
        ):
            assert answer.status == 200
        await listener.close()


@pytest.mark.parametrize("address", ["fd:999", "fd:x", "nowhere"])
async def test_what_is_no_address_is_told(address):
    listener = Listener(application(), address)
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        await listener.open()
    await listener.close()
