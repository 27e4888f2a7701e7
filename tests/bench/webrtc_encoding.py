"""What aiortc does with a file by itself, for each viewer: `python -m tests.bench.webrtc_encoding`.

The clip is decoded once and encoded for each viewer. A line of JSON with offers in, answers out.
"""

import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer, MediaRelay


async def main(clip: str) -> None:
    reader = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    player, relay = MediaPlayer(clip, loop=True), MediaRelay()
    connections = []
    answers = []
    for offer in json.loads(await reader.readline()):
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connection.addTrack(relay.subscribe(player.video))
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        answers.append(connection.localDescription.sdp)
        connections.append(connection)
    print(json.dumps(answers), flush=True)
    await reader.read()
    await asyncio.gather(*(connection.close() for connection in connections))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
