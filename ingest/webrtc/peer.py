"""aiortc's peer connections, as far as they are used: one side sends, and SDP goes one round."""

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NoReturn

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpCapabilities,
    RTCRtpCodecCapability,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
    rtcrtpsender,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpsender import RTCEncodedFrame
from aiortc.sdp import candidate_from_sdp

from ingest.webrtc.errors import (
    FragmentMalformed,
    OfferMalformed,
    OfferUnacceptable,
    RestartUnsupported,
)
from ingest.webrtc.offer import answer_with, checked_offer, trickled, ufrag_of
from ingest.webrtc.settings import WebRtcNetwork
from ingest.webrtc.viewer_queue import ViewerQueue

RESENT_PACKETS = 2_048
"""RTP packets kept for those who ask again; aiortc's own 128 are less than a large keyframe."""

_HURRY_BYTES_PER_S = 3_000_000.0
_WRAP = 1 << 32
_NO_LEVEL: Any = None
"""Of the sound, for a header extension that is left out then."""


class PeerState(StrEnum):
    """What became of a connection; all but CONNECTED are its end."""

    CONNECTED = "connected"
    LOST = "connection_lost"
    UNPROTECTED = "handshake_failed"
    """DTLS did not succeed: the certificate is not the one that was offered, or it and the ciphers
    are not WebRTC's (RFC 8827 §6.5)."""


class Peer:
    """One connection. `on_state` is told once that it is up, and once that it is not any more."""

    def __init__(self, network: WebRtcNetwork, on_state: Callable[[PeerState], None]) -> None:
        vars(rtcrtpsender)["RTP_HISTORY_SIZE"] = RESENT_PACKETS
        self._network = network
        self._on_state = on_state
        self._ufrag = ""
        self._state: PeerState | None = None
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.add_listener("connectionstatechange", self._changed)

    @property
    def receivers(self) -> list[RTCRtpReceiver]:
        """Those that have a track."""
        found = [each.receiver for each in self._connection.getTransceivers()]
        return [each for each in found if each.track is not None]

    def send(self, kind: str, queue: ViewerQueue, on_keyframe_wanted: Callable[[], None]) -> None:
        """Send what comes through `queue`; H.264 or Opus, nothing else is negotiated."""
        transceiver = self._connection.addTransceiver(_Forwarded(kind), direction="sendonly")
        wanted = "video/h264" if kind == "video" else "audio/opus"
        codecs = _codecs(RTCRtpSender.getCapabilities(kind), wanted)
        transceiver.setCodecPreferences(codecs)
        _forward(transceiver.sender, queue, on_keyframe_wanted)

    def receive(self, kind: str, *wanted: str) -> None:
        """Receive one of the codecs, the first rather than the others."""
        transceiver = self._connection.addTransceiver(kind, direction="recvonly")
        capabilities = RTCRtpReceiver.getCapabilities(kind)
        transceiver.setCodecPreferences(_codecs(capabilities, *wanted))

    async def answer(self, offer: str, direction: str) -> str:
        """The answer, with every candidate; each section must go in `direction` from here.

        Raises OfferMalformed or OfferUnacceptable.
        """
        text = checked_offer(offer)
        self._ufrag = ufrag_of(text)
        description = RTCSessionDescription(sdp=text, type="offer")
        try:
            await self._connection.setRemoteDescription(description)
            answer = await self._connection.createAnswer()
        except Exception as error:
            # The stack's parser raises whatever its data structures do.
            if "parameters" in str(error):
                raise OfferUnacceptable("no codec that is offered can be used") from error
            raise OfferMalformed("the offer cannot be read") from error
        sections = [line for line in answer.sdp.splitlines() if line.startswith("a=send")]
        if not sections and direction == "sendonly":
            raise OfferUnacceptable("the offer wants to receive nothing")
        if direction == "recvonly" and "a=recvonly" not in answer.sdp:
            raise OfferUnacceptable("the offer wants to send nothing")
        await self._connection.setLocalDescription(answer)
        return answer_with(self._connection.localDescription.sdp, self._network.public_addresses)

    async def add_candidates(self, fragment: str) -> None:
        """Take trickled candidates. Raises FragmentMalformed or RestartUnsupported."""
        try:
            found = trickled(fragment, self._ufrag)
        except ValueError as error:
            raise RestartUnsupported("begin a new session instead of an ICE restart") from error
        for line, mid in found:
            try:
                candidate = candidate_from_sdp(line.removeprefix("candidate:"))
                candidate.sdpMid = mid or None
                candidate.sdpMLineIndex = None if mid else 0
                await self._connection.addIceCandidate(candidate)
            except Exception as error:
                raise FragmentMalformed("a candidate cannot be read") from error

    async def close(self) -> None:
        """Close everything that it holds; bounded."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await self._connection.close()
        self._connection.remove_all_listeners()

    def _changed(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self._tell(PeerState.CONNECTED)
        elif state in {"failed", "closed", "disconnected"}:
            transports = {each.sender.transport for each in self._connection.getTransceivers()}
            failed = any(one.state == "failed" for one in transports)
            self._tell(PeerState.UNPROTECTED if failed else PeerState.LOST)

    def _tell(self, state: PeerState) -> None:
        if self._state in {None, PeerState.CONNECTED} and self._state is not state:
            self._state = state
            self._on_state(state)


class _Forwarded(MediaStreamTrack):
    """Tells the stack that there is something to send; what, comes by another way."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    async def recv(self) -> NoReturn:
        """Nothing comes this way."""
        raise MediaStreamError


def _forward(
    sender: RTCRtpSender, queue: ViewerQueue, on_keyframe_wanted: Callable[[], None]
) -> None:
    """Feed the sender RTP payloads, which it numbers, protects, sends, and sends again."""

    async def next_encoded_frame(_codec: object) -> RTCEncodedFrame:
        unit = await queue.get()
        if unit.hurried:
            await asyncio.sleep(sum(map(len, unit.payloads)) / _HURRY_BYTES_PER_S)
        return RTCEncodedFrame(list(unit.payloads), unit.timestamp % _WRAP, _NO_LEVEL)

    # Its encoder's place, and what it does when a keyframe is asked for: it has no hooks for them.
    vars(sender).update(_next_encoded_frame=next_encoded_frame, _send_keyframe=on_keyframe_wanted)


def _codecs(capabilities: RTCRtpCapabilities | None, *wanted: str) -> list[RTCRtpCodecCapability]:
    """Those of the stack's codecs, in that order, and retransmission."""
    if capabilities is None:
        return []
    found = [
        codec
        for name in wanted
        for codec in capabilities.codecs
        if codec.mimeType.lower() == name.lower()
    ]
    again = [codec for codec in capabilities.codecs if codec.mimeType.lower().endswith("/rtx")]
    return [*found, *again]
