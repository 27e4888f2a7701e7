"""Viewers over WebRTC that decode nothing: `python -m tests.bench.webrtc_viewers`.

Lines of JSON: a number in, so many offers out; their answers in, "connected" out; seconds in, what
each viewer got in that time out.
"""

import asyncio
import json
import sys
import time

from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
    rtcrtpreceiver,
)
from aiortc.codecs.base import Decoder
from aiortc.mediastreams import MediaStreamError

_RATE = 90_000
_STAMPS = 1 << 32
"""How many RTP timestamps there are; they begin anywhere (RFC 3550, 5.1)."""


class _Arrivals(Decoder):
    """Stands in for a decoder: notes which picture came when."""

    def __init__(self) -> None:
        self._first: int | None = None

    def decode(self, encoded_frame):
        if self._first is None:
            self._first = encoded_frame.timestamp
        since = (encoded_frame.timestamp - self._first + _STAMPS // 2) % _STAMPS - _STAMPS // 2
        return [(since / _RATE, time.monotonic())]


class _Viewer:
    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = self.connection.addTransceiver("video", direction="recvonly")
        codecs = RTCRtpReceiver.getCapabilities("video").codecs
        transceiver.setCodecPreferences(
            [one for one in codecs if one.mimeType in {"video/H264", "video/rtx"}]
        )
        self.arrivals: list[tuple[float, float]] = []
        self.receiver = transceiver.receiver

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def take(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def read(self) -> None:
        try:
            while True:
                self.arrivals.append(await self.receiver.track.recv())
        except MediaStreamError:
            return

    def figures(self) -> dict[str, float]:
        """How late pictures were against the best one; frames."""
        delays = sorted(at - stamp for stamp, at in self.arrivals)
        late = [delay - delays[0] for delay in delays]
        return {"frames": len(late), "p95_s": late[len(late) * 95 // 100] if late else 99.0}


async def main() -> None:
    vars(rtcrtpreceiver)["get_decoder"] = lambda _codec: _Arrivals()
    reader = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    viewers = [_Viewer() for _ in range(json.loads(await reader.readline()))]
    print(json.dumps([await viewer.offer() for viewer in viewers]), flush=True)
    for viewer, answer in zip(viewers, json.loads(await reader.readline()), strict=True):
        await viewer.take(answer)
    reading = [asyncio.create_task(viewer.read()) for viewer in viewers]
    async with asyncio.timeout(60):
        while not all(len(viewer.arrivals) > 30 for viewer in viewers):
            await asyncio.sleep(0.05)
    print(json.dumps("connected"), flush=True)
    seconds = json.loads(await reader.readline())
    for viewer in viewers:
        viewer.arrivals.clear()
    await asyncio.sleep(seconds)
    print(json.dumps([viewer.figures() for viewer in viewers]), flush=True)
    for task in reading:
        task.cancel()
    await asyncio.gather(*(viewer.connection.close() for viewer in viewers))


if __name__ == "__main__":
    asyncio.run(main())
