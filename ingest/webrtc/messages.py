"""What the daemon and a WebRTC worker say to each other over their socket pair: JSON lines."""

from typing import TypeAlias

import msgspec

from ingest.media import AudioFormat, VideoFormat
from ingest.webrtc.settings import WebRtcNetwork


class _Message(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    pass


class _OfSession(_Message, frozen=True, kw_only=True):
    session: str


class Begin(_Message, tag="begin", frozen=True, kw_only=True):
    """Daemon → worker, first: how peers reach it, and how long they may take."""

    network: WebRtcNetwork
    connect_s: float
    silence_s: float = 0.0


class Follow(_Message, tag="follow", frozen=True, kw_only=True):
    """Daemon → WHEP worker: forward the spool file `spool` from `offset` on, where a tag of a
    keyframe is; `video` and `audio` are the formats in force there, None at the file's start."""

    spool: str
    offset: int
    video: VideoFormat | None = None
    audio: AudioFormat | None = None


class Record(_Message, tag="record", frozen=True, kw_only=True):
    """Daemon → WHIP worker: write what the publisher sends to the spool file `spool`."""

    spool: str


class Offer(_OfSession, tag="offer", frozen=True, kw_only=True):
    """Daemon → worker: an SDP offer; answered with Answered or Refused."""

    sdp: str


class Trickle(_OfSession, tag="trickle", frozen=True, kw_only=True):
    """Daemon → worker: more candidates (RFC 8840); answered with Trickled or Refused."""

    fragment: str


class Hangup(_OfSession, tag="hangup", frozen=True, kw_only=True):
    """Daemon → worker: end the session; Closed follows."""


class Answered(_OfSession, tag="answered", frozen=True, kw_only=True):
    """Worker → daemon: the SDP answer, with all candidates."""

    sdp: str


class Trickled(_OfSession, tag="trickled", frozen=True, kw_only=True):
    """Worker → daemon: the candidates were taken."""


class Refused(_OfSession, tag="refused", frozen=True, kw_only=True):
    """Worker → daemon: the offer or the fragment was not taken; the code is an error's."""

    code: str
    detail: str


class Connected(_OfSession, tag="connected", frozen=True, kw_only=True):
    """Worker → daemon: ICE and DTLS are through."""


class Closed(_OfSession, tag="closed", frozen=True, kw_only=True):
    """Worker → daemon: the session is over, and what it held is free."""

    reason: str


class SourceLost(_Message, tag="source_lost", frozen=True, kw_only=True):
    """WHEP worker → daemon: the spool has no tag where it was sent to; asks for a new Follow."""

    spool: str


class Figures(_Message, tag="figures", frozen=True, kw_only=True):
    """Worker → daemon, every few seconds: counted since it began."""

    frames_sent: int = 0
    frames_dropped: int = 0
    keyframe_requests: int = 0
    frames_received: int = 0


ToPeerWorker: TypeAlias = Begin | Follow | Record | Offer | Trickle | Hangup
FromPeerWorker: TypeAlias = (
    Answered | Trickled | Refused | Connected | Closed | SourceLost | Figures
)

_encoder = msgspec.json.Encoder()
_to_worker: msgspec.json.Decoder[ToPeerWorker] = msgspec.json.Decoder(ToPeerWorker)
_from_worker: msgspec.json.Decoder[FromPeerWorker] = msgspec.json.Decoder(FromPeerWorker)


def encode(message: ToPeerWorker | FromPeerWorker) -> bytes:
    """One line, newline included."""
    return _encoder.encode(message) + b"\n"


def decode_to_worker(line: bytes) -> ToPeerWorker:
    """A line that the daemon wrote; msgspec.DecodeError for anything else."""
    return _to_worker.decode(line)


def decode_from_worker(line: bytes) -> FromPeerWorker:
    """A line that a worker wrote; msgspec.DecodeError for anything else."""
    return _from_worker.decode(line)
