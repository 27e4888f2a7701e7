"""Pushes one clip to many RTMP publications in real time, from one process.

`python -m tests.bench.rtmp_publisher CLIP PORT/APP/NAME…`. Each publication is a connection of its
own, its frames are sent when they are due, and the publications are out of step with each other as
real encoders are. One process instead of an ffmpeg each leaves the CPU to what is measured.
"""

import asyncio
import heapq
import os
import signal
import struct
import sys
from pathlib import Path

from tests.bench.clip import FlvTag, PushClip, read_clip

_CHUNK = 4096
_HANDSHAKE = 1536
_STEP_TIMEOUT_S = 20.0
_STAGGER_S = 2.0
"""Starts are spread over one GOP."""


class Publication:
    """One connection that publishes `name`."""

    def __init__(self, port: int, app: str, name: str) -> None:
        self._port, self._app, self._name = port, app, name
        self._received = bytearray()

    async def open(self) -> None:
        """Connect, shake hands, publish."""
        async with asyncio.timeout(_STEP_TIMEOUT_S):
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writer.write(b"\x03" + bytes(8) + os.urandom(_HANDSHAKE - 8))
            answer = await self._reader.readexactly(1 + 2 * _HANDSHAKE)
            self._writer.write(answer[1 : 1 + _HANDSHAKE])
            self._send(2, 1, 0, struct.pack(">I", _CHUNK))
            url = f"rtmp://127.0.0.1:{self._port}/{self._app}"
            connect = {"app": self._app, "type": "nonprivate", "tcUrl": url}
            self._send(3, 20, 0, _amf("connect", 1, connect))
            await self._until(b"NetConnection.Connect.Success")
            self._send(3, 20, 0, _amf("createStream", 2, None))
            await self._until(b"_result")
            self._send(4, 20, 1, _amf("publish", 3, None, self._name, "live"))
            await self._until(b"NetStream.Publish.Start")
        self._discarding = asyncio.create_task(self._discard())

    def media(self, tag: FlvTag, body: bytes, time_ms: int) -> None:
        """Send a message whose payload is chunked already."""
        self._writer.write(
            _head(6 if tag.kind == 9 else 5, time_ms, len(tag.data), tag.kind, 1) + body
        )

    def _send(self, stream: int, kind: int, message_stream: int, data: bytes) -> None:
        head = _head(stream, 0, len(data), kind, message_stream)
        self._writer.write(head + chunked(stream, data))

    async def _until(self, text: bytes) -> None:
        while text not in self._received:
            data = await self._reader.read(65_536)
            if not data:
                raise ConnectionError(f"nginx closed {self._name} before {text.decode()}")
            self._received += data
        self._received.clear()

    async def _discard(self) -> None:
        while await self._reader.read(65_536):
            pass
        print(f"nginx closed {self._name}", file=sys.stderr)
        os._exit(1)


def chunked(stream: int, data: bytes) -> bytes:
    """`data` with the one-byte headers between its chunks (RTMP 1.0 §5.3.1.2.4)."""
    pieces = [data[i : i + _CHUNK] for i in range(0, len(data), _CHUNK)]
    return bytes([0xC0 | stream]).join(pieces)


def _head(stream: int, time_ms: int, length: int, kind: int, message_stream: int) -> bytes:
    return (
        bytes([stream])
        + time_ms.to_bytes(3, "big")
        + length.to_bytes(3, "big")
        + bytes([kind])
        + message_stream.to_bytes(4, "little")
    )


def _amf(*values: object) -> bytes:
    """AMF 0 of numbers, strings, objects of strings, and null."""
    out = b""
    for value in values:
        if value is None:
            out += b"\x05"
        elif isinstance(value, dict):
            members = b"".join(_name(key) + _amf(member) for key, member in value.items())
            out += b"\x03" + members + b"\0\0\x09"
        elif isinstance(value, str):
            out += b"\x02" + _name(value)
        else:
            out += b"\x00" + struct.pack(">d", value)
    return out


def _name(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


async def push(clip: PushClip, publications: list[Publication]) -> None:
    """Send the clip in a loop to all, each frame when it is due, until cancelled."""
    bodies = [chunked(6 if tag.kind == 9 else 5, tag.data) for tag in clip.media]
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    heap = []
    for i, publication in enumerate(publications):
        for tag in clip.headers:
            publication.media(tag, chunked(6 if tag.kind == 9 else 5, tag.data), 0)
        heap.append((start_s + _STAGGER_S * i / len(publications), i, 0, 0))
    heapq.heapify(heap)
    starts = {i: due_s for due_s, i, _, _ in heap}
    while True:
        due_s, i, turn, position = heap[0]
        wait_s = due_s - loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        tag = clip.media[position]
        time_ms = turn * clip.length_ms + tag.time_ms
        publications[i].media(tag, bodies[position], time_ms)
        position += 1
        if position == len(clip.media):
            turn, position = turn + 1, 0
        next_ms = turn * clip.length_ms + clip.media[position].time_ms
        heapq.heapreplace(heap, (starts[i] + next_ms / 1000, i, turn, position))


async def main(arguments: list[str]) -> None:
    """Publish until SIGTERM; says `publishing` once every publication is accepted."""
    clip = read_clip(Path(arguments[0]))
    publications = []
    for target in arguments[1:]:
        port, app, name = target.split("/")
        publications.append(Publication(int(port), app, name))
    for publication in publications:
        await publication.open()
    pushing = asyncio.create_task(push(clip, publications))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, pushing.cancel)
    print("publishing", flush=True)
    try:
        await pushing
    except asyncio.CancelledError:
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
