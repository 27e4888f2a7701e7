"""What the worker processes of WebRTC have in common: how they begin, and how they say no."""

import asyncio
import signal
from collections.abc import Callable
from typing import Protocol

from ingest.parent_death import die_with_parent
from ingest.webrtc.channel import DaemonChannel
from ingest.webrtc.errors import NoSuchWebRtcSession, WebRtcRefused
from ingest.webrtc.messages import Begin, Refused, Trickle, Trickled
from ingest.webrtc.port_range import PortRangeLoop, use_ports

FIGURES_EVERY_S = 2.0
"""How often the daemon is told what was counted."""


class Worker(Protocol):
    """One of them."""

    async def run(self) -> None:
        """Serve until the daemon goes, or there is nobody left to serve."""
        ...


class TakesCandidates(Protocol):
    """A peer, however it is used."""

    async def add_candidates(self, fragment: str) -> None:
        """Take trickled candidates. Raises WebRtcRefused."""
        ...


def serve(arguments: list[str], make: Callable[[DaemonChannel, Begin], Worker]) -> int:
    """A worker's `main`: `arguments[1]` is its end of a socket pair to the daemon, with whom it
    dies."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's to handle
    with asyncio.Runner(loop_factory=PortRangeLoop) as runner:
        runner.run(_serve(int(arguments[1]), make))
    return 0


async def _serve(descriptor: int, make: Callable[[DaemonChannel, Begin], Worker]) -> None:
    channel = await DaemonChannel.open(descriptor)
    async for message in channel.messages():
        if isinstance(message, Begin):
            use_ports(message.network.port_first, message.network.port_last)
            await make(channel, message).run()
        return


def refuse(channel: DaemonChannel, session: str, error: WebRtcRefused) -> None:
    """Tell the daemon why a session's offer or fragment is not taken."""
    channel.tell(Refused(session=session, code=error.code, detail=str(error)))


async def trickle(channel: DaemonChannel, message: Trickle, peer: TakesCandidates | None) -> None:
    """Hand candidates to the session's peer, None when it is over, and tell what came of it."""
    try:
        if peer is None:
            raise NoSuchWebRtcSession("it is over")
        await peer.add_candidates(message.fragment)
    except WebRtcRefused as error:
        refuse(channel, message.session, error)
        return
    channel.tell(Trickled(session=message.session))
