"""aiortc as the receiver of a publisher: coded units out, instead of pictures and samples.

Its receivers decode what they assemble, in a thread each. What stands in for their decoders here
passes H.264 on, and makes of VP8 and Opus what is packaged.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from aiortc import RTCRtpReceiver, rtcrtpreceiver
from aiortc.codecs import CODECS
from aiortc.codecs.base import Decoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket

from ingest.media import MediaKind
from ingest.webrtc.errors import OfferUnacceptable
from ingest.webrtc.offer import checked_offer
from ingest.webrtc.peer import Peer, PeerState
from ingest.webrtc.publisher_codecs import Coded, OpusToAac, Vp8ToH264
from ingest.webrtc.settings import WebRtcNetwork

_NTP_FRACTION = 1 << 32
_ASSEMBLED_PACKETS = 512
_MORE_PROFILES = {"4d001f": 103, "640c1f": 105, "64001f": 107}
"""H.264's Main, Constrained High and High with a payload type for each: aiortc's own encoder makes
Baseline alone, but nothing is decoded here, and encoders beside browsers offer what they make."""


class PublisherPeer:
    """One publisher's connection.

    `on_unit` gets the coded units of each track: Annex B access units, AAC frames. `on_report`
    gets the sender reports: kind, NTP time in seconds, RTP timestamp.
    """

    def __init__(
        self,
        network: WebRtcNetwork,
        on_state: Callable[[PeerState], None],
        on_unit: Callable[[MediaKind, Coded], None],
        on_report: Callable[[MediaKind, float, int], None],
    ) -> None:
        self._on_unit = on_unit
        self._on_report = on_report
        self._aac = OpusToAac()
        vars(rtcrtpreceiver)["get_decoder"] = self._decoder
        _know_more_profiles()
        self._peer = Peer(network, on_state)
        self._reading: list[asyncio.Task[None]] = []

    @property
    def audio_config(self) -> bytes:
        """The AudioSpecificConfig of the sound."""
        return self._aac.config

    async def answer(self, offer: str) -> str:
        """The SDP answer. Raises OfferMalformed or OfferUnacceptable."""
        if "m=video" not in checked_offer(offer):
            raise OfferUnacceptable("the offer has no video")
        # Browsers encode H.264 as it is to be packaged; what they send else costs an encoder.
        self._peer.receive("video", "video/h264", "video/vp8")
        if "m=audio" in offer:
            self._peer.receive("audio", "audio/opus")
        text = await self._peer.answer(offer, "recvonly")
        for receiver in self._peer.receivers:
            kind = MediaKind(receiver.track.kind)
            _tap(receiver, kind, self._on_report)
            self._reading.append(
                asyncio.create_task(self._read(kind, receiver), name=f"from-{kind}")
            )
        return text

    async def add_candidates(self, fragment: str) -> None:
        """Take trickled candidates."""
        await self._peer.add_candidates(fragment)

    async def ask_keyframe(self) -> None:
        """Ask for a keyframe (RFC 4585 §6.3.1); in vain before the first packet."""
        for receiver in self._peer.receivers:
            if receiver.track.kind == "video":
                for source in receiver.getSynchronizationSources():
                    await receiver._send_rtcp_pli(source.source)  # noqa: SLF001

    async def mend(self, *, give_up: bool) -> bool:
        """The picture does not move: ask again for the packets that are missing, or `give_up` on
        them and begin anew with a keyframe. False when none is missing: nothing was sent.

        The receiver asks for a packet when it first sees that it is missing, and not again; and
        what it has assembled waits for hundreds of packets before it does without.
        """
        mended = False
        for receiver in self._peer.receivers:
            generator = vars(receiver).get("_RTCRtpReceiver__nack_generator")
            if generator is None or not generator.missing:
                continue
            mended = True
            if give_up:
                generator.missing.clear()
                fresh = JitterBuffer(capacity=_ASSEMBLED_PACKETS, is_video=True)
                vars(receiver)["_RTCRtpReceiver__jitter_buffer"] = fresh
                continue
            for source in receiver.getSynchronizationSources():
                await receiver._send_rtcp_nack(  # noqa: SLF001
                    source.source, sorted(generator.missing)
                )
        if mended and give_up:
            await self.ask_keyframe()
        return mended

    async def close(self) -> None:
        """Close the connection."""
        for task in self._reading:
            task.cancel()
        await self._peer.close()

    async def _read(self, kind: MediaKind, receiver: RTCRtpReceiver) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                unit: object = await receiver.track.recv()
                if isinstance(unit, Coded):
                    self._on_unit(kind, unit)

    def _decoder(self, codec: RTCRtpCodecParameters) -> Decoder:
        match codec.mimeType.lower():
            case "video/vp8":
                return _Converter(Vp8ToH264().convert)
            case "audio/opus":
                return _Converter(self._aac.convert)
        return _Converter(lambda data, timestamp: [Coded(timestamp, data)])


def _know_more_profiles() -> None:
    """Have aiortc negotiate every profile of H.264 that encoders offer."""
    known = {codec.parameters.get("profile-level-id") for codec in CODECS["video"]}
    baseline = next(codec for codec in CODECS["video"] if codec.mimeType == "video/H264")
    for profile, number in _MORE_PROFILES.items():
        if profile not in known:
            parameters = {**baseline.parameters, "profile-level-id": profile}
            again = RTCRtpCodecParameters(
                "video/rtx", baseline.clockRate, payloadType=number + 1, parameters={"apt": number}
            )
            CODECS["video"] += [replace(baseline, payloadType=number, parameters=parameters), again]


class _Converter(Decoder):
    def __init__(self, convert: Callable[[bytes, int], Iterable[Coded]]) -> None:
        self._convert = convert

    def decode(self, encoded_frame: JitterFrame) -> list[Any]:
        return list(self._convert(encoded_frame.data, encoded_frame.timestamp))


class _AsSent:
    """Leaves RTP timestamps as they are; both tracks are put on one clock later."""

    @staticmethod
    def map(timestamp: int) -> int:
        return timestamp


def _tap(
    receiver: RTCRtpReceiver, kind: MediaKind, on_report: Callable[[MediaKind, float, int], None]
) -> None:
    handle: Callable[[AnyRtcpPacket], Awaitable[None]] = receiver._handle_rtcp_packet  # noqa: SLF001

    async def handle_rtcp_packet(packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket):
            info = packet.sender_info
            on_report(kind, info.ntp_timestamp / _NTP_FRACTION, info.rtp_timestamp)
        await handle(packet)

    # It has no hooks for what a sender reports, nor for timestamps as they were sent.
    vars(receiver).update(
        _handle_rtcp_packet=handle_rtcp_packet, _RTCRtpReceiver__timestamp_mapper=_AsSent()
    )
