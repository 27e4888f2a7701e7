"""The worker of one stream's WebRTC viewers: `python -m ingest.webrtc.whep_worker FD`.

FD is its end of a socket pair to the daemon, with whom it dies.
"""

import asyncio
import sys
import time
from pathlib import Path

from ingest.errors import MalformedMedia
from ingest.webrtc.channel import DaemonChannel
from ingest.webrtc.errors import NoMediaYet, NotForwardable, WebRtcRefused
from ingest.webrtc.feed import Feed, SpoolMoved
from ingest.webrtc.messages import (
    Answered,
    Begin,
    Closed,
    Connected,
    Figures,
    Follow,
    Hangup,
    Offer,
    SourceLost,
    Trickle,
)
from ingest.webrtc.peer import Peer, PeerState
from ingest.webrtc.viewer_queue import ViewerQueue
from ingest.webrtc.worker_process import FIGURES_EVERY_S, refuse, serve, trickle

_POLL_S = 0.008
_PICTURE_WAIT_S = 5.0
_B_FRAMES = (
    "the encoder sends B-frames, which WebRTC cannot carry: set them to 0 "
    "(tune zerolatency), or watch over HLS"
)


class _Viewer:
    def __init__(self, name: str) -> None:
        self.name = name
        self.peer: Peer | None = None
        self.video = ViewerQueue()
        self.audio = ViewerQueue(most_units=150)
        self.is_connected = False
        self.ending: asyncio.Task[None] | None = None


class WhepWorker:
    """One feed, many viewers."""

    def __init__(self, channel: DaemonChannel, begin: Begin) -> None:
        self._channel = channel
        self._begin = begin
        self._viewers: dict[str, _Viewer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._feed = Feed(self._reordered)
        self._spool = ""
        self._moved = asyncio.Event()
        self._left_behind = 0
        self._asked = 0

    async def run(self) -> None:
        """Serve until the daemon goes."""
        polling = asyncio.create_task(self._poll(), name="feed")
        figures = asyncio.create_task(self._report(), name="figures")
        reading = asyncio.create_task(self._read(), name="daemon")
        done, _ = await asyncio.wait(
            {polling, figures, reading}, return_when=asyncio.FIRST_COMPLETED
        )
        for task in (polling, figures, reading, *self._tasks):
            task.cancel()
        self._feed.close()
        for task in done:
            task.result()

    async def _read(self) -> None:
        async for message in self._channel.messages():
            match message:
                case Follow():
                    self._follow(message)
                case Offer():
                    self._start(self._answer(message), f"offer-{message.session}")
                case Trickle():
                    viewer = self._viewers.get(message.session)
                    work = trickle(self._channel, message, viewer.peer if viewer else None)
                    self._start(work, f"trickle-{message.session}")
                case Hangup():
                    self._end(message.session, "hangup")

    def _start(self, work: "asyncio._CoroutineLike[None]", name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- the feed

    def _follow(self, message: Follow) -> None:
        self._spool = message.spool
        try:
            self._feed.follow(Path(message.spool), message.offset, message.video, message.audio)
        except OSError:
            self._channel.tell(SourceLost(spool=message.spool))

    async def _poll(self) -> None:
        while True:
            more = False
            try:
                more = self._feed.poll()
            except (SpoolMoved, MalformedMedia, OSError):
                self._feed.close()
                self._channel.tell(SourceLost(spool=self._spool))
            if self._feed.read_once:
                self._moved.set()
            await asyncio.sleep(0 if more else _POLL_S)

    def _reordered(self) -> None:
        """Viewers who are there would see nothing more."""
        for name in [*self._viewers]:
            self._end(name, "not_forwardable")

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(FIGURES_EVERY_S)
            self._channel.tell(
                Figures(
                    frames_dropped=self._left_behind + self._feed.dropped,
                    keyframe_requests=self._asked,
                )
            )

    # --- viewers

    async def _answer(self, offer: Offer) -> None:
        try:
            answer = await self._admit(offer)
        except WebRtcRefused as error:
            await self._leave(offer.session)
            refuse(self._channel, offer.session, error)
            return
        self._channel.tell(Answered(session=offer.session, sdp=answer))

    async def _admit(self, offer: Offer) -> str:
        await self._wait_picture()
        viewer = self._viewers[offer.session] = _Viewer(offer.session)
        peer = viewer.peer = Peer(
            self._begin.network, lambda state: self._changed(offer.session, state)
        )
        if "m=video" in offer.sdp:
            peer.send("video", viewer.video, lambda: self._keyframe_wanted(offer.session))
        if "m=audio" in offer.sdp:
            peer.send("audio", viewer.audio, lambda: None)
        answer = await peer.answer(offer.sdp, "sendonly")
        self._start(self._connects_in_time(viewer), f"connect-{offer.session}")
        return answer

    async def _wait_picture(self) -> None:
        """Until there is a keyframe to begin with, or the reason why there is none."""
        deadline_s = time.monotonic() + _PICTURE_WAIT_S
        while not self._feed.is_ready and not self._feed.reordered:
            if time.monotonic() > deadline_s:
                raise NoMediaYet("the stream has no picture to begin with")
            await asyncio.sleep(_POLL_S)
        if self._feed.reordered:
            raise NotForwardable(_B_FRAMES)

    async def _connects_in_time(self, viewer: _Viewer) -> None:
        await asyncio.sleep(self._begin.connect_s)
        if not viewer.is_connected:
            self._end(viewer.name, "not_connected")

    def _changed(self, name: str, state: PeerState) -> None:
        viewer = self._viewers.get(name)
        if viewer is None:
            return
        if state is not PeerState.CONNECTED:
            self._end(name, state.value)
            return
        viewer.is_connected = True
        self._feed.join(name, viewer.video, viewer.audio)
        self._channel.tell(Connected(session=name))

    def _keyframe_wanted(self, name: str) -> None:
        self._asked += 1
        self._feed.replay(name, time.monotonic())

    def _end(self, name: str, reason: str) -> None:
        viewer = self._viewers.get(name)
        if viewer is not None and viewer.ending is None:
            viewer.ending = self._start(self._say_goodbye(name, reason), f"end-{name}")

    async def _say_goodbye(self, name: str, reason: str) -> None:
        await self._leave(name)
        self._channel.tell(Closed(session=name, reason=reason))

    async def _leave(self, name: str) -> None:
        viewer = self._viewers.pop(name, None)
        if viewer is None:
            return
        self._left_behind += viewer.video.dropped + viewer.audio.dropped
        self._feed.leave(name)
        if viewer.peer is not None:
            await viewer.peer.close()


if __name__ == "__main__":
    sys.exit(serve(sys.argv, WhepWorker))
