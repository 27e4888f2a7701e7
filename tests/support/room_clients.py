"""Clients of the room, one interface: WebSocket, Socket.IO by its own client from npm, SSE."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.support.node import CLIENTS, NODE

WAIT_S = 45.0


class RoomClient:
    """What a client has heard, in order; `call` answers None, or (message, code)."""

    transport = ""

    def __init__(self) -> None:
        self._heard: asyncio.Queue = asyncio.Queue()
        self._answers: dict[int, asyncio.Future] = {}
        self._number = 0

    async def wait(self, name: str) -> dict:
        """The next event of that name; its position, which the transports carry elsewhere, is
        taken out."""
        async with asyncio.timeout(WAIT_S):
            while True:
                event, data = await self._heard.get()
                if event == name:
                    return data

    async def call(self, event: str, data: object) -> tuple[str, str] | None:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._send(event, data, self._number)
        async with asyncio.timeout(WAIT_S):
            return await answer

    async def _send(self, event: str, data: object, number: int) -> None:
        raise NotImplementedError

    def _answered(self, number: int, answer: tuple[str, str] | None) -> None:
        self._answers.pop(number).set_result(answer)


class WebSocketClient(RoomClient):
    transport = "websocket"

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__()
        self._raw = raw

    async def _send(self, event: str, data: object, number: int) -> None:
        await self._raw.send_json({"event": event, "data": data, "id": number})

    async def listen(self) -> None:
        async for message in self._raw:
            frame = json.loads(message.data)
            if "ack" in frame:
                self._answered(frame["ack"], None)
                continue
            if "id" in frame:
                self._answered(frame["id"], (frame["data"]["message"], frame["data"]["code"]))
            await self._heard.put((frame["event"], frame["data"]))


class SocketIoClient(RoomClient):
    transport = "socket.io"

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        super().__init__()
        self._process = process

    async def _send(self, event: str, data: object, number: int) -> None:
        line = json.dumps({"emit": event, "data": data, "number": number})
        self._process.stdin.write(line.encode() + b"\n")

    async def listen(self) -> None:
        async for raw in self._process.stdout:
            line = json.loads(raw)
            if "answer" in line:
                answer = line["data"]
                refusal = None if answer["ok"] else (answer["message"], answer["code"])
                self._answered(line["answer"], refusal)
                continue
            data = line["data"]
            assert line.get("more", 0) == 0, "a handler takes one argument"
            if isinstance(data, dict) and line["event"] != "stream:joined":
                data.pop("offset", None)
                data.pop("epoch", None)
            await self._heard.put((line["event"], data))


class SseClient(RoomClient):
    transport = "sse"

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        super().__init__()
        self._response = response

    async def listen(self) -> None:
        name = ""
        async for raw in self._response.content:
            field, _, value = raw.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                await self._heard.put((name, json.loads(value)))


@asynccontextmanager
async def _listening(client) -> AsyncIterator[RoomClient]:
    task = asyncio.create_task(client.listen())
    try:
        yield client
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def websocket_client(base: str, token: str) -> AsyncIterator[RoomClient]:
    url = f"{base}/api/v1/ws"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, params={"token": token} if token else {}, max_msg_size=0) as raw,
        _listening(WebSocketClient(raw)) as client,
    ):
        yield client


@asynccontextmanager
async def socket_io_client(base: str, token: str) -> AsyncIterator[RoomClient]:
    process = await asyncio.create_subprocess_exec(
        NODE, "room_client.js", base, json.dumps({"token": token} if token else {}),
        cwd=CLIENTS, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with _listening(SocketIoClient(process)) as client:
            await client.wait("connect")
            yield client
    finally:
        process.stdin.close()
        async with asyncio.timeout(WAIT_S):
            await process.wait()


@asynccontextmanager
async def sse_client(base: str, token: str, stream_id: str) -> AsyncIterator[RoomClient]:
    url = f"{base}/api/v1/streams/{stream_id}/room"
    query = {"token": token} if token else {}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.get(url, params=query) as response,
        _listening(SseClient(response)) as client,
    ):
        yield client
