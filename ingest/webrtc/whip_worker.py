"""The worker of one WebRTC publisher: `python -m ingest.webrtc.whip_worker FD`.

FD is its end of a socket pair to the daemon, with whom it dies. What the publisher sends goes into
a spool file, from which a packager serves it as it does what nginx records.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from ingest.media import MediaKind
from ingest.webrtc.annex_b import access_unit
from ingest.webrtc.channel import DaemonChannel
from ingest.webrtc.errors import WebRtcRefused
from ingest.webrtc.flv_writer import FlvSpool
from ingest.webrtc.messages import (
    Answered,
    Begin,
    Closed,
    Connected,
    Figures,
    Hangup,
    Offer,
    Record,
    Trickle,
)
from ingest.webrtc.peer import PeerState
from ingest.webrtc.publisher_clock import PublisherClock
from ingest.webrtc.publisher_codecs import AUDIO_RATE, VIDEO_RATE, Coded
from ingest.webrtc.publisher_peer import PublisherPeer
from ingest.webrtc.worker_process import FIGURES_EVERY_S, refuse, serve, trickle

_LOOK_EVERY_S = 0.1
_MISSING_S = 0.2
_GIVE_UP_S = 0.6
"""A picture that does not move for so long lacks packets: they are asked for again, then done
without."""

_KEYFRAME_EVERY_S = 1.9
_ASK_AGAIN_S = 0.5


class WhipWorker:
    """One publisher, one spool file."""

    def __init__(self, channel: DaemonChannel, begin: Begin) -> None:
        self._channel = channel
        self._begin = begin
        self._session = ""
        self._spool: FlvSpool | None = None
        self._config = b""
        self._has_sound = False
        self._clock = PublisherClock({MediaKind.VIDEO: VIDEO_RATE, MediaKind.AUDIO: AUDIO_RATE})
        self._peer = PublisherPeer(begin.network, self._changed, self._unit, self._report)
        self._over = asyncio.Event()
        self._reason = "daemon_gone"
        self._is_connected = False
        self._key_at_s = self._asked_at_s = self._heard_at_s = self._born_s = time.monotonic()
        self._moved_at_s = self._born_s
        self._frames = 0
        self._waits_for_key = True

    async def run(self) -> None:
        """Serve until the publisher or the daemon goes."""
        reading = asyncio.create_task(self._read(), name="daemon")
        watching = asyncio.create_task(self._watch(), name="watch")
        over = asyncio.create_task(self._over.wait(), name="over")
        tasks: set[asyncio.Task[Any]] = {reading, watching, over}
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        await self._peer.close()
        for task in done:
            if task is not over:
                task.result()
        if self._session:
            self._channel.tell(Closed(session=self._session, reason=self._reason))
        await self._channel.close()

    async def _read(self) -> None:
        async for message in self._channel.messages():
            match message:
                case Offer():
                    await self._answer(message)
                case Record():
                    self._record(message)
                case Trickle():
                    await trickle(self._channel, message, self._peer)
                case Hangup():
                    self._end("hangup")

    async def _answer(self, offer: Offer) -> None:
        self._session = offer.session
        try:
            answer = await self._peer.answer(offer.sdp)
        except WebRtcRefused as error:
            refuse(self._channel, offer.session, error)
            self._end("refused")
            return
        self._channel.tell(Answered(session=offer.session, sdp=answer))

    def _record(self, message: Record) -> None:
        try:
            self._spool = FlvSpool(Path(message.spool))
        except OSError:
            self._end("no_spool")

    def _end(self, reason: str) -> None:
        if not self._over.is_set():
            self._reason = reason
            self._over.set()

    # --- what the peer tells

    def _changed(self, state: PeerState) -> None:
        if state is not PeerState.CONNECTED:
            self._end(state.value)
            return
        self._is_connected = True
        self._heard_at_s = time.monotonic()
        self._channel.tell(Connected(session=self._session))

    def _report(self, kind: MediaKind, ntp_s: float, timestamp: int) -> None:
        self._clock.report(kind, ntp_s, timestamp)

    def _unit(self, kind: MediaKind, unit: Coded) -> None:
        now_s = self._heard_at_s = time.monotonic()
        spool = self._spool
        if spool is None:
            return
        stamp_ms = self._clock.stamp_ms(kind, unit.timestamp, now_s)
        try:
            if kind is MediaKind.VIDEO:
                self._moved_at_s = now_s
                self._picture(spool, unit.data, stamp_ms, now_s)
            else:
                self._sound(spool, unit.data, stamp_ms)
        except OSError:
            self._end("no_space")

    def _picture(self, spool: FlvSpool, data: bytes, stamp_ms: int, now_s: float) -> None:
        unit = access_unit(data)
        if unit.config and unit.config != self._config:
            self._config = unit.config
            spool.video_config(unit.config, stamp_ms)
        if not unit.data or not self._config or (self._waits_for_key and not unit.is_key):
            return
        self._waits_for_key = False
        if unit.is_key:
            self._key_at_s = now_s
        self._frames += 1
        spool.video(unit.data, stamp_ms, is_key=unit.is_key)

    def _sound(self, spool: FlvSpool, data: bytes, stamp_ms: int) -> None:
        if not self._has_sound:
            self._has_sound = True
            spool.audio_config(self._peer.audio_config, stamp_ms)
        spool.audio(data, stamp_ms)

    async def _watch(self) -> None:
        """Ask for keyframes, at which segments are cut; notice who stays away or sends nothing."""
        told_at_s = self._born_s
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            now_s = time.monotonic()
            if not self._is_connected:
                if now_s - self._born_s > self._begin.connect_s:
                    self._end("not_connected")
                continue
            if now_s - self._heard_at_s > self._begin.silence_s:
                self._end("silent")
            await self._mend(now_s)
            due_s = self._key_at_s + (0.0 if self._waits_for_key else _KEYFRAME_EVERY_S)
            if now_s >= due_s and now_s - self._asked_at_s >= _ASK_AGAIN_S:
                self._asked_at_s = now_s
                await self._peer.ask_keyframe()
            if now_s - told_at_s >= FIGURES_EVERY_S:
                told_at_s = now_s
                self._channel.tell(Figures(frames_received=self._frames))

    async def _mend(self, now_s: float) -> None:
        stalled_s = now_s - self._moved_at_s
        if self._spool is None or stalled_s < _MISSING_S:
            return
        give_up = stalled_s >= _GIVE_UP_S
        if await self._peer.mend(give_up=give_up) and give_up:
            self._moved_at_s = now_s
            self._waits_for_key = True  # what comes until then refers to what is lost


if __name__ == "__main__":
    sys.exit(serve(sys.argv, WhipWorker))
